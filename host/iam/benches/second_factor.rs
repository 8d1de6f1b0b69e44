//! What the second factor of a sign-in costs as a multiple of the signature verification that it cannot do without, both
//! measured in one run, over the socket as a browser or script asks.
//!
//! `cargo bench -p keywright-iam`: a line a measurement; a ratio under its goal ends with status 1. Rounds of all
//! alternate, and the median of each counts. The password step, which is slow on purpose, stands apart.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    reason = "a bench fails by panicking, and shares a module with the tests"
)]

#[path = "../src/http/tests/authenticator.rs"]
mod authenticator;

use std::{
    hint::black_box,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, UNIX_EPOCH},
};

use authenticator::Key;
use keywright_iam::{Clock, Config, Running, Server};
use p256::ecdsa::{
    Signature,
    signature::{Signer as _, Verifier as _},
};
use serde_json::{Value, json};

/// Random bytes, as the shared module asks for them.
fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A script with one connection that it keeps, and cookies.
struct Client {
    stream: BufReader<TcpStream>,
    host: String,
    cookies: String,
}

impl Client {
    fn new(running: &Running) -> Self {
        let stream = TcpStream::connect(running.url.trim_start_matches("http://")).unwrap();
        stream.set_nodelay(true).unwrap();
        let host = running.console_url.trim_start_matches("http://").to_owned();
        Self { stream: BufReader::new(stream), host, cookies: String::new() }
    }

    fn post(&mut self, path: &str, body: &Value) -> Value {
        let (host, cookies, body) = (&self.host, &self.cookies, body.to_string());
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: {cookies}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len(),
        );
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 20"), "{line}");
        let (mut length, mut cookies) = (0, Vec::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            match line.trim_end().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(("set-cookie", value)) => cookies.push(value.split(';').next().unwrap().to_owned()),
                Some(_) => {}
                None => break,
            }
        }
        if !cookies.is_empty() {
            self.cookies = cookies.join("; ");
        }
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}

/// A user with a security key and an authenticator app, whose clock is set by hand.
struct User {
    client: Client,
    claim: Value,
    seconds: Arc<AtomicU64>,
    key: Key,
    serial: Value,
    seed: Vec<u8>,
}

impl User {
    fn new(running: &Running, seconds: Arc<AtomicU64>) -> Self {
        let mut client = Client::new(running);
        let secret = running.administrator.clone().unwrap();
        let claim = json!({"account": running.account, "user": secret.user, "password": secret.password});
        client.post("/api/sign-in", &claim);
        // Begun while no device is in use: later it would need a session that proved one.
        let setup = client.post("/api/mfa-devices/totp", &json!({"name": "app"}));
        let seed =
            data_encoding::BASE32_NOPAD.decode(setup["seed_base32"].as_str().unwrap().as_bytes()).unwrap();
        let key = Key::new(&running.console_url);
        let options = client.post("/api/mfa-devices/webauthn/options", &json!({"name": "key"}));
        let body = json!({"name": "key", "credential": key.create(&options)});
        client.post("/api/mfa-devices/webauthn", &body);
        let mut user = Self { client, claim, seconds, key, serial: setup["serial"].clone(), seed };
        user.key_step();
        let (code1, code2) = (user.code(0), user.code(1));
        let body = json!({"serial": user.serial, "code1": code1, "code2": code2});
        user.client.post("/api/mfa-devices/totp/enable", &body);
        user.seconds.fetch_add(30, Ordering::SeqCst);
        user
    }

    /// The first step of a sign-in.
    fn password_step(&mut self) -> Duration {
        let begin = Instant::now();
        let answer = self.client.post("/api/sign-in", &self.claim);
        let took = begin.elapsed();
        assert_eq!(answer["state"], "mfa_required");
        took
    }

    /// The second step with the key, from its answer on.
    fn key_step(&mut self) -> Duration {
        self.password_step();
        let options = self.client.post("/api/sign-in/webauthn/options", &json!({}));
        let body = json!({"credential": self.key.get(&options)});
        self.finish("/api/sign-in/webauthn", &body)
    }

    /// The second step with a code.
    fn code_step(&mut self) -> Duration {
        self.password_step();
        self.seconds.fetch_add(30, Ordering::SeqCst);
        let body = json!({"serial": self.serial, "code": self.code(0)});
        self.finish("/api/sign-in/totp", &body)
    }

    fn finish(&mut self, path: &str, body: &Value) -> Duration {
        let begin = Instant::now();
        let answer = self.client.post(path, body);
        let took = begin.elapsed();
        assert_eq!(answer["state"], "signed_in");
        took
    }

    /// The code of a step from now on.
    fn code(&self, steps: u64) -> String {
        let at = self.seconds.load(Ordering::SeqCst) + 30 * steps;
        totp_rs::Builder::new().with_secret(self.seed.clone()).build_noncompliant().generate(at).to_string()
    }
}

fn main() -> ExitCode {
    let seconds = Arc::new(AtomicU64::new(1_800_000_000));
    let clock = Clock::from_fn({
        let seconds = Arc::clone(&seconds);
        move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst))
    });
    let running = Server::start(Config { clock, ..Config::ephemeral() }).unwrap();
    let mut user = User::new(&running, seconds);
    let (signing, message) = (user.key.signing.clone(), [7; 69]);
    let signature: Signature = signing.sign(&message);
    let verifying = *signing.verifying_key();
    let bare = || {
        let begin = Instant::now();
        black_box(&verifying).verify(black_box(&message), black_box(&signature)).unwrap();
        begin.elapsed()
    };
    let (mut keys, mut codes, mut bares, mut passwords) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        keys.push(user.key_step());
        bares.push(bare());
        codes.push(user.code_step());
        bares.push(bare());
        passwords.push(user.password_step());
    }
    let bare = median(bares);
    println!("bare ECDSA verification    {:>8.1} us", micros(bare));
    println!("password step, by itself   {:>8.1} us", micros(median(passwords)));
    let mut well = true;
    for (name, times) in [("security key", keys), ("code of an app", codes)] {
        let time = median(times);
        let ratio = bare.as_secs_f64() / time.as_secs_f64();
        well &= ratio >= GOAL;
        println!(
            "second step, {name:<14}{:>8.1} us   {ratio:.2} of bare verifications a second (goal {GOAL})",
            micros(time)
        );
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

const ROUNDS: usize = 101;
const GOAL: f64 = 0.5;
