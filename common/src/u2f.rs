//! U2F, which CTAP calls CTAP1 (FIDO U2F Raw Message Formats 1.2; CTAP §7): APDUs and the values they stand for.
//!
//! [`Apdu`] is ISO 7816-4's command in both length encodings, [`Request`] what U2F asks in it, [`RegisterResponse`] and
//! [`AuthenticateResponse`] what stands before the [`StatusWord`]. Both ends use them: a driver encodes what a key reads.

mod apdu;
mod request;
mod response;

use core::fmt;

use crate::cbor::Full;

pub use apdu::{Apdu, Encoding, MAX_DATA};
pub use request::{Authenticate, Control, Instruction, Register, Request};
pub use response::{
    AuthenticateResponse, MalformedResponse, RegisterResponse, USER_PRESENT, VERSION, split_status,
};

/// The last two bytes of every response (Raw Message Formats §3.3). Open: a word that is not named here survives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StatusWord(pub u16);

impl StatusWord {
    /// The command succeeded.
    pub const NO_ERROR: Self = Self(0x9000);
    /// The user must be present first. To a check: the key handle is known.
    pub const CONDITIONS_NOT_SATISFIED: Self = Self(0x6985);
    /// U2F is turned off (CTAP §7.2.4).
    pub const COMMAND_NOT_ALLOWED: Self = Self(0x6986);
    /// The key handle is not known, or the control byte is none.
    pub const WRONG_DATA: Self = Self(0x6a80);
    /// The length of the request is not that of its instruction.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// The class is not 0.
    pub const CLA_NOT_SUPPORTED: Self = Self(0x6e00);
    /// The instruction is not known.
    pub const INS_NOT_SUPPORTED: Self = Self(0x6d00);
    /// ISO 7816-4: it failed, and there is no word for why.
    pub const NO_PRECISE_DIAGNOSIS: Self = Self(0x6f00);

    /// The two bytes.
    pub const fn to_bytes(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }

    /// The specification's name without `SW_`; `None` for a word that has none.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::NO_ERROR => Some("NO_ERROR"),
            Self::CONDITIONS_NOT_SATISFIED => Some("CONDITIONS_NOT_SATISFIED"),
            Self::COMMAND_NOT_ALLOWED => Some("COMMAND_NOT_ALLOWED"),
            Self::WRONG_DATA => Some("WRONG_DATA"),
            Self::WRONG_LENGTH => Some("WRONG_LENGTH"),
            Self::CLA_NOT_SUPPORTED => Some("CLA_NOT_SUPPORTED"),
            Self::INS_NOT_SUPPORTED => Some("INS_NOT_SUPPORTED"),
            Self::NO_PRECISE_DIAGNOSIS => Some("NO_PRECISE_DIAGNOSIS"),
            _ => None,
        }
    }
}

impl fmt::Debug for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({:04X})", self.0),
            None => write!(f, "status word {:04X}", self.0),
        }
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl From<Full> for StatusWord {
    fn from(_: Full) -> Self {
        Self::NO_PRECISE_DIAGNOSIS
    }
}

#[cfg(test)]
mod tests;
