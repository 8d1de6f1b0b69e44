//! authenticatorReset (§6.6).

use embedded_storage::nor_flash::NorFlash;
use keywright_common::status::Status;
use keywright_common::time::Millis;
use rand_core::CryptoRng;

use super::{Next, Plan};
use crate::authenticator::Core;
use crate::state::State;
use crate::store::ResetProgress;

/// A reset is only for somebody who has just plugged the key in: what the restart of a program can bring about would let
/// a web page or a stolen session wipe the key.
pub(super) fn start(state: &State) -> Result<Next, Status> {
    match state.power_up {
        Some(power_up) if state.now - power_up <= TIME_AFTER_POWER_UP => Ok(Next::Wait(Plan::Reset)),
        _ => Err(Status::NOT_ALLOWED),
    }
}

/// Does the next step; from the first one on nothing of the old key is left in memory.
pub(super) fn act<F: NorFlash, R: CryptoRng>(core: &mut Core<F, R>) -> Result<Next, Status> {
    core.state.forget(None);
    match core.store.reset_step(&mut core.random)? {
        ResetProgress::More => Ok(Next::Work(Plan::Reset)),
        ResetProgress::Done => {
            core.state.forget(Some(core.store.secret()?));
            Ok(Next::Done)
        }
    }
}

/// §6.6.
const TIME_AFTER_POWER_UP: Millis = Millis(10_000);
