//! `keywright emulate`.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use keywright_emulator::{
    Answer, Ask, Attestation, Emulator, Error, Frontend, Options, Running, Storage, TouchPolicy,
};
use serde::Serialize;

use crate::args::{AttestationName, Emulate};
use crate::failure::{Failure, Kind};
use crate::interrupt;
use crate::output::Output;

/// Runs a virtual key until the process is asked to end.
///
/// # Errors
/// Whatever keeps it from starting, or ends it.
pub(crate) fn run(arguments: Emulate, output: &Output) -> Result<(), Failure> {
    let touch = touch_policy(&arguments.touch)?;
    warn(&touch, &arguments);
    let control = arguments.control.clone();
    let running = Emulator::start(options(arguments, touch))?;
    let handle = running.handle().clone();
    interrupt::on_termination(move || {
        // If it has stopped by itself, that is told below.
        let _ = handle.stop();
    })?;
    output.answer(&Started::new(&running, control))?;
    Ok(running.wait()?)
}

fn options(arguments: Emulate, touch: TouchPolicy) -> Options {
    let udp = arguments.udp.map(Frontend::Udp);
    let tcp = arguments.tcp.map(Frontend::Tcp);
    Options {
        frontends: udp.into_iter().chain(tcp).collect(),
        allow_remote: arguments.allow_remote,
        storage: arguments.state.map_or(Storage::Ephemeral, Storage::File),
        touch,
        attestation: match arguments.attestation {
            AttestationName::PackedSelf => Attestation::PackedSelf,
            AttestationName::Basic => Attestation::Basic,
            AttestationName::None => Attestation::None,
        },
        control: arguments.control,
    }
}

fn touch_policy(words: &str) -> Result<TouchPolicy, Failure> {
    let policy = TouchPolicy::parse(words, ask()).map_err(|error| Failure::usage(error.to_string()))?;
    if matches!(policy, TouchPolicy::Prompt(_)) && !io::stdin().is_terminal() {
        return Err(Failure::usage(
            "--touch prompt asks at the terminal, and there is none: choose --touch manual (with --control), after=MILLISECONDS, deny or auto",
        ));
    }
    Ok(policy)
}

/// Says what is given away.
fn warn(touch: &TouchPolicy, arguments: &Emulate) {
    if matches!(touch, TouchPolicy::Auto | TouchPolicy::After(_)) {
        Output::note(
            "Warning: this key touches itself. A touch is what proves that a person is there; without it, every program that can \
             reach this key can register and sign in with it, unseen. Use it for tests, not for an account that matters.",
        );
    }
    if arguments.allow_remote {
        Output::note(
            "Warning: with --allow-remote, whoever can reach the address can use the key; nothing is encrypted on the way.",
        );
    }
}

/// Asks at the terminal, on a thread of the key's.
fn ask() -> Ask {
    Box::new(|prompt| {
        Output::note("The key wants to be touched: press Enter, or type n and Enter to decline.");
        let mut line = String::new();
        let read = io::stdin().read_line(&mut line);
        if !prompt.is_wanted() {
            Output::note("That was too late: the request is over.");
            return Answer::Nothing;
        }
        match read {
            Ok(0) | Err(_) => Answer::Nothing,
            Ok(_) if line.trim().eq_ignore_ascii_case("n") => Answer::Decline,
            Ok(_) => Answer::Touch,
        }
    })
}

/// What can be reached where.
#[derive(Serialize)]
struct Started {
    #[serde(skip_serializing_if = "Option::is_none")]
    udp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<PathBuf>,
}

impl Started {
    fn new(running: &Running, control: Option<PathBuf>) -> Self {
        let mut started = Self { udp: None, tcp: None, control };
        for frontend in running.frontends() {
            match frontend {
                Frontend::Udp(address) => started.udp = Some(address.to_string()),
                Frontend::Tcp(address) => started.tcp = Some(address.to_string()),
            }
        }
        started
    }
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("A virtual key is plugged in")?;
        let udp = self.udp.as_ref().map(|address| format!("udp:{address}"));
        let tcp = self.tcp.as_ref().map(|address| format!("tcp:{address}"));
        let devices: Vec<_> = udp.into_iter().chain(tcp).collect();
        if let Some(device) = devices.first() {
            write!(f, " at {}: try `keywright info --device {device}`", devices.join(" and "))?;
        }
        if let Some(control) = &self.control {
            write!(f, "; its hand is the socket {}", control.display())?;
        }
        write!(f, ". Ctrl-C ends it.")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::NotLoopback(address) => Self::usage(format!(
                "{address} can be reached by other machines, which could then use the key: bind 127.0.0.1, or add --allow-remote if that is meant"
            )),
            Error::ControlNotSocket(_) => Self::usage(error.to_string()),
            _ => Self::new(Kind::Other, error.to_string()),
        }
    }
}
