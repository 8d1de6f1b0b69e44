//! A key that misbehaves: messages are changed on their way to it and from it.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use keywright_common::ctaphid::{Command, Content, Message, Packet, Receiving, Report, Sending};
use keywright_host::transport::{Transport, TransportError};

/// A message on its way.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) command: Command,
    pub(crate) payload: Vec<u8>,
}

/// What is wrong with the key: what it does to a request of one packet, and to the answer to any.
#[derive(Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) request: fn(&mut Mail),
    pub(crate) answer: fn(&Mail, &mut Mail),
}

impl Fault {
    /// A key that answers wrongly.
    pub(crate) const fn answering(answer: fn(&Mail, &mut Mail)) -> Self {
        Self { request: |_| {}, answer }
    }
}

/// A way to such a key.
pub(crate) struct Spoiled {
    key: Box<dyn Transport>,
    fault: Fault,
    /// The last request on each channel, as the driver meant it.
    requests: BTreeMap<u32, Mail>,
    sending: Option<(Receiving, Box<Message>)>,
    receiving: Option<(Receiving, Box<Message>)>,
    arrived: VecDeque<Report>,
}

impl Spoiled {
    pub(crate) fn new(key: Box<dyn Transport>, fault: Fault) -> Self {
        Self {
            key,
            fault,
            requests: BTreeMap::new(),
            sending: None,
            receiving: None,
            arrived: VecDeque::new(),
        }
    }
}

impl Transport for Spoiled {
    fn send(&mut self, report: &Report) -> Result<(), TransportError> {
        let is_first = matches!(Packet::parse(report).content, Content::Initialization { .. });
        let Some((mut request, receiving)) = taken(&mut self.sending, report) else {
            return self.key.send(report);
        };
        self.requests.insert(receiving.channel().0, request.clone());
        // A longer one has begun to arrive as it was meant.
        if !is_first {
            return self.key.send(report);
        }
        (self.fault.request)(&mut request);
        let length = request.payload.len().try_into().unwrap();
        self.key.send(&Packet::initialization(receiving.channel(), request.command, length, &request.payload))
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Report>, TransportError> {
        if let Some(report) = self.arrived.pop_front() {
            return Ok(Some(report));
        }
        let Some(report) = self.key.receive(timeout)? else { return Ok(None) };
        if let Some((mut answer, receiving)) = taken(&mut self.receiving, &report) {
            let nothing = Mail { command: Command::PING, payload: Vec::new() };
            let request = self.requests.get(&receiving.channel().0).unwrap_or(&nothing);
            if answer.command != Command::KEEPALIVE {
                (self.fault.answer)(request, &mut answer);
            }
            let mut sending = Sending::new(receiving.channel(), answer.command);
            while let Some(report) = sending.next_report(&answer.payload) {
                self.arrived.push_back(report);
            }
        }
        Ok(self.arrived.pop_front())
    }
}

/// A message once it is whole.
fn taken(slot: &mut Option<(Receiving, Box<Message>)>, report: &Report) -> Option<(Mail, Receiving)> {
    let packet = Packet::parse(report);
    match (slot.take(), packet.content) {
        (_, Content::Initialization { .. }) => {
            let mut message = Box::new(Message::new());
            let receiving = Receiving::begin_with(&packet, &mut message).ok()?;
            *slot = Some((receiving, message));
        }
        (Some((mut receiving, mut message)), Content::Continuation { sequence, data }) => {
            receiving.accept(sequence, data, &mut message).ok()?;
            *slot = Some((receiving, message));
        }
        (None, Content::Continuation { .. }) => return None,
    }
    let (receiving, message) = slot.take()?;
    if receiving.is_complete(&message) {
        let mail = Mail { command: receiving.command(), payload: message.as_slice().to_vec() };
        return Some((mail, receiving));
    }
    *slot = Some((receiving, message));
    None
}
