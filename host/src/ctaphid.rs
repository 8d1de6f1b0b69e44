//! The host's end of CTAPHID (§11.2): a channel, messages, and what a key says while it works.
//!
//! A message is begun with [`Channel::start`] and followed with [`Channel::poll`], so that one loop can follow several
//! keys; [`Channel::transact`] does both. Nothing sleeps: every wait is a [`Transport::receive`] until the earliest
//! deadline.
//!
//! ```no_run
//! use keywright_host::ctaphid::Channel;
//! use keywright_host::transport::hid::Hid;
//!
//! let mut channel = Channel::open(Hid::open("/dev/hidraw0")?)?;
//! channel.wink()?;
//! assert_eq!(channel.ping(b"hello")?, b"hello");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod interaction;
mod pending;

use std::time::Duration;

use keywright_common::ctaphid::{ChannelId, Command, MAX_MESSAGE, Packet, Sending, capability};

use crate::random;
use crate::transport::Transport;
use pending::{Pending, Step};

pub use error::DeviceError;
pub use interaction::{Interaction, KeepaliveStatus, Unattended};

/// A channel to one key.
pub struct Channel<T> {
    transport: T,
    id: ChannelId,
    device: DeviceInfo,
    pending: Option<Pending>,
    /// An answer may still be on its way that nobody waits for: the channel is to be resynchronised first.
    is_stale: bool,
}

/// What the key said of itself when the channel was opened (§11.2.9.1.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceInfo {
    /// The version of CTAPHID; 2.
    pub protocol_version: u8,
    /// Major, minor and build number of the device.
    pub version: (u8, u8, u8),
    /// Bits of [`capability`].
    pub capabilities: u8,
}

impl DeviceInfo {
    /// Whether the key can show which one it is.
    pub const fn can_wink(self) -> bool {
        self.capabilities & capability::WINK != 0
    }

    /// Whether the key speaks CTAP2.
    pub const fn has_cbor(self) -> bool {
        self.capabilities & capability::CBOR != 0
    }

    /// Whether the key speaks U2F.
    pub const fn has_msg(self) -> bool {
        self.capabilities & capability::NMSG == 0
    }
}

impl<T: Transport> Channel<T> {
    /// Asks the key for a channel, with a random nonce.
    ///
    /// # Errors
    /// [`DeviceError`]; [`DeviceError::Timeout`] if nothing there speaks CTAPHID.
    pub fn open(transport: T) -> Result<Self, DeviceError> {
        let mut channel = Self {
            transport,
            id: ChannelId::BROADCAST,
            device: DeviceInfo::default(),
            pending: None,
            is_stale: false,
        };
        channel.init()?;
        Ok(channel)
    }

    /// What the key said of itself.
    pub const fn device(&self) -> DeviceInfo {
        self.device
    }

    /// The channel's id.
    pub const fn id(&self) -> ChannelId {
        self.id
    }

    /// The transport below.
    pub const fn transport_mut(&mut self) -> &mut T {
        &mut self.transport
    }

    /// Gives the transport back.
    pub fn into_transport(self) -> T {
        self.transport
    }

    /// Has the key echo `payload`.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn ping(&mut self, payload: &[u8]) -> Result<Vec<u8>, DeviceError> {
        self.transact(Command::PING, payload, &mut Unattended)
    }

    /// Has the key show which one it is.
    ///
    /// # Errors
    /// [`DeviceError::Unsupported`] if it cannot.
    pub fn wink(&mut self) -> Result<(), DeviceError> {
        if !self.device.can_wink() {
            return Err(DeviceError::Unsupported("winking"));
        }
        self.transact(Command::WINK, &[], &mut Unattended).map(drop)
    }

    /// Holds the key for this channel for up to 10 seconds; 0 lets it go.
    ///
    /// # Errors
    /// [`DeviceError::Refused`] if the key does not lock, or not for that long.
    pub fn lock(&mut self, seconds: u8) -> Result<(), DeviceError> {
        self.transact(Command::LOCK, &[seconds], &mut Unattended).map(drop)
    }

    /// Runs a CTAP2 command: the command byte and its parameters; gives the status byte and what follows.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn cbor(&mut self, request: &[u8], user: &mut dyn Interaction) -> Result<Vec<u8>, DeviceError> {
        if !self.device.has_cbor() {
            return Err(DeviceError::Unsupported("CTAP2"));
        }
        self.transact(Command::CBOR, request, user)
    }

    /// Carries a U2F APDU; gives data and status word.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn msg(&mut self, apdu: &[u8], user: &mut dyn Interaction) -> Result<Vec<u8>, DeviceError> {
        if !self.device.has_msg() {
            return Err(DeviceError::Unsupported("U2F"));
        }
        self.transact(Command::MSG, apdu, user)
    }

    /// Sends a message and waits for its answer; `user` is told what the key says meanwhile, and may cancel.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn transact(
        &mut self,
        command: Command,
        payload: &[u8],
        user: &mut dyn Interaction,
    ) -> Result<Vec<u8>, DeviceError> {
        self.start(command, payload)?;
        loop {
            if let Some(answer) = self.poll(CANCEL_INTERVAL, user)? {
                return Ok(answer);
            }
        }
    }

    /// Sends a message; [`Channel::poll`] then gives its answer. A message that was under way is given up.
    ///
    /// # Errors
    /// [`DeviceError::TooLong`], or what the transport refuses.
    pub fn start(&mut self, command: Command, payload: &[u8]) -> Result<(), DeviceError> {
        if payload.len() > MAX_MESSAGE {
            return Err(DeviceError::TooLong(payload.len()));
        }
        if self.is_stale || self.pending.is_some() {
            self.init()?;
        }
        self.begin(command, payload)
    }

    /// Waits at most `wait` for one report and makes of it what can be made; the answer, once it is whole.
    ///
    /// # Errors
    /// [`DeviceError`]; the message is over then.
    pub fn poll(
        &mut self,
        wait: Duration,
        user: &mut dyn Interaction,
    ) -> Result<Option<Vec<u8>>, DeviceError> {
        let step = self.step(wait, user);
        match step {
            Ok(Step::Wait) => return Ok(None),
            Ok(Step::Done(answer)) => {
                self.pending = None;
                return Ok(Some(answer));
            }
            Ok(Step::SendAgain) => {
                return self.send_pending().map(|()| None).inspect_err(|_| self.pending = None);
            }
            Err(_) => {}
        }
        // An error that the key itself reported ends the message at both ends; after any other, an answer may yet come.
        self.is_stale = !matches!(step, Err(DeviceError::Refused(_) | DeviceError::Busy));
        self.pending = None;
        step.map(|_| None)
    }

    /// Asks the key to end the CTAP2 command that is under way; its answer must still be waited for.
    ///
    /// # Errors
    /// What the transport refuses.
    pub fn cancel(&mut self) -> Result<(), DeviceError> {
        let now = self.transport.now();
        if let Some(pending) = &mut self.pending
            && pending.cancel(now)
        {
            self.transport.send(&Packet::initialization(self.id, Command::CANCEL, 0, &[]))?;
        }
        Ok(())
    }

    /// Waits without asking anything of the key, and lets pass what it says; ends early if the user cancels.
    ///
    /// # Errors
    /// [`DeviceError::Cancelled`], or what the transport refuses.
    pub fn pause(&mut self, wait: Duration, user: &mut dyn Interaction) -> Result<(), DeviceError> {
        let begun = self.transport.now();
        loop {
            if user.is_cancelled() {
                return Err(DeviceError::Cancelled);
            }
            let left = wait.saturating_sub(self.transport.now().saturating_duration_since(begun));
            if left.is_zero() {
                return Ok(());
            }
            self.transport.receive(left.min(CANCEL_INTERVAL))?;
        }
    }

    /// Whether a message is under way.
    pub const fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    fn step(&mut self, wait: Duration, user: &mut dyn Interaction) -> Result<Step, DeviceError> {
        if user.is_cancelled() {
            self.cancel()?;
        }
        let now = self.transport.now();
        let pending = self.pending.as_mut().ok_or(DeviceError::NothingAsked)?;
        if let Some(step) = pending.due(now)? {
            return Ok(step);
        }
        let wait = wait.min(pending.deadline().saturating_duration_since(now));
        let Some(report) = self.transport.receive(wait)? else { return Ok(Step::Wait) };
        pending.accept(&Packet::parse(&report), self.transport.now(), user)
    }

    /// Opens the channel, or resynchronises it if it is open.
    fn init(&mut self) -> Result<(), DeviceError> {
        self.pending = None;
        self.is_stale = false;
        let nonce: [u8; 8] = random::bytes().ok_or(DeviceError::Random)?;
        self.begin(Command::INIT, &nonce)?;
        let answer = loop {
            if let Some(answer) = self.poll(CANCEL_INTERVAL, &mut Unattended)? {
                break answer;
            }
        };
        // `Pending` took no answer but one with our nonce and all 17 bytes; bytes behind them are of later versions.
        let [_, _, _, _, _, _, _, _, c0, c1, c2, c3, protocol, major, minor, build, capabilities, ..] =
            *answer.as_slice()
        else {
            return Err(DeviceError::OutOfOrder);
        };
        self.id = ChannelId(u32::from_be_bytes([c0, c1, c2, c3]));
        self.device = DeviceInfo { protocol_version: protocol, version: (major, minor, build), capabilities };
        Ok(())
    }

    fn begin(&mut self, command: Command, payload: &[u8]) -> Result<(), DeviceError> {
        self.pending = Some(Pending::new(self.id, command, payload, self.transport.now()));
        self.send_pending().inspect_err(|_| self.pending = None)
    }

    fn send_pending(&mut self) -> Result<(), DeviceError> {
        let Some(pending) = &self.pending else { return Ok(()) };
        let mut sending = Sending::new(self.id, pending.command());
        while let Some(report) = sending.next_report(pending.payload()) {
            self.transport.send(&report)?;
        }
        Ok(())
    }
}

/// How long a user who cancels waits at most until the key hears of it.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
