//! CTAPHID (§11.2): channels, and messages that arrive whole.

use keywright_common::ctaphid::{
    ChannelId, Command, ErrorCode, MAX_MESSAGE, PROTOCOL_VERSION, Packet, capability,
};
use keywright_host::ctaphid::DeviceError;

use super::words;
use crate::scenario::expect;
use crate::wire::Answer;
use crate::{Rig, Stop};

/// §11.2.9.1.3.
pub(super) fn init(rig: &mut Rig) -> Result<(), Stop> {
    let (mut wire, user) = rig.wire();
    let (first, answer) = wire.open()?;
    let (second, _) = wire.open()?;
    expect("two channels must differ", first != second)?;
    for channel in [first, second] {
        let is_given = channel != ChannelId::BROADCAST && channel != ChannelId::RESERVED;
        expect("channels 0 and ffffffff are never given away", is_given)?;
    }
    expect("an answer to INIT has at least 17 bytes", answer.len() >= 17)?;
    if answer.get(12) != Some(&PROTOCOL_VERSION) {
        user.remark(format!("speaks version {:?} of CTAPHID", answer.get(12)));
    }
    let flags = answer.get(16).copied().unwrap_or_default();
    let speaks = flags & capability::CBOR != 0 || flags & capability::NMSG == 0;
    expect("a key must speak CTAP2 or U2F", speaks)?;
    let again = wire.ask(first, Command::INIT, b"in place")?;
    expect("INIT on a channel is answered there", again.command == Command::INIT)?;
    let is_same = again.payload.get(8..12) == Some(&first.0.to_be_bytes()[..]);
    expect("INIT on a channel keeps the channel", is_same && again.payload.starts_with(b"in place"))
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

/// §11.2.3: who has no channel is not served.
pub(super) fn channels(rig: &mut Rig) -> Result<(), Stop> {
    let (mut wire, user) = rig.wire();
    let (own, _) = wire.open()?;
    let strangers = [
        ("on channel 0", ChannelId::RESERVED),
        ("on a channel that was not opened", ChannelId(own.0 ^ 0x5a5a_5a00)),
        ("but INIT on the broadcast channel", ChannelId::BROADCAST),
    ];
    for (place, channel) in strangers {
        wire.send(channel, Command::PING, b"anybody")?;
        let answer = wire.answer_within(channel, super::A_WHILE)?;
        let what = format!("a PING {place}");
        user.remarks(refusal(&what, answer.as_ref(), ErrorCode::INVALID_CHANNEL)?);
    }
    let echo = wire.ask(own, Command::PING, b"mine")?;
    expect("a channel must work on", echo.payload == b"mine")
}

/// §11.2.4, §11.2.5.4: packets that make no message.
pub(super) fn packets(rig: &mut Rig) -> Result<(), Stop> {
    let (mut wire, user) = rig.wire();
    let (own, _) = wire.open()?;
    let cases: [(&str, &[_], ErrorCode); 3] = [
        (
            "an unknown command",
            &[Packet::initialization(own, Command(0x2a), 1, b"x")],
            ErrorCode::INVALID_CMD,
        ),
        (
            "a message of 65535 bytes",
            &[Packet::initialization(own, Command::PING, u16::MAX, b"x")],
            ErrorCode::INVALID_LEN,
        ),
        (
            "a packet that is out of order",
            &[
                Packet::initialization(own, Command::PING, 100, &[1; 57]),
                Packet::continuation(own, 1, &[1; 43]),
            ],
            ErrorCode::INVALID_SEQ,
        ),
    ];
    for (what, reports, code) in cases {
        for report in reports {
            wire.report(report)?;
        }
        let answer = wire.answer_within(own, super::A_WHILE)?;
        user.remarks(refusal(what, answer.as_ref(), code)?);
        let again = wire.ask(own, Command::INIT, b"in place")?;
        expect(&format!("INIT must be answered after {what}"), again.command == Command::INIT)?;
    }
    wire.report(&Packet::continuation(own, 0, b"stray"))?;
    let echo = wire.ask(own, Command::PING, b"mine")?;
    expect("a packet that belongs to nothing must be passed over", echo.payload == b"mine")?;
    wire.report(&Packet::initialization(own, Command::PING, 100, &[1; 57]))?;
    let again = wire.ask(own, Command::INIT, b"in place")?;
    expect("INIT must end a message of its own channel", again.command == Command::INIT)
}

/// §11.2.5.2: a message that does not end must not keep others waiting for ever.
pub(super) fn unfinished(rig: &mut Rig) -> Result<(), Stop> {
    let (mut wire, user) = rig.wire();
    let (own, _) = wire.open()?;
    let (other, _) = wire.open()?;
    wire.report(&Packet::initialization(own, Command::PING, 100, &[1; 57]))?;
    let answer = wire.answer_within(own, crate::wire::PATIENCE)?;
    user.remarks(refusal("a message that is not finished", answer.as_ref(), ErrorCode::MSG_TIMEOUT)?);
    let echo = wire.ask(other, Command::PING, b"mine")?;
    expect("others must be served after a message that was not finished", echo.payload == b"mine")
}

/// §11.2.5.1: one message at a time, and it completes.
pub(super) fn busy(rig: &mut Rig) -> Result<(), Stop> {
    let (mut wire, user) = rig.wire();
    let (first, _) = wire.open()?;
    let (second, _) = wire.open()?;
    let payload = [7; 100];
    let (head, tail) = payload.split_at(57);
    for _ in 0..TRIES {
        wire.report(&Packet::initialization(first, Command::PING, 100, head))?;
        let refused = wire.ask(second, Command::PING, b"me too")?;
        wire.report(&Packet::continuation(first, 0, tail))?;
        let answer = wire.answer(first)?;
        // On a loaded machine the second packet may come too late.
        if answer.error() == Some(ErrorCode::MSG_TIMEOUT) {
            continue;
        }
        let what = "a message while another channel's is under way";
        user.remarks(refusal(what, Some(&refused), ErrorCode::CHANNEL_BUSY)?);
        return expect("a message must be complete in spite of another channel", answer.payload == payload);
    }
    Err(Stop::Skipped("this machine is too slow to send two packets in time".to_owned()))
}

/// §11.2.9.2.1.
pub(super) fn wink(rig: &mut Rig) -> Result<(), Stop> {
    let (mut channel, _) = rig.channel()?;
    Ok(channel.wink()?)
}

/// §11.2.9.2.2, which is optional.
pub(super) fn lock(rig: &mut Rig) -> Result<(), Stop> {
    let (mut wire, user) = rig.wire();
    let (first, _) = wire.open()?;
    let (second, _) = wire.open()?;
    let answer = wire.ask(first, Command::LOCK, &[5])?;
    if let Some(code) = answer.error() {
        return Err(Stop::Skipped(format!(
            "the key does not lock channels: it answers error {:#04x}",
            code.0
        )));
    }
    let outside = wire.ask(second, Command::PING, b"me too")?;
    let inside = wire.ask(first, Command::PING, b"mine")?;
    let opened = wire.ask(first, Command::LOCK, &[0])?;
    user.remarks(refusal(
        "a message while another channel has the lock",
        Some(&outside),
        ErrorCode::CHANNEL_BUSY,
    )?);
    expect("who has the lock must be served", inside.payload == b"mine")?;
    expect("a lock of 0 seconds must be taken", opened.error().is_none())?;
    let echo = wire.ask(second, Command::PING, b"me too")?;
    expect("others must be served when the lock is gone", echo.payload == b"me too")
}

/// Fails unless a message was refused; a remark where that was done in another way than `usual`.
fn refusal(what: &str, answer: Option<&Answer>, usual: ErrorCode) -> Result<Option<String>, Stop> {
    let Some(answer) = answer else { return Ok(Some(format!("does not answer {what}"))) };
    match answer.error() {
        None => Err(Stop::Failed(format!("{what} must be refused"))),
        Some(code) if code == usual => Ok(None),
        Some(code) => Ok(Some(words(what, &format!("error {:#04x}", code.0), &format!("{:#04x}", usual.0)))),
    }
}

/// What every key of U2F takes.
const U2F_MESSAGE: usize = 1024;
const TRIES: usize = 5;
