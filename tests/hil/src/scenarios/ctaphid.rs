//! CTAPHID (§11.2).

use keywright_common::ctaphid::{ChannelId, Command, MAX_MESSAGE, PROTOCOL_VERSION, capability};
use keywright_host::ctaphid::DeviceError;

use crate::scenario::expect;
use crate::{Rig, Stop};

/// §11.2.9.1.3.
pub(super) fn init(rig: &mut Rig) -> Result<(), Stop> {
    let (mut wire, user) = rig.wire();
    let (first, answer) = wire.open()?;
    let (second, _) = wire.open()?;
    expect("two channels must differ", first != second)?;
    for channel in [first, second] {
        expect(
            "channels 0 and ffffffff are never given away",
            channel != ChannelId::BROADCAST && channel.0 != 0,
        )?;
    }
    expect("an answer to INIT has at least 17 bytes", answer.len() >= 17)?;
    if answer.get(12) != Some(&PROTOCOL_VERSION) {
        user.remark(format!("speaks version {:?} of CTAPHID", answer.get(12)));
    }
    let flags = answer.get(16).copied().unwrap_or_default();
    expect("a key must speak CTAP2 or U2F", flags & capability::CBOR != 0 || flags & capability::NMSG == 0)?;
    let again = wire.ask(first, Command::INIT, b"in place")?;
    expect("INIT on a channel is answered there", again.command == Command::INIT)?;
    let same = again.payload.get(8..12) == Some(&first.0.to_be_bytes()[..]);
    expect("INIT on a channel keeps the channel", same && again.payload.starts_with(b"in place"))
}

/// §11.2.9.1.4.
pub(super) fn ping(rig: &mut Rig) -> Result<(), Stop> {
    let longest = rig.offer()?.info.map_or(U2F_MESSAGE, |info| info.max_msg_size.min(MAX_MESSAGE));
    let (mut channel, user) = rig.channel()?;
    for size in [1, 56, 57, 58, 116, 117, 1000, longest] {
        let payload: Vec<u8> = (0..=u8::MAX).cycle().take(size.min(longest)).collect();
        let echo = channel.ping(&payload)?;
        expect(&format!("PING must echo {size} bytes"), echo == payload)?;
    }
    match channel.ping(&[]) {
        Ok(echo) => expect("PING must echo nothing for nothing", echo.is_empty()),
        Err(DeviceError::Refused(code)) => {
            user.remark(format!("answers a PING of no bytes with error {:#04x}", code.0));
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// What every key of U2F takes.
const U2F_MESSAGE: usize = 1024;
