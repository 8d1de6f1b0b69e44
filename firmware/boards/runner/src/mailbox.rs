//! What passes between the transport and the authenticator.

use core::cell::Cell;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use keywright_common::time::{Instant, Millis};
use keywright_firmware::authenticator::Touch;
use keywright_firmware::ctaphid::{Request, Response};

use crate::Buffer;

/// One request at a time one way, its progress the other way, and beside it the user's touches and the platform's second
/// thoughts, of which only the latest counts.
pub struct Mailbox {
    pub(crate) requests: Channel<CriticalSectionRawMutex, Order, 1>,
    pub(crate) cancels: Signal<CriticalSectionRawMutex, Number>,
    pub(crate) touches: Signal<CriticalSectionRawMutex, Instant>,
    pub(crate) progress: Channel<CriticalSectionRawMutex, Progress, 2>,
    shown: Mutex<CriticalSectionRawMutex, Cell<Shown>>,
    /// Since when the authenticator has been at one piece of work.
    busy_since: Mutex<CriticalSectionRawMutex, Cell<Option<Instant>>>,
}

/// Which request is meant: a cancellation that comes too late must not meet the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) u32);

/// A request.
pub(crate) struct Order {
    pub(crate) request: Request<Buffer>,
    pub(crate) number: Number,
}

/// What the light shows of the authenticator.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) wanted_touch: Option<Touch>,
    /// The store cannot be used: only a reset helps.
    pub(crate) is_faulty: bool,
}

/// What has become of the request.
pub(crate) enum Progress {
    /// The user must touch first.
    TouchWanted,
    /// The user has touched, and the work takes a while.
    Working,
    /// It is answered.
    Done(Response<Buffer>),
}

impl Mailbox {
    /// An empty mailbox.
    pub const fn new() -> Self {
        Self {
            requests: Channel::new(),
            cancels: Signal::new(),
            touches: Signal::new(),
            progress: Channel::new(),
            shown: Mutex::new(Cell::new(Shown { wanted_touch: None, is_faulty: false })),
            busy_since: Mutex::new(Cell::new(None)),
        }
    }

    /// What the light shows of the authenticator from now on.
    pub(crate) fn show(&self, shown: Shown) {
        self.shown.lock(|cell| cell.set(shown));
    }

    /// The authenticator begins a piece of work, or waits for one.
    pub(crate) fn set_busy_since(&self, since: Option<Instant>) {
        self.busy_since.lock(|cell| cell.set(since));
    }

    /// Whether the authenticator has been at one piece of work for longer than any takes: it hangs.
    pub(crate) fn is_stuck(&self, now: Instant) -> bool {
        self.busy_since.lock(Cell::get).is_some_and(|since| now > since + LONGEST_WORK)
    }

    /// What the light shows of the authenticator.
    pub(crate) fn shown(&self) -> Shown {
        self.shown.lock(Cell::get)
    }
}

impl Default for Mailbox {
    fn default() -> Self {
        Self::new()
    }
}

/// A signature takes 0.2 s, an erase at worst 2 s, and a write may wait for one.
const LONGEST_WORK: Millis = Millis(5000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_that_takes_longer_than_any_is_stuck_and_waiting_never_is() {
        let mailbox = Mailbox::new();
        let at = Instant::from_millis;
        assert!(!mailbox.is_stuck(at(100_000)));
        mailbox.set_busy_since(Some(at(1000)));
        assert!(!mailbox.is_stuck(at(6000)));
        assert!(mailbox.is_stuck(at(6001)));
        mailbox.set_busy_since(None);
        assert!(!mailbox.is_stuck(at(100_000)));
    }
}
