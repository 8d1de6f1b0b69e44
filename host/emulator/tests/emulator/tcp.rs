//! Hosts that connect.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use keywright_common::ctaphid::{ChannelId, Command, Packet};
use keywright_emulator::{Frontend, Indication, Options, TouchPolicy};

use crate::wire::{self, PATIENCE, Wire, assert_no_channel, assert_ping, open, response, start, transact};

fn host(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).unwrap()
}

/// The key closes the connection without having said anything.
fn assert_closed_in_silence(mut stream: TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => assert!(answer.is_empty()),
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
    }
}

#[test]
fn several_hosts_are_served_at_once_and_one_after_the_other() {
    let (_running, address) = start(Frontend::Tcp, Options::default());
    let (mut a, mut b) = (host(address), host(address));
    let (of_a, of_b) = (open(&mut a), open(&mut b));
    for _ in 0..10 {
        assert_ping(&mut a, of_a);
        assert_ping(&mut b, of_b);
    }
    drop(a);
    let mut c = host(address);
    let of_c = open(&mut c);
    assert_ping(&mut c, of_c);
    assert_ping(&mut b, of_b);
}

#[test]
fn a_connection_may_have_several_channels() {
    let (_running, address) = start(Frontend::Tcp, Options::default());
    let mut host = host(address);
    let (first, second) = (open(&mut host), open(&mut host));
    assert_ping(&mut host, second);
    assert_ping(&mut host, first);
}

#[test]
fn what_a_web_page_can_send_closes_the_connection_at_once_and_in_silence() {
    let (_running, address) = start(Frontend::Tcp, Options::default());
    let requests: [&[u8]; 3] = [
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: https://evil.example\r\nConnection: keep-alive\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 64\r\n\r\n\xff\xff\xff\xff\x86\x00\x0812345678",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    ];
    for request in requests {
        let begun = Instant::now();
        let mut stream = host(address);
        stream.write_all(request).unwrap();
        assert_closed_in_silence(stream);
        assert!(begun.elapsed() < Duration::from_secs(1), "it does not wait for 64 bytes");
    }
}

#[test]
fn a_first_report_that_is_no_broadcast_init_closes_the_connection() {
    let (running, address) = start(Frontend::Tcp, Options::default());
    let mut other = running.handle().connect().unwrap();
    let channel = open(&mut other);
    let reports = [
        Packet::initialization(channel, Command::PING, 1, b"x"),
        Packet::initialization(channel, Command::INIT, 8, b"12345678"),
        Packet::initialization(ChannelId::BROADCAST, Command::PING, 8, b"12345678"),
        Packet::initialization(ChannelId::BROADCAST, Command::INIT, 7, b"1234567"),
        Packet::continuation(ChannelId::BROADCAST, 6, b"12345678"),
    ];
    for report in reports {
        let mut stream = host(address);
        stream.write_all(&report).unwrap();
        assert_closed_in_silence(stream);
    }
    assert_ping(&mut other, channel);
}

#[test]
fn a_first_report_that_does_not_come_closes_the_connection() {
    let (_running, address) = start(Frontend::Tcp, Options::default());
    let mut part = host(address);
    part.write_all(&[0xff, 0xff, 0xff]).unwrap();
    assert_closed_in_silence(part);
    let mut part = host(address);
    part.write_all(&[0xff, 0xff, 0xff, 0xff, 0x86, 0, 8, 1]).unwrap();
    assert_closed_in_silence(part);
}

#[test]
fn a_report_that_does_not_come_whole_closes_the_connection_and_no_other() {
    let (_running, address) = start(Frontend::Tcp, Options::default());
    let (mut a, mut b) = (host(address), host(address));
    let (of_a, of_b) = (open(&mut a), open(&mut b));
    a.write_all(&Packet::initialization(of_a, Command::PING, 1, b"x")[..63]).unwrap();
    assert_eq!(a.receive(PATIENCE), None);
    assert_ping(&mut b, of_b);
}

#[test]
fn a_channel_of_another_connection_can_not_be_used() {
    let (_running, address) = start(Frontend::Tcp, Options::default());
    let (mut a, mut b) = (host(address), host(address));
    let of_a = open(&mut a);
    open(&mut b);
    assert_no_channel(&mut b, of_a);
    assert_ping(&mut a, of_a);
}

#[test]
fn g08_a_channel_of_a_host_that_is_gone_can_not_be_used_by_another() {
    let (_running, address) = start(Frontend::Tcp, Options::default());
    let (mut a, mut b) = (host(address), host(address));
    let of_a = open(&mut a);
    let of_b = open(&mut b);
    drop(a);
    // However long the key takes to see that it is gone.
    for _ in 0..100 {
        assert_no_channel(&mut b, of_a);
    }
    assert_ping(&mut b, of_b);
}

#[test]
fn a_host_that_does_not_read_is_given_up_and_does_not_stop_the_others() {
    let (_running, address) = start(Frontend::Tcp, Options::default());
    let (mut slow, mut quick) = (host(address), host(address));
    let (of_slow, of_quick) = (open(&mut slow), open(&mut quick));
    let ping: Vec<u8> = {
        let mut sending = keywright_common::ctaphid::Sending::new(of_slow, Command::PING);
        std::iter::from_fn(|| sending.next_report(&[7; 7609])).flatten().collect()
    };
    slow.set_write_timeout(Some(PATIENCE)).unwrap();
    // 16 MB: more than the system's buffers take.
    let is_given_up = (0..2000).any(|round| {
        // INIT is answered also while another channel is being served.
        if round % 10 == 0 {
            open(&mut quick);
        }
        slow.write_all(&ping).is_err()
    });
    assert!(is_given_up);
    let busy = (Command::ERROR, vec![0x06]);
    let mut answers = std::iter::repeat_with(|| transact(&mut quick, of_quick, Command::PING, b"x"));
    assert_eq!(answers.find(|answer| *answer != busy), Some((Command::PING, b"x".to_vec())));
}

#[test]
fn a_closed_connection_gives_its_request_up_and_the_next_host_is_served() {
    let options = Options { touch: TouchPolicy::Manual, ..Options::default() };
    let (running, address) = start(Frontend::Tcp, options);
    let (mut a, mut b) = (host(address), host(address));
    let (of_a, of_b) = (open(&mut a), open(&mut b));
    wire::send(&mut a, of_a, Command::CBOR, &[0x0b]);
    wire::receive(&mut a, of_a);
    a.shutdown(Shutdown::Both).unwrap();
    let begun = Instant::now();
    while running.handle().state().unwrap().indication != Indication::Idle {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    wire::send(&mut b, of_b, Command::CBOR, &[0x0b]);
    wire::receive(&mut b, of_b);
    assert!(running.handle().touch().unwrap());
    assert_eq!(response(&mut b, of_b), (Command::CBOR, vec![0]));
}

#[test]
fn unplugging_closes_connections_and_lets_none_in_until_the_key_is_plugged_in() {
    let (running, address) = start(Frontend::Tcp, Options::default());
    let mut before = host(address);
    open(&mut before);
    running.handle().unplug().unwrap();
    assert_eq!(before.receive(PATIENCE), None);
    let mut meanwhile = host(address);
    meanwhile
        .write_all(&Packet::initialization(ChannelId::BROADCAST, Command::INIT, 8, b"12345678"))
        .unwrap();
    assert_closed_in_silence(meanwhile);
    running.handle().plug().unwrap();
    let mut after = host(address);
    let channel = open(&mut after);
    assert_ping(&mut after, channel);
}

#[test]
fn stopping_closes_connections() {
    let (running, address) = start(Frontend::Tcp, Options::default());
    let mut host = host(address);
    open(&mut host);
    running.stop().unwrap();
    assert_eq!(host.receive(PATIENCE), None);
    assert!(TcpStream::connect(address).is_err());
}
