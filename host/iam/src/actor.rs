//! Who acts on whom: one set of rules for the console's sessions and for access keys.

use rusqlite::Connection;

use crate::{
    devices,
    iam::{Iam, SignedIn},
    refusal::Refusal,
    users::User,
};

/// Someone known to the server who wants something done.
pub(crate) struct Actor<'a> {
    pub(crate) user: &'a User,
    pub(crate) arn: String,
    /// Whether an MFA device was proven, or need not be: an administrator's access key may do all.
    pub(crate) proven: bool,
}

impl Iam {
    /// The person of a session of the console.
    pub(crate) fn actor<'a>(&self, caller: &'a SignedIn) -> Actor<'a> {
        let arn = caller.user.arn(&self.account);
        Actor { user: &caller.user, arn, proven: caller.mfa_serial.is_some() }
    }
}

impl Actor<'_> {
    /// Refuses everyone but an administrator.
    pub(crate) fn require_administrator(&self, action: &str) -> Result<(), Refusal> {
        if self.user.administrator {
            return Ok(());
        }
        Err(self.denied(action, "an administrator may do this"))
    }

    /// Refuses to act on another user, unless it is an administrator who does.
    pub(crate) fn require_self(&self, target: &User, action: &str) -> Result<(), Refusal> {
        if self.user.id == target.id {
            return Ok(());
        }
        self.require_administrator(action)
    }

    /// Refuses someone who has an MFA device and did not prove one.
    pub(crate) fn require_proof(&self, connection: &Connection) -> Result<(), Refusal> {
        devices::require_proof(connection, self.user, self.proven)
    }

    /// AWS's words, and who may.
    pub(crate) fn denied(&self, action: &str, hint: &str) -> Refusal {
        Refusal::denied(format!("User: {} is not authorized to perform: {action}; {hint}.", self.arn))
    }
}
