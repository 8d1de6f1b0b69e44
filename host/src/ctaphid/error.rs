//! Why a message was not answered.

use keywright_common::ctaphid::{ErrorCode, MAX_MESSAGE};

use crate::transport::TransportError;

/// Why a message was not answered, and what to do next.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// The transport failed.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The key answered with an error, of whatever code.
    #[error("{}", refusal(*.0))]
    Refused(ErrorCode),
    /// Another program holds the key, and did so for as long as was waited.
    #[error("another program is using the key: finish or cancel there, then try again")]
    Busy,
    /// The key did not answer in time.
    #[error("the key does not answer: plug it in again, and check that it is a FIDO key")]
    Timeout,
    /// The user cancelled before the key had begun.
    #[error("cancelled")]
    Cancelled,
    /// The packets of the answer do not make a message.
    #[error(
        "the key's answer came in pieces that do not fit: try again, and plug it in again if it stays so"
    )]
    OutOfOrder,
    /// The message is longer than CTAPHID can carry.
    #[error("a message of {0} bytes is longer than a key can take, which is {MAX_MESSAGE}: send less")]
    TooLong(usize),
    /// The key lacks what is asked for.
    #[error("this key does not do {0}: use another key")]
    Unsupported(&'static str),
    /// The system gave no randomness.
    #[error("the operating system gave no random numbers: try again when it is up")]
    Random,
    /// There is no message under way.
    #[error("no message is under way: start one first")]
    NothingAsked,
}

fn refusal(code: ErrorCode) -> String {
    let (what, next) = match code {
        ErrorCode::INVALID_CMD => ("does not know the command", "use another key for this"),
        ErrorCode::INVALID_PAR => ("does not accept a parameter", "ask for less"),
        ErrorCode::INVALID_LEN => ("does not accept a message of this length", "send less"),
        ErrorCode::INVALID_SEQ | ErrorCode::MSG_TIMEOUT => {
            ("did not get the whole message in time", "try again, without a hub in between")
        }
        ErrorCode::CHANNEL_BUSY => ("is used by another program", "finish there, then try again"),
        ErrorCode::LOCK_REQUIRED => ("wants its channel locked first", "lock it, then try again"),
        ErrorCode::INVALID_CHANNEL => ("no longer knows this channel", "open it again"),
        ErrorCode::OTHER => ("failed for a reason of its own", "plug it in again"),
        ErrorCode(code) => return format!("the key reports error {code:#04x}: plug it in again"),
    };
    format!("the key {what} (error {:#04x}): {next}", code.0)
}
