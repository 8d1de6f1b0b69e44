//! A scenario, and how it ends.

use std::fmt::Display;

use keywright_host::ClientError;
use keywright_host::ctaphid::DeviceError;
use keywright_host::transport::TransportError;

use crate::{Need, Rig};

/// One thing that a key must do.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Subject and name: `pin/wrong`.
    pub name: &'static str,
    /// What it shows, in a line.
    pub about: &'static str,
    /// What the key must offer for it.
    pub needs: &'static [Need],
    /// What it does to the key.
    pub effect: Effect,
    /// It waits for longer than ten seconds.
    pub is_slow: bool,
    /// Plays it.
    pub play: Play,
}

/// What plays a scenario.
pub type Play = fn(&mut Rig) -> Result<(), Stop>;

/// What a scenario does to the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that stays, but for signature counters.
    Harmless,
    /// It sets a PIN or stores credentials: the key is reset before and after.
    Wipes,
}

/// Why a scenario ended before it passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The key does not do what it must.
    Failed(String),
    /// It cannot be played with this key as it is.
    Skipped(String),
}

impl Stop {
    /// A failure with its cause.
    pub(crate) fn failed(what: &str, cause: &dyn Display) -> Self {
        Self::Failed(format!("{what}: {cause}"))
    }
}

impl From<ClientError> for Stop {
    fn from(error: ClientError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<DeviceError> for Stop {
    fn from(error: DeviceError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<TransportError> for Stop {
    fn from(error: TransportError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Fails unless something is so.
pub(crate) fn expect(what: &str, is_so: bool) -> Result<(), Stop> {
    if is_so { Ok(()) } else { Err(Stop::Failed(what.to_owned())) }
}
