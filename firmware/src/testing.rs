//! What tests of this crate and of others need beside the key: not part of the firmware.

mod counting;
mod power_cut;

pub use counting::Counting;
pub use power_cut::{Broken, PowerCutFlash};
