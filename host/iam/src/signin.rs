//! Sign-in: account, user and password first, then one of the user's MFA devices.

use rusqlite::{Connection, Transaction};
use serde_json::{Value, json};
use tracing::info;
use zeroize::Zeroizing;

use crate::{
    devices::{self, Device, Kind},
    events::Source,
    iam::{Iam, Pending},
    refusal::{Code, Refusal},
    session::{FirstFactor, Stage},
    users::{self, User},
};

/// What the right password leads to.
pub(crate) enum FirstStep {
    /// The user has MFA devices: the pending session's id, and what can be proven.
    MfaRequired { id: String, devices: Vec<Device> },
    /// The user has none and is signed in, as AWS does it, without MFA.
    SignedIn { id: String },
}

/// Account, user and password as typed.
pub(crate) struct Claim {
    pub(crate) account: String,
    pub(crate) user: String,
    pub(crate) password: Zeroizing<String>,
    pub(crate) source: Source,
}

impl Iam {
    /// The first step. A wrong account, an unknown user and a wrong password are refused alike, after
    /// the same work.
    pub(crate) fn check_password(&self, claim: &Claim) -> Result<FirstStep, Refusal> {
        // No user name is longer, and what is remembered must not be as long as someone likes.
        let name: String = claim.user.chars().take(64).collect();
        let guess = format!("password of {}", name.to_ascii_lowercase());
        self.throttle.charge(&guess, self.now())?;
        let found = self.store.transaction(|tx| users::find_by_name(tx, &claim.user))?;
        let found = found.filter(|_| claim.account == self.account.as_str());
        let stored = found.as_ref().and_then(|(_, hash)| hash.as_deref());
        if !self.passwords.verify(&claim.password, stored) {
            // A name that is not known may be a password in the wrong field: it is not logged.
            let user = found.as_ref().map_or("(unknown)", |(user, _)| &user.name);
            info!(user, "a sign-in failed at the password");
            let user = found.as_ref().map(|(user, _)| user);
            self.record(&[self.sign_in_event("ConsoleLogin", user, &claim.source, self.login(None), true)]);
            return Err(Refusal::denied(WRONG_CLAIM));
        }
        self.throttle.clear(&guess);
        let (user, hash) = found.ok_or_else(|| Refusal::denied(WRONG_CLAIM))?;
        self.open_first_step(user, hash.as_deref(), &claim.source)
    }

    /// Opens the session that the right password leads to, unless that has become another meanwhile: comparing takes long.
    /// It is opened while the database is locked, so that whoever takes the password away finds it and ends it.
    fn open_first_step(&self, user: User, hash: Option<&str>, source: &Source) -> Result<FirstStep, Refusal> {
        let (user, id, devices) = self.store.transaction(|tx| {
            let now = users::find_by_name(tx, &user.name)?;
            if !now.is_some_and(|(same, now)| same.id == user.id && now.as_deref() == hash) {
                return Err(Refusal::denied(WRONG_CLAIM));
            }
            let devices = devices::in_use(tx, &user)?;
            let stage = if devices.is_empty() {
                Stage::SignedIn { first: FirstFactor::Password, mfa_serial: None }
            } else {
                Stage::Pending(FirstFactor::Password)
            };
            let id = self.sessions.open(user.id, stage, self.now())?;
            Ok((user, id, devices))
        })?;
        if !devices.is_empty() {
            return Ok(FirstStep::MfaRequired { id, devices });
        }
        info!(user = user.name, mfa = false, "signed in");
        self.record(&[self.sign_in_event("ConsoleLogin", Some(&user), source, self.login(None), false)]);
        Ok(FirstStep::SignedIn { id })
    }

    /// The devices that a pending sign-in may prove.
    pub(crate) fn provable(&self, pending: &Pending) -> Result<Vec<Device>, Refusal> {
        let mut devices = self.store.transaction(|tx| devices::in_use(tx, &pending.user))?;
        devices.retain(|device| pending.first.allows(&device.serial));
        Ok(devices)
    }

    /// The second step with a code from an authenticator app. The answer is the new session's id.
    pub(crate) fn sign_in_with_code(
        &self,
        pending: &Pending,
        serial: &str,
        code: &str,
    ) -> Result<String, Refusal> {
        if !pending.first.allows(serial) {
            return Err(Refusal::denied(
                "This login is renewed with its security key alone. Touch that key.",
            ));
        }
        self.finish_sign_in(pending, |tx| {
            let used = self.use_code_in(tx, &pending.user, serial, code);
            let kind = used.as_ref().copied().unwrap_or(Kind::Totp);
            (kind, used.map(|_| serial.to_owned()))
        })
    }

    /// Ends a sign-in by what came of its second step: the type of the device, and its serial number once it is
    /// proven. What `prove` writes and both events are one transaction, which is kept when it refuses too. At its
    /// end the pending session is rotated into one that is signed in, while nobody can take the device or the user away.
    pub(crate) fn finish_sign_in(
        &self,
        pending: &Pending,
        prove: impl FnOnce(&Transaction<'_>) -> (Kind, Result<String, Refusal>),
    ) -> Result<String, Refusal> {
        let (id, serial) = self.store.transaction(|tx| {
            let (kind, proven) = prove(tx);
            // Of two answers to one sign-in the second is undone.
            if proven.is_ok() && !self.sessions.finish(pending.key) {
                return Err(Refusal::denied("This sign-in was already finished. Start again at /sign-in."));
            }
            self.write_second_step(tx, pending, kind, &proven)?;
            let serial = match proven {
                Ok(serial) => serial,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let stage = Stage::SignedIn { first: pending.first.clone(), mfa_serial: Some(serial.clone()) };
            let id = self.sessions.open(pending.user.id, stage, self.now())?;
            Ok(Ok((id, serial)))
        })??;
        info!(user = pending.user.name, mfa = serial, "signed in");
        Ok(id)
    }

    fn write_second_step(
        &self,
        connection: &Connection,
        pending: &Pending,
        kind: Kind,
        proven: &Result<String, Refusal>,
    ) -> rusqlite::Result<()> {
        let (used, refused) = (proven.as_deref().ok(), proven.is_err());
        let checked = match proven {
            Ok(_) => json!({"MfaType": mfa_type(kind)}),
            // CloudTrail does not tell why; whoever looks after this server has to know.
            Err(Refusal { code: Code::AccessDenied | Code::InvalidAuthenticationCode, message }) => {
                json!({"MfaType": mfa_type(kind), "Reason": message})
            }
            // What was not even checked, such as a code of five digits, is no failure to sign in.
            Err(_) => return Ok(()),
        };
        let event =
            |name, more| self.sign_in_event(name, Some(&pending.user), &pending.source, more, refused);
        self.write(connection, &[event("CheckMfa", checked), event("ConsoleLogin", self.login(Some(used)))])
    }

    /// CloudTrail's `additionalEventData` of a `ConsoleLogin`: without MFA, with MFA that was refused, or with the
    /// device that was proven.
    fn login(&self, mfa: Option<Option<&str>>) -> Value {
        let mut data = json!({
            "LoginTo": format!("{}/security-credentials", self.console_url),
            "MobileVersion": "No",
            "MFAUsed": if mfa.is_some() { "Yes" } else { "No" },
        });
        if let (Value::Object(data), Some(Some(serial))) = (&mut data, mfa) {
            data.insert("MFAIdentifier".into(), serial.into());
        }
        data
    }
}

/// CloudTrail's `MfaType`.
fn mfa_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Totp => "Virtual MFA",
        Kind::Hardware => "Hardware MFA",
        Kind::Webauthn => "U2F MFA",
    }
}

const WRONG_CLAIM: &str = "Your authentication information is incorrect. Please try again.";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Hands, another_user, iam, source};

    /// Comparing takes long enough for an administrator to take the password away meanwhile.
    #[test]
    fn a_password_that_was_taken_away_while_it_was_compared_opens_nothing() {
        let (iam, admin) = iam(&Hands::new());
        another_user(&iam, &admin, "ann");
        let found = || iam.store.transaction(|tx| users::find_by_name(tx, "ann")).unwrap().unwrap();
        let (user, hash) = found();
        assert!(iam.open_first_step(user, hash.as_deref(), &source()).is_ok());
        for other in [None, Some("$argon2id$another")] {
            let (user, _) = found();
            let refusal = iam.open_first_step(user, other, &source()).err().unwrap();
            assert_eq!((refusal.code, refusal.message.as_str()), (Code::AccessDenied, WRONG_CLAIM));
        }
    }
}
