//! The person of the demonstration: touches a key that was named, and is not needed for a virtual one.

use keywright_host::UserInteraction;
use keywright_host::ctaphid::Interaction;
use keywright_host::pin_uv_auth::Pin;
use keywright_host::user::PinRequest;

use crate::output::Output;
use crate::pin::Source;
use crate::user::User;

/// Who stands at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Person {
    /// Nobody: the key touches itself, and has no PIN.
    NotNeeded,
    /// Somebody at the terminal.
    Present,
}

impl Interaction for Person {
    fn touch_needed(&mut self) {
        if *self == Self::Present {
            Output::note("Touch the key.");
        }
    }
}

impl UserInteraction for Person {
    fn pin(&mut self, request: PinRequest) -> Option<Pin> {
        if *self == Self::Present { User::new(Source::Terminal).pin(request) } else { None }
    }
}

/// A password that nobody chose: 32 hexadecimal digits.
pub(super) fn random_password() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(u128::from_be_bytes(bytes)).map(|number| format!("{number:032x}"))
}
