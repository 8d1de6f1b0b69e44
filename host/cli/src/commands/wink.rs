//! `keywright wink`.

use super::Done;
use crate::args::Device;
use crate::failure::Failure;
use crate::key::Key;
use crate::output::Output;
use crate::user::User;

/// Has a key show itself.
///
/// # Errors
/// If it cannot.
pub(crate) fn run(device: &Device, output: &Output) -> Result<(), Failure> {
    let mut key = Key::find(device, &mut User::without_pin())?;
    key.authenticator.channel_mut().wink()?;
    output.answer(&Done {
        device: key.device,
        done: "wink",
        words: "The key shows itself: look for its light.".to_owned(),
    })
}
