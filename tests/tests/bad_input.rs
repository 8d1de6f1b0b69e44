//! Whatever comes in, the answer is the right error, nothing panics, and the next request works.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ciborium::cbor;
use keywright_common::ctaphid::{ChannelId, Command, Report};
use keywright_common::status::Status;
use keywright_tests::{Parameters, Simulation, TestRandom, User};
use proptest::prelude::*;
use rand_core::Rng;

const MAKE_CREDENTIAL: u8 = 0x01;
/// Commands that CTAP 2.1 names and this key has.
const KNOWN: [u8; 9] = [0x01, 0x02, 0x04, 0x06, 0x07, 0x08, 0x0a, 0x0b, 0x41];

fn encoded(command: u8, parameters: &Parameters) -> Vec<u8> {
    let mut payload = vec![command];
    ciborium::into_writer(&parameters.value(), &mut payload).unwrap();
    payload
}

fn assert_works(key: &mut Simulation) {
    key.user = User::Touches;
    Parameters::creation("example.org").create(key).unwrap();
}

#[test]
fn g19_a_command_that_is_not_known_or_a_vendors_does_nothing_without_a_touch() {
    let mut key = Simulation::new();
    key.user = User::MustNotBeAsked;
    let changes = key.flash.changes();
    for command in (0..=u8::MAX).filter(|command| !KNOWN.contains(command)) {
        for payload in [&[command][..], &[command, 0xa0], &[command, 0xff]] {
            let channel = key.channel();
            assert_eq!(key.cbor_bytes_on(channel, payload), Err(Status::INVALID_COMMAND), "{command:#x}");
        }
    }
    for command in (0x20..0x3b).chain(0x40..0x80) {
        let channel = key.channel();
        let answer = key.transact_on(channel, Command(command), &[1, 2, 3]);
        assert_eq!(answer, Err(0x01), "{command:#x}");
    }
    assert_eq!(key.flash.changes(), changes);
    assert_works(&mut key);
}

#[test]
fn g22_every_truncation_of_a_request_is_invalid_cbor() {
    let mut key = Simulation::new();
    key.user = User::MustNotBeAsked;
    let options = cbor!({ "rk" => true }).unwrap();
    let request = encoded(MAKE_CREDENTIAL, &Parameters::creation("example.org").with(7, options));
    for length in 1..request.len() {
        let channel = key.channel();
        assert_eq!(key.cbor_bytes_on(channel, &request[..length]), Err(Status::INVALID_CBOR), "{length}");
    }
    let longer = [&request[..], &[0]].concat();
    let channel = key.channel();
    assert_eq!(key.cbor_bytes_on(channel, &longer), Err(Status::INVALID_CBOR));
    assert_works(&mut key);
}

#[test]
fn g22_no_flipped_bit_of_a_request_stops_the_key() {
    let mut key = Simulation::new();
    let request = encoded(MAKE_CREDENTIAL, &Parameters::creation("example.org").excluding(&[b"foreign"]));
    let channel = key.channel();
    for bit in 8..request.len() * 8 {
        let mut flipped = request.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let _ = key.cbor_bytes_on(channel, &flipped);
    }
    assert_works(&mut key);
}

#[test]
fn g24_the_longest_message_is_read_and_a_longer_one_refused_at_its_first_packet() {
    let mut key = Simulation::new();
    let ids: Vec<Vec<u8>> = (0..64_u8).map(|n| vec![n; 83]).collect();
    let list: Vec<&[u8]> = ids.iter().map(|id| &id[..]).collect();
    let mut request = Parameters::assertion("example.org", &list);
    let spare = 7609 - encoded(2, &request).len();
    request = request.with(4, cbor!({ "x" => "y".repeat(spare - 7) }).unwrap());
    assert_eq!(encoded(2, &request).len(), 7609);
    assert_eq!(request.assert(&mut key), Err(Status::NO_CREDENTIALS));
    let channel = key.channel();
    let first = keywright_common::ctaphid::Packet::initialization(channel, Command::CBOR, 7610, &[2]);
    key.key.handle_report(&first, key.now);
    let report = key.key.poll_transmit().unwrap();
    assert_eq!((report[4], report[7]), (0xbf, 0x03));
    assert_works(&mut key);
}

#[test]
fn g21_wrong_channels_are_refused_and_disturb_nobody() {
    let mut key = Simulation::new();
    for channel in [0, 1, 0xffff_ffff, 0x8000_0000] {
        let answer = key.transact_on(ChannelId(channel), Command::CBOR, &[4]);
        assert_eq!(answer, Err(0x0b), "{channel:#x}");
    }
    assert_works(&mut key);
}

#[test]
fn g22_ten_thousand_random_reports_never_stop_the_key() {
    let mut key = Simulation::new();
    let mut random = TestRandom(3);
    let channel = key.channel();
    for round in 0..10_000 {
        let mut report: Report = [0; 64];
        random.fill_bytes(&mut report);
        if round % 2 == 0 {
            report[..4].copy_from_slice(&channel.0.to_be_bytes());
        }
        if round % 4 == 0 {
            // A short CBOR or MSG message with a known command in it.
            let head = [0x80 | [0x10, 0x03][round / 4 % 2], 0, report[6] % 58, report[7] % 12];
            report[4..8].copy_from_slice(&head);
        }
        key.key.handle_report(&report, key.now);
        key.advance(u64::from(report[63]));
        key.key.decline(key.now);
        while key.key.poll_transmit().is_some() {}
    }
    key.advance(60_000);
    while key.key.poll_transmit().is_some() {}
    key.restart(keywright_firmware::authenticator::Start::Warm);
    assert_works(&mut key);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn g22_random_parameters_of_every_command_are_answered(
        command in 0..KNOWN.len(),
        parameters in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut key = Simulation::new();
        key.user = User::Declines;
        let channel = key.channel();
        let _ = key.cbor_bytes_on(channel, &[&[KNOWN[command]], &parameters[..]].concat());
        prop_assert!(key.cbor(0x04, None).is_ok());
    }
}
