//! A key, its user and the clock.

use ciborium::Value;
use keywright_common::cbor::Item;
use keywright_common::ctaphid::{
    ChannelId, Command, Content, MAX_MESSAGE, Message, Packet, Receiving, Report, Sending,
};
use keywright_common::status::Status;
use keywright_common::time::{Instant, Millis};
use keywright_firmware::authenticator::Start;
use keywright_firmware::ctaphid::DeviceVersion;
use keywright_firmware::identity::{Attestation, Identity};
use keywright_firmware::key::{Indication, Key};

use crate::{RamFlash, TestRandom};

/// The key that scenarios run against.
pub const IDENTITY: Identity = Identity {
    aaguid: *b"keywright test\0\0",
    firmware_version: 1,
    device_version: DeviceVersion { major: 0, minor: 1, build: 0 },
    max_message: MAX_MESSAGE,
    attestation: Attestation::PackedSelf,
};

/// What the user does when the key asks for a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// Touches after 200 ms.
    Touches,
    /// Declines.
    Declines,
    /// Does nothing.
    Absent,
    /// Must not be asked.
    MustNotBeAsked,
}

/// A key in a simulated world.
pub struct Simulation {
    /// The key.
    pub key: Key<RamFlash, TestRandom, Box<Message>>,
    /// The time.
    pub now: Instant,
    /// What the user does.
    pub user: User,
    /// How many touches the key has been given.
    pub touches: usize,
    /// Statuses of the keepalives that came.
    pub keepalives: Vec<u8>,
    /// The flash that the key runs on.
    pub flash: RamFlash,
    identity: Identity,
    starts: u64,
    channel: ChannelId,
}

impl Simulation {
    /// A new key that has just been plugged in, and one open channel.
    pub fn new() -> Self {
        Self::with(IDENTITY, RamFlash::default(), Start::PowerUp)
    }

    /// A key over a flash with content.
    pub fn with(identity: Identity, flash: RamFlash, start: Start) -> Self {
        Self::with_random(identity, flash, TestRandom(7), start)
    }

    /// A key that draws other bytes: another seed over an empty flash is another key.
    pub fn with_random(identity: Identity, flash: RamFlash, random: TestRandom, start: Start) -> Self {
        let mut simulation = Self {
            key: key_on(identity, flash.clone(), random, start, Instant::ZERO),
            now: Instant::ZERO,
            user: User::Touches,
            touches: 0,
            keepalives: Vec::new(),
            flash,
            identity,
            starts: 0,
            channel: ChannelId::BROADCAST,
        };
        simulation.channel = simulation.open_channel();
        simulation
    }

    /// Starts the key again on the same flash and opens a channel; the clock goes on, and other bytes are drawn.
    pub fn restart(&mut self, start: Start) {
        self.starts += 1;
        let random = TestRandom(7 + self.starts);
        self.key = key_on(self.identity, self.flash.clone(), random, start, self.now);
        self.channel = self.open_channel();
    }

    /// Opens a channel.
    pub fn open_channel(&mut self) -> ChannelId {
        let response = self.transact_on(ChannelId::BROADCAST, Command::INIT, b"12345678").unwrap();
        ChannelId(u32::from_be_bytes(response[8..12].try_into().unwrap()))
    }

    /// Runs a CTAP2 command with its parameters; gives what stands behind the status byte.
    pub fn cbor(&mut self, command: u8, parameters: Option<Value>) -> Result<Value, Status> {
        let mut payload = vec![command];
        if let Some(parameters) = parameters {
            ciborium::into_writer(&parameters, &mut payload).unwrap();
        }
        let channel = self.channel;
        self.cbor_bytes_on(channel, &payload)
    }

    /// Runs a CTAP2 command that is given as bytes, on a channel.
    pub fn cbor_bytes_on(&mut self, channel: ChannelId, payload: &[u8]) -> Result<Value, Status> {
        let response = self.transact_on(channel, Command::CBOR, payload).unwrap();
        let (&status, body) = response.split_first().unwrap();
        if status != 0 {
            assert!(body.is_empty(), "an error has no content");
            return Err(Status(status));
        }
        if body.is_empty() {
            return Ok(Value::Null);
        }
        Item::parse(body).expect("a response is canonical CBOR");
        Ok(ciborium::from_reader(body).unwrap())
    }

    /// The channel that commands go through unless another is named.
    pub fn channel(&self) -> ChannelId {
        self.channel
    }

    /// Sends a message and waits for its answer, as a driver would; an `ERROR` message gives its code.
    pub fn transact_on(
        &mut self,
        channel: ChannelId,
        command: Command,
        payload: &[u8],
    ) -> Result<Vec<u8>, u8> {
        self.send(channel, command, payload);
        loop {
            let (command, bytes) = self.receive(channel);
            match command {
                Command::KEEPALIVE => self.keepalives.push(bytes[0]),
                Command::ERROR => return Err(bytes[0]),
                _ => return Ok(bytes),
            }
        }
    }

    /// Sends a message and does not wait.
    pub fn send(&mut self, channel: ChannelId, command: Command, payload: &[u8]) {
        let mut sending = Sending::new(channel, command);
        while let Some(report) = sending.next_report(payload) {
            self.key.handle_report(&report, self.now);
        }
    }

    /// Lets time pass.
    pub fn advance(&mut self, millis: u64) {
        let end = self.now + Millis(millis);
        while let Some(due) = self.key.poll_timeout().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.key.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn receive(&mut self, channel: ChannelId) -> (Command, Vec<u8>) {
        let mut message = Box::new(Message::new());
        let report = self.next_report();
        let mut receiving = Receiving::begin_with(&Packet::parse(&report), &mut message).unwrap();
        assert_eq!(receiving.channel(), channel);
        while !receiving.is_complete(&message) {
            let report = self.next_report();
            let Content::Continuation { sequence, data } = Packet::parse(&report).content else {
                panic!("a message inside a message")
            };
            receiving.accept(sequence, data, &mut message).unwrap();
        }
        (receiving.command(), message.as_slice().to_vec())
    }

    fn next_report(&mut self) -> Report {
        loop {
            if let Some(report) = self.key.poll_transmit() {
                return report;
            }
            if matches!(self.key.indication(), Indication::TouchWanted(_)) {
                self.ask_user();
            } else {
                self.wait();
            }
        }
    }

    fn ask_user(&mut self) {
        match self.user {
            User::Touches => {
                self.advance(200);
                // A board may be touched sooner than it has prepared: every other time it is.
                if self.touches.is_multiple_of(2) {
                    self.key.prepare();
                }
                self.touches += 1;
                self.key.touch(self.now);
            }
            User::Declines => self.key.decline(self.now),
            User::Absent => self.wait(),
            User::MustNotBeAsked => panic!("the key asked for a touch"),
        }
    }

    fn wait(&mut self) {
        let due = self.key.poll_timeout().expect("the key owes an answer and waits for nothing");
        self.now = due.max(self.now);
        self.key.handle_timeout(self.now);
    }
}

impl Default for Simulation {
    fn default() -> Self {
        Self::new()
    }
}

fn key_on(
    identity: Identity,
    flash: RamFlash,
    random: TestRandom,
    start: Start,
    now: Instant,
) -> Key<RamFlash, TestRandom, Box<Message>> {
    let buffers = [Box::new(Message::new()), Box::new(Message::new())];
    Key::new(identity, flash, random, buffers, start, now)
}

/// A CBOR map of integer keys, in canonical order.
pub fn map<const N: usize>(entries: [(i64, Value); N]) -> Value {
    Value::Map(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
}

/// The value behind an integer key of a response.
pub fn value_at(response: &Value, key: i64) -> &Value {
    let entries = response.as_map().expect("a map");
    &entries.iter().find(|(k, _)| *k == Value::from(key)).expect("the member").1
}
