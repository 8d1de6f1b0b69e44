//! Why a request is refused: AWS's code names, their HTTP status, and what to do.

use std::fmt;

/// A request that was refused. The message is for the person or script that asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) message: String,
}

/// The code names that AWS uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::enum_variant_names, reason = "the names are AWS's")]
pub(crate) enum Code {
    AccessDenied,
    EntityAlreadyExists,
    InvalidAuthenticationCode,
    InvalidInput,
    LimitExceeded,
    NoSuchEntity,
    ServiceFailure,
    Throttling,
}

impl Code {
    /// The HTTP status that goes with the code.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::InvalidInput => 400,
            Self::AccessDenied | Self::InvalidAuthenticationCode => 403,
            Self::NoSuchEntity => 404,
            Self::EntityAlreadyExists | Self::LimitExceeded => 409,
            Self::Throttling => 429,
            Self::ServiceFailure => 500,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Refusal {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::new(Code::AccessDenied, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidInput, message)
    }

    /// Something on this side failed: the cause goes to the log, not to the caller.
    pub(crate) fn failure(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(Code::ServiceFailure, "The server failed. Its log says why; try again.")
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::failure(error)
    }
}

impl From<getrandom::Error> for Refusal {
    fn from(error: getrandom::Error) -> Self {
        Self::failure(error)
    }
}
