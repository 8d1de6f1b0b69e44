//! What a command costs as a multiple of the cryptography that it cannot do without, both measured in one run.
//!
//! `cargo bench -p keywright-tests --bench ratios`: a line a command; a ratio over its limit ends with status 1. Rounds of
//! both alternate, and the median round of each counts, so that a noisy machine disturbs them alike.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench fails by panicking")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ciborium::{Value, cbor};
use ecdsa::hazmat::sign_prehashed_rfc6979;
use keywright_common::auth_data::AuthData;
use keywright_common::ctaphid::{ChannelId, Command, Message};
use keywright_common::time;
use keywright_firmware::Authenticator;
use keywright_firmware::authenticator::{Progress, Start};
use keywright_firmware::ctaphid::Request;
use keywright_tests::{IDENTITY, RamFlash, TestRandom, map, value_at};
use p256::{NistP256, NonZeroScalar};
use sha2::Sha256;

type Key = Authenticator<RamFlash, TestRandom, Box<Message>>;

/// The key behind its bytes interface: a message in, a message out.
struct Bench {
    key: Key,
    message: Option<Box<Message>>,
    now: time::Instant,
}

impl Bench {
    fn new() -> Self {
        let buffer = Box::new(Message::new());
        let now = time::Instant::ZERO;
        let key = Key::new(IDENTITY, RamFlash::default(), TestRandom(7), buffer, Start::PowerUp, now);
        Self { key, message: Some(Box::new(Message::new())), now }
    }

    /// Runs a command and gives its response.
    fn run(&mut self, bytes: &[u8]) -> &[u8] {
        let mut message = self.message.take().unwrap();
        message.set(bytes).unwrap();
        self.now = self.now + time::Millis(1);
        let request = Request { channel: ChannelId(1), command: Command::CBOR, message };
        let mut progress = self.key.start(request, self.now);
        if let Progress::TouchWanted(_) = progress {
            self.now = self.now + time::Millis(1);
            progress = self.key.touch(self.now).unwrap();
        }
        let Progress::Done(response) = progress else { panic!("the command did not end") };
        self.message.insert(response.message).as_slice()
    }
}

fn main() -> ExitCode {
    let mut bench = Bench::new();
    let creation = command(
        1,
        &map([
            (1, Value::from(&[1; 32][..])),
            (2, cbor!({ "id" => "example.org" }).unwrap()),
            (3, cbor!({ "id" => Value::Bytes(vec![1]) }).unwrap()),
            (4, cbor!([{ "alg" => -7, "type" => "public-key" }]).unwrap()),
        ]),
    );
    let created: Value = ciborium::from_reader(bench.run(&creation).get(1..).unwrap()).unwrap();
    let auth_data = value_at(&created, 2).as_bytes().unwrap();
    let id = AuthData::parse(auth_data).unwrap().attested_credential.unwrap().credential_id.to_vec();
    let list = cbor!([{ "id" => Value::Bytes(id), "type" => "public-key" }]).unwrap();
    let assertion =
        command(2, &map([(1, Value::from("example.org")), (2, Value::from(&[1; 32][..])), (3, list)]));

    let scalar = NonZeroScalar::from_repr([7; 32].into()).unwrap();
    let sign = || {
        black_box(sign_prehashed_rfc6979::<NistP256, Sha256>(&scalar, &[3; 32], &[5; 32]));
    };
    let make = || {
        black_box(p256::PublicKey::from_secret_scalar(&scalar));
        sign();
    };
    let assertions = compare(|| drop(bench.run(&assertion).to_vec()), sign);
    let creations = compare(|| drop(bench.run(&creation).to_vec()), make);
    let mut within = report("getAssertion, allowList of 1", "one signature", assertions);
    within &= report("makeCredential, packed self", "key generation and one signature", creations);
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn command(command: u8, parameters: &Value) -> Vec<u8> {
    let mut bytes = vec![command];
    ciborium::into_writer(parameters, &mut bytes).unwrap();
    bytes
}

/// The median round of each, run in turns.
fn compare(mut measured: impl FnMut(), mut limit: impl FnMut()) -> (Duration, Duration) {
    let mut rounds = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        rounds.0.push(time_of(&mut measured));
        rounds.1.push(time_of(&mut limit));
    }
    (median(rounds.0), median(rounds.1))
}

fn time_of(work: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    (0..REPEATS).for_each(|_| work());
    start.elapsed() / REPEATS
}

fn median(mut rounds: Vec<Duration>) -> Duration {
    rounds.sort();
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}

/// Prints one line; whether the ratio is within the limit.
fn report(command: &str, limit: &str, (measured, least): (Duration, Duration)) -> bool {
    let ratio = measured.as_secs_f64() / least.as_secs_f64();
    println!("{command}: {measured:.1?}; {limit}: {least:.1?}; ratio {ratio:.2}, goal {GOAL}");
    ratio <= GOAL
}

const GOAL: f64 = 1.25;
const ROUNDS: usize = 41;
const REPEATS: u32 = 25;
