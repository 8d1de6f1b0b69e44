//! Why a key on a PC did not start, or stopped.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use keywright_firmware::store::StoreError;

use crate::flash::{CommitError, StateError};

/// Why a key did not start, or stopped. Each says what can be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state file was refused.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state could not be made durable: the key stopped and kept back its response.
    #[error("the key stopped: {0}")]
    Commit(#[from] CommitError),
    /// What the state holds cannot be used.
    #[error(
        "the key's store cannot be used: {0}; bring the state file back from a copy, or name another one"
    )]
    Store(StoreError),
    /// There is no randomness.
    #[error("the operating system gives no randomness, and no key is made without: {0}")]
    Random(#[from] getrandom::Error),
    /// An address that others can reach was not allowed.
    #[error(
        "{0} can be reached by other machines, which could then use the key: bind 127.0.0.1, or allow it by name"
    )]
    NotLoopback(SocketAddr),
    /// An address could not be bound.
    #[error("could not listen on {address}: {source}; choose another port, or 0 for any")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// A frontend broke down.
    #[error("the key stopped: its {what} broke down: {source}; start it again")]
    Frontend {
        /// Which one.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
    /// The kernel made no HID device of the key.
    #[error("/dev/uhid: {source}; {}", advice(.source))]
    Uhid {
        /// The system's reason.
        source: io::Error,
    },
    /// Another process listens on the control socket.
    #[error("{0}: another key has its control socket there: stop that one, or name another path")]
    ControlInUse(PathBuf),
    /// There is something else in the control socket's place.
    #[error("{0}: there is something there that is no socket; it was left as it is: name another path")]
    ControlNotSocket(PathBuf),
    /// The control socket could not be made.
    #[error("{path}: could not make the control socket: {source}")]
    Control {
        /// Where.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The key's thread could not be started, or ended without a word.
    #[error("the key's thread failed; this is a fault of Keywright, please report it")]
    Thread,
}

/// What can be done where `/dev/uhid` does not serve.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "load the kernel's module (sudo modprobe uhid); a container or WSL may have none: `keywright doctor uhid` says more"
        }
        io::ErrorKind::PermissionDenied => {
            "install the udev rule (keywright doctor --install-udev-rule), or run this as root"
        }
        _ => "start the key again, without uhid if this goes on",
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The key is not running any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is not running any more: start it again")]
pub struct Stopped;
