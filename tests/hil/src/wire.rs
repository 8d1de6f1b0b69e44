//! CTAPHID packet by packet, for what a driver would never send.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use keywright_common::ctaphid::{
    ChannelId, Command, Content, ErrorCode, Message, Packet, Receiving, Report, Sending,
};

use crate::rig::Way;
use crate::scenario::{Stop, expect};

/// The way to the key, and the channels that were opened over it. However it ends, nothing is left under way on them.
pub(crate) struct Wire<'r> {
    transport: Way<'r>,
    opened: Vec<ChannelId>,
    /// What came on one channel while another's was waited for.
    passed: VecDeque<Report>,
}

/// A message from the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) command: Command,
    pub(crate) payload: Vec<u8>,
}

impl Answer {
    /// The code, if it is an error.
    pub(crate) fn error(&self) -> Option<ErrorCode> {
        (self.command == Command::ERROR).then(|| ErrorCode(self.payload.first().copied().unwrap_or_default()))
    }
}

impl<'r> Wire<'r> {
    pub(crate) fn new(transport: Way<'r>) -> Self {
        Self { transport, opened: Vec::new(), passed: VecDeque::new() }
    }

    /// Asks for a channel; gives it, and the whole answer.
    pub(crate) fn open(&mut self) -> Result<(ChannelId, Vec<u8>), Stop> {
        let nonce = random::<8>()?;
        self.send(ChannelId::BROADCAST, Command::INIT, &nonce)?;
        let end = self.deadline(PATIENCE);
        // On the broadcast channel, everybody sees the answers to everybody's INIT.
        while let Some(answer) = self.message(ChannelId::BROADCAST, end)? {
            if answer.command != Command::INIT || !answer.payload.starts_with(&nonce) {
                continue;
            }
            let Some([c0, c1, c2, c3]) = answer.payload.get(8..12) else {
                return Err(Stop::Failed("the answer to INIT is too short to hold a channel".to_owned()));
            };
            let channel = ChannelId(u32::from_be_bytes([*c0, *c1, *c2, *c3]));
            self.opened.push(channel);
            return Ok((channel, answer.payload));
        }
        Err(Stop::Failed("INIT is not answered".to_owned()))
    }

    /// Sends a message.
    pub(crate) fn send(&mut self, channel: ChannelId, command: Command, payload: &[u8]) -> Result<(), Stop> {
        let mut sending = Sending::new(channel, command);
        while let Some(report) = sending.next_report(payload) {
            self.transport.send(&report)?;
        }
        Ok(())
    }

    /// Sends a report.
    pub(crate) fn report(&mut self, report: &Report) -> Result<(), Stop> {
        Ok(self.transport.send(report)?)
    }

    /// Sends a message and gives what answers it, keepalives left out.
    pub(crate) fn ask(
        &mut self,
        channel: ChannelId,
        command: Command,
        payload: &[u8],
    ) -> Result<Answer, Stop> {
        self.send(channel, command, payload)?;
        self.answer(channel)
    }

    /// The next message on a channel but keepalives.
    pub(crate) fn answer(&mut self, channel: ChannelId) -> Result<Answer, Stop> {
        self.answer_within(channel, PATIENCE)?
            .ok_or_else(|| Stop::Failed("the key does not answer".to_owned()))
    }

    /// As [`Wire::answer`]; `None` if there is none in time.
    pub(crate) fn answer_within(
        &mut self,
        channel: ChannelId,
        wait: Duration,
    ) -> Result<Option<Answer>, Stop> {
        let end = self.deadline(wait);
        loop {
            match self.message(channel, end)? {
                Some(answer) if answer.command == Command::KEEPALIVE => {}
                answer => return Ok(answer),
            }
        }
    }

    /// The next message on a channel.
    pub(crate) fn message(&mut self, channel: ChannelId, end: Instant) -> Result<Option<Answer>, Stop> {
        let mut message = Box::new(Message::new());
        let mut begun: Option<Receiving> = None;
        while let Some(report) = self.next(channel, end)? {
            let packet = Packet::parse(&report);
            let taken = match (&mut begun, packet.content) {
                (Some(receiving), Content::Continuation { sequence, data }) => {
                    receiving.accept(sequence, data, &mut message)
                }
                (_, Content::Initialization { .. }) => {
                    Receiving::begin_with(&packet, &mut message).map(|receiving| begun = Some(receiving))
                }
                (None, Content::Continuation { .. }) => Err(ErrorCode::INVALID_SEQ),
            };
            expect("the packets of an answer do not make a message", taken.is_ok())?;
            if let Some(receiving) = begun
                && receiving.is_complete(&message)
            {
                return Ok(Some(Answer {
                    command: receiving.command(),
                    payload: message.as_slice().to_vec(),
                }));
            }
        }
        Ok(None)
    }

    /// The instant at which `wait` is over.
    pub(crate) fn deadline(&self, wait: Duration) -> Instant {
        self.transport.now() + wait
    }

    fn next(&mut self, channel: ChannelId, end: Instant) -> Result<Option<Report>, Stop> {
        let is_of = |report: &Report| Packet::parse(report).channel == channel;
        if let Some(at) = self.passed.iter().position(is_of) {
            return Ok(self.passed.remove(at));
        }
        loop {
            let left = end.saturating_duration_since(self.transport.now());
            match self.transport.receive(left)? {
                Some(report) if is_of(&report) => return Ok(Some(report)),
                Some(report) if self.opened.contains(&Packet::parse(&report).channel) => {
                    self.passed.push_back(report);
                }
                // Of another program.
                Some(_) => {}
                None if left.is_zero() => return Ok(None),
                None => {}
            }
        }
    }
}

impl Drop for Wire<'_> {
    fn drop(&mut self) {
        for channel in &self.opened {
            // A key that is gone has nothing under way.
            let _ = self.transport.send(&Packet::initialization(*channel, Command::CANCEL, 0, &[]));
        }
    }
}

/// Random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Stop> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Stop::failed("the system gave no random bytes", &error))?;
    Ok(bytes)
}

/// How long a key may take for what needs no touch.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
