//! Hosts in the same process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use keywright_common::ctaphid::Report;

use super::Shared;
use crate::error::Stopped;
use crate::input::{Closed, Input, Link, Peer};

/// Connects a host: what goes to the key, and what comes from it.
///
/// # Errors
/// [`Stopped`].
pub(crate) fn connect(shared: &Shared) -> Result<(Sender<Report>, Receiver<Report>), Stopped> {
    let (to_key, at_key) = channel();
    let (from_key, at_host) = channel();
    let is_closed = Arc::new(AtomicBool::new(false));
    let id = shared.next_connection();
    let link = Box::new(Memory { from_key, is_closed: Arc::clone(&is_closed) });
    shared.inputs.send(Input::Attach { id, link }).map_err(|_| Stopped)?;
    let inputs = shared.inputs.clone();
    thread::spawn(move || {
        for report in at_key {
            let input = Input::Report { from: Peer::Connection(id), report };
            if is_closed.load(Ordering::SeqCst) || inputs.send(input).is_err() {
                return;
            }
        }
        // The host dropped its end. A key that has ended needs no word of it.
        let _ = inputs.send(Input::Detach { id });
    });
    Ok((to_key, at_host))
}

/// The key drops this when it is unplugged, and with it the host's receiver ends.
struct Memory {
    from_key: Sender<Report>,
    is_closed: Arc<AtomicBool>,
}

impl Link for Memory {
    fn send(&self, report: &Report) -> Result<(), Closed> {
        self.from_key.send(*report).map_err(|_| Closed)
    }

    fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
    }
}
