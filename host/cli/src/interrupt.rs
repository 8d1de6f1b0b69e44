//! Ctrl-C, and being asked to end.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(all(unix, any(feature = "emulator", feature = "iam")))]
use crate::failure::Failure;
use crate::failure::Kind;

/// Whether the user has asked the command to end. The first time is heeded by whoever waits; the second ends the process. There is
/// one user: whoever watches, all of these are told.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt(());

impl Interrupt {
    /// Begins to watch, which takes a thread: until then a signal ends the process at once.
    pub(crate) fn watch(&mut self) {
        // If it cannot be watched for, a signal goes on ending the process at once, which is well too.
        IS_WATCHING.get_or_init(|| ctrlc::set_handler(heed).is_ok());
    }

    /// Whether the user asked.
    pub(crate) fn is_asked(&self) -> bool {
        IS_ASKED.load(Ordering::SeqCst)
    }
}

fn heed() {
    if IS_ASKED.swap(true, Ordering::SeqCst) {
        std::process::exit(i32::from(Kind::User as u8));
    }
}

static IS_WATCHING: OnceLock<bool> = OnceLock::new();
static IS_ASKED: AtomicBool = AtomicBool::new(false);

/// Has `stop` called when the process is asked to end, each time.
///
/// # Errors
/// If the operating system does not let signals be watched.
#[cfg(all(unix, any(feature = "emulator", feature = "iam")))]
pub(crate) fn on_termination(stop: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    ctrlc::set_handler(stop).map_err(|error| {
        Failure::new(Kind::Other, format!("signals cannot be watched: {error}; start it again"))
    })
}
