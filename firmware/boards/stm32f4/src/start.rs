//! How the key came to run, how it restarts, and whether its flash can be read out.

use embassy_stm32::pac::{FLASH, RCC};
use keywright_firmware::authenticator::Start;

/// Says how the key came to run. The flags stay until they are cleared, whatever restarts the core (RM0090 §7.3.21).
pub(crate) fn kind() -> Start {
    let flags = RCC.csr().read();
    let is_power_up = flags.porrstf();
    RCC.csr().modify(|flags| flags.set_rmvf(true));
    if is_power_up { Start::PowerUp } else { Start::Warm }
}

/// Restarts the key at once.
pub(crate) fn restart() -> ! {
    cortex_m::peripheral::SCB::sys_reset()
}

/// Whether the flash is closed to a debugger: protection level 1 or 2 (RM0090 §3.7.3). A person sets it, never the key.
pub(crate) fn is_read_protected() -> bool {
    FLASH.optcr().read().rdp() != LEVEL_0
}

const LEVEL_0: u8 = 0xaa;
