//! The person of the demonstration: has no PIN, and the virtual key touches itself.

use keywright_host::UserInteraction;
use keywright_host::ctaphid::Interaction;
use keywright_host::pin_uv_auth::Pin;
use keywright_host::user::PinRequest;

/// Somebody who is asked for nothing.
pub(super) struct Person;

impl Interaction for Person {
    fn touch_needed(&mut self) {}
}

impl UserInteraction for Person {
    fn pin(&mut self, _: PinRequest) -> Option<Pin> {
        None
    }
}

/// A password that nobody chose: 32 hexadecimal digits.
pub(super) fn random_password() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(u128::from_be_bytes(bytes)).map(|number| format!("{number:032x}"))
}
