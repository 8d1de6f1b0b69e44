use std::boxed::Box;
use std::vec::Vec;

use super::*;

const VERSION: DeviceVersion = DeviceVersion { major: 1, minor: 2, build: 3 };
const ZERO: Instant = Instant::ZERO;

type TestDevice = Device<Box<Message>>;

fn device() -> TestDevice {
    Device::new(VERSION, 0x1000, Box::new(Message::new()))
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn init_report(channel: ChannelId) -> Report {
    Packet::initialization(channel, Command::INIT, 8, &[1, 2, 3, 4, 5, 6, 7, 8])
}

fn open_channel(device: &mut TestDevice) -> ChannelId {
    device.handle_report(&init_report(ChannelId::BROADCAST), ZERO);
    let report = device.poll_transmit().unwrap();
    ChannelId(u32::from_be_bytes(report[15..19].try_into().unwrap()))
}

fn send(device: &mut TestDevice, channel: ChannelId, command: Command, payload: &[u8]) {
    let mut sending = Sending::new(channel, command);
    while let Some(report) = sending.next_report(payload) {
        device.handle_report(&report, ZERO);
    }
}

fn transmitted(device: &mut TestDevice) -> Vec<Report> {
    core::iter::from_fn(|| device.poll_transmit()).collect()
}

/// The command and the first payload byte of the only report that waits.
fn only_report(device: &mut TestDevice) -> (ChannelId, Command, u8) {
    let reports = transmitted(device);
    assert_eq!(reports.len(), 1, "{reports:02x?}");
    let packet = Packet::parse(&reports[0]);
    let Content::Initialization { command, data, .. } = packet.content else {
        panic!("a continuation packet")
    };
    (packet.channel, command, data[0])
}

fn assert_error(device: &mut TestDevice, channel: ChannelId, error: ErrorCode) {
    assert_eq!(only_report(device), (channel, Command::ERROR, error.0));
}

fn assert_quiet(device: &mut TestDevice) {
    assert!(device.poll_transmit().is_none());
}

fn answer(device: &mut TestDevice, bytes: &[u8]) {
    let mut message = Box::new(Message::new());
    message.set(bytes).unwrap();
    device.complete(Response { message });
}

#[test]
fn init_gives_nonce_channel_version_and_capabilities() {
    let mut device = device();
    device.handle_report(&init_report(ChannelId::BROADCAST), ZERO);
    let report = device.poll_transmit().unwrap();
    assert_eq!(report[..7], [0xff, 0xff, 0xff, 0xff, 0x86, 0, 17]);
    assert_eq!(report[7..15], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(report[15..24], [0, 0, 0x10, 1, 2, 1, 2, 3, 0x05]);
}

#[test]
fn g21_an_init_flood_gives_distinct_channels_and_evicts_none() {
    let mut device = device();
    let first = open_channel(&mut device);
    let ids: std::collections::HashSet<_> = (0..10_000).map(|_| open_channel(&mut device)).collect();
    assert_eq!(ids.len(), 10_000);
    send(&mut device, first, Command::PING, &[7]);
    assert_eq!(only_report(&mut device), (first, Command::PING, 7));
}

#[test]
fn g21_channel_zero_and_broadcast_are_never_handed_out() {
    let mut device = Device::new(VERSION, 0xffff_fffd, Box::new(Message::new()));
    let ids: Vec<_> = (0..3).map(|_| open_channel(&mut device).0).collect();
    assert_eq!(ids, [0xffff_fffe, 1, 2]);
    for channel in [ChannelId::RESERVED, ChannelId::BROADCAST] {
        send(&mut device, channel, Command::PING, &[7]);
        assert_error(&mut device, channel, ErrorCode::INVALID_CHANNEL);
    }
}

#[test]
fn g21_a_channel_that_was_not_allocated_is_refused_even_for_init() {
    let mut device = device();
    open_channel(&mut device);
    for channel in [ChannelId(0x1000), ChannelId(0x1002), ChannelId(77), ChannelId::RESERVED] {
        device.handle_report(&init_report(channel), ZERO);
        assert_error(&mut device, channel, ErrorCode::INVALID_CHANNEL);
        send(&mut device, channel, Command::CANCEL, &[]);
        assert_quiet(&mut device);
    }
}

#[test]
fn ping_echoes_every_length() {
    let mut device = device();
    let channel = open_channel(&mut device);
    for length in [0, 1, 57, 58, 7609] {
        send(&mut device, channel, Command::PING, &std::vec![0x5a; length]);
        assert_eq!(transmitted(&mut device).len(), 1 + length.saturating_sub(57).div_ceil(59));
        assert!(!device.is_busy());
    }
}

#[test]
fn g21_another_channel_is_told_busy_and_the_running_message_goes_on() {
    let mut device = device();
    let (a, b) = (open_channel(&mut device), open_channel(&mut device));
    device.handle_report(&Packet::initialization(a, Command::PING, 100, &[1; 57]), ZERO);
    send(&mut device, b, Command::PING, &[2]);
    assert_error(&mut device, b, ErrorCode::CHANNEL_BUSY);
    device.handle_report(&Packet::continuation(b, 0, &[3; 59]), ZERO);
    device.handle_report(&Packet::continuation(a, 0, &[1; 59]), ZERO);
    assert_eq!(transmitted(&mut device).len(), 2);
}

#[test]
fn g21_a_broadcast_init_is_answered_while_a_request_is_processed() {
    let mut device = device();
    let a = open_channel(&mut device);
    send(&mut device, a, Command::CBOR, &[4]);
    assert!(device.take_request(ZERO).is_some());
    assert_ne!(open_channel(&mut device), a);
    answer(&mut device, &[0]);
    assert_eq!(only_report(&mut device), (a, Command::CBOR, 0));
}

#[test]
fn g21_init_aborts_only_the_transaction_of_its_own_channel() {
    let mut device = device();
    let (a, b) = (open_channel(&mut device), open_channel(&mut device));
    send(&mut device, a, Command::CBOR, &[4]);
    device.take_request(ZERO).unwrap();
    device.handle_report(&init_report(b), ZERO);
    assert!(!device.take_cancel());
    device.handle_report(&init_report(a), ZERO);
    assert_eq!(transmitted(&mut device).len(), 2);
    assert!(device.take_cancel());
    send(&mut device, a, Command::CBOR, &[4]);
    assert_error(&mut device, a, ErrorCode::CHANNEL_BUSY);
    answer(&mut device, &[0]);
    assert_quiet(&mut device);
    send(&mut device, a, Command::CBOR, &[4]);
    assert!(device.take_request(ZERO).is_some());
}

#[test]
fn g21_a_wrong_sequence_number_drops_the_message() {
    let mut device = device();
    let channel = open_channel(&mut device);
    device.handle_report(&Packet::initialization(channel, Command::PING, 200, &[1; 57]), ZERO);
    device.handle_report(&Packet::continuation(channel, 1, &[1; 59]), ZERO);
    assert_error(&mut device, channel, ErrorCode::INVALID_SEQ);
    device.handle_report(&Packet::continuation(channel, 0, &[1; 59]), ZERO);
    assert_quiet(&mut device);
}

#[test]
fn g21_an_initialization_packet_inside_a_message_is_a_sequence_error() {
    let mut device = device();
    let channel = open_channel(&mut device);
    device.handle_report(&Packet::initialization(channel, Command::PING, 200, &[1; 57]), ZERO);
    send(&mut device, channel, Command::CANCEL, &[]);
    assert_quiet(&mut device);
    send(&mut device, channel, Command::PING, &[1]);
    assert_error(&mut device, channel, ErrorCode::INVALID_SEQ);
    send(&mut device, channel, Command::PING, &[1]);
    assert_eq!(only_report(&mut device), (channel, Command::PING, 1));
}

#[test]
fn g21_init_inside_a_message_resynchronises() {
    let mut device = device();
    let channel = open_channel(&mut device);
    device.handle_report(&Packet::initialization(channel, Command::PING, 200, &[1; 57]), ZERO);
    device.handle_report(&init_report(channel), ZERO);
    assert_eq!(only_report(&mut device).1, Command::INIT);
    assert!(!device.is_busy());
}

#[test]
fn g21_a_message_that_does_not_come_whole_times_out_unasked() {
    let mut device = device();
    let channel = open_channel(&mut device);
    device.handle_report(&Packet::initialization(channel, Command::PING, 200, &[1; 57]), at(100));
    assert_eq!(device.poll_timeout(), Some(at(600)));
    device.handle_timeout(at(599));
    assert_quiet(&mut device);
    device.handle_timeout(at(600));
    assert_error(&mut device, channel, ErrorCode::MSG_TIMEOUT);
    assert_eq!(device.poll_timeout(), None);
}

#[test]
fn g21_lengths_that_a_command_does_not_take_are_refused_at_the_first_packet() {
    let mut device = device();
    let channel = open_channel(&mut device);
    let cases = [
        (Command::CBOR, 0),
        (Command::MSG, 0),
        (Command::WINK, 1),
        (Command::LOCK, 2),
        (Command::PING, 7610),
    ];
    for (command, length) in cases {
        device.handle_report(&Packet::initialization(channel, command, length, &[]), ZERO);
        assert_error(&mut device, channel, ErrorCode::INVALID_LEN);
    }
    device.handle_report(&Packet::initialization(ChannelId::BROADCAST, Command::INIT, 7, &[]), ZERO);
    assert_error(&mut device, ChannelId::BROADCAST, ErrorCode::INVALID_LEN);
}

#[test]
fn an_unknown_command_is_refused_and_the_next_request_works() {
    let mut device = device();
    let channel = open_channel(&mut device);
    for command in [0x00, 0x02, 0x3b, 0x3f, 0x40, 0x7f] {
        device.handle_report(&Packet::initialization(channel, Command(command), 1, &[]), ZERO);
        assert_error(&mut device, channel, ErrorCode::INVALID_CMD);
    }
    send(&mut device, channel, Command::PING, &[3]);
    assert_eq!(only_report(&mut device), (channel, Command::PING, 3));
}

#[test]
fn wink_is_answered_empty_and_asked_for_once() {
    let mut device = device();
    let channel = open_channel(&mut device);
    send(&mut device, channel, Command::WINK, &[]);
    assert_eq!(transmitted(&mut device)[0][4..7], [0x88, 0, 0]);
    assert!(device.take_wink());
    assert!(!device.take_wink());
}

#[test]
fn g21_a_lock_keeps_other_channels_out_until_it_ends() {
    let mut device = device();
    let (a, b) = (open_channel(&mut device), open_channel(&mut device));
    send(&mut device, a, Command::LOCK, &[11]);
    assert_error(&mut device, a, ErrorCode::INVALID_PAR);
    send(&mut device, a, Command::LOCK, &[3]);
    assert_eq!(only_report(&mut device).1, Command::LOCK);
    send(&mut device, b, Command::PING, &[1]);
    assert_error(&mut device, b, ErrorCode::CHANNEL_BUSY);
    open_channel(&mut device);
    send(&mut device, a, Command::PING, &[2]);
    assert_eq!(only_report(&mut device), (a, Command::PING, 2));
    device.handle_timeout(at(3000));
    send(&mut device, b, Command::PING, &[1]);
    assert_eq!(only_report(&mut device), (b, Command::PING, 1));
}

#[test]
fn g21_a_lock_of_zero_seconds_unlocks() {
    let mut device = device();
    let (a, b) = (open_channel(&mut device), open_channel(&mut device));
    send(&mut device, a, Command::LOCK, &[10]);
    send(&mut device, b, Command::LOCK, &[0]);
    send(&mut device, a, Command::LOCK, &[0]);
    transmitted(&mut device);
    send(&mut device, b, Command::PING, &[1]);
    assert_eq!(only_report(&mut device), (b, Command::PING, 1));
}

#[test]
fn g21_keepalives_come_at_every_change_of_status_and_at_least_every_100_ms() {
    let mut device = device();
    let channel = open_channel(&mut device);
    send(&mut device, channel, Command::CBOR, &[4]);
    device.take_request(ZERO).unwrap();
    let due = device.poll_timeout().unwrap();
    assert!(due <= at(100));
    device.handle_timeout(due);
    assert_eq!(only_report(&mut device), (channel, Command::KEEPALIVE, 1));
    device.set_status(KeepaliveStatus::UpNeeded, due);
    assert_eq!(only_report(&mut device), (channel, Command::KEEPALIVE, 2));
    device.set_status(KeepaliveStatus::UpNeeded, due);
    assert_quiet(&mut device);
    assert!(device.poll_timeout().unwrap() - due <= Millis(100));
}

#[test]
fn g21_only_the_owner_of_a_request_can_cancel_it() {
    let mut device = device();
    let (a, b) = (open_channel(&mut device), open_channel(&mut device));
    send(&mut device, a, Command::CANCEL, &[]);
    send(&mut device, a, Command::CBOR, &[1]);
    device.take_request(ZERO).unwrap();
    send(&mut device, b, Command::CANCEL, &[]);
    send(&mut device, ChannelId::BROADCAST, Command::CANCEL, &[]);
    assert!(!device.take_cancel());
    send(&mut device, a, Command::CANCEL, &[]);
    assert!(device.take_cancel());
    assert_quiet(&mut device);
}

#[test]
fn a_cancel_that_comes_before_the_request_is_taken_holds() {
    let mut device = device();
    let channel = open_channel(&mut device);
    send(&mut device, channel, Command::CBOR, &[1]);
    send(&mut device, channel, Command::CANCEL, &[]);
    device.take_request(ZERO).unwrap();
    assert!(device.take_cancel());
}

#[test]
fn a_u2f_message_cannot_be_cancelled() {
    let mut device = device();
    let channel = open_channel(&mut device);
    send(&mut device, channel, Command::MSG, &[0, 3, 0, 0]);
    device.take_request(ZERO).unwrap();
    send(&mut device, channel, Command::CANCEL, &[]);
    assert!(!device.take_cancel());
}

#[test]
fn a_host_that_does_not_read_loses_short_reports_only() {
    let mut device = device();
    let channel = open_channel(&mut device);
    for _ in 0..100 {
        device.handle_report(&init_report(channel), ZERO);
    }
    assert_eq!(transmitted(&mut device).len(), OUTBOX);
    send(&mut device, channel, Command::PING, &[1; 300]);
    device.handle_report(&Packet::initialization(ChannelId(9), Command::PING, 0, &[]), ZERO);
    assert_eq!(transmitted(&mut device).len(), 1 + 6);
}

#[test]
fn g22_random_reports_never_stop_the_device() {
    let mut device = device();
    let channel = open_channel(&mut device);
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    for step in 0..10_000 {
        let mut report = [0; 64];
        for byte in &mut report {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            *byte = seed.to_le_bytes()[0];
        }
        if step % 2 == 0 {
            report[..4].copy_from_slice(&channel.0.to_be_bytes());
        }
        device.handle_report(&report, at(step));
        if device.take_request(at(step)).is_some() {
            answer(&mut device, &[0x12]);
        }
        transmitted(&mut device);
    }
    device.handle_report(&init_report(channel), at(20_000));
    transmitted(&mut device);
    send(&mut device, channel, Command::LOCK, &[0]);
    device.handle_timeout(at(40_000));
    transmitted(&mut device);
    send(&mut device, channel, Command::PING, &[5]);
    assert_eq!(only_report(&mut device), (channel, Command::PING, 5));
}
