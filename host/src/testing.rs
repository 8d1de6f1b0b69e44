//! A key that follows a script, for the unit tests of every layer.

pub(crate) mod reference;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use keywright_common::ctaphid::Message;
use keywright_common::ctaphid::{ChannelId, Command, Content, Packet, Receiving, Report, Sending};

use crate::transport::{Transport, TransportError};

/// The packets of a message.
pub(crate) fn reports(channel: ChannelId, command: Command, payload: &[u8]) -> Vec<Report> {
    let mut sending = Sending::new(channel, command);
    std::iter::from_fn(|| sending.next_report(payload)).collect()
}

type Responder = Box<dyn FnMut(Command, &[u8]) -> Vec<u8>>;

/// Answers INIT by itself and every other message with the next answer of its script; its time moves when it is
/// waited for, and at no other moment.
pub(crate) struct Script {
    channel: ChannelId,
    capabilities: u8,
    is_silent: bool,
    is_plugged_in: bool,
    now: Instant,
    sent: Vec<Report>,
    receiving: Option<(Receiving, Box<Message>)>,
    requests: Vec<Vec<u8>>,
    answers: VecDeque<Vec<(Duration, Report)>>,
    cancel_answer: Vec<Report>,
    responder: Option<Responder>,
    outbox: VecDeque<(Duration, Report)>,
}

impl Script {
    pub(crate) fn new(channel: ChannelId, capabilities: u8) -> Self {
        Self {
            channel,
            capabilities,
            is_silent: false,
            is_plugged_in: true,
            now: Instant::now(),
            sent: Vec::new(),
            receiving: None,
            requests: Vec::new(),
            answers: VecDeque::new(),
            cancel_answer: Vec::new(),
            responder: None,
            outbox: VecDeque::new(),
        }
    }

    /// A key that computes its answers: from command and payload to payload.
    pub(crate) fn responding(
        capabilities: u8,
        responder: impl FnMut(Command, &[u8]) -> Vec<u8> + 'static,
    ) -> Self {
        Self { responder: Some(Box::new(responder)), ..Self::new(ChannelId(0x0b0b), capabilities) }
    }

    pub(crate) fn silent() -> Self {
        Self { is_silent: true, ..Self::new(ChannelId(1), 0) }
    }

    /// What the next message without an answer is answered with.
    pub(crate) fn answer(&mut self, reports: Vec<Report>) {
        self.answer_slowly(reports, Duration::ZERO);
    }

    /// As [`Script::answer`], with a pause before each report.
    pub(crate) fn answer_slowly(&mut self, reports: Vec<Report>, pause: Duration) {
        self.answers.push_back(reports.into_iter().map(|report| (pause, report)).collect());
    }

    /// More of the last answer.
    pub(crate) fn then(&mut self, reports: Vec<Report>) {
        let more = reports.into_iter().map(|report| (Duration::ZERO, report));
        self.answers.back_mut().unwrap().extend(more);
    }

    /// A CTAP2 answer: status, then what follows.
    pub(crate) fn answer_cbor(&mut self, payload: &[u8]) {
        self.answer(reports(self.channel, Command::CBOR, payload));
    }

    /// A U2F answer.
    pub(crate) fn answer_msg(&mut self, payload: &[u8]) {
        self.answer(reports(self.channel, Command::MSG, payload));
    }

    /// What comes before anything else.
    pub(crate) fn interject(&mut self, reports: Vec<Report>) {
        self.outbox.extend(reports.into_iter().map(|report| (Duration::ZERO, report)));
    }

    /// What a CANCEL is answered with, instead of the rest of the answer.
    pub(crate) fn on_cancel(&mut self, reports: Vec<Report>) {
        self.cancel_answer = reports;
    }

    pub(crate) fn unplug(&mut self) {
        self.is_plugged_in = false;
    }

    /// Every report that was sent to the key.
    pub(crate) fn sent(&self) -> &[Report] {
        &self.sent
    }

    /// The payload of every message but INIT.
    pub(crate) fn requests(&self) -> &[Vec<u8>] {
        &self.requests
    }

    fn take(&mut self, report: &Report) {
        match (Packet::parse(report).content, self.receiving.take()) {
            (Content::Initialization { command: Command::CANCEL, .. }, _) => {
                if !self.cancel_answer.is_empty() {
                    self.outbox.clear();
                    let answer = std::mem::take(&mut self.cancel_answer);
                    self.interject(answer);
                }
            }
            (Content::Initialization { .. }, _) => {
                let mut message = Box::new(Message::new());
                let receiving = Receiving::begin_with(&Packet::parse(report), &mut message).unwrap();
                self.receiving = Some((receiving, message));
            }
            (Content::Continuation { sequence, data }, Some((mut receiving, mut message))) => {
                receiving.accept(sequence, data, &mut message).unwrap();
                self.receiving = Some((receiving, message));
            }
            (Content::Continuation { .. }, None) => panic!("a continuation of nothing"),
        }
        self.reply();
    }

    fn reply(&mut self) {
        let Some((receiving, message)) = self.receiving.take() else { return };
        if !receiving.is_complete(&message) {
            self.receiving = Some((receiving, message));
        } else if receiving.command() == Command::INIT {
            let tail = [2, 5, 6, 7, self.capabilities];
            let answer = [message.as_slice(), &self.channel.0.to_be_bytes(), &tail].concat();
            self.interject(reports(receiving.channel(), Command::INIT, &answer));
        } else {
            self.requests.push(message.as_slice().to_vec());
            match &mut self.responder {
                Some(respond) => {
                    let answer = respond(receiving.command(), message.as_slice());
                    self.interject(reports(self.channel, receiving.command(), &answer));
                }
                None => self.outbox.extend(self.answers.pop_front().unwrap_or_default()),
            }
        }
    }
}

impl Transport for Script {
    fn send(&mut self, report: &Report) -> Result<(), TransportError> {
        self.sent.push(*report);
        if !self.is_plugged_in {
            return Err(TransportError::Gone);
        }
        if !self.is_silent {
            self.take(report);
        }
        Ok(())
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Report>, TransportError> {
        if !self.is_plugged_in {
            return Err(TransportError::Gone);
        }
        match self.outbox.front_mut() {
            Some((pause, _)) if *pause > timeout => {
                *pause -= timeout;
                self.now += timeout;
                Ok(None)
            }
            Some((pause, report)) => {
                self.now += *pause;
                let report = *report;
                self.outbox.pop_front();
                Ok(Some(report))
            }
            None => {
                self.now += timeout;
                Ok(None)
            }
        }
    }

    fn now(&self) -> Instant {
        self.now
    }
}
