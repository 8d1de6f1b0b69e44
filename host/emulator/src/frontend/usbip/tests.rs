//! A scripted USB/IP client against a server on loopback and keys that run.

use std::collections::HashSet;
use std::io::Read;
use std::net::Ipv4Addr;

use keywright_common::ctaphid::{
    CONTINUATION_DATA, INITIALIZATION_DATA, MAX_MESSAGE, REPORT_DESCRIPTOR, Report,
};

use super::*;
use crate::{Emulator, Options, Running, TouchPolicy};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const TIMEOUT: Duration = Duration::from_secs(20);
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;
const UNLINKED: i32 = -104;
const STALL: i32 = -32;

/// Keys and their server.
struct Bench {
    server: UsbIp,
    keys: Vec<Running>,
}

impl Bench {
    fn new(keys: usize) -> Self {
        Self::with(keys, || TouchPolicy::Manual)
    }

    fn with(keys: usize, touch: impl Fn() -> TouchPolicy) -> Self {
        let start = |_| Emulator::start(Options { touch: touch(), ..Options::default() }).unwrap();
        let keys: Vec<_> = (0..keys).map(start).collect();
        let handles: Vec<_> = keys.iter().map(|key| key.handle().clone()).collect();
        Self { server: UsbIp::start(ANY, false, &handles).unwrap(), keys }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream
    }

    /// The bus ids that are offered.
    fn listed(&self) -> Vec<String> {
        let mut stream = self.connect();
        stream.write_all(&[1, 0x11, 0x80, 5, 0, 0, 0, 0]).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        assert_eq!(reply[..8], [1, 0x11, 0, 5, 0, 0, 0, 0]);
        let devices = reply[12..].chunks(312 + 4);
        assert_eq!(devices.len(), usize::from(reply[11]));
        let bus_id = |device: &[u8]| {
            assert_eq!(device[308 + 4..], [3, 0, 0, 0], "a HID interface");
            String::from_utf8(device[256..288].to_vec()).unwrap().trim_end_matches('\0').to_owned()
        };
        devices.map(bus_id).collect()
    }

    /// Asks for a device; the status and the connection.
    fn ask_for(&self, bus_id: &str) -> (u8, TcpStream) {
        let mut stream = self.connect();
        stream.write_all(&[1, 0x11, 0x80, 3, 0, 0, 0, 0]).unwrap();
        stream.write_all(&padded::<32>(bus_id)).unwrap();
        let mut reply = [0; 8];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(reply[..7], [1, 0x11, 0, 3, 0, 0, 0]);
        (reply[7], stream)
    }

    /// A device that the host has enumerated and configured.
    fn import(&self, number: u32) -> Host {
        let (status, mut stream) = self.ask_for(&format!("1-{number}"));
        assert_eq!(status, 0);
        let mut description = [0; 312];
        stream.read_exact(&mut description).unwrap();
        let mut host = Host { stream, device: BUS << 16 | number, sequence: 0, inward: HashSet::new() };
        assert_eq!(host.control([0, 9, 1, 0, 0, 0, 0, 0], &[]), (0, vec![]));
        host
    }
}

/// The host of an imported device.
struct Host {
    stream: TcpStream,
    device: u32,
    sequence: u32,
    /// The transfers towards the host: only their answers carry data.
    inward: HashSet<u32>,
}

/// An answer: which kind, to which command, its status and its data.
type Told = (u32, u32, i32, Vec<u8>);

impl Host {
    fn command(&mut self, words: [u32; 8], setup: [u8; 8], data: &[u8]) -> u32 {
        self.sequence += 1;
        let [kind, direction, endpoint, a, b, c, d, e] = words;
        let words = [kind, self.sequence, self.device, direction, endpoint, a, b, c, d, e];
        let mut bytes = words.map(u32::to_be_bytes).concat();
        bytes.extend(setup);
        bytes.extend(data);
        self.stream.write_all(&bytes).unwrap();
        self.sequence
    }

    fn submit(&mut self, direction: u32, endpoint: u32, length: usize, setup: [u8; 8], data: &[u8]) -> u32 {
        let length = u32::try_from(length).unwrap();
        let sequence = self.command([1, direction, endpoint, 0, length, 0, 0, 1], setup, data);
        if direction == 1 {
            self.inward.insert(sequence);
        }
        sequence
    }

    /// Offers the device to send a report.
    fn poll(&mut self) -> u32 {
        self.submit(1, 1, 64, [0; 8], &[])
    }

    fn unlink(&mut self, victim: u32) -> u32 {
        self.command([2, 0, 0, victim, 0, 0, 0, 0], [0; 8], &[])
    }

    fn send(&mut self, report: &Report) -> u32 {
        self.submit(0, 1, 64, [0; 8], report)
    }

    fn told(&mut self) -> Told {
        let mut bytes = [0; 48];
        self.stream.read_exact(&mut bytes).unwrap();
        let word = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let (kind, sequence, actual) = (word(0), word(4), word(24));
        assert_eq!([word(8), word(12), word(16)], [0; 3]);
        let length = if kind == RET_SUBMIT && self.inward.contains(&sequence) { actual as usize } else { 0 };
        let mut data = vec![0; length];
        self.stream.read_exact(&mut data).unwrap();
        (kind, sequence, word(20).cast_signed(), data)
    }

    fn control(&mut self, setup: [u8; 8], data: &[u8]) -> (i32, Vec<u8>) {
        let direction = u32::from(setup[0] >> 7);
        let length = usize::from(u16::from_le_bytes([setup[6], setup[7]]));
        let sequence = self.submit(direction, 0, length, setup, data);
        let (kind, answered, status, data) = self.told();
        assert_eq!((kind, answered), (RET_SUBMIT, sequence));
        (status, data)
    }

    /// Sends a report and gives the next one of the key.
    fn exchange(&mut self, report: &Report) -> Report {
        let poll = self.poll();
        let sent = self.send(report);
        let mut answers = [self.told(), self.told()];
        answers.sort_by_key(|(_, sequence, ..)| *sequence);
        let [(_, first, status, data), (_, second, ..)] = answers;
        assert_eq!((first, second, status), (poll, sent, 0));
        data.try_into().unwrap()
    }

    /// Opens a channel.
    fn init(&mut self) -> [u8; 4] {
        let response = self.exchange(&INIT);
        assert_eq!(response[..15], [&INIT[..6], &[17], &INIT[7..15]].concat());
        response[15..19].try_into().unwrap()
    }

    /// The server ended the connection.
    fn is_over(&mut self) -> bool {
        matches!(self.stream.read(&mut [0; 1]), Ok(0) | Err(_))
    }
}

const INIT: Report = {
    let mut report = [0; 64];
    let mut at = 0;
    while at < 15 {
        report[at] = [0xff, 0xff, 0xff, 0xff, 0x86, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8][at];
        at += 1;
    }
    report
};

fn message(channel: [u8; 4], command: u8, payload: &[u8]) -> Vec<Report> {
    let report = |head: &[u8], data: &[u8]| {
        let mut report = [channel.as_slice(), head, data].concat();
        report.resize(64, 0);
        report.try_into().unwrap()
    };
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let (first, rest) = payload.split_at(payload.len().min(INITIALIZATION_DATA));
    let mut reports = vec![report(&[command, length[0], length[1]], first)];
    reports.extend((0..).zip(rest.chunks(CONTINUATION_DATA)).map(|(number, data)| report(&[number], data)));
    reports
}

const LIST: [u8; 8] = [1, 0x11, 0x80, 5, 0, 0, 0, 0];

#[test]
fn every_key_is_listed_until_somebody_has_it() {
    let bench = Bench::new(3);
    assert_eq!(bench.server.bus_ids(), ["1-1", "1-2", "1-3"]);
    assert_eq!(bench.listed(), ["1-1", "1-2", "1-3"]);
    let _host = bench.import(2);
    assert_eq!(bench.listed(), ["1-1", "1-3"]);
}

#[test]
fn a_server_without_keys_lists_none() {
    assert_eq!(Bench::new(0).listed(), [""; 0]);
}

#[test]
fn a_device_is_enumerated_as_a_key() {
    let bench = Bench::new(1);
    let mut host = bench.import(1);
    let mut get = |kind: u8, index: u8, request: u8| {
        host.control(
            [request, 6, index, kind, if kind == 3 { 9 } else { 0 }, if kind == 3 { 4 } else { 0 }, 255, 0],
            &[],
        )
    };
    assert_eq!(get(1, 0, 0x80), (0, descriptors::device()));
    assert_eq!(get(2, 0, 0x80), (0, descriptors::configuration()));
    assert_eq!(get(0x22, 0, 0x81), (0, REPORT_DESCRIPTOR.to_vec()));
    assert_eq!(get(3, 2, 0x80), (0, descriptors::string(2).unwrap()));
    assert_eq!(get(6, 0, 0x80), (STALL, vec![]));
}

#[test]
fn g20_two_keys_have_the_same_descriptors_and_strings() {
    let bench = Bench::new(2);
    let mut hosts = [bench.import(1), bench.import(2)];
    for request in [
        [0x80, 6, 0, 1, 0, 0, 18, 0],
        [0x80, 6, 1, 3, 9, 4, 255, 0],
        [0x80, 6, 2, 3, 9, 4, 255, 0],
        [0x80, 6, 3, 3, 9, 4, 255, 0],
    ] {
        let [first, second] = hosts.each_mut().map(|host| host.control(request, &[]));
        assert_eq!(first.0, 0);
        assert_eq!(first, second);
    }
}

#[test]
fn a_report_and_its_answer_go_over_the_bus() {
    let bench = Bench::new(1);
    let mut host = bench.import(1);
    assert_ne!(host.init(), [0xff; 4]);
}

#[test]
fn an_interrupt_transfer_stays_pending_while_others_are_answered() {
    let bench = Bench::new(1);
    let mut host = bench.import(1);
    let poll = host.poll();
    assert_eq!(host.control([0x80, 0, 0, 0, 0, 0, 2, 0], &[]), (0, vec![0, 0]));
    let sent = host.send(&INIT);
    let answered: Vec<_> = [host.told(), host.told()].into_iter().map(|(_, sequence, ..)| sequence).collect();
    assert_eq!(answered, [sent, poll]);
}

#[test]
fn an_unlinked_transfer_is_never_answered() {
    let bench = Bench::new(1);
    let mut host = bench.import(1);
    let poll = host.poll();
    let unlink = host.unlink(poll);
    assert_eq!(host.told(), (RET_UNLINK, unlink, UNLINKED, vec![]));
    let sent = host.send(&INIT);
    assert_eq!(host.told().1, sent);
    let again = host.poll();
    let (_, sequence, status, data) = host.told();
    assert_eq!((sequence, status, data.len()), (again, 0, 64), "the report waited for the next transfer");
}

#[test]
fn unlinks_that_race_with_reports_leave_each_transfer_with_one_answer() {
    let bench = Bench::new(1);
    let mut host = bench.import(1);
    let mut fetched = 0;
    for _ in 0..300 {
        let poll = host.poll();
        let sent = host.send(&INIT);
        let unlink = host.unlink(poll);
        let mut status = None;
        let mut answers = vec![host.told(), host.told()];
        if answers.iter().filter(|(_, sequence, ..)| [sent, unlink].contains(sequence)).count() < 2 {
            answers.push(host.told());
        }
        for (kind, sequence, told, _) in &answers {
            match (*kind, *sequence) {
                (RET_UNLINK, sequence) if sequence == unlink => status = Some(*told),
                (RET_SUBMIT, sequence) if sequence == poll => fetched += 1,
                (RET_SUBMIT, sequence) => assert_eq!(sequence, sent),
                other => panic!("{other:?}"),
            }
        }
        let was_answered = answers.iter().any(|(_, sequence, ..)| *sequence == poll);
        // An answer that comes behind its unlink's would be one too many.
        assert_eq!(status, Some(if was_answered { 0 } else { UNLINKED }));
    }
    for _ in fetched..300 {
        let poll = host.poll();
        assert_eq!(host.told().1, poll, "no report was lost");
    }
}

#[test]
fn the_longest_message_comes_whole_though_the_host_polls_one_report_at_a_time() {
    let bench = Bench::new(1);
    let mut host = bench.import(1);
    let channel = host.init();
    let payload: Vec<u8> = (0..MAX_MESSAGE).map(|at| at.to_le_bytes()[0]).collect();
    let reports = message(channel, 0x81, &payload);
    for report in &reports {
        let sent = host.send(report);
        assert_eq!(host.told(), (RET_SUBMIT, sent, 0, vec![]));
    }
    for report in &reports {
        let poll = host.poll();
        assert_eq!(host.told(), (RET_SUBMIT, poll, 0, report.to_vec()));
    }
}

#[test]
fn a_key_serves_one_host_at_a_time_and_the_next_one_afterwards() {
    let bench = Bench::new(1);
    let first = bench.import(1);
    assert_eq!(bench.ask_for("1-1").0, 2, "busy");
    drop(first);
    for _ in 0..20 {
        bench.import(1).init();
    }
}

#[test]
fn keys_of_one_server_are_independent() {
    let bench = Bench::new(2);
    let (mut first, mut second) = (bench.import(1), bench.import(2));
    let (one, two) = (first.init(), second.init());
    drop(first);
    let pong = second.exchange(&message(two, 0x81, b"ping")[0]);
    assert_eq!(pong[..11], message(two, 0x81, b"ping")[0][..11]);
    let mut first = bench.import(1);
    let refused = first.exchange(&message(one, 0x81, b"ping")[0]);
    assert_eq!(refused[4..8], [0xbf, 0, 1, 0x0b], "channels end with the power");
}

#[test]
fn an_import_is_a_power_up() {
    let bench = Bench::new(1);
    let mut host = bench.import(1);
    let channel = host.init();
    drop(host);
    let mut host = bench.import(1);
    let refused = host.exchange(&message(channel, 0x81, b"ping")[0]);
    assert_eq!(refused[4..8], [0xbf, 0, 1, 0x0b]);
}

#[test]
fn a_host_that_detaches_amid_a_request_leaves_a_key_that_serves_the_next() {
    let bench = Bench::new(1);
    let mut host = bench.import(1);
    let channel = host.init();
    // authenticatorSelection: waits for a touch.
    let keepalive = host.exchange(&message(channel, 0x90, &[0x0b])[0]);
    assert_eq!(keepalive[4], 0xbb);
    host.poll();
    drop(host);
    bench.import(1).init();
}

#[test]
fn a_key_that_is_unplugged_is_gone_from_the_bus_and_comes_back() {
    let bench = Bench::new(1);
    let mut host = bench.import(1);
    host.init();
    assert_eq!(bench.keys[0].handle().unplug(), Ok(true));
    assert!(host.is_over());
    assert_eq!(bench.listed(), [""; 0]);
    assert_eq!(bench.ask_for("1-1").0, 4, "no device");
    assert_eq!(bench.keys[0].handle().plug(), Ok(true));
    assert_eq!(bench.listed(), ["1-1"]);
    bench.import(1).init();
}

#[test]
fn a_key_that_was_stopped_is_no_device() {
    let mut bench = Bench::new(2);
    let mut host = bench.import(1);
    bench.keys.remove(0).stop().unwrap();
    assert!(host.is_over());
    assert_eq!(bench.listed(), ["1-2"]);
    assert_eq!(bench.ask_for("1-1").0, 4);
}

#[test]
fn hosts_see_the_end_of_the_server() {
    let Bench { server, keys } = Bench::new(1);
    let bench = Bench { server, keys };
    let mut host = bench.import(1);
    drop(bench.server);
    assert!(host.is_over());
    assert!(bench.keys[0].handle().state().unwrap().plugged, "the key goes on");
}

#[test]
fn a_device_that_is_not_there_is_refused() {
    let bench = Bench::new(1);
    for bus_id in ["1-2", "1-0", "2-1", "1-1.1", "1-10", "", "1", &"x".repeat(32)] {
        assert_eq!(bench.ask_for(bus_id).0, 4, "{bus_id}");
    }
}

#[test]
fn what_is_no_operation_is_not_answered() {
    let bench = Bench::new(1);
    for bytes in [
        b"GET / HTTP/1.1

"
        .as_slice(),
        &[1, 6, 0x80, 5, 0, 0, 0, 0],
        &[1, 0x11, 0, 5, 0, 0, 0, 0],
        &[1, 0x11, 0x80, 4, 0, 0, 0, 0],
        &[0; 40],
        &[0xff; 400],
    ] {
        let mut stream = bench.connect();
        stream.write_all(bytes).unwrap();
        assert!(!matches!(stream.read(&mut [0; 1]), Ok(1..)));
    }
    assert_eq!(bench.listed(), ["1-1"]);
}

#[test]
fn an_operation_that_is_cut_short_is_not_answered() {
    let bench = Bench::new(1);
    let import = [[1, 0x11, 0x80, 3, 0, 0, 0, 0].as_slice(), &padded::<32>("1-1")].concat();
    for length in [0, 1, 7, 8, 9, 39] {
        let mut stream = bench.connect();
        stream.write_all(&import[..length]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        assert!(matches!(stream.read(&mut [0; 1]), Ok(0)), "{length}");
    }
    bench.import(1).init();
}

#[test]
fn commands_that_break_the_protocol_end_the_connection_and_free_the_key() {
    let bench = Bench::new(1);
    let attacks: [fn(&mut Host); 8] = [
        |host| {
            host.command([3, 0, 1, 0, 0, 0, 0, 0], [0; 8], &[]);
        },
        |host| {
            host.command([0, 0, 1, 0, 0, 0, 0, 0], [0; 8], &[]);
        },
        |host| {
            host.command([1, 2, 1, 0, 64, 0, 0, 0], [0; 8], &[]);
        },
        |host| {
            host.command([1, 0, 1, 0, 4097, 0, 0, 0], [0; 8], &[]);
        },
        |host| {
            host.command([1, 0, 1, 0, u32::MAX, 0, 0, 0], [0; 8], &[]);
        },
        |host| {
            host.command([1, 1, 1, 0, 0x8000_0000, 0, 0, 0], [0; 8], &[]);
        },
        |host| {
            host.command([1, 1, 1, 0, 64, 0, 1, 0], [0; 8], &[]);
        },
        |host| {
            host.device += 1;
            host.poll();
        },
    ];
    for attack in attacks {
        let mut host = bench.import(1);
        attack(&mut host);
        assert!(host.is_over());
    }
    bench.import(1).init();
}

#[test]
fn a_command_that_is_cut_short_frees_the_key() {
    let bench = Bench::new(1);
    let mut submit = [1, 2, 0x0001_0001, 0, 1, 0, 64, 0, 0, 1].map(u32::to_be_bytes).concat();
    submit.extend([0; 8 + 64]);
    for length in [1, 4, 47, 48, 49, 111] {
        let mut host = bench.import(1);
        host.stream.write_all(&submit[..length]).unwrap();
        host.stream.shutdown(Shutdown::Write).unwrap();
        assert!(host.is_over(), "{length}");
    }
    bench.import(1).init();
}

#[test]
fn a_command_that_does_not_go_on_is_given_up() {
    let bench = Bench::new(1);
    let mut host = bench.import(1);
    host.stream.write_all(&[0, 0, 0, 1, 0]).unwrap();
    assert!(host.is_over());
    bench.import(1).init();
}

#[test]
fn a_report_of_another_length_stalls_and_the_bus_goes_on() {
    let bench = Bench::new(1);
    let mut host = bench.import(1);
    for length in [0, 1, 63, 65, 4096] {
        let sent = host.submit(0, 1, length, [0; 8], &vec![0; length]);
        assert_eq!(host.told(), (RET_SUBMIT, sent, STALL, vec![]));
    }
    host.init();
}

#[test]
fn a_flood_of_unread_answers_ends_only_the_connection_that_asked_for_it() {
    let bench = Bench::new(2);
    let mut quiet = bench.import(2);
    let mut flood = bench.import(1);
    flood.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut bytes = [1, 9, 0x0001_0001, 1, 0, 0, 18, 0, 0, 0].map(u32::to_be_bytes).concat();
    bytes.extend([0x80, 6, 0, 1, 0, 0, 18, 0]);
    let many = bytes.repeat(1000);
    while flood.stream.write_all(&many).is_ok() {}
    quiet.init();
    drop(flood);
    bench.import(1).init();
}

#[test]
fn connections_that_say_nothing_do_not_keep_others_out() {
    let bench = Bench::new(1);
    let _silent: Vec<_> = (0..MAX_CONNECTIONS / 2).map(|_| bench.connect()).collect();
    bench.import(1).init();
}

#[test]
fn an_address_that_others_reach_must_be_allowed() {
    let anywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    assert!(matches!(UsbIp::start(anywhere, false, &[]), Err(Error::NotLoopback(_))));
}

#[test]
fn an_address_that_is_taken_is_an_error_that_names_it() {
    let bench = Bench::new(0);
    let again = UsbIp::start(bench.server.address(), false, &[]);
    assert!(matches!(again, Err(Error::Listen { address, .. }) if address == bench.server.address()));
}

#[test]
fn a_second_operation_on_a_connection_is_not_read() {
    let bench = Bench::new(1);
    let mut stream = bench.connect();
    stream.write_all(&LIST).unwrap();
    stream.write_all(&LIST).unwrap();
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply);
    assert!(reply.len() <= 12 + 316);
}
