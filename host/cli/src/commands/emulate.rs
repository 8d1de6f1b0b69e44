//! `keywright emulate`.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::thread;

use keywright_emulator::{
    Answer, Ask, Attestation, Emulator, Error, Frontend, Handle, Options, Running, Storage, TouchPolicy,
    UsbIp,
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
    warn(&touch_policy(&arguments.touch)?, &arguments);
    let mut running = Vec::new();
    for place in 1..=arguments.keys {
        running.push(Emulator::start(options(&arguments, place)?)?);
    }
    let handles: Vec<_> = running.iter().map(|key| key.handle().clone()).collect();
    let start = |address| UsbIp::start(address, arguments.allow_remote, &handles);
    let server = arguments.usbip.map(start).transpose()?;
    let stopped = handles.clone();
    // Those that have stopped by themselves are told of below.
    interrupt::on_termination(move || stop(&stopped))?;
    output.answer(&Started::new(&running, server.as_ref(), &arguments))?;
    wait(running, &handles)
}

/// Waits for all keys; when one cannot go on, the others stop too.
fn wait(running: Vec<Running>, handles: &[Handle]) -> Result<(), Failure> {
    let wait = |key: Running| {
        let ended = key.wait();
        stop(handles);
        ended
    };
    thread::scope(|scope| {
        let threads: Vec<_> = running.into_iter().map(|key| scope.spawn(move || wait(key))).collect();
        let ends: Vec<_> =
            threads.into_iter().map(|thread| thread.join().unwrap_or(Err(Error::Thread))).collect();
        Ok(ends.into_iter().collect::<Result<(), Error>>()?)
    })
}

fn stop(handles: &[Handle]) {
    for handle in handles {
        let _ = handle.stop();
    }
}

/// The options of the key in this place, from 1.
fn options(arguments: &Emulate, place: u32) -> Result<Options, Failure> {
    let udp = arguments.udp.map(Frontend::Udp);
    let tcp = arguments.tcp.map(Frontend::Tcp);
    let uhid = arguments.uhid.then_some(Frontend::Uhid);
    let state = arguments.state.as_ref().map(|path| own(path, arguments.keys, place));
    Ok(Options {
        frontends: udp.into_iter().chain(tcp).chain(uhid).collect(),
        allow_remote: arguments.allow_remote,
        storage: state.map_or(Storage::Ephemeral, Storage::File),
        touch: touch_policy(&arguments.touch)?,
        attestation: match arguments.attestation {
            AttestationName::PackedSelf => Attestation::PackedSelf,
            AttestationName::Basic => Attestation::Basic,
            AttestationName::None => Attestation::None,
        },
        control: arguments.control.as_ref().map(|path| own(path, arguments.keys, place)),
    })
}

/// The file of one of several keys: its place is the name's ending.
fn own(path: &Path, keys: u32, place: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    if keys > 1 {
        name.push(format!(".{place}"));
    }
    name.into()
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
    /// Where the devices are plugged in begins like that (`HID_PHYS` in sysfs); their places follow, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    uhid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usbip: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bus_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    control: Option<Control>,
}

/// The control socket of the only key, or those of all.
#[derive(Serialize)]
#[serde(untagged)]
enum Control {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

impl Started {
    fn new(running: &[Running], server: Option<&UsbIp>, arguments: &Emulate) -> Self {
        let mut started = Self {
            udp: None,
            tcp: None,
            uhid: None,
            usbip: server.map(|server| server.address().to_string()),
            bus_ids: server.map(UsbIp::bus_ids).unwrap_or_default(),
            control: arguments.control.as_ref().map(|path| match arguments.keys {
                1 => Control::One(path.clone()),
                keys => Control::Several((1..=keys).map(|place| own(path, keys, place)).collect()),
            }),
        };
        for frontend in running.iter().flat_map(Running::frontends) {
            match frontend {
                Frontend::Udp(address) => started.udp = Some(address.to_string()),
                Frontend::Tcp(address) => started.tcp = Some(address.to_string()),
                Frontend::Uhid => started.uhid = Some(format!("keywright/{}/", std::process::id())),
            }
        }
        started
    }

    /// How the driver reaches it.
    fn devices(&self) -> Vec<String> {
        let udp = self.udp.as_ref().map(|address| format!("udp:{address}"));
        let tcp = self.tcp.as_ref().map(|address| format!("tcp:{address}"));
        udp.into_iter().chain(tcp).collect()
    }
}

impl fmt::Display for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("A virtual key is plugged in")?;
        let devices = self.devices();
        if let Some(device) = devices.first() {
            write!(f, " at {}: try `keywright info --device {device}`", devices.join(" and "))?;
        } else if self.uhid.is_some() {
            f.write_str(" to this machine: try `keywright list`")?;
        }
        if let Some(address) = &self.usbip {
            let (host, port) = address.rsplit_once(':').unwrap_or((address, "3240"));
            write!(f, "; `usbip -t {port} attach -r {host} -b {}` attaches it", self.bus_ids.join("|"))?;
        }
        match &self.control {
            Some(Control::One(path)) => write!(f, "; its hand is the socket {}", path.display())?,
            Some(Control::Several(paths)) => write!(f, "; their hands are {} sockets", paths.len())?,
            None => {}
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
