//! The Pico's own button and light: BOOTSEL and GPIO 25.

use cortex_m::asm;
use embassy_rp::gpio::Output;
use embassy_rp::pac::{IO_QSPI, SIO, io::vals::Oeover};
use keywright_runner::transport::Panel;

use crate::flash::{self, SELECT_LINE};
use crate::watchdog;

/// BOOTSEL, the light, and the watchdog.
pub(crate) struct PicoPanel {
    /// On GPIO 25.
    pub(crate) light: Output<'static>,
}

impl Panel for PicoPanel {
    /// The button pulls the flash's select line low through a resistor: the line is let go for a moment, which the
    /// flash does not mind unless it is in the middle of a command. It is not disturbed in an erase: without a clock it
    /// sees no command.
    fn is_button_down(&mut self) -> Option<bool> {
        if flash::is_on_the_wire() {
            return None;
        }
        let line = IO_QSPI.gpio(SELECT_LINE);
        line.ctrl().modify(|ctrl| ctrl.set_oeover(Oeover::DISABLE));
        asm::delay(SETTLE_CYCLES);
        let is_high = SIO.gpio_in(1).read() & 1 << SELECT_LINE != 0;
        line.ctrl().modify(|ctrl| ctrl.set_oeover(Oeover::NORMAL));
        Some(!is_high)
    }

    fn set_light(&mut self, is_on: bool) {
        self.light.set_level(is_on.into());
    }

    fn alive(&mut self) {
        watchdog::feed();
    }
}

/// 8 us at 125 MHz, for the pull-up to lift the line.
const SETTLE_CYCLES: u32 = 1000;
