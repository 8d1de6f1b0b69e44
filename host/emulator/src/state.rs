//! How a key is, for whoever asks.

use std::fmt;
use std::time::Duration;

use keywright_firmware::key::Indication as Shown;

/// How a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Whether it is plugged in.
    pub plugged: bool,
    /// What it shows.
    pub indication: Indication,
    /// The time since its power-up; `None` while it is not plugged in.
    pub powered_for: Option<Duration>,
}

/// What a key shows, as a light would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indication {
    /// Nothing.
    Idle,
    /// It is at work.
    Processing,
    /// It waits for a touch.
    TouchWanted,
    /// A host asked which key this is.
    Wink,
}

impl From<Shown> for Indication {
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::Idle => Self::Idle,
            Shown::Processing => Self::Processing,
            Shown::TouchWanted(_) => Self::TouchWanted,
            Shown::Wink => Self::Wink,
        }
    }
}

/// `idle`, `processing`, `touch-wanted` or `wink`, as the control socket says it.
impl fmt::Display for Indication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "idle",
            Self::Processing => "processing",
            Self::TouchWanted => "touch-wanted",
            Self::Wink => "wink",
        })
    }
}
