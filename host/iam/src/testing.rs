//! What several tests need: a directory that goes away, a clock set by hand, an IAM with people in it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use crate::{
    config::{Clock, Config},
    events::Source,
    iam::{Administrator, Iam, SignedIn},
    origin::Origin,
    random,
    signin::{Claim, FirstStep},
};

/// A new directory, removed when dropped.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Self {
        let name = u64::from_le_bytes(random().unwrap());
        let path = std::env::temp_dir().join(format!("keywright-iam-{name:016x}"));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A clock that stands until it is moved.
#[derive(Clone)]
pub(crate) struct Hands(Arc<AtomicU64>);

impl Hands {
    /// The beginning of a 30-second step, so that tests know where they are in it.
    pub(crate) fn new() -> Self {
        Self(Arc::new(AtomicU64::new(1_800_000_000)))
    }

    pub(crate) fn clock(&self) -> Clock {
        let seconds = self.0.clone();
        Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst)))
    }

    pub(crate) fn seconds(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

/// A local IAM in memory, and its administrator signed in.
pub(crate) fn iam(hands: &Hands) -> (Iam, SignedIn) {
    let config = Config { clock: hands.clock(), ..Config::ephemeral() };
    let (iam, administrator) =
        Iam::open(&config, Origin::local(false, ([127, 0, 0, 1], 1).into()).unwrap()).unwrap();
    let Administrator { user, password } = administrator.unwrap();
    let account = iam.account.as_str().to_owned();
    let step =
        iam.check_password(&Claim { account, user, password: password.into(), source: source() }).unwrap();
    let FirstStep::SignedIn { id } = step else { panic!("the administrator has no device yet") };
    let caller = iam.signed_in(Some(&id), source()).unwrap();
    (iam, caller)
}

/// Nowhere in particular.
pub(crate) fn source() -> Source {
    Source { address: None, agent: "test".into() }
}

/// A second user, signed in without MFA.
pub(crate) fn another_user(iam: &Iam, administrator: &SignedIn, name: &str) -> SignedIn {
    iam.create_user(administrator, name, "a good password").unwrap();
    let claim = Claim {
        account: iam.account.as_str().into(),
        user: name.into(),
        password: "a good password".to_owned().into(),
        source: source(),
    };
    let FirstStep::SignedIn { id } = iam.check_password(&claim).unwrap() else { panic!("no device yet") };
    iam.signed_in(Some(&id), source()).unwrap()
}

/// What an authenticator app shows at a time.
pub(crate) fn code(seed_base32: &str, seconds: u64) -> String {
    let seed = data_encoding::BASE32_NOPAD.decode(seed_base32.as_bytes()).unwrap();
    totp_rs::Builder::new().with_secret(seed).build_noncompliant().generate(seconds).to_string()
}
