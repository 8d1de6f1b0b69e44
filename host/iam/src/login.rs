//! What a sign-in with MFA gives to the command line: temporary credentials, and a grant that stands in for the password
//! when they are renewed.
//!
//! A grant is sealed and kept nowhere. It is good for the first step of a sign-in and for nothing else; the second is
//! the security key that was proven when the grant was made. It ends after twelve hours, with the password that it
//! stands in for, and with the use of the key.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tracing::info;
use zeroize::Zeroizing;

use crate::{
    devices::{self, Device, Kind},
    events,
    iam::{Iam, SignedIn},
    refusal::Refusal,
    session::{FirstFactor, Stage},
    temporary::{Proof, Session, Temporary},
    users::{self, User},
};

/// Someone who signed in with MFA.
#[derive(Clone)]
pub(crate) struct Proven {
    pub(crate) user: User,
    pub(crate) first: FirstFactor,
    pub(crate) proof: Proof,
    /// Of the user's password at that time: a code that was granted before it was changed gives nothing after.
    password: Option<String>,
}

/// What the command line is given.
pub(crate) struct Login {
    pub(crate) credentials: Temporary,
    pub(crate) arn: String,
    pub(crate) proof: Proof,
    /// For a sign-in with a password and a security key.
    pub(crate) grant: Option<Granted>,
}

/// A grant, and when it ends.
pub(crate) struct Granted {
    pub(crate) token: Zeroizing<String>,
    pub(crate) expires: i64,
}

/// What a grant says.
#[derive(Serialize, Deserialize)]
struct Grant {
    user: i64,
    /// The serial number of the security key.
    key: String,
    /// Tells the password that was given from a later one.
    password: String,
    expires: i64,
}

impl Iam {
    /// Credentials for someone signed in to the console with MFA.
    pub(crate) fn log_in(&self, caller: &SignedIn, seconds: Option<i64>) -> Result<Login, Refusal> {
        let result = self.proven(caller).and_then(|proven| self.log_in_as(&proven, seconds));
        let asked = json!({"userName": caller.user.name, "serialNumber": caller.mfa_serial});
        self.record_action(caller, "CreateLoginCredentials", asked, events::outcome(&result));
        result
    }

    /// What a session of the console has proven.
    pub(crate) fn proven(&self, caller: &SignedIn) -> Result<Proven, Refusal> {
        let serial = caller.mfa_serial.clone().ok_or_else(|| {
            let text = "Credentials for the command line take a sign-in with MFA. Assign an MFA device at \
                        /security-credentials, sign out, and sign in with it.";
            Refusal::denied(text)
        })?;
        let proof = Proof { serial, at: caller.since };
        let password = self.store.transaction(|tx| password_mark(tx, &caller.user))?;
        Ok(Proven { user: caller.user.clone(), first: caller.first.clone(), proof, password })
    }

    /// Credentials for someone who signed in with MFA.
    pub(crate) fn log_in_as(&self, proven: &Proven, seconds: Option<i64>) -> Result<Login, Refusal> {
        let Proven { user, proof, password, .. } = proven;
        let seconds = seconds.unwrap_or(USUAL);
        if !(SHORTEST..=LONGEST).contains(&seconds) {
            let text =
                format!("Credentials live {SHORTEST} to {LONGEST} seconds. Ask for a duration of these.");
            return Err(Refusal::invalid(text));
        }
        let device = self.store.transaction(|tx| {
            if password_mark(tx, user)? != *password {
                return Err(ended());
            }
            devices::require(tx, user, &proof.serial)
        })?;
        let expires = self.now().saturating_add(seconds);
        let session = Session::new(user.id, None, Some(proof.clone()), expires)?;
        let credentials = session.seal(&self.store.sealer)?;
        let grant = self.grant(proven, &device)?;
        info!(user = user.name, mfa = proof.serial, seconds, "credentials for the command line were made");
        Ok(Login { credentials, arn: user.arn(&self.account), proof: proof.clone(), grant })
    }

    /// A grant for a sign-in with a password and a key: one that began with a grant makes no other, or it would never end.
    fn grant(&self, proven: &Proven, device: &Device) -> Result<Option<Granted>, Refusal> {
        let Proven { user, first, proof, password } = proven;
        if *first != FirstFactor::Password || device.kind != Kind::Webauthn {
            return Ok(None);
        }
        let Some(password) = password.clone() else { return Ok(None) };
        let expires = proof.at.saturating_add(GRANTED);
        let grant = Grant { user: user.id, key: device.serial.clone(), password, expires };
        let json = serde_json::to_vec(&grant).map_err(Refusal::failure)?;
        let sealed = self.store.sealer.seal(PURPOSE, &json)?;
        Ok(Some(Granted { token: Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(sealed)), expires }))
    }

    /// The first step of a sign-in with a grant: the pending session's id, and the key that completes it.
    pub(crate) fn check_grant(&self, token: &str) -> Result<(String, Device), Refusal> {
        let grant = self.open_grant(token).ok_or_else(ended)?;
        let found = self.store.transaction(|tx| {
            let Some(user) = users::find_by_id(tx, grant.user)? else { return Ok(None) };
            let is_same = password_mark(tx, &user)?.as_ref() == Some(&grant.password);
            let devices = devices::in_use(tx, &user)?;
            let key = devices.into_iter().find(|d| d.serial == grant.key && d.kind == Kind::Webauthn);
            Ok::<_, Refusal>(key.filter(|_| is_same).map(|key| (user, key)))
        })?;
        let (user, key) = found.ok_or_else(ended)?;
        let stage = Stage::Pending(FirstFactor::Grant { key: key.serial.clone() });
        info!(user = user.name, mfa = key.serial, "a sign-in begins with a grant");
        Ok((self.sessions.open(user.id, stage, self.now())?, key))
    }

    fn open_grant(&self, token: &str) -> Option<Grant> {
        let sealed = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
        let json = self.store.sealer.open(PURPOSE, &sealed)?;
        serde_json::from_slice::<Grant>(&json).ok().filter(|grant| self.now() < grant.expires)
    }
}

/// Tells a user's passwords apart: a hash of the stored one, whose salt is another each time.
fn password_mark(connection: &Connection, user: &User) -> rusqlite::Result<Option<String>> {
    let query = "SELECT password FROM users WHERE id = ?1";
    let stored: Option<String> = connection.query_row(query, [user.id], |row| row.get(0))?;
    Ok(stored.map(|stored| BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(stored))))
}

/// One refusal for all: whoever found a grant learns nothing from it.
fn ended() -> Refusal {
    Refusal::denied("This login has ended. Sign in with your password and your security key.")
}

const PURPOSE: &str = "login grant";
/// An hour.
const USUAL: i64 = 3600;
const SHORTEST: i64 = 60;
/// Twelve hours, as GetSessionToken's usual ones.
const LONGEST: i64 = 12 * 3600;
/// Twelve hours, as a session of the console.
const GRANTED: i64 = 12 * 3600;
