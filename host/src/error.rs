//! Why a client did not get what it asked for.

use keywright_common::ctap2::Command;
use keywright_common::status::Status;

use crate::ctaphid::DeviceError;
use crate::pin_uv_auth::PinRule;

/// Why a client did not get what it asked for, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The device did not answer.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The key refused, with a status of whatever code.
    #[error("{}", refusal(*.status))]
    Status {
        /// What was asked for.
        command: Command,
        /// The answer.
        status: Status,
    },
    /// The key did not take the PIN.
    #[error("{}", pin_refusal(*.status, *.retries))]
    Pin {
        /// PIN_INVALID, PIN_AUTH_BLOCKED or PIN_BLOCKED.
        status: Status,
        /// How many wrong entries are left until the PIN is blocked for good, if the key told.
        retries: Option<u8>,
    },
    /// The PIN breaks a rule; it was not sent.
    #[error(transparent)]
    PinRule(#[from] PinRule),
    /// The user gave no PIN, or cancelled.
    #[error("cancelled: nothing was done")]
    Cancelled,
    /// The user has to be verified, and the key has no PIN yet.
    #[error("this needs a PIN, and the key has none: set one first")]
    PinNotSet,
    /// The key lacks what is asked for.
    #[error("this key does not do {0}: use another key, or ask for less")]
    Unsupported(&'static str),
    /// The answer does not hold what it must.
    #[error("the key's answer makes no sense ({0}): plug it in again; if it stays so, the key is broken")]
    Malformed(&'static str),
    /// A U2F status word that no rule covers.
    #[error("the key answers U2F with {0:#06x}: use another key, or plug it in again")]
    StatusWord(u16),
    /// What the website asks for is not allowed or not complete.
    #[error("the request is not acceptable: {0}")]
    Request(String),
    /// There is no key to choose from.
    #[error("no key was found: plug one in")]
    NoKey,
    /// There is a credential of the list on this key.
    #[error("this key is registered already: use another key, or remove it from the account first")]
    Excluded,
    /// There is no credential that was asked for.
    #[error("this key is not registered for this account: use the key that is")]
    NoCredential,
}

impl ClientError {
    /// The status that the key answered with, if that is what failed.
    pub const fn status(&self) -> Option<Status> {
        match self {
            Self::Status { status, .. } | Self::Pin { status, .. } => Some(*status),
            Self::PinNotSet => Some(Status::PIN_NOT_SET),
            Self::Excluded => Some(Status::CREDENTIAL_EXCLUDED),
            Self::NoCredential => Some(Status::NO_CREDENTIALS),
            _ => None,
        }
    }

    /// The error for a status other than OK.
    pub(crate) fn refused(command: Command, status: Status) -> Self {
        match status {
            Status::PIN_INVALID | Status::PIN_AUTH_BLOCKED | Status::PIN_BLOCKED => {
                Self::Pin { status, retries: None }
            }
            Status::PIN_NOT_SET => Self::PinNotSet,
            Status::CREDENTIAL_EXCLUDED => Self::Excluded,
            Status::NO_CREDENTIALS => Self::NoCredential,
            Status::KEEPALIVE_CANCEL => Self::Cancelled,
            _ => Self::Status { command, status },
        }
    }
}

fn refusal(status: Status) -> String {
    let next = match status {
        Status::INVALID_COMMAND | Status::INVALID_SUBCOMMAND => "this key does not know it: use another key",
        Status::INVALID_PARAMETER | Status::INVALID_LENGTH => {
            "it does not accept a value: check what is asked for"
        }
        Status::OPERATION_DENIED => "it was declined, or not touched in time: try again and touch it",
        Status::USER_ACTION_TIMEOUT | Status::ACTION_TIMEOUT => {
            "it was not touched in time: try again and touch it"
        }
        Status::UP_REQUIRED => "it wants to be touched: try again and touch it",
        Status::KEY_STORE_FULL => "it has no room left: delete a credential that is not needed",
        Status::LIMIT_EXCEEDED | Status::REQUEST_TOO_LARGE => "the request is too large for it: ask for less",
        Status::UNSUPPORTED_ALGORITHM => "it knows none of the algorithms: use another key",
        Status::UNSUPPORTED_OPTION | Status::INVALID_OPTION => "it does not have this option: ask without it",
        Status::NOT_ALLOWED => "not now: a reset, for one, works only just after it was plugged in",
        Status::PIN_AUTH_INVALID => "the proof of the PIN has run out: enter the PIN again",
        Status::PUAT_REQUIRED => "it wants the PIN: enter it",
        Status::PIN_POLICY_VIOLATION => {
            "the new PIN breaks its rules, or has to be changed first: choose a longer one"
        }
        Status::UV_BLOCKED => "its own verification is blocked: use the PIN",
        Status::UV_INVALID => "it did not recognise the user: try again",
        Status::UNAUTHORIZED_PERMISSION => "it does not offer what this needs: use another key",
        Status::LARGE_BLOB_STORAGE_FULL | Status::FP_DATABASE_FULL => "it has no room left: delete something",
        Status::INTEGRITY_FAILURE => "what is stored on it is damaged: write it anew",
        Status::CHANNEL_BUSY => "another program is using it: finish there, then try again",
        _ => "plug it in again; if it stays so, use another key",
    };
    format!("the key answers {status}; {next}")
}

fn pin_refusal(status: Status, retries: Option<u8>) -> String {
    match (status, retries) {
        (Status::PIN_BLOCKED, _) => {
            "the PIN is blocked for good: the key must be reset, which deletes every credential on it"
                .to_owned()
        }
        (Status::PIN_AUTH_BLOCKED, _) => {
            "the PIN is blocked until the key is plugged in again: 3 wrong entries".to_owned()
        }
        (_, Some(1)) => "the PIN is wrong; 1 try is left before it is blocked for good".to_owned(),
        (_, Some(retries)) => format!("the PIN is wrong; {retries} tries are left: enter it again"),
        (_, None) => "the PIN is wrong: enter it again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_status_survives_and_is_shown() {
        let error = ClientError::refused(Command::RESET, Status(0xf7));
        assert_eq!(error.status(), Some(Status(0xf7)));
        assert!(error.to_string().contains("0xf7"), "{error}");
    }

    #[test]
    fn a_blocked_pin_says_what_unblocks_it() {
        let words = |status, retries| ClientError::Pin { status, retries }.to_string();
        assert!(words(Status::PIN_AUTH_BLOCKED, None).contains("plugged in again: 3 wrong entries"));
        assert!(words(Status::PIN_BLOCKED, Some(0)).contains("must be reset"));
        assert!(words(Status::PIN_INVALID, Some(5)).contains("5 tries"));
        assert!(words(Status::PIN_INVALID, Some(1)).contains("1 try "));
    }

    #[test]
    fn every_status_says_what_to_do_next() {
        for code in 1..=255 {
            let words = ClientError::refused(Command::GET_ASSERTION, Status(code)).to_string();
            assert!(words.contains([':', ';']), "{words}");
        }
    }
}
