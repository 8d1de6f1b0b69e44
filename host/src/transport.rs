//! Ways to a key: what carries reports of 64 bytes in both directions.

pub mod memory;

use std::time::Duration;

use keywright_common::ctaphid::Report;

/// A way to one key.
///
/// A transport keeps the order of reports, waits only in [`Transport::receive`], and knows nothing of what reports mean.
pub trait Transport {
    /// Hands a report to the key.
    ///
    /// # Errors
    /// [`TransportError`] if the key is gone or the system refuses.
    fn send(&mut self, report: &Report) -> Result<(), TransportError>;

    /// Waits for a report from the key; `None` if none came within `timeout`.
    ///
    /// # Errors
    /// [`TransportError`] if the key is gone or the system refuses.
    fn receive(&mut self, timeout: Duration) -> Result<Option<Report>, TransportError>;
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn send(&mut self, report: &Report) -> Result<(), TransportError> {
        (**self).send(report)
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Report>, TransportError> {
        (**self).receive(timeout)
    }
}

/// Why a transport did not carry a report.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The key was unplugged, or the process behind the socket ended.
    #[error("the key is gone: plug it in again, or start it again")]
    Gone,
    /// The operating system refused.
    #[error("the operating system refused: {0}")]
    System(#[from] std::io::Error),
}
