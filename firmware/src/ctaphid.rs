//! The device end of CTAPHID (§11.2): channels, one transaction at a time, busy, lock, cancel, keepalives.
//!
//! Reports and the time go in, reports and requests come out. The device never waits and knows no command's meaning:
//! a complete CBOR or MSG message is handed out by [`Device::take_request`], and its answer comes back through
//! [`Device::complete`]. Buffers go round: the request's stays with whoever answers, the answer's takes its place.

mod channels;

use core::ops::DerefMut;

use heapless::Deque;
use keywright_common::ctaphid::{
    ChannelId, Command, Content, ErrorCode, INITIALIZATION_DATA, Message, PROTOCOL_VERSION, Packet,
    Receiving, Report, Sending, capability,
};
use keywright_common::time::{Instant, Millis};

use channels::Channels;

/// A complete message for the authenticator.
#[derive(Debug)]
pub struct Request<B> {
    /// The channel that sent it.
    pub channel: ChannelId,
    /// CBOR or MSG.
    pub command: Command,
    /// Its bytes.
    pub message: B,
}

/// The authenticator's answer.
#[derive(Debug)]
pub struct Response<B> {
    /// Its bytes: a status byte and CBOR, or an APDU's response.
    pub message: B,
}

/// What a keepalive says (§11.2.9.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepaliveStatus {
    /// The authenticator is at work.
    Processing,
    /// The authenticator waits for the user.
    UpNeeded,
}

/// The three numbers of the device's version in the INIT response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceVersion {
    /// Major.
    pub major: u8,
    /// Minor.
    pub minor: u8,
    /// Build.
    pub build: u8,
}

/// The device.
#[derive(Debug)]
pub struct Device<B> {
    version: DeviceVersion,
    channels: Channels,
    lock: Option<Lock>,
    transaction: Transaction,
    /// Absent while the authenticator has it.
    buffer: Option<B>,
    /// Short reports that need no buffer: INIT responses, errors, keepalives.
    outbox: Deque<Report, OUTBOX>,
    cancel_requested: bool,
    wink_requested: bool,
}

#[derive(Clone, Copy, Debug)]
enum Transaction {
    Idle,
    Receiving {
        receiving: Receiving,
        deadline: Instant,
    },
    Ready {
        channel: ChannelId,
        command: Command,
    },
    Processing {
        channel: ChannelId,
        command: Command,
        status: KeepaliveStatus,
        keepalive_at: Instant,
    },
    /// The channel asked for INIT while its request was being processed: the answer will be dropped.
    Aborted,
    Responding {
        sending: Sending,
    },
}

#[derive(Clone, Copy, Debug)]
struct Lock {
    channel: ChannelId,
    until: Instant,
}

impl<B: DerefMut<Target = Message>> Device<B> {
    /// A device at rest. `channel_base` is random, so that ids of an earlier run are not valid by chance.
    pub const fn new(version: DeviceVersion, channel_base: u32, buffer: B) -> Self {
        Self {
            version,
            channels: Channels::new(channel_base),
            lock: None,
            transaction: Transaction::Idle,
            buffer: Some(buffer),
            outbox: Deque::new(),
            cancel_requested: false,
            wink_requested: false,
        }
    }

    /// Takes a report from the host.
    pub fn handle_report(&mut self, report: &Report, now: Instant) {
        self.handle_timeout(now);
        let packet = Packet::parse(report);
        match packet.content {
            Content::Continuation { sequence, data } => {
                self.continuation(packet.channel, sequence, data, now)
            }
            Content::Initialization { command, length, data } => {
                self.initialization(packet.channel, command, length, data, now);
            }
        }
    }

    /// Does what is due at `now`: keepalives, a message that did not come whole, a lock that ends.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.lock.is_some_and(|lock| lock.until <= now) {
            self.lock = None;
        }
        match &mut self.transaction {
            Transaction::Receiving { receiving, deadline, .. } if *deadline <= now => {
                let channel = receiving.channel();
                self.transaction = Transaction::Idle;
                self.error(channel, ErrorCode::MSG_TIMEOUT);
            }
            Transaction::Processing { keepalive_at, .. } if *keepalive_at <= now => self.keepalive(now),
            _ => {}
        }
    }

    /// When [`Device::handle_timeout`] must be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let of_transaction = match self.transaction {
            Transaction::Receiving { deadline, .. } => Some(deadline),
            Transaction::Processing { keepalive_at, .. } => Some(keepalive_at),
            _ => None,
        };
        let of_lock = self.lock.map(|lock| lock.until);
        of_transaction.into_iter().chain(of_lock).min()
    }

    /// The next report for the host.
    pub fn poll_transmit(&mut self) -> Option<Report> {
        if let Some(report) = self.outbox.pop_front() {
            return Some(report);
        }
        let Transaction::Responding { sending } = &mut self.transaction else { return None };
        let payload = self.buffer.as_ref().map(|buffer| buffer.as_slice()).unwrap_or_default();
        let report = sending.next_report(payload);
        // The host may send its next message as soon as it has the last packet.
        if sending.is_done(payload) {
            self.transaction = Transaction::Idle;
        }
        report
    }

    /// The message that waits for an answer, once.
    pub fn take_request(&mut self, now: Instant) -> Option<Request<B>> {
        let Transaction::Ready { channel, command } = self.transaction else { return None };
        let message = self.buffer.take()?;
        let status = KeepaliveStatus::Processing;
        let keepalive_at = now + KEEPALIVE_INTERVAL;
        self.transaction = Transaction::Processing { channel, command, status, keepalive_at };
        Some(Request { channel, command, message })
    }

    /// Whether the request that is being processed is no longer wanted; says so once.
    ///
    /// To be asked only while the authenticator waits for the user. Until then the device keeps the wish, and
    /// [`Device::complete`] ends it: one that comes too late never reaches the next request.
    pub const fn take_cancel(&mut self) -> bool {
        core::mem::replace(&mut self.cancel_requested, false)
    }

    /// Whether the host asked the device to show itself; says so once.
    pub const fn take_wink(&mut self) -> bool {
        core::mem::replace(&mut self.wink_requested, false)
    }

    /// What keepalives say from now on; a change is told at once.
    pub fn set_status(&mut self, status: KeepaliveStatus, now: Instant) {
        if let Transaction::Processing { status: current, .. } = &mut self.transaction
            && *current != status
        {
            *current = status;
            self.keepalive(now);
        }
    }

    /// The answer to the request that was taken.
    pub fn complete(&mut self, response: Response<B>) {
        self.cancel_requested = false;
        self.buffer = Some(response.message);
        self.transaction = match self.transaction {
            Transaction::Processing { channel, command, .. } => {
                Transaction::Responding { sending: Sending::new(channel, command) }
            }
            _ => Transaction::Idle,
        };
    }

    /// Whether a request is being received, processed or answered.
    pub const fn is_busy(&self) -> bool {
        !matches!(self.transaction, Transaction::Idle)
    }

    fn continuation(&mut self, channel: ChannelId, sequence: u8, data: &[u8; 59], now: Instant) {
        let Transaction::Receiving { receiving, deadline } = &mut self.transaction else { return };
        let Some(buffer) = &mut self.buffer else { return };
        // §11.2.5.4: what belongs to no message that is being received is ignored.
        if receiving.channel() != channel {
            return;
        }
        match receiving.accept(sequence, data, buffer) {
            Ok(()) if receiving.is_complete(buffer) => self.received(now),
            Ok(()) => *deadline = now + MESSAGE_TIMEOUT,
            Err(error) => {
                self.transaction = Transaction::Idle;
                self.error(channel, error);
            }
        }
    }

    fn initialization(
        &mut self,
        channel: ChannelId,
        command: Command,
        length: u16,
        data: &[u8; INITIALIZATION_DATA],
        now: Instant,
    ) {
        if command == Command::CANCEL {
            return self.cancel(channel);
        }
        if channel == ChannelId::BROADCAST && command == Command::INIT {
            return self.init(channel, length, data);
        }
        if !self.channels.is_allocated(channel) {
            return self.error(channel, ErrorCode::INVALID_CHANNEL);
        }
        if command == Command::INIT {
            return self.init(channel, length, data);
        }
        if let Err(error) = self.admit(channel).and_then(|()| check_length(command, length)) {
            return self.error(channel, error);
        }
        self.begin(channel, command, length, data, now);
    }

    /// Whether a new message may begin on `channel` now.
    fn admit(&mut self, channel: ChannelId) -> Result<(), ErrorCode> {
        if self.lock.is_some_and(|lock| lock.channel != channel) {
            return Err(ErrorCode::CHANNEL_BUSY);
        }
        match &self.transaction {
            Transaction::Idle => Ok(()),
            Transaction::Receiving { receiving, .. } if receiving.channel() == channel => {
                self.transaction = Transaction::Idle;
                Err(ErrorCode::INVALID_SEQ)
            }
            _ => Err(ErrorCode::CHANNEL_BUSY),
        }
    }

    fn begin(
        &mut self,
        channel: ChannelId,
        command: Command,
        length: u16,
        data: &[u8; INITIALIZATION_DATA],
        now: Instant,
    ) {
        let Some(buffer) = &mut self.buffer else { return };
        match Receiving::begin(channel, command, length, data, buffer) {
            Ok(receiving) => {
                let is_complete = receiving.is_complete(buffer);
                self.transaction = Transaction::Receiving { receiving, deadline: now + MESSAGE_TIMEOUT };
                if is_complete {
                    self.received(now);
                }
            }
            Err(error) => self.error(channel, error),
        }
    }

    /// The message is whole.
    fn received(&mut self, now: Instant) {
        let Transaction::Receiving { receiving, .. } = self.transaction else { return };
        let (channel, command) = (receiving.channel(), receiving.command());
        match command {
            Command::CBOR | Command::MSG => {
                self.cancel_requested = false;
                self.transaction = Transaction::Ready { channel, command };
            }
            Command::PING => {
                self.transaction = Transaction::Responding { sending: Sending::new(channel, command) };
            }
            _ => {
                self.transaction = Transaction::Idle;
                self.short_command(channel, command, now);
            }
        }
    }

    /// WINK and LOCK: answered at once, with nothing.
    fn short_command(&mut self, channel: ChannelId, command: Command, now: Instant) {
        if command == Command::WINK {
            self.wink_requested = true;
        } else {
            let argument = self.buffer.as_ref().and_then(|buffer| buffer.as_slice().first().copied());
            let seconds = u64::from(argument.unwrap_or_default());
            if seconds > MAX_LOCK_SECONDS {
                return self.error(channel, ErrorCode::INVALID_PAR);
            }
            let until = now + Millis(seconds.saturating_mul(1000));
            self.lock = (seconds > 0).then_some(Lock { channel, until });
        }
        self.send(Packet::initialization(channel, command, 0, &[]));
    }

    /// Only the owner of the request that runs can cancel it, and there is no answer (§11.2.9.1.5).
    fn cancel(&mut self, channel: ChannelId) {
        let owner = match self.transaction {
            Transaction::Ready { channel, command: Command::CBOR }
            | Transaction::Processing { channel, command: Command::CBOR, .. } => Some(channel),
            _ => None,
        };
        self.cancel_requested |= owner == Some(channel);
    }

    fn init(&mut self, channel: ChannelId, length: u16, data: &[u8; INITIALIZATION_DATA]) {
        if usize::from(length) != NONCE_LENGTH {
            return self.error(channel, ErrorCode::INVALID_LEN);
        }
        let allocated = if channel == ChannelId::BROADCAST {
            self.channels.allocate()
        } else {
            self.abort_of(channel);
            Some(channel)
        };
        let Some(allocated) = allocated else { return self.error(channel, ErrorCode::OTHER) };
        let DeviceVersion { major, minor, build } = self.version;
        let tail = [PROTOCOL_VERSION, major, minor, build, capability::WINK | capability::CBOR];
        let mut payload = [0; 17];
        let content = data.iter().take(NONCE_LENGTH).copied().chain(allocated.0.to_be_bytes()).chain(tail);
        payload.iter_mut().zip(content).for_each(|(to, from)| *to = from);
        self.send(Packet::initialization(channel, Command::INIT, 17, &payload));
    }

    /// INIT on an allocated channel ends that channel's own transaction and no other (§11.2.5.3).
    fn abort_of(&mut self, channel: ChannelId) {
        match self.transaction {
            Transaction::Receiving { receiving, .. } if receiving.channel() == channel => {
                self.transaction = Transaction::Idle;
            }
            Transaction::Responding { sending } if sending.channel() == channel => {
                self.transaction = Transaction::Idle;
            }
            Transaction::Ready { channel: owner, .. } if owner == channel => {
                self.transaction = Transaction::Idle
            }
            Transaction::Processing { channel: owner, .. } if owner == channel => {
                self.transaction = Transaction::Aborted;
                self.cancel_requested = true;
            }
            _ => {}
        }
    }

    fn keepalive(&mut self, now: Instant) {
        let Transaction::Processing { channel, status, keepalive_at, .. } = &mut self.transaction else {
            return;
        };
        *keepalive_at = now + KEEPALIVE_INTERVAL;
        let byte = match status {
            KeepaliveStatus::Processing => 1,
            KeepaliveStatus::UpNeeded => 2,
        };
        let report = Packet::initialization(*channel, Command::KEEPALIVE, 1, &[byte]);
        self.send(report);
    }

    fn error(&mut self, channel: ChannelId, error: ErrorCode) {
        self.send(Packet::initialization(channel, Command::ERROR, 1, &[error.0]));
    }

    fn send(&mut self, report: Report) {
        // A host that does not read loses the oldest short report, never a part of a response.
        if self.outbox.is_full() {
            self.outbox.pop_front();
        }
        let _ = self.outbox.push_back(report);
    }
}

/// What each command says of BCNT (§11.2.9); commands that are not known are refused here too.
fn check_length(command: Command, length: u16) -> Result<(), ErrorCode> {
    let is_acceptable = match command {
        Command::PING => true,
        Command::CBOR | Command::MSG => length > 0,
        Command::WINK => length == 0,
        Command::LOCK => length == 1,
        _ => return Err(ErrorCode::INVALID_CMD),
    };
    if is_acceptable { Ok(()) } else { Err(ErrorCode::INVALID_LEN) }
}

const OUTBOX: usize = 8;
const NONCE_LENGTH: usize = 8;
const MAX_LOCK_SECONDS: u64 = 10;
/// §11.2.9.1.7 asks for at least one every 100 ms.
const KEEPALIVE_INTERVAL: Millis = Millis(80);
/// §11.2.5.2 asks for a limit and names none; half a second is customary.
const MESSAGE_TIMEOUT: Millis = Millis(500);

#[cfg(test)]
mod tests;
