//! A message that waits for its answer: a value, to which reports and the time go in.

use std::time::{Duration, Instant};

use keywright_common::ctaphid::{ChannelId, Command, Content, ErrorCode, Message, Packet, Receiving};

use super::{DeviceError, Interaction, KeepaliveStatus};

/// One message, from its first packet to the last of its answer.
pub(super) struct Pending {
    channel: ChannelId,
    command: Command,
    payload: Vec<u8>,
    answer: Box<Message>,
    receiving: Option<Receiving>,
    state: State,
    /// How often the key said that it is busy.
    refusals: u32,
    touch_was_told: bool,
}

#[derive(Clone, Copy)]
enum State {
    /// The key is expected to say something.
    Answering { deadline: Instant },
    /// The key was busy with another channel; the message is sent again.
    BackingOff { until: Instant },
    /// The key was asked to stop; no keepalive moves this deadline.
    Cancelled { deadline: Instant },
    /// Cancelled while the key had nothing of ours.
    GivenUp { at: Instant },
}

/// What follows from a report or from the time.
pub(super) enum Step {
    /// Nothing yet.
    Wait,
    /// The message has to be sent again.
    SendAgain,
    /// The answer.
    Done(Vec<u8>),
}

impl Pending {
    pub(super) fn new(channel: ChannelId, command: Command, payload: &[u8], now: Instant) -> Self {
        Self {
            channel,
            command,
            payload: payload.to_vec(),
            answer: Box::new(Message::new()),
            receiving: None,
            state: State::Answering { deadline: after(now, MESSAGE_TIMEOUT) },
            refusals: 0,
            touch_was_told: false,
        }
    }

    pub(super) const fn command(&self) -> Command {
        self.command
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// When something is due if no report comes.
    pub(super) const fn deadline(&self) -> Instant {
        match self.state {
            State::Answering { deadline } | State::Cancelled { deadline } => deadline,
            State::BackingOff { until } | State::GivenUp { at: until } => until,
        }
    }

    /// What is due at `now`.
    pub(super) fn due(&mut self, now: Instant) -> Result<Option<Step>, DeviceError> {
        match self.state {
            State::GivenUp { .. } => Err(DeviceError::Cancelled),
            State::Answering { deadline } | State::Cancelled { deadline } if now >= deadline => {
                Err(DeviceError::Timeout)
            }
            State::BackingOff { until } if now >= until => {
                self.state = State::Answering { deadline: after(now, MESSAGE_TIMEOUT) };
                Ok(Some(Step::SendAgain))
            }
            _ => Ok(None),
        }
    }

    /// Notes that the user cancelled; whether the key is to be told. Only CTAP2 commands can be cancelled at the key;
    /// the others are answered at once.
    pub(super) fn cancel(&mut self, now: Instant) -> bool {
        match self.state {
            State::Answering { .. } if self.command == Command::CBOR => {
                self.state = State::Cancelled { deadline: after(now, MESSAGE_TIMEOUT) };
                true
            }
            State::BackingOff { .. } => {
                self.state = State::GivenUp { at: now };
                false
            }
            _ => false,
        }
    }

    /// Takes a report; those of other channels are passed over, since every program sees every report.
    pub(super) fn accept(
        &mut self,
        packet: &Packet<'_>,
        now: Instant,
        user: &mut dyn Interaction,
    ) -> Result<Step, DeviceError> {
        if packet.channel != self.channel || matches!(self.state, State::BackingOff { .. }) {
            return Ok(Step::Wait);
        }
        match packet.content {
            Content::Initialization { command: Command::ERROR, data, .. } => {
                self.refused(ErrorCode(first(data)), now)
            }
            Content::Initialization { command: Command::KEEPALIVE, data, .. } => {
                self.keepalive(first(data).into(), now, user);
                Ok(Step::Wait)
            }
            // What answers something else was asked by whoever had this channel before a time-out.
            Content::Initialization { command, .. } if command != self.command => Ok(Step::Wait),
            Content::Initialization { command, length, data } => {
                self.sign_of_life(now);
                let receiving = Receiving::begin(self.channel, command, length, data, &mut self.answer)
                    .map_err(|_| DeviceError::OutOfOrder)?;
                self.receiving = Some(receiving);
                Ok(self.finished())
            }
            Content::Continuation { sequence, data } => {
                let Some(receiving) = &mut self.receiving else { return Ok(Step::Wait) };
                receiving.accept(sequence, data, &mut self.answer).map_err(|_| DeviceError::OutOfOrder)?;
                self.sign_of_life(now);
                Ok(self.finished())
            }
        }
    }

    fn finished(&mut self) -> Step {
        match self.receiving {
            Some(receiving) if receiving.is_complete(&self.answer) => {
                self.receiving = None;
                let answer = self.answer.as_slice().to_vec();
                if self.is_foreign_init(&answer) { Step::Wait } else { Step::Done(answer) }
            }
            _ => Step::Wait,
        }
    }

    /// On the broadcast channel, everybody sees the answers to everybody's INIT; the nonce tells them apart.
    fn is_foreign_init(&self, answer: &[u8]) -> bool {
        self.command == Command::INIT && (answer.len() < INIT_RESPONSE || !answer.starts_with(&self.payload))
    }

    fn refused(&mut self, code: ErrorCode, now: Instant) -> Result<Step, DeviceError> {
        if code != ErrorCode::CHANNEL_BUSY {
            return Err(DeviceError::Refused(code));
        }
        if matches!(self.state, State::Cancelled { .. }) {
            return Err(DeviceError::Cancelled);
        }
        if self.refusals >= MAX_REFUSALS {
            return Err(DeviceError::Busy);
        }
        let wait = BACK_OFF.saturating_mul(1 << self.refusals.min(MAX_DOUBLINGS));
        self.refusals = self.refusals.saturating_add(1);
        self.receiving = None;
        self.state = State::BackingOff { until: after(now, wait) };
        Ok(Step::Wait)
    }

    fn keepalive(&mut self, status: KeepaliveStatus, now: Instant, user: &mut dyn Interaction) {
        self.sign_of_life(now);
        user.keepalive(status);
        if status == KeepaliveStatus::UpNeeded && !self.touch_was_told {
            self.touch_was_told = true;
            user.touch_needed();
        }
    }

    /// A sign of life moves the deadline, unless the key was asked to stop.
    fn sign_of_life(&mut self, now: Instant) {
        if let State::Answering { deadline } = &mut self.state {
            *deadline = after(now, MESSAGE_TIMEOUT);
        }
    }
}

fn first(data: &[u8]) -> u8 {
    data.first().copied().unwrap_or_default()
}

/// The instants of some platforms end; one that is not there is taken for now, which only shortens a wait.
fn after(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait).unwrap_or(now)
}

const INIT_RESPONSE: usize = 17;
/// Without a sign of life for this long, the key is taken for lost. Keys without CTAP2 send no keepalives, and take up
/// to two seconds for a signature.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// 50, 100, 200, 400, then 800 ms each: 5.55 s in all.
const BACK_OFF: Duration = Duration::from_millis(50);
const MAX_DOUBLINGS: u32 = 4;
const MAX_REFUSALS: u32 = 10;
