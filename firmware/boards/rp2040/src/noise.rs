//! The only noise of this chip: a bit of its ring oscillator, whose maker disclaims it for security.
//!
//! So it is credited little, tested always and condensed a lot: see the crate `keywright-entropy`.

use embassy_rp::pac::ROSC;
use embassy_time::{Duration, block_for};
use keywright_entropy::Failure;

/// One sample, no sooner than 10 us after the one before: the oscillator needs time to drift.
#[expect(clippy::unnecessary_wraps, reason = "other chips' sources can report a fault")]
pub(crate) fn sample() -> Result<bool, Failure> {
    block_for(INTERVAL);
    Ok(ROSC.randombit().read().randombit())
}

/// A tick more than 10 us: the clock may tick just after it was read.
const INTERVAL: Duration = Duration::from_micros(11);
