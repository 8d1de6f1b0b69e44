//! What the second factor of a sign-in costs as a multiple of the signature verification that it cannot do without, both
//! measured in one run, over the socket as a browser or script asks.
//!
//! `cargo bench -p keywright-iam`: a line a measurement; a ratio under its goal ends with status 1. In each round several
//! sign-ins get as far as their second step, and then these steps and bare verifications take turns: the password step
//! is slow and fills the processor's caches on purpose, and is measured apart. What counts is the median of the time that
//! this process, client and server, was on a processor: on a machine that does other work, time on the wall tells how long
//! it waited for its turn. That is shown too. Two parts of
//! every step stand beside it: a request that does nothing, and one that looks up its session on a thread that may
//! block. With a data directory a step waits for the disk as well: that is told and not held to the goal, since it
//! measures the disk.
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
    path::Path,
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
    Signature, VerifyingKey,
    signature::{Signer as _, Verifier as _},
};
use rustix::time::{ClockId, clock_gettime};
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
        self.ask("POST", path, &body.to_string())
    }

    fn ask(&mut self, method: &str, path: &str, body: &str) -> Value {
        let (host, cookies) = (&self.host, &self.cookies);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nCookie: {cookies}\r\n\
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

/// The last request of a sign-in.
struct Second {
    cookies: String,
    path: &'static str,
    body: String,
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
        let second = user.answered();
        user.finish(second);
        let (code1, code2) = (user.code(0), user.code(1));
        let body = json!({"serial": user.serial, "code1": code1, "code2": code2});
        user.client.post("/api/mfa-devices/totp/enable", &body);
        user.seconds.fetch_add(30, Ordering::SeqCst);
        user
    }

    /// The first step of a sign-in.
    fn password_step(&mut self) -> Took {
        // A sign-in ends the one whose cookies it brings.
        self.client.cookies.clear();
        let claim = self.claim.clone();
        let (answer, took) = timed(|| self.client.post("/api/sign-in", &claim));
        assert_eq!(answer["state"], "mfa_required");
        took
    }

    /// A sign-in that lacks nothing but the server's look at what the key answered.
    fn answered(&mut self) -> Second {
        self.password_step();
        let options = self.client.post("/api/sign-in/webauthn/options", &json!({}));
        let body = json!({"credential": self.key.get(&options)}).to_string();
        Second { cookies: self.client.cookies.clone(), path: "/api/sign-in/webauthn", body }
    }

    /// The second step with a code.
    fn code_step(&mut self, cookies: String) -> Took {
        self.seconds.fetch_add(30, Ordering::SeqCst);
        let body = json!({"serial": self.serial, "code": self.code(0)}).to_string();
        self.finish(Second { cookies, path: "/api/sign-in/totp", body })
    }

    fn finish(&mut self, second: Second) -> Took {
        self.client.cookies = second.cookies;
        let (answer, took) = timed(|| self.client.ask("POST", second.path, &second.body));
        assert_eq!(answer["state"], "signed_in");
        took
    }

    /// The code of a step from now on.
    fn code(&self, steps: u64) -> String {
        let at = self.seconds.load(Ordering::SeqCst) + 30 * steps;
        totp_rs::Builder::new().with_secret(self.seed.clone()).build_noncompliant().generate(at).to_string()
    }
}

/// Who asks, and where.
struct Bench {
    in_memory: User,
    on_disk: User,
    /// Nobody's connection.
    stranger: Client,
    /// A signature, and what checks it.
    bare: (VerifyingKey, [u8; 69], Signature),
}

impl Bench {
    fn bare(&self) -> Took {
        let (key, message, signature) = &self.bare;
        timed(|| black_box(key).verify(black_box(message), black_box(signature)).unwrap()).1
    }

    /// Some of each in turn.
    fn round(&mut self, times: &mut Times) {
        let seconds: Vec<_> =
            (0..TURNS).map(|_| (self.in_memory.answered(), self.on_disk.answered())).collect();
        for (in_memory, on_disk) in seconds {
            times.bare.push(self.bare());
            times.key.push(self.in_memory.finish(in_memory));
            times.session.push(timed(|| self.in_memory.client.ask("GET", "/api/session", "")).1);
            times.nothing.push(timed(|| self.stranger.ask("POST", "/api/sign-out", "{}")).1);
            times.bare.push(self.bare());
            times.key_on_disk.push(self.on_disk.finish(on_disk));
        }
        let pending: Vec<_> = (0..TURNS)
            .map(|_| {
                times.password.push(self.in_memory.password_step());
                self.in_memory.client.cookies.clone()
            })
            .collect();
        for cookies in pending {
            times.bare.push(self.bare());
            times.code.push(self.in_memory.code_step(cookies));
        }
    }
}

#[derive(Default)]
struct Times {
    bare: Vec<Took>,
    key: Vec<Took>,
    code: Vec<Took>,
    key_on_disk: Vec<Took>,
    password: Vec<Took>,
    nothing: Vec<Took>,
    session: Vec<Took>,
}

fn main() -> ExitCode {
    let seconds = Arc::new(AtomicU64::new(1_800_000_000));
    let clock = Clock::from_fn({
        let seconds = Arc::clone(&seconds);
        move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::SeqCst))
    });
    let directory =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("second-factor-{}", std::process::id()));
    let in_memory = Server::start(Config { clock: clock.clone(), ..Config::ephemeral() }).unwrap();
    let on_disk = Server::start(Config { clock, ..Config::in_directory(&directory) }).unwrap();
    let (user, stranger) = (User::new(&in_memory, Arc::clone(&seconds)), Client::new(&in_memory));
    let (signing, message) = (user.key.signing.clone(), [7; 69]);
    let bare = (*signing.verifying_key(), message, signing.sign(&message));
    let mut bench = Bench { in_memory: user, on_disk: User::new(&on_disk, seconds), stranger, bare };
    let mut times = Times::default();
    for _ in 0..ROUNDS {
        bench.round(&mut times);
    }
    drop((in_memory, on_disk));
    std::fs::remove_dir_all(directory).unwrap();
    report(times)
}

fn report(times: Times) -> ExitCode {
    let bare = median(times.bare);
    let line = |name: &str, time: Took, more: &str| {
        println!("{name:<42}{:>9.1}{:>9.1}   {more}", micros(time.processor), micros(time.wall));
    };
    println!("{:<42}{:>9}{:>9}", "us, median", "on a CPU", "in all");
    line("bare ECDSA verification", bare, "");
    line("password step, by itself", median(times.password), "");
    line("a request that does nothing", median(times.nothing), "");
    line("a request that looks up its session", median(times.session), "");
    let rated = |name: &str, times, goal: &str| {
        let took = median(times);
        let ratio = bare.processor.as_secs_f64() / took.processor.as_secs_f64();
        line(name, took, &format!("{ratio:.2} of bare verifications a second{goal}"));
        ratio >= GOAL
    };
    let goal = format!(" (goal {GOAL})");
    let key = rated("second step, security key", times.key, &goal);
    let code = rated("second step, code of an app", times.code, &goal);
    rated("second step, security key, data on disk", times.key_on_disk, "");
    if key && code { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How long something took.
#[derive(Clone, Copy, Default)]
struct Took {
    processor: Duration,
    wall: Duration,
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Took) {
    let (begin, wall) = (on_a_processor(), Instant::now());
    let answer = work();
    (answer, Took { wall: wall.elapsed(), processor: on_a_processor() - begin })
}

/// For how long all threads of this process have been.
fn on_a_processor() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

fn median(took: Vec<Took>) -> Took {
    let middle = |of: fn(&Took) -> Duration| {
        let mut times: Vec<_> = took.iter().map(of).collect();
        times.sort_unstable();
        times[times.len() / 2]
    };
    Took { processor: middle(|took| took.processor), wall: middle(|took| took.wall) }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

const ROUNDS: usize = 15;
/// Fewer than ten: a pending sign-in lives for five minutes, and each code takes thirty seconds of the clock set by hand.
const TURNS: usize = 8;
const GOAL: f64 = 0.5;
