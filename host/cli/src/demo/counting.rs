//! A transport that counts what passes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keywright_common::ctaphid::Report;
use keywright_host::transport::{Transport, TransportError};

/// How many reports passed, through however many transports.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter(Arc<AtomicU64>);

/// Counts the reports of a transport, in both directions.
pub(super) struct Counting<T> {
    inner: T,
    counter: Counter,
}

impl Counter {
    /// The count so far.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl<T> Counting<T> {
    /// Counts into `counter`.
    pub(super) const fn new(inner: T, counter: Counter) -> Self {
        Self { inner, counter }
    }
}

impl<T: Transport> Transport for Counting<T> {
    fn send(&mut self, report: &Report) -> Result<(), TransportError> {
        self.inner.send(report)?;
        self.counter.add();
        Ok(())
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Report>, TransportError> {
        let report = self.inner.receive(timeout)?;
        if report.is_some() {
            self.counter.add();
        }
        Ok(report)
    }
}
