//! Sign-in: account, user and password first, then one of the user's MFA devices.

use tracing::info;
use zeroize::Zeroizing;

use crate::{
    devices::{self, Device},
    iam::{Iam, Pending},
    refusal::Refusal,
    session::Stage,
    users,
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
        let stored = found.as_ref().map(|(_, hash)| hash.as_str());
        if !self.passwords.verify(&claim.password, stored) {
            // A name that is not known may be a password in the wrong field: it is not logged.
            let user = found.as_ref().map_or("(unknown)", |(user, _)| &user.name);
            info!(user, "a sign-in failed at the password");
            return Err(Refusal::denied(WRONG_CLAIM));
        }
        self.throttle.clear(&guess);
        let (user, _) = found.ok_or_else(|| Refusal::denied(WRONG_CLAIM))?;
        let devices = self.store.transaction(|tx| devices::in_use(tx, &user))?;
        if devices.is_empty() {
            let stage = Stage::SignedIn { mfa_serial: None };
            let id = self.sessions.open(user.id, stage, self.now())?;
            info!(user = user.name, mfa = false, "signed in");
            return Ok(FirstStep::SignedIn { id });
        }
        let id = self.sessions.open(user.id, Stage::Pending, self.now())?;
        Ok(FirstStep::MfaRequired { id, devices })
    }

    /// The devices that a pending sign-in may prove.
    pub(crate) fn provable(&self, pending: &Pending) -> Result<Vec<Device>, Refusal> {
        Ok(self.store.transaction(|tx| devices::in_use(tx, &pending.user))?)
    }

    /// The second step with a code from an authenticator app. The answer is the new session's id.
    pub(crate) fn sign_in_with_code(
        &self,
        pending: &Pending,
        serial: &str,
        code: &str,
    ) -> Result<String, Refusal> {
        self.use_code(&pending.user, serial, code)?;
        self.step_up(pending, serial.into())
    }

    /// Rotates the pending session into a signed-in one.
    pub(crate) fn step_up(&self, pending: &Pending, mfa_serial: String) -> Result<String, Refusal> {
        if !self.sessions.finish(pending.key) {
            return Err(Refusal::denied("This sign-in was already finished. Start again at /sign-in."));
        }
        info!(user = pending.user.name, mfa = mfa_serial, "signed in");
        let stage = Stage::SignedIn { mfa_serial: Some(mfa_serial) };
        Ok(self.sessions.open(pending.user.id, stage, self.now())?)
    }
}

const WRONG_CLAIM: &str = "Your authentication information is incorrect. Please try again.";
