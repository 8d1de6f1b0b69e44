//! `keywright reset`.

use keywright_common::status::Status;
use keywright_host::ClientError;

use super::Done;
use crate::args::Reset;
use crate::failure::{Failure, Kind};
use crate::key::Key;
use crate::output::Output;
use crate::user::{self, User};

/// Wipes a key.
///
/// # Errors
/// If the user does not want it after all, or the key does not allow it now.
pub(crate) fn run(arguments: &Reset, output: &Output) -> Result<(), Failure> {
    if !arguments.yes {
        user::check_confirmable(false)?;
        Output::note(
            "A reset deletes for good every credential on the key, discoverable or not, and its PIN: it will sign in nowhere \
             until it is registered there again.\nKeys allow it only within 10 seconds after they are plugged in. Unplug the key, \
             plug it in again, then answer here and touch it, all within that time.",
        );
    }
    user::confirm("Reset the key?", arguments.yes)?;
    let mut user = User::without_pin();
    let mut key = Key::find(&arguments.device, &mut user)?;
    let client = key.ctap2()?;
    user.touch_words(if client.info().long_touch_for_reset {
        "Touch the key and hold it for some seconds: that resets it."
    } else {
        "Touch the key: that resets it."
    });
    let result = client.reset(&mut user);
    let is_too_late = result.as_ref().err().and_then(ClientError::status) == Some(Status::NOT_ALLOWED);
    let result = user.outcome(result);
    if is_too_late {
        return result.map_err(|failure| {
            failure.in_words("the key allows a reset only within 10 seconds after it is plugged in, and nothing was deleted: plug it in again, and try again at once")
        });
    }
    result.map_err(|failure| match failure.kind() {
        Kind::User => failure
            .in_words("the reset was declined, or the key was not touched in time; nothing was deleted"),
        _ => failure,
    })?;
    output.answer(&Done {
        device: key.device,
        done: "reset",
        words: "The key was reset: it has no credentials and no PIN.".to_owned(),
    })
}
