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
    /// Where the console listens: 127.0.0.1 only; port 0 means any free port.
    pub listen: SocketAddr,
    /// Where users and devices are kept.
    pub data: Data,
    /// The account, 12 digits. `None`: the stored one, or at the first start a random one.
    pub account: Option<String>,
    /// The name of the administrator made at the first start.
    pub administrator: String,
    /// What is asked of security keys about their maker.
    pub attestation: Attestation,
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
            data,
            account: None,
            administrator: "Administrator".into(),
            attestation: Attestation::Direct,
            clock: Clock::system(),
        }
    }
}

/// Where users and devices are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// In memory: gone when the server stops.
    Ephemeral,
    /// In a directory of mode 0700 that only one server uses at a time.
    Directory(PathBuf),
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
