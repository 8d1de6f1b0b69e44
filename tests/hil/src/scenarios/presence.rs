//! Touches: asked for, given, not given, and no longer wanted.

use std::time::Duration;

use keywright_common::ctaphid::{ChannelId, Command, ErrorCode};
use keywright_common::status::Status;

use super::credentials::creation;
use crate::rig::{Touch, message};
use crate::scenario::expect;
use crate::wire::{PATIENCE, Wire};
use crate::{Rig, Stop};

/// §6.9.
pub(super) fn selection(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    Ok(session.client.select(session.user)?)
}

/// §11.2.9.1.5, §11.2.9.1.7: a request waits for the touch, says so, and ends when its own channel cancels it.
pub(super) fn cancel(rig: &mut Rig) -> Result<(), Stop> {
    let request = wish_for_touch(rig)?;
    let (mut wire, user) = rig.wire();
    user.will_not_touch(Touch::Withhold)?;
    let (own, _) = wire.open()?;
    let (other, _) = wire.open()?;
    wire.send(own, Command::CBOR, &request)?;
    wait_for_wish(&mut wire, own)?;
    let mut latest = wire.deadline(Duration::ZERO);
    wire.send(other, Command::CANCEL, &[])?;
    let refused = wire.ask(other, Command::PING, b"me too")?;
    if refused.error() != Some(ErrorCode::CHANNEL_BUSY) {
        user.remark("does not say that it is busy while it waits for a touch");
    }
    let end = wire.deadline(super::A_WHILE);
    let mut longest = Duration::ZERO;
    while let Some(answer) = wire.message(own, end)? {
        let is_waiting = answer.command == Command::KEEPALIVE;
        expect("a request must wait for the touch, whatever another channel cancels", is_waiting)?;
        let now = wire.deadline(Duration::ZERO);
        longest = longest.max(now.saturating_duration_since(latest));
        latest = now;
    }
    if longest > KEEPALIVE {
        user.remark(format!("says only every {} ms that it waits", longest.as_millis()));
    }
    wire.send(own, Command::CANCEL, &[])?;
    let answer = wire.answer(own)?;
    expect(
        "a request that was cancelled must end with KEEPALIVE_CANCEL (0x2d)",
        answer.command == Command::CBOR && answer.payload == [Status::KEEPALIVE_CANCEL.0],
    )?;
    let echo = wire.ask(other, Command::PING, b"mine")?;
    expect("the key must serve others after a cancellation", echo.payload == b"mine")
}

/// A touch that does not come must not be waited for without end.
pub(super) fn timeout(rig: &mut Rig) -> Result<(), Stop> {
    let request = wish_for_touch(rig)?;
    let mut session = rig.session()?;
    session.user.will_not_touch(Touch::Withhold)?;
    match session.cbor(&request)? {
        Ok(_) => Err(Stop::Failed("nothing may be done without a touch".to_owned())),
        // The second is CTAP 2.0's.
        Err(Status::OPERATION_DENIED | Status::USER_ACTION_TIMEOUT) => Ok(()),
        Err(status) => {
            session.user.remark(super::words(
                "a touch that does not come",
                &status,
                &Status::OPERATION_DENIED,
            ));
            Ok(())
        }
    }
}

/// A request that waits for a touch with every key, and makes nothing that stays.
fn wish_for_touch(rig: &mut Rig) -> Result<Vec<u8>, Stop> {
    let info = rig.session()?.client.info().clone();
    let mut parameters = creation()?;
    // §6.1.2 step 1: an empty pinUvAuthParam waits for the user also where a PIN is needed for anything else.
    if info.can_verify_user() {
        parameters.extend([
            (8.into(), ciborium::Value::Bytes(Vec::new())),
            (9.into(), info.pin_uv_auth_protocols.first().copied().unwrap_or(1).into()),
        ]);
    }
    message(0x01, &ciborium::Value::Map(parameters))
}

fn wait_for_wish(wire: &mut Wire<'_>, channel: ChannelId) -> Result<(), Stop> {
    let end = wire.deadline(PATIENCE);
    while let Some(answer) = wire.message(channel, end)? {
        let is_waiting = answer.command == Command::KEEPALIVE;
        expect("nothing may be done without a touch", is_waiting)?;
        if answer.payload == [UP_NEEDED] {
            return Ok(());
        }
    }
    Err(Stop::Failed("the key does not say that it waits for a touch".to_owned()))
}

const UP_NEEDED: u8 = 2;
/// The specification asks for 100 ms; clients wait for much longer.
const KEEPALIVE: Duration = Duration::from_millis(250);
