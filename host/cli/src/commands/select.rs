//! `keywright select`.

use std::fmt;

use keywright_host::u2f::U2f;
use keywright_host::webauthn::Authenticator;
use serde::Serialize;

use crate::args::Select;
use crate::failure::Failure;
use crate::key::{self, Key};
use crate::output::{Foreign, Output};
use crate::user::User;

/// Has the user touch one of the keys, and says which.
///
/// # Errors
/// If there is none, or the user touches none.
pub(crate) fn run(arguments: Select, output: &Output) -> Result<(), Failure> {
    let mut user = User::without_pin();
    let mut keys = if arguments.device.is_empty() {
        key::open_all(key::found()?)?
    } else {
        arguments.device.iter().map(|address| Key::open(address, None)).collect::<Result<_, _>>()?
    };
    let key = match keys.as_mut_slice() {
        // One alone is taken without a touch elsewhere; here, the touch is what was asked for.
        [only] => {
            touch(only, &mut user)?;
            keys.swap_remove(0)
        }
        _ => key::touched(keys, &mut user)?,
    };
    output.answer(&Selected { device: key.device, product: key.product })
}

fn touch(key: &mut Key, user: &mut User) -> Result<(), Failure> {
    let touched = match &mut key.authenticator {
        Authenticator::Ctap2(client) => client.wait_for_touch(user),
        // U2F asks for a touch only to make a credential; nobody keeps this one.
        Authenticator::U2f(channel) => U2f::new(channel).register(&[0; 32], &[0; 32], user).map(drop),
    };
    user.outcome(touched)
}

#[derive(Serialize)]
struct Selected {
    device: String,
    product: Option<String>,
}

impl fmt::Display for Selected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.device)?;
        self.product.iter().try_for_each(|product| write!(f, "  {}", Foreign(product)))
    }
}
