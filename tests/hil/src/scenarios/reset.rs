//! authenticatorReset (§6.6).

use crate::rig::Touch;
use crate::scenario::expect;
use crate::{Rig, Stop};

/// Takes the key out, plugs it in again and resets it: keys allow that only just after power-up.
pub(super) fn wipe(rig: &mut Rig) -> Result<(), Stop> {
    rig.replug()?;
    rig.user.pin = None;
    let mut session = rig.session()?;
    if session.client.info().long_touch_for_reset {
        session.user.say("This key wants a long touch: hold it until it stops asking.");
    }
    session.user.will(Touch::Give);
    session.client.reset(session.user)?;
    let has_pin = session.client.info().option("clientPin");
    expect("no PIN may be left after a reset", !has_pin)
}
