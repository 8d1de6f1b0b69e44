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

/// The model: every locked Keywright on an STM32F405 is one, and every one that is not locked another, so that a relying
/// party and `keywright info` can tell them apart.
pub(crate) fn aaguid() -> [u8; 16] {
    if is_read_protected() { LOCKED } else { NOT_LOCKED }
}

const LOCKED: [u8; 16] = 0x110b_9bfe_0e95_411e_8097_d41f_135f_5b81_u128.to_be_bytes();
const NOT_LOCKED: [u8; 16] = 0x40e1_f450_11d2_4f94_b98f_42ff_c871_2231_u128.to_be_bytes();

const LEVEL_0: u8 = 0xaa;
