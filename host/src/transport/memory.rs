//! A key in the same process.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use keywright_common::ctaphid::Report;

use super::{Transport, TransportError};

/// Two channels: one carries reports to the key, the other from it. The key has the other ends.
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
///
/// use keywright_host::transport::Transport;
/// use keywright_host::transport::memory::Memory;
///
/// let (to_key, at_key) = mpsc::channel();
/// let (from_key, at_host) = mpsc::channel();
/// let mut transport = Memory::new(to_key, at_host);
/// transport.send(&[7; 64])?;
/// from_key.send(at_key.recv().unwrap()).unwrap();
/// assert_eq!(transport.receive(Duration::from_secs(1))?, Some([7; 64]));
/// # Ok::<(), keywright_host::transport::TransportError>(())
/// ```
#[derive(Debug)]
pub struct Memory {
    to_key: Sender<Report>,
    from_key: Receiver<Report>,
}

impl Memory {
    /// A transport over the host's ends of the two channels.
    pub const fn new(to_key: Sender<Report>, from_key: Receiver<Report>) -> Self {
        Self { to_key, from_key }
    }
}

impl Transport for Memory {
    fn send(&mut self, report: &Report) -> Result<(), TransportError> {
        self.to_key.send(*report).map_err(|_| TransportError::Gone)
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Report>, TransportError> {
        match self.from_key.recv_timeout(timeout) {
            Ok(report) => Ok(Some(report)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(TransportError::Gone),
        }
    }
}
