//! The user, as every layer above CTAPHID meets them.

use crate::ctaphid::Interaction;
use crate::pin_uv_auth::Pin;

/// Whoever is asked for a PIN, and told when to touch. The command line, the demo and the tests are three of them.
pub trait UserInteraction: Interaction {
    /// Asks for the PIN; `None` if the user gives none, which ends what is being done.
    fn pin(&mut self, request: PinRequest) -> Option<Pin>;

    /// Has the user choose among accounts that the key itself does not let choose from; the index, `None` to cancel.
    /// The default takes the most recent.
    fn choose_account(&mut self, accounts: &[Account]) -> Option<usize> {
        (!accounts.is_empty()).then_some(0)
    }
}

/// Why a PIN is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinRequest {
    /// What led to it.
    pub reason: PinReason,
    /// How many wrong entries are left until the PIN is blocked for good, if the key told.
    pub retries: Option<u8>,
    /// How many characters the PIN has at least.
    pub min_length: usize,
}

/// What led to a PIN being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinReason {
    /// The first time.
    Needed,
    /// What was given was wrong.
    Wrong,
    /// The key's own verification, such as a fingerprint, did not work out.
    BuiltInVerificationFailed,
}

/// An account that a credential belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// The user handle.
    pub id: Vec<u8>,
    /// The account's name, if the key tells.
    pub name: Option<String>,
    /// The person's name, if the key tells.
    pub display_name: Option<String>,
}
