//! The chip's generator, an analogue source behind a shift register, with its own flags for faults (RM0090 §24).

use core::cell::Cell;

use critical_section::Mutex;
use embassy_stm32::pac::{RCC, RNG};
use keywright_entropy::Failure;

/// Switches the generator on.
pub(crate) fn start() {
    RCC.ahb2enr().modify(|enable| enable.set_rngen(true));
    RNG.cr().modify(|control| control.set_rngen(true));
}

/// One bit of it. The words pass the same tests and the same conditioning as any noise.
pub(crate) fn sample() -> Result<bool, Failure> {
    critical_section::with(|section| {
        let bits = WORD.borrow(section);
        let (word, left) = match bits.get() {
            (_, 0) => (word()?, u32::BITS),
            unused => unused,
        };
        bits.set((word >> 1, left.saturating_sub(1)));
        Ok(word & 1 != 0)
    })
}

/// The next word; a fault of the source or of its clock is one until the next start.
fn word() -> Result<u32, Failure> {
    loop {
        let status = RNG.sr().read();
        if status.seis() || status.ceis() || status.secs() || status.cecs() {
            return Err(Failure::Reported);
        }
        if status.drdy() {
            return Ok(RNG.dr().read());
        }
    }
}

/// A word, and how many of its bits are unused.
static WORD: Mutex<Cell<(u32, u32)>> = Mutex::new(Cell::new((0, 0)));
