//! Hosts that send datagrams.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use keywright_common::ctaphid::{ChannelId, Command, Packet};
use keywright_emulator::{Emulator, Error, Frontend, Options};

use crate::wire::{self, Wire, assert_no_channel, assert_ping, open, start, transact};

fn host(address: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address).unwrap();
    socket
}

#[test]
fn two_hosts_have_channels_of_their_own_and_get_their_own_answers() {
    let (_running, address) = start(Frontend::Udp, Options::default());
    let (mut a, mut b) = (host(address), host(address));
    let (of_a, of_b) = (open(&mut a), open(&mut b));
    assert_ne!(of_a, of_b);
    wire::send(&mut a, of_a, Command::PING, b"a");
    wire::send(&mut b, of_b, Command::PING, b"b");
    assert_eq!(wire::receive(&mut b, of_b).1, b"b");
    assert_eq!(wire::receive(&mut a, of_a).1, b"a");
}

#[test]
fn a_channel_of_another_host_can_not_be_used() {
    let (_running, address) = start(Frontend::Udp, Options::default());
    let (mut a, mut b) = (host(address), host(address));
    let of_a = open(&mut a);
    assert_no_channel(&mut b, of_a);
    assert_ping(&mut a, of_a);
}

#[test]
fn datagrams_that_are_no_reports_are_not_answered() {
    let (_running, address) = start(Frontend::Udp, Options::default());
    let mut host = host(address);
    let init = [&[0xff, 0xff, 0xff, 0xff, 0x86, 0, 8][..], &[0; 57], &[0; 1000]].concat();
    for length in [0, 1, 17, 63, 65, 128, 1064] {
        host.send(&init[..length]).unwrap();
    }
    assert_eq!(host.receive(Duration::from_millis(100)), None);
    let channel = open(&mut host);
    assert_ping(&mut host, channel);
}

/// Asks until the key has answered, and so is done with everything that came before. The system drops what comes too fast.
fn await_answer(flood: &mut UdpSocket) {
    let nonce = b"the last";
    for _ in 0..100 {
        Wire::send(flood, &Packet::initialization(ChannelId::BROADCAST, Command::INIT, 8, nonce));
        while let Some(report) = flood.receive(Duration::from_millis(100)) {
            if report[7..15] == *nonce {
                return;
            }
        }
    }
    panic!("the key does not answer any more");
}

#[test]
fn g21_ten_thousand_random_datagrams_do_no_harm() {
    let (_running, address) = start(Frontend::Udp, Options::default());
    let mut flood = host(address);
    let mut random = 21_u64;
    for _ in 0..10_000 {
        let mut datagram = [0; 72];
        for byte in &mut datagram {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = random.to_be_bytes()[0];
        }
        let length = if datagram[71] < 200 { 64 } else { usize::from(datagram[70]) % 72 };
        // Half of them begin as an INIT does.
        if datagram[69] & 1 == 0 {
            datagram[..7].copy_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x86, 0, 8]);
        }
        UdpSocket::send(&flood, &datagram[..length]).unwrap();
    }
    await_answer(&mut flood);
    let mut host = host(address);
    let channel = open(&mut host);
    assert_ping(&mut host, channel);
}

#[test]
fn an_unplugged_key_is_silent_and_a_plugged_one_has_new_channels() {
    let (running, address) = start(Frontend::Udp, Options::default());
    let mut host = host(address);
    let old = open(&mut host);
    assert!(running.handle().unplug().unwrap());
    wire::send(&mut host, old, Command::PING, b"x");
    assert_eq!(host.receive(Duration::from_millis(100)), None);
    assert!(running.handle().plug().unwrap());
    assert_no_channel(&mut host, old);
    let new = open(&mut host);
    assert_ping(&mut host, new);
}

#[test]
fn an_address_that_others_can_reach_needs_to_be_allowed() {
    let any = SocketAddr::from(([0, 0, 0, 0], 0));
    for frontend in [Frontend::Udp(any), Frontend::Tcp(any)] {
        let options = Options { frontends: vec![frontend], ..Options::default() };
        let error = Emulator::start(options).err().unwrap();
        assert!(matches!(error, Error::NotLoopback(address) if address == any));
        assert!(error.to_string().contains("other machines"));
    }
}

#[test]
fn a_port_that_is_taken_is_an_error_in_words() {
    let (_running, address) = start(Frontend::Udp, Options::default());
    let options = Options { frontends: vec![Frontend::Udp(address)], ..Options::default() };
    let error = Emulator::start(options).err().unwrap();
    assert!(error.to_string().contains("choose another port"), "{error}");
}

#[test]
fn get_info_names_the_virtual_keys_aaguid() {
    let (_running, address) = start(Frontend::Udp, Options::default());
    let mut host = host(address);
    let channel = open(&mut host);
    let (command, info) = transact(&mut host, channel, Command::CBOR, &[4]);
    assert_eq!((command, info[0]), (Command::CBOR, 0));
    assert!(info.windows(16).any(|bytes| bytes == keywright_emulator::attestation::AAGUID));
}
