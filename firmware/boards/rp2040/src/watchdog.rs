//! The watchdog: what restarts a key that hangs, panics or runs out of stack, and how it came to start.
//!
//! The registers are used as they are, because a panic has no owner of anything at hand. The scratch registers outlive a
//! restart and not a loss of power; the boot ROM uses the upper four.

use embassy_rp::pac::{PSM, VREG_AND_CHIP_RESET, WATCHDOG, psm::regs::Wdsel};
use keywright_firmware::authenticator::Start;

/// Says how the key came to run, and starts the watchdog.
pub(crate) fn start() -> Start {
    let was_running = WATCHDOG.scratch0().read() == RUNNING;
    let reason = WATCHDOG.reason().read();
    let was_restarted = reason.timer() || reason.force() || was_running;
    // HAD_POR stays set when the watchdog restarts the processor: alone it would make every restart a power-up.
    let is_power_up = VREG_AND_CHIP_RESET.chip_reset().read().had_por() && !was_restarted;
    WATCHDOG.scratch0().write_value(RUNNING);
    // The clock of the watchdog was started with the others.
    feed();
    select_what_restarts();
    WATCHDOG.ctrl().modify(|ctrl| ctrl.set_enable(true));
    if is_power_up { Start::PowerUp } else { Start::Warm }
}

/// Puts the watchdog off for another [`MICROS`].
pub(crate) fn feed() {
    // RP2040-E1: the counter goes down by two a microsecond.
    WATCHDOG.load().write(|load| load.set_load(2 * MICROS));
}

/// Restarts the key at once.
pub(crate) fn restart() -> ! {
    cortex_m::interrupt::disable();
    select_what_restarts();
    WATCHDOG.ctrl().modify(|ctrl| ctrl.set_trigger(true));
    loop {
        cortex_m::asm::nop();
    }
}

/// Everything but the oscillators.
fn select_what_restarts() {
    PSM.wdsel().write_value(Wdsel(0x0001_fffc));
}

/// The most that its 24 bits hold, and longer than anything the key does without a pause.
const MICROS: u32 = 8_000_000;
/// Left in a scratch register by a key that runs.
const RUNNING: u32 = 0x4b57_5247;
