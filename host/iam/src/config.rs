//! What the local IAM is started with.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// What the local IAM is started with.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the console listens: without TLS on 127.0.0.1 only. Port 0 means any free port.
    pub listen: SocketAddr,
    /// Certificate and key, to serve TLS and nothing else.
    pub tls: Option<Tls>,
    /// How browsers name the console behind TLS, such as `https://iam.example.org`: WebAuthn's origin, whose name is the
    /// RP ID. `None`: `localhost` and the port. Security keys belong to the name, and sign in under no other.
    pub origin: Option<String>,
    /// Where users and devices are kept.
    pub data: Data,
    /// The account, 12 digits. `None`: the stored one, or at the first start a random one.
    pub account: Option<String>,
    /// The name of the administrator made at the first start.
    pub administrator: String,
    /// What is asked of security keys about their maker.
    pub attestation: Attestation,
    /// What is asked of security keys about their owner, at registration and at each sign-in.
    pub user_verification: UserVerification,
    /// The AppID of keys that were registered with U2F (WebAuthn's `appid` extension). A browser accepts one of its
    /// page's own site only; other clients may not ask.
    pub app_id: String,
    /// Files in the shape of the FIDO Metadata Service's payload (MDS3, JSON): whose root attests which AAGUID, and
    /// how it is certified. A later file replaces what an earlier one says of an AAGUID; the virtual key's own entry
    /// is always there.
    pub metadata: Vec<PathBuf>,
    /// Which security keys may be registered.
    pub keys: KeyPolicy,
    /// Who may take an MFA device out of use.
    pub removal: Removal,
    /// The roles that STS's AssumeRole knows. They may call GetCallerIdentity and nothing else.
    pub roles: Vec<Role>,
    /// The policy that denies what was not called with MFA. `None`: there is none.
    pub guard: Option<Guard>,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Config {
    /// Everything in memory, any free port: gone when the server stops.
    pub fn ephemeral() -> Self {
        Self::with_data(Data::Ephemeral)
    }

    /// Users and devices in `directory`, which is made (mode 0700) when it is not there.
    pub fn in_directory(directory: impl Into<PathBuf>) -> Self {
        Self::with_data(Data::Directory(directory.into()))
    }

    fn with_data(data: Data) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls: None,
            origin: None,
            data,
            account: None,
            administrator: "Administrator".into(),
            attestation: Attestation::Direct,
            user_verification: UserVerification::Preferred,
            app_id: "https://u2f.aws.amazon.com/app-id.json".into(),
            metadata: Vec::new(),
            keys: KeyPolicy::default(),
            removal: Removal::ByAdministrator,
            roles: vec![Role { name: "MFARequired".into(), mfa_within: Some(3600) }],
            guard: None,
            clock: Clock::system(),
        }
    }
}

/// What TLS is served with; both files are PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate of the origin's name, and those between it and its root.
    pub certificate: PathBuf,
    /// Its key, not encrypted, in a file that nobody else can read.
    pub key: PathBuf,
}

/// Where users and devices are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// In memory: gone when the server stops.
    Ephemeral,
    /// In a directory of mode 0700 that only one server uses at a time.
    Directory(PathBuf),
}

/// Who may take an MFA device out of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// An administrator alone: users add devices, and ask for a removal.
    ByAdministrator,
    /// The user too, who must have proven an MFA device.
    ByOwner,
}

/// A policy on the condition keys of registering a security key: all of them must hold. Without one every key may be
/// registered, whatever it says of its maker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPolicy {
    /// `iam:RegisterSecurityKey`: no key may be registered. Those that are go on signing in.
    pub refused: bool,
    /// The values of `iam:FIDO-certification` that will do, such as `L1`. Empty: it does not matter.
    pub fido: Vec<String>,
    /// The same for `iam:FIDO-FIPS-140-2-certification`.
    pub fips_140_2: Vec<String>,
    /// The same for `iam:FIDO-FIPS-140-3-certification`.
    pub fips_140_3: Vec<String>,
}

/// A role: every user of the account may assume it, under the condition here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The name at the end of `arn:aws:iam::ACCOUNT:role/NAME`.
    pub name: String,
    /// An MFA device must have been proven at most so many seconds ago (`aws:MultiFactorAuthAge`). `None`: MFA is
    /// not asked for.
    pub mfa_within: Option<u32>,
}

/// The policy that AWS's documentation gives for making people use MFA, attached to every user but administrators:
/// without MFA all is denied but adding an MFA device, getting a session token and asking who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// MFA that was proven longer ago than so many seconds is none (`NumericGreaterThan` on
    /// `aws:MultiFactorAuthAge`). `None`: its age does not matter.
    pub mfa_within: Option<u32>,
}

/// What is asked of security keys about their maker (WebAuthn's attestation conveyance).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attestation {
    /// Nothing.
    None,
    /// Something, perhaps made anonymous on the way.
    Indirect,
    /// The key's own statement.
    Direct,
}

/// What is asked of security keys about their owner (WebAuthn's user verification: a PIN, a fingerprint).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserVerification {
    /// Without it the key is refused.
    Required,
    /// Asked for; a key that was only touched is accepted, also when its owner once gave a PIN.
    Preferred,
    /// Not asked for.
    Discouraged,
}

/// Where the time comes from: the system, or a test.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// The operating system's clock.
    pub fn system() -> Self {
        Self::from_fn(SystemTime::now)
    }

    /// A clock that asks `now` each time.
    pub fn from_fn(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Seconds since 1970; a time before that counts as 1970.
    pub(crate) fn seconds(&self) -> i64 {
        let elapsed = (self.0)().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
