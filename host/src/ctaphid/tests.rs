//! Scripted keys: what they answer is written down report by report, and time is theirs.

use std::time::Instant;

use keywright_common::ctaphid::{Content, ErrorCode, Report};
use proptest::prelude::*;

use super::*;
use crate::testing::{Script, reports};
use crate::transport::TransportError;

const OWN: ChannelId = ChannelId(0x0a0b_0c0d);

fn open() -> Channel<Script> {
    Channel::open(Script::new(OWN, 0x0d)).unwrap()
}

fn answering(answers: Vec<Report>) -> Channel<Script> {
    let mut channel = open();
    channel.transport.answer(answers);
    channel
}

fn error(code: ErrorCode) -> Vec<Report> {
    reports(OWN, Command::ERROR, &[code.0])
}

fn keepalive(status: u8) -> Vec<Report> {
    reports(OWN, Command::KEEPALIVE, &[status])
}

#[derive(Default)]
struct Listener {
    keepalives: Vec<KeepaliveStatus>,
    touches: usize,
    cancel_after: Option<usize>,
}

impl Interaction for Listener {
    fn keepalive(&mut self, status: KeepaliveStatus) {
        self.keepalives.push(status);
    }

    fn touch_needed(&mut self) {
        self.touches += 1;
    }

    fn is_cancelled(&mut self) -> bool {
        self.cancel_after.is_some_and(|count| self.keepalives.len() >= count)
    }
}

#[test]
fn an_opened_channel_knows_what_the_key_said_of_itself() {
    let channel = Channel::open(Script::new(OWN, capability::WINK | capability::NMSG)).unwrap();
    assert_eq!(channel.id(), OWN);
    let device = channel.device();
    assert_eq!((device.protocol_version, device.version), (2, (5, 6, 7)));
    assert!(device.can_wink() && !device.has_cbor() && !device.has_msg());
}

#[test]
fn answers_to_the_init_of_other_programs_are_ignored() {
    let mut script = Script::new(OWN, 0x0d);
    let foreign = [&[9; 8][..], &[0, 0, 0, 1, 2, 0, 0, 0, 0]].concat();
    let short = [1; 3];
    script.interject(reports(ChannelId::BROADCAST, Command::INIT, &foreign));
    script.interject(reports(ChannelId::BROADCAST, Command::INIT, &short));
    script.interject(reports(ChannelId(4), Command::PING, &[7; 100]));
    assert_eq!(Channel::open(script).unwrap().id(), OWN);
}

#[test]
fn nonces_are_not_the_same_twice() {
    let nonce = |channel: Channel<Script>| channel.transport.sent()[0][7..15].to_vec();
    assert_ne!(nonce(open()), nonce(open()));
}

#[test]
fn what_does_not_answer_init_is_no_key() {
    let error = Channel::open(Script::silent()).err().unwrap();
    assert!(matches!(error, DeviceError::Timeout), "{error}");
}

#[test]
fn a_message_of_many_packets_is_echoed() {
    let payload: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let mut channel = answering(reports(OWN, Command::PING, &payload));
    assert_eq!(channel.ping(&payload).unwrap(), payload);
}

#[test]
fn packets_of_other_channels_are_ignored_within_a_message() {
    let mut answers = reports(OWN, Command::PING, &[1; 150]);
    let foreign = reports(ChannelId(77), Command::PING, &[2; 150]);
    answers.splice(1..1, foreign);
    assert_eq!(answering(answers).ping(&[1; 150]).unwrap(), [1; 150]);
}

#[test]
fn a_late_answer_to_something_else_is_ignored() {
    let answers = [reports(OWN, Command::CBOR, &[0; 80]), reports(OWN, Command::PING, b"a")].concat();
    assert_eq!(answering(answers).ping(b"a").unwrap(), b"a");
}

#[test]
fn a_busy_key_is_asked_again_and_the_whole_message_is_sent_again() {
    let mut channel = open();
    channel.transport.answer(error(ErrorCode::CHANNEL_BUSY));
    channel.transport.answer(error(ErrorCode::CHANNEL_BUSY));
    channel.transport.answer(reports(OWN, Command::PING, &[1; 100]));
    let begun = channel.transport.now();
    assert_eq!(channel.ping(&[1; 100]).unwrap(), [1; 100]);
    assert_eq!(channel.transport.sent().len(), 1 + 3 * 2);
    assert_eq!(channel.transport.now() - begun, Duration::from_millis(150));
}

#[test]
fn a_key_that_stays_busy_is_given_up_after_a_bounded_time() {
    let mut channel = open();
    (0..50).for_each(|_| channel.transport.answer(error(ErrorCode::CHANNEL_BUSY)));
    let begun = channel.transport.now();
    assert!(matches!(channel.ping(b"a"), Err(DeviceError::Busy)));
    assert_eq!(channel.transport.now() - begun, Duration::from_millis(5550));
    assert!(!channel.is_waiting());
}

#[test]
fn an_error_code_of_the_future_survives() {
    for code in [ErrorCode::INVALID_CMD, ErrorCode::OTHER, ErrorCode(0x66)] {
        let error = answering(error(code)).ping(b"a").unwrap_err();
        assert!(matches!(error, DeviceError::Refused(found) if found == code), "{error}");
        assert!(error.to_string().contains(&format!("{:#04x}", code.0)), "{error}");
    }
}

#[test]
fn a_key_that_falls_silent_is_given_up() {
    let mut channel = open();
    let begun = channel.transport.now();
    assert!(matches!(channel.ping(b"a"), Err(DeviceError::Timeout)));
    assert_eq!(channel.transport.now() - begun, Duration::from_secs(5));
}

#[test]
fn an_answer_that_stops_halfway_is_a_time_out() {
    let mut answers = reports(OWN, Command::PING, &[1; 200]);
    answers.pop();
    assert!(matches!(answering(answers).ping(&[1; 200]), Err(DeviceError::Timeout)));
}

#[test]
fn packets_out_of_order_are_refused() {
    let mut answers = reports(OWN, Command::PING, &[1; 200]);
    answers.swap(1, 2);
    assert!(matches!(answering(answers).ping(&[1; 200]), Err(DeviceError::OutOfOrder)));
    let overlong = Packet::initialization(OWN, Command::PING, 7610, &[]);
    assert!(matches!(answering(vec![overlong]).ping(b"a"), Err(DeviceError::OutOfOrder)));
}

#[test]
fn a_continuation_without_a_beginning_is_ignored() {
    let stray = Packet::continuation(OWN, 0, &[9; 59]);
    let answers = [vec![stray], reports(OWN, Command::PING, b"a")].concat();
    assert_eq!(answering(answers).ping(b"a").unwrap(), b"a");
}

#[test]
fn after_a_time_out_the_channel_is_resynchronised_first() {
    let mut channel = open();
    assert!(channel.ping(b"a").is_err());
    let before = channel.transport.sent().len();
    channel.transport.answer(reports(OWN, Command::PING, b"b"));
    assert_eq!(channel.ping(b"b").unwrap(), b"b");
    let sent = channel.transport.sent();
    let Content::Initialization { command, .. } = Packet::parse(&sent[before]).content else {
        panic!("a continuation")
    };
    assert_eq!((Packet::parse(&sent[before]).channel, command), (OWN, Command::INIT));
}

#[test]
fn a_storm_of_keepalives_moves_the_deadline_and_asks_for_one_touch() {
    let mut channel = open();
    let storm = (0..500).flat_map(|n| keepalive(1 + u8::from(n > 2)));
    channel.transport.answer_slowly(storm.collect(), Duration::from_millis(100));
    channel.transport.then(reports(OWN, Command::CBOR, &[0]));
    let mut listener = Listener::default();
    let begun = channel.transport.now();
    assert_eq!(channel.cbor(&[4], &mut listener).unwrap(), [0]);
    assert_eq!((listener.keepalives.len(), listener.touches), (500, 1));
    assert_eq!(listener.keepalives[0], KeepaliveStatus::Processing);
    assert!(channel.transport.now() - begun >= Duration::from_secs(50));
}

#[test]
fn a_keepalive_of_a_later_version_is_told_as_it_is() {
    let answers = [keepalive(9), reports(OWN, Command::CBOR, &[0])].concat();
    let mut listener = Listener::default();
    answering(answers).cbor(&[4], &mut listener).unwrap();
    assert_eq!((listener.keepalives, listener.touches), (vec![KeepaliveStatus::Other(9)], 0));
}

#[test]
fn a_user_who_cancels_is_heard_by_the_key_whose_answer_is_awaited() {
    let mut channel = open();
    channel.transport.answer_slowly(keepalive(2).repeat(3), Duration::from_millis(100));
    channel.transport.on_cancel(reports(OWN, Command::CBOR, &[0x2d]));
    let mut listener = Listener { cancel_after: Some(3), ..Listener::default() };
    assert_eq!(channel.cbor(&[1], &mut listener).unwrap(), [0x2d]);
    let cancels = channel.transport.sent().iter().filter(|report| report[4] == 0x91).count();
    assert_eq!(cancels, 1, "one CANCEL is enough");
}

#[test]
fn a_key_that_ignores_a_cancel_is_left_in_bounded_time() {
    let mut channel = open();
    channel.transport.answer_slowly(keepalive(2).repeat(1000), Duration::from_millis(100));
    let mut listener = Listener { cancel_after: Some(1), ..Listener::default() };
    let begun = channel.transport.now();
    assert!(matches!(channel.cbor(&[1], &mut listener), Err(DeviceError::Timeout)));
    assert!(channel.transport.now() - begun < Duration::from_secs(6));
}

#[test]
fn a_user_who_cancels_while_the_key_is_busy_with_another_sends_nothing() {
    let mut channel = open();
    (0..20).for_each(|_| channel.transport.answer(error(ErrorCode::CHANNEL_BUSY)));
    let mut listener = Listener { cancel_after: Some(0), ..Listener::default() };
    channel.start(Command::CBOR, &[1]).unwrap();
    channel.poll(Duration::from_millis(10), &mut Unattended).unwrap();
    assert!(matches!(channel.poll(Duration::ZERO, &mut listener), Err(DeviceError::Cancelled)));
    assert!(channel.transport.sent().iter().all(|report| report[4] != 0x91));
}

#[test]
fn what_the_key_does_not_offer_is_not_asked_for() {
    let mut channel = Channel::open(Script::new(OWN, capability::NMSG)).unwrap();
    assert!(matches!(channel.wink(), Err(DeviceError::Unsupported("winking"))));
    assert!(matches!(channel.cbor(&[4], &mut Unattended), Err(DeviceError::Unsupported("CTAP2"))));
    assert!(matches!(channel.msg(&[0; 4], &mut Unattended), Err(DeviceError::Unsupported("U2F"))));
    assert_eq!(channel.transport.sent().len(), 1);
}

#[test]
fn a_message_that_no_key_can_take_is_not_sent() {
    let mut channel = open();
    assert!(matches!(channel.ping(&[0; 7610]), Err(DeviceError::TooLong(7610))));
    assert_eq!(channel.transport.sent().len(), 1);
}

#[test]
fn an_unplugged_key_is_gone_and_nothing_is_under_way() {
    let mut channel = open();
    channel.transport.unplug();
    let error = channel.ping(b"a").unwrap_err();
    assert!(matches!(error, DeviceError::Transport(TransportError::Gone)));
    assert!(!channel.is_waiting());
    assert!(matches!(channel.poll(Duration::ZERO, &mut Unattended), Err(DeviceError::NothingAsked)));
}

#[test]
fn the_clock_of_a_boxed_transport_is_the_transports() {
    let script = Script::new(OWN, 0);
    let now = script.now();
    let boxed: Box<dyn Transport> = Box::new(script);
    assert_eq!(boxed.now(), now);
    assert_ne!(boxed.now(), Instant::now());
}

proptest! {
    #[test]
    fn no_reports_make_the_channel_panic_or_wait_for_ever(
        tails in prop::collection::vec((any::<bool>(), prop::array::uniform32(any::<u8>())), 0..20),
    ) {
        let mut answers = Vec::new();
        for (is_own, bytes) in tails {
            let mut report = [0; 64];
            report[..4].copy_from_slice(&if is_own { OWN.0.to_be_bytes() } else { [9; 4] });
            report[4..36].copy_from_slice(&bytes);
            answers.push(report);
        }
        let mut channel = answering(answers);
        let begun = channel.transport.now();
        let _ = channel.ping(b"a");
        prop_assert!(channel.transport.now() - begun < Duration::from_secs(30));
    }
}
