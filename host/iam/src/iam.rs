//! The local IAM without its sockets: everything that blocks, called from threads that may.

use std::fmt;

use rusqlite::Transaction;
use serde::Serialize;
use tokio::sync::Semaphore;
use tracing::info;
use webauthn_rs_core::WebauthnCore;

use crate::{
    access_keys::{self, Credential},
    attestation::Metadata,
    config::{Attestation, Clock, Config, Guard, KeyPolicy, Removal, Role, UserVerification},
    devices,
    error::Error,
    events::Source,
    names::{Account, UserName},
    oauth::Authorizations,
    origin::Origin,
    password::{self, Passwords},
    refusal::Refusal,
    session::{FirstFactor, Seen, SessionKey, Sessions, Stage},
    store::{self, Store},
    throttle::Throttle,
    users::{self, NewUser, User},
    webauthn,
};

/// The local IAM: one account, its users, their devices and sessions.
pub(crate) struct Iam {
    pub(crate) account: Account,
    /// `http://localhost:PORT`, unless there is TLS: the WebAuthn origin, and the only one that may post.
    pub(crate) console_url: Origin,
    pub(crate) store: Store,
    pub(crate) passwords: Passwords,
    /// Whose turn it is to have a password hashed, which takes long: the other requests keep their threads.
    pub(crate) password_turns: Semaphore,
    pub(crate) sessions: Sessions,
    pub(crate) authorizations: Authorizations,
    pub(crate) throttle: Throttle,
    pub(crate) relying_party: WebauthnCore,
    pub(crate) attestation: Attestation,
    pub(crate) user_verification: UserVerification,
    pub(crate) app_id: String,
    pub(crate) metadata: Metadata,
    pub(crate) keys: KeyPolicy,
    pub(crate) removal: Removal,
    pub(crate) roles: Vec<Role>,
    pub(crate) guard: Option<Guard>,
    clock: Clock,
}

/// Someone who did the first step and has an MFA device to prove. Good for that alone.
pub(crate) struct Pending {
    pub(crate) key: SessionKey,
    pub(crate) user: User,
    pub(crate) first: FirstFactor,
    pub(crate) csrf: String,
    pub(crate) source: Source,
}

/// Someone signed in.
pub(crate) struct SignedIn {
    pub(crate) key: SessionKey,
    pub(crate) user: User,
    pub(crate) first: FirstFactor,
    pub(crate) mfa_serial: Option<String>,
    pub(crate) csrf: String,
    /// When the session began, in seconds since 1970.
    pub(crate) since: i64,
    pub(crate) source: Source,
}

/// Who may make users.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Administrator {
    /// The user name.
    pub user: String,
    /// The first password. A secret: for the person at the terminal, not for a log.
    pub password: String,
}

impl Iam {
    /// Opens the data; the administrator's password is told once, at the first start.
    pub(crate) fn open(config: &Config, console_url: Origin) -> Result<(Self, Option<Administrator>), Error> {
        for role in &config.roles {
            UserName::parse(&role.name).map_err(|_| Error::Role(role.name.clone()))?;
        }
        let relying_party = webauthn::relying_party(&console_url)?;
        let store = Store::open(&config.data)?;
        let passwords = Passwords::new().map_err(|error| Error::Password(error.to_string()))?;
        let account = account(&store, config)?;
        let administrator = first_administrator(&store, &passwords, config)?;
        let iam = Self {
            account,
            console_url,
            store,
            passwords,
            password_turns: Semaphore::new(MOST_PASSWORDS),
            sessions: Sessions::default(),
            authorizations: Authorizations::default(),
            throttle: Throttle::default(),
            relying_party,
            attestation: config.attestation,
            user_verification: config.user_verification,
            app_id: config.app_id.clone(),
            metadata: Metadata::load(&config.metadata)?,
            keys: config.keys.clone(),
            removal: config.removal,
            roles: config.roles.clone(),
            guard: config.guard,
            clock: config.clock.clone(),
        };
        Ok((iam, administrator))
    }

    /// The administrator's access key, which whoever starts the server is told.
    pub(crate) fn administrator_key(&self) -> Result<Credential, Error> {
        let (sealer, now) = (&self.store.sealer, self.now());
        let key = self.store.transaction(|tx| access_keys::of_administrator(tx, sealer, now));
        key.map_err(|refusal| Error::Start(refusal.message))
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.seconds()
    }

    /// The pending sign-in that a cookie names.
    pub(crate) fn pending(&self, id: Option<&str>, source: Source) -> Result<Pending, Refusal> {
        let gone = || Refusal::denied("This sign-in is not there or took too long. Start again at /sign-in.");
        let (seen, user) = self.find(id).map_err(|error| error.unwrap_or_else(gone))?;
        match seen.stage {
            Stage::Pending(first) => Ok(Pending { key: seen.key, user, first, csrf: seen.csrf, source }),
            Stage::SignedIn { .. } => Err(gone()),
        }
    }

    /// The session that a cookie names.
    pub(crate) fn signed_in(&self, id: Option<&str>, source: Source) -> Result<SignedIn, Refusal> {
        let gone = || Refusal::denied("You are not signed in. Sign in at /sign-in.");
        let (seen, user) = self.find(id).map_err(|error| error.unwrap_or_else(gone))?;
        match seen.stage {
            Stage::SignedIn { first, mfa_serial } => {
                let (key, csrf, since) = (seen.key, seen.csrf, seen.opened);
                Ok(SignedIn { key, user, first, mfa_serial, csrf, since, source })
            }
            Stage::Pending(_) => Err(gone()),
        }
    }

    /// `Err(None)` when there is no such session.
    fn find(&self, id: Option<&str>) -> Result<(Seen, User), Option<Refusal>> {
        let seen = id.and_then(|id| self.sessions.find(id, self.now())).ok_or(None)?;
        let user = self.store.read(|connection| users::find_by_id(connection, seen.user));
        let user = user.map_err(|error| Some(error.into()))?.ok_or(None)?;
        Ok((seen, user))
    }
}

impl SignedIn {
    /// Refuses a session without MFA when the user has an MFA device by now.
    pub(crate) fn require_proof(&self, tx: &Transaction<'_>) -> Result<(), Refusal> {
        devices::require_proof(tx, &self.user, self.mfa_serial.is_some())
    }
}

impl fmt::Debug for Administrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Administrator").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The stored account, or at the first start the one asked for or a random one.
fn account(store: &Store, config: &Config) -> Result<Account, Error> {
    let asked = config.account.as_deref().map(Account::parse).transpose()?;
    store.transaction(|tx| {
        let Some(stored) = store::setting(tx, "account")? else {
            let account = asked.map_or_else(Account::random, Ok)?;
            store::add_setting(tx, "account", account.as_str().as_bytes())?;
            return Ok(account);
        };
        let stored = Account::parse(&String::from_utf8_lossy(&stored))?;
        match asked {
            Some(asked) if asked != stored => {
                Err(Error::OtherAccount { stored: stored.as_str().into(), asked: asked.as_str().into() })
            }
            _ => Ok(stored),
        }
    })
}

/// Makes the administrator when there are no users.
fn first_administrator(
    store: &Store,
    passwords: &Passwords,
    config: &Config,
) -> Result<Option<Administrator>, Error> {
    let name = UserName::parse(&config.administrator)
        .map_err(|_| Error::Administrator(config.administrator.clone()))?;
    let query = "SELECT EXISTS (SELECT 1 FROM users)";
    if store.transaction(|tx| tx.query_row(query, [], |row| row.get(0)))? {
        return Ok(None);
    }
    let password = password::generate()?;
    let hash = passwords.hash(&password).map_err(|error| Error::Password(error.to_string()))?;
    let now = config.clock.seconds();
    let new = NewUser { path: "/", name: &name, password: Some(&hash), administrator: true };
    store.transaction(|tx| users::insert(tx, &new, now)).map_err(|refusal| Error::Start(refusal.message))?;
    info!(user = name.as_str(), "the first administrator was made");
    Ok(Some(Administrator { user: name.as_str().into(), password }))
}

/// Of the eight threads that the server has for requests.
const MOST_PASSWORDS: usize = 2;
