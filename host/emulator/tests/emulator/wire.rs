//! The host's end of CTAPHID over anything that carries reports.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use keywright_common::ctaphid::{ChannelId, Command, Content, Message, Packet, Receiving, Report, Sending};
use keywright_emulator::{Emulator, Frontend, Options, Running};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) trait Wire {
    fn send(&mut self, report: &Report);
    /// `None` if nothing came, or nothing can come any more.
    fn receive(&mut self, patience: Duration) -> Option<Report>;
}

pub(crate) type Memory = (Sender<Report>, Receiver<Report>);

impl Wire for Memory {
    fn send(&mut self, report: &Report) {
        self.0.send(*report).unwrap();
    }

    fn receive(&mut self, patience: Duration) -> Option<Report> {
        self.1.recv_timeout(patience).ok()
    }
}

impl Wire for UdpSocket {
    fn send(&mut self, report: &Report) {
        assert_eq!(Self::send(self, report).unwrap(), 64);
    }

    fn receive(&mut self, patience: Duration) -> Option<Report> {
        self.set_read_timeout(Some(patience)).unwrap();
        let mut report = [0; 64];
        (self.recv(&mut report).ok()? == 64).then_some(report)
    }
}

impl Wire for TcpStream {
    fn send(&mut self, report: &Report) {
        self.write_all(report).unwrap();
    }

    fn receive(&mut self, patience: Duration) -> Option<Report> {
        self.set_read_timeout(Some(patience)).unwrap();
        let mut report = [0; 64];
        self.read_exact(&mut report).ok()?;
        Some(report)
    }
}

/// Asks for a channel.
pub(crate) fn open(wire: &mut impl Wire) -> ChannelId {
    send(wire, ChannelId::BROADCAST, Command::INIT, b"12345678");
    let (command, response) = receive(wire, ChannelId::BROADCAST);
    assert_eq!(command, Command::INIT);
    assert_eq!(response[..8], *b"12345678");
    ChannelId(u32::from_be_bytes(response[8..12].try_into().unwrap()))
}

pub(crate) fn send(wire: &mut impl Wire, channel: ChannelId, command: Command, payload: &[u8]) {
    let mut sending = Sending::new(channel, command);
    while let Some(report) = sending.next_report(payload) {
        wire.send(&report);
    }
}

/// The next message; it must be for this channel.
pub(crate) fn receive(wire: &mut impl Wire, channel: ChannelId) -> (Command, Vec<u8>) {
    let mut message = Box::new(Message::new());
    let report = wire.receive(PATIENCE).unwrap();
    let mut receiving = Receiving::begin_with(&Packet::parse(&report), &mut message).unwrap();
    assert_eq!(receiving.channel(), channel);
    while !receiving.is_complete(&message) {
        let report = wire.receive(PATIENCE).unwrap();
        let Content::Continuation { sequence, data } = Packet::parse(&report).content else {
            panic!("a message inside a message")
        };
        receiving.accept(sequence, data, &mut message).unwrap();
    }
    (receiving.command(), message.as_slice().to_vec())
}

/// The next message that is no keepalive.
pub(crate) fn response(wire: &mut impl Wire, channel: ChannelId) -> (Command, Vec<u8>) {
    loop {
        let (command, message) = receive(wire, channel);
        if command != Command::KEEPALIVE {
            return (command, message);
        }
    }
}

pub(crate) fn transact(
    wire: &mut impl Wire,
    channel: ChannelId,
    command: Command,
    payload: &[u8],
) -> (Command, Vec<u8>) {
    send(wire, channel, command, payload);
    response(wire, channel)
}

/// The key answers on this channel, also with a message of many packets.
pub(crate) fn assert_ping(wire: &mut impl Wire, channel: ChannelId) {
    let payload: Vec<u8> = (0..=255).cycle().take(700).collect();
    assert_eq!(transact(wire, channel, Command::PING, &payload), (Command::PING, payload));
}

/// The key says that there is no such channel.
pub(crate) fn assert_no_channel(wire: &mut impl Wire, channel: ChannelId) {
    let answer = transact(wire, channel, Command::PING, b"x");
    assert_eq!(answer, (Command::ERROR, vec![0x0b]));
}

/// A key that can be reached in one way, and where.
pub(crate) fn start(frontend: fn(SocketAddr) -> Frontend, options: Options) -> (Running, SocketAddr) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let running = Emulator::start(Options { frontends: vec![frontend(any)], ..options }).unwrap();
    let (Frontend::Udp(address) | Frontend::Tcp(address)) = running.frontends()[0] else {
        panic!("it has an address");
    };
    (running, address)
}
