//! authenticatorReset (§6.6).

use std::time::Duration;

use keywright_common::status::Status;

use super::credentials::{RP, missed};
use crate::rig::{Credential, Touch, allow, request};
use crate::scenario::expect;
use crate::{Rig, Stop};

/// Takes the key out, plugs it in again and resets it: keys allow that only just after power-up.
pub(super) fn wipe(rig: &mut Rig) -> Result<(), Stop> {
    let old = credential_of_before(rig)?;
    rig.user.pin = None;
    rig.replug()?;
    let mut session = rig.session()?;
    if session.client.info().long_touch_for_reset {
        session.user.say("This key wants a long touch: hold it until it stops asking.");
    }
    session.user.will(Touch::Give);
    session.client.reset(session.user)?;
    if !session.user.was_asked() {
        session.user.remark("does not say that it waits for a touch");
    }
    expect("no PIN may be left after a reset", !session.client.info().option("clientPin"))?;
    match old {
        Some(old) => missed("a credential of before a reset", session.assert(allow(&old))?),
        None => Ok(()),
    }
}

/// A reset waits for the touch, and nothing is lost before.
pub(super) fn presence(rig: &mut Rig) -> Result<(), Stop> {
    let old = credential_of_before(rig)?;
    rig.replug()?;
    let mut session = rig.session()?;
    session.user.will_not_touch(Touch::Cancel)?;
    let answer = session.cbor(&[0x07])?;
    expect("a reset must not be done without a touch", answer.is_err())?;
    if !session.user.was_asked() {
        let status = answer.err().map_or_else(String::new, |status| status.to_string());
        return Err(Stop::Failed(format!("a reset just after power-up must ask for a touch: {status}")));
    }
    session.user.will(Touch::Give);
    old.map_or(Ok(()), |mut old| session.authenticate(&mut old).map(drop))
}

/// Later than ten seconds after power-up.
pub(super) fn late(rig: &mut Rig) -> Result<(), Stop> {
    rig.replug()?;
    let mut session = rig.session()?;
    session.client.channel_mut().pause(Duration::from_secs(11), session.user)?;
    session.user.will_not_touch(Touch::Cancel)?;
    match session.cbor(&[0x07])? {
        Ok(_) => Err(Stop::Failed("a reset must not be done without a touch".to_owned())),
        Err(Status::NOT_ALLOWED) => Ok(()),
        Err(_) if session.user.was_asked() => {
            session
                .user
                .remark("takes a reset later than ten seconds after power-up; keys with a display may");
            Ok(())
        }
        Err(status) => {
            session.user.remark(super::words("a reset that comes too late", &status, &Status::NOT_ALLOWED));
            Ok(())
        }
    }
}

/// A credential that a reset has to end; none if the key makes none as it is, for want of its PIN for instance.
fn credential_of_before(rig: &mut Rig) -> Result<Option<Credential>, Stop> {
    match rig.session()?.try_register(request(RP, "before")) {
        Ok(Ok(made)) => Ok(Some(made)),
        Ok(Err(_)) | Err(Stop::Skipped(_)) => Ok(None),
        Err(stop) => Err(stop),
    }
}
