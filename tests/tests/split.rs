//! The key in two parts, as a board runs it: the device on one thread, the authenticator on another.
//!
//! Between them is a mailbox with one slot for each direction. The device's side never waits for the authenticator: the test
//! says when it looks for an answer. A signature takes as long as the test holds back the randomness that it needs, and
//! the clock is the test's.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use core::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Barrier};

use ciborium::{Value, cbor};
use keywright_common::ctaphid::{
    ChannelId, Command, Content, ErrorCode, Message, Packet, Receiving, Report, Sending,
};
use keywright_common::status::Status;
use keywright_common::time::{Instant, Millis};
use keywright_common::u2f::StatusWord;
use keywright_firmware::Authenticator;
use keywright_firmware::authenticator::{Progress, Start};
use keywright_firmware::ctaphid::{Device, KeepaliveStatus, Request};
use keywright_tests::{IDENTITY, RamFlash, TestRandom, map};
use rand_core::{TryCryptoRng, TryRng};

type Buffer = Box<Message>;

/// What reaches the authenticator.
enum Input {
    Request(Request<Buffer>),
    Touch,
    Cancel,
}

/// What has become of an input, and whether the authenticator then waits for the user.
type Answer = (Option<Progress<Buffer>>, bool);

/// The key in two parts, seen from the thread of the device.
struct Split {
    device: Device<Buffer>,
    now: Instant,
    mailbox: SyncSender<(Input, Instant)>,
    answers: Receiver<Answer>,
    /// How many inputs have not been answered.
    owed: usize,
    /// The authenticator waits for the user, and nothing is on its way to it.
    is_waiting: bool,
    gate: Arc<Gate>,
}

impl Split {
    fn new() -> Self {
        let gate = Arc::new(Gate::default());
        let random = HeldRandom { random: TestRandom(7), gate: gate.clone() };
        let (mailbox, inputs) = sync_channel::<(Input, Instant)>(1);
        let (outputs, answers) = sync_channel(1);
        std::thread::spawn(move || {
            let (flash, buffer) = (RamFlash::default(), Buffer::default());
            let start = Start::PowerUp;
            let mut authenticator = Authenticator::new(IDENTITY, flash, random, buffer, start, Instant::ZERO);
            // It ends when the test drops its end.
            for (input, now) in inputs {
                let progress = match input {
                    Input::Request(request) => Some(authenticator.start(request, now)),
                    Input::Touch => authenticator.touch(now),
                    Input::Cancel => authenticator.cancel(now),
                };
                let _ = outputs.send((progress, authenticator.wanted_touch().is_some()));
            }
        });
        let device = Device::new(IDENTITY.device_version, 0x1000, Buffer::default());
        Self { device, now: Instant::ZERO, mailbox, answers, owed: 0, is_waiting: false, gate }
    }

    /// Takes a message from the host, and carries on what it brings about.
    fn send(&mut self, channel: ChannelId, command: Command, payload: &[u8]) {
        let mut sending = Sending::new(channel, command);
        while let Some(report) = sending.next_report(payload) {
            self.device.handle_report(&report, self.now);
        }
        self.carry();
    }

    fn touch(&mut self) {
        self.post(Input::Touch);
    }

    /// Waits for the answers that the authenticator owes.
    fn settle(&mut self) {
        while self.owed > 0 {
            let (progress, is_waiting) = self.answers.recv().unwrap();
            self.owed -= 1;
            self.is_waiting = is_waiting && self.owed == 0;
            match progress {
                Some(Progress::Done(response)) => self.device.complete(response),
                Some(Progress::TouchWanted(_)) => {
                    self.device.set_status(KeepaliveStatus::UpNeeded, self.now);
                }
                // Nothing in these scenarios is done in steps.
                Some(Progress::Working) | None => {}
            }
            self.carry();
        }
    }

    /// What a board's loop does after every event. A cancel is fetched only while the user is awaited: until then the
    /// device keeps it, and `complete` ends it, so that one that comes too late never meets the next request.
    fn carry(&mut self) {
        if let Some(request) = self.device.take_request(self.now) {
            self.post(Input::Request(request));
        }
        if self.is_waiting && self.device.take_cancel() {
            self.post(Input::Cancel);
        }
    }

    fn post(&mut self, input: Input) {
        self.owed += 1;
        self.is_waiting = false;
        assert!(self.mailbox.try_send((input, self.now)).is_ok(), "the slot is taken");
    }

    fn advance(&mut self, millis: u64) {
        let end = self.now + Millis(millis);
        while let Some(due) = self.device.poll_timeout().filter(|due| *due <= end) {
            self.now = due;
            self.device.handle_timeout(due);
        }
        self.now = end;
    }

    /// The reports that wait for the host, as (channel, command, first byte).
    fn transmitted(&mut self) -> Vec<(ChannelId, Command, u8)> {
        let reports = core::iter::from_fn(|| self.device.poll_transmit());
        reports.map(|report| short(&report)).collect()
    }

    fn open_channel(&mut self) -> ChannelId {
        self.send(ChannelId::BROADCAST, Command::INIT, &[8; 8]);
        let report = self.device.poll_transmit().unwrap();
        assert_eq!(short(&report), (ChannelId::BROADCAST, Command::INIT, 8));
        ChannelId(u32::from_be_bytes(report[15..19].try_into().unwrap()))
    }

    /// The message that waits for the host; nothing else may.
    fn message(&mut self) -> (ChannelId, Command, Vec<u8>) {
        let mut message = Buffer::default();
        let first = self.device.poll_transmit().unwrap();
        let mut receiving = Receiving::begin_with(&Packet::parse(&first), &mut message).unwrap();
        while let Some(report) = self.device.poll_transmit() {
            let Content::Continuation { sequence, data } = Packet::parse(&report).content else {
                panic!("a message inside a message")
            };
            receiving.accept(sequence, data, &mut message).unwrap();
        }
        assert!(receiving.is_complete(&message));
        (receiving.channel(), receiving.command(), message.as_slice().to_vec())
    }

    /// Begins makeCredential on a channel and goes on until its signature is being made.
    fn sign_slowly(&mut self, channel: ChannelId) {
        self.send(channel, Command::CBOR, &make_credential());
        self.settle();
        assert_eq!(self.transmitted(), [(channel, Command::KEEPALIVE, UP_NEEDED)]);
        self.gate.hold();
        self.touch();
        self.gate.reached.wait();
    }

    /// Lets the signature be finished.
    fn finish(&mut self) {
        self.gate.released.wait();
        self.settle();
    }
}

/// Where the randomness stops once, when the test says so.
struct Gate {
    is_held: AtomicBool,
    reached: Barrier,
    released: Barrier,
}

impl Gate {
    fn hold(&self) {
        self.is_held.store(true, Ordering::SeqCst);
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self { is_held: AtomicBool::new(false), reached: Barrier::new(2), released: Barrier::new(2) }
    }
}

/// Randomness that the test can hold back.
struct HeldRandom {
    random: TestRandom,
    gate: Arc<Gate>,
}

impl TryRng for HeldRandom {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.random.try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.random.try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        if self.gate.is_held.swap(false, Ordering::SeqCst) {
            self.gate.reached.wait();
            self.gate.released.wait();
        }
        self.random.try_fill_bytes(bytes)
    }
}

impl TryCryptoRng for HeldRandom {}

fn short(report: &Report) -> (ChannelId, Command, u8) {
    let packet = Packet::parse(report);
    let Content::Initialization { command, data, .. } = packet.content else {
        panic!("a continuation packet")
    };
    (packet.channel, command, data[0])
}

fn make_credential() -> Vec<u8> {
    let parameters = map([
        (1, Value::from(&[0x5a; 32][..])),
        (2, cbor!({ "id" => "example.org" }).unwrap()),
        (3, cbor!({ "id" => Value::Bytes(vec![1]), "name" => "ada" }).unwrap()),
        (4, cbor!([{ "alg" => -7, "type" => "public-key" }]).unwrap()),
    ]);
    let mut message = vec![1];
    ciborium::into_writer(&parameters, &mut message).unwrap();
    message
}

fn register() -> Vec<u8> {
    [&[0, 1, 0, 0, 0, 0, 64][..], &[0x5a; 64], &[0, 0]].concat()
}

/// The key answers a request of this channel whole.
fn assert_works(key: &mut Split, channel: ChannelId) {
    key.send(channel, Command::CBOR, &make_credential());
    key.settle();
    assert_eq!(key.transmitted(), [(channel, Command::KEEPALIVE, UP_NEEDED)]);
    key.touch();
    key.settle();
    assert_made(key, channel);
}

fn assert_made(key: &mut Split, channel: ChannelId) {
    let (to, command, response) = key.message();
    assert_eq!((to, command, response[0]), (channel, Command::CBOR, Status::OK.0));
    assert!(response.len() > 200);
}

fn assert_cancelled(key: &mut Split, channel: ChannelId) {
    assert_eq!(key.message(), (channel, Command::CBOR, vec![Status::KEEPALIVE_CANCEL.0]));
}

const PROCESSING: u8 = 1;
const UP_NEEDED: u8 = 2;
const SELECTION: [u8; 1] = [0x0b];

#[test]
fn a_credential_is_made_across_the_two_threads() {
    let mut key = Split::new();
    let channel = key.open_channel();
    for _ in 0..3 {
        assert_works(&mut key, channel);
    }
}

#[test]
fn g21_keepalives_flow_while_the_user_is_awaited_and_while_a_signature_is_made() {
    let mut key = Split::new();
    let channel = key.open_channel();
    key.send(channel, Command::CBOR, &make_credential());
    assert!(key.transmitted().is_empty());
    key.advance(80);
    assert_eq!(key.transmitted(), [(channel, Command::KEEPALIVE, PROCESSING)]);
    key.settle();
    assert_eq!(key.transmitted(), [(channel, Command::KEEPALIVE, UP_NEEDED)]);
    for _ in 0..10 {
        key.advance(80);
        assert_eq!(key.transmitted(), [(channel, Command::KEEPALIVE, UP_NEEDED)]);
    }
    key.gate.hold();
    key.touch();
    key.gate.reached.wait();
    for _ in 0..50 {
        key.advance(80);
        assert_eq!(key.transmitted().len(), 1);
    }
    key.finish();
    assert_made(&mut key, channel);
    key.advance(1000);
    assert!(key.transmitted().is_empty());
}

#[test]
fn g21_init_is_answered_while_a_signature_is_made_and_does_not_disturb_it() {
    let mut key = Split::new();
    let (channel, other) = (key.open_channel(), key.open_channel());
    key.sign_slowly(channel);
    assert_ne!(key.open_channel(), channel);
    key.send(other, Command::INIT, &[9; 8]);
    assert_eq!(key.transmitted(), [(other, Command::INIT, 9)]);
    key.finish();
    assert_made(&mut key, channel);
}

#[test]
fn g21_another_channel_is_told_busy_while_a_signature_is_made() {
    let mut key = Split::new();
    let (channel, other) = (key.open_channel(), key.open_channel());
    key.sign_slowly(channel);
    for (command, payload) in
        [(Command::CBOR, &SELECTION[..]), (Command::MSG, &[0, 3, 0, 0]), (Command::PING, &[1])]
    {
        key.send(other, command, payload);
        assert_eq!(key.transmitted(), [(other, Command::ERROR, ErrorCode::CHANNEL_BUSY.0)]);
    }
    key.finish();
    assert_made(&mut key, channel);
    assert_works(&mut key, other);
}

#[test]
fn g21_cancel_ends_the_wait_for_the_user() {
    let mut key = Split::new();
    let (channel, other) = (key.open_channel(), key.open_channel());
    key.send(channel, Command::CBOR, &make_credential());
    key.settle();
    key.transmitted();
    key.send(other, Command::CANCEL, &[]);
    key.settle();
    assert!(key.transmitted().is_empty(), "only the owner can cancel");
    key.send(channel, Command::CANCEL, &[]);
    key.settle();
    assert_cancelled(&mut key, channel);
    assert_works(&mut key, channel);
}

#[test]
fn g21_a_cancel_that_comes_before_the_wait_ends_it_as_it_begins() {
    let mut key = Split::new();
    let channel = key.open_channel();
    key.send(channel, Command::CBOR, &make_credential());
    key.send(channel, Command::CANCEL, &[]);
    key.settle();
    assert_eq!(
        key.device.poll_transmit().map(|report| short(&report)),
        Some((channel, Command::KEEPALIVE, 2))
    );
    assert_cancelled(&mut key, channel);
}

#[test]
fn g21_a_cancel_that_comes_during_the_signature_is_too_late_and_does_not_meet_the_next_request() {
    let mut key = Split::new();
    let channel = key.open_channel();
    key.sign_slowly(channel);
    key.send(channel, Command::CANCEL, &[]);
    key.finish();
    assert_made(&mut key, channel);
    assert_works(&mut key, channel);
}

#[test]
fn g21_init_on_the_own_channel_aborts_and_the_late_answer_is_dropped() {
    let mut key = Split::new();
    let (channel, other) = (key.open_channel(), key.open_channel());
    key.sign_slowly(channel);
    key.send(channel, Command::INIT, &[9; 8]);
    assert_eq!(key.transmitted(), [(channel, Command::INIT, 9)]);
    key.advance(1000);
    assert!(key.transmitted().is_empty(), "nobody waits for keepalives any more");
    // The authenticator cannot be stopped, and has the only buffer.
    for busy in [channel, other] {
        key.send(busy, Command::CBOR, &SELECTION);
        assert_eq!(key.transmitted(), [(busy, Command::ERROR, ErrorCode::CHANNEL_BUSY.0)]);
    }
    key.finish();
    assert!(key.transmitted().is_empty());
    assert!(!key.device.is_busy());
    assert_works(&mut key, channel);
}

#[test]
fn g21_init_on_the_own_channel_ends_the_wait_for_the_user() {
    let mut key = Split::new();
    let channel = key.open_channel();
    key.send(channel, Command::CBOR, &make_credential());
    key.settle();
    key.transmitted();
    key.send(channel, Command::INIT, &[9; 8]);
    key.settle();
    assert_eq!(key.transmitted(), [(channel, Command::INIT, 9)]);
    assert_works(&mut key, channel);
}

#[test]
fn g07_a_touch_during_a_signature_is_none_for_the_next_request() {
    let mut key = Split::new();
    let channel = key.open_channel();
    key.sign_slowly(channel);
    key.touch();
    key.finish();
    assert_made(&mut key, channel);
    key.send(channel, Command::CBOR, &SELECTION);
    key.settle();
    key.advance(80);
    assert_eq!(key.transmitted(), [(channel, Command::KEEPALIVE, UP_NEEDED); 2]);
    key.send(channel, Command::CANCEL, &[]);
    key.settle();
    assert_cancelled(&mut key, channel);
}

#[test]
fn g07_a_touch_that_reaches_the_authenticator_after_a_later_request_does_not_count_for_it() {
    let mut key = Split::new();
    let channel = key.open_channel();
    let before = key.now;
    key.advance(10);
    for (command, payload) in [(Command::MSG, register()), (Command::CBOR, SELECTION.to_vec())] {
        key.send(channel, command, &payload);
        key.settle();
        key.transmitted();
        key.owed += 1;
        key.mailbox.send((Input::Touch, before)).unwrap();
        key.settle();
        assert!(key.transmitted().is_empty());
    }
    key.touch();
    key.settle();
    assert_eq!(key.message(), (channel, Command::CBOR, vec![Status::OK.0]));
    key.send(channel, Command::MSG, &register());
    key.settle();
    let refused = StatusWord::CONDITIONS_NOT_SATISFIED.to_bytes().to_vec();
    assert_eq!(key.message(), (channel, Command::MSG, refused));
}

#[test]
fn a_slow_u2f_registration_is_kept_alive() {
    let mut key = Split::new();
    let channel = key.open_channel();
    key.send(channel, Command::MSG, &register());
    key.settle();
    assert_eq!(key.message().2, StatusWord::CONDITIONS_NOT_SATISFIED.to_bytes());
    key.touch();
    key.settle();
    key.gate.hold();
    key.send(channel, Command::MSG, &register());
    key.gate.reached.wait();
    for _ in 0..10 {
        key.advance(80);
        assert_eq!(key.transmitted(), [(channel, Command::KEEPALIVE, PROCESSING)]);
    }
    key.finish();
    let (to, command, response) = key.message();
    assert_eq!((to, command, response[0]), (channel, Command::MSG, 0x05));
    assert!(response.ends_with(&StatusWord::NO_ERROR.to_bytes()));
}
