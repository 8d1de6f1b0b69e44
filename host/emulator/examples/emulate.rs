//! Runs a key for hosts on this machine, without the `keywright` command.
//!
//! `emulate [--udp ADDRESS] [--tcp ADDRESS] [--uhid] [--usbip ADDRESS] [--state FILE] [--control PATH] [--touch POLICY]
//! [--keys NUMBER]`; prints one line of JSON with what was bound (see `CONTROL.md`) and runs until it is ended. Words that are not
//! known here are refused, but for `emulate` and `--json`, with which the `keywright` command is asked for the same.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use keywright_emulator::{Answer, Ask, Emulator, Frontend, Options, Running, Storage, TouchPolicy, UsbIp};
use serde_json::{Map, Value};

fn main() -> Result<(), Box<dyn Error>> {
    let Arguments { keys, usbip } = arguments(std::env::args().skip(1))?;
    let controls: Vec<_> = keys.iter().filter_map(|key| key.control.clone()).collect();
    let keys = keys.into_iter().map(Emulator::start).collect::<Result<Vec<_>, _>>()?;
    let handles: Vec<_> = keys.iter().map(|key| key.handle().clone()).collect();
    let server = usbip.map(|address| UsbIp::start(address, false, &handles)).transpose()?;
    println!("{}", Value::Object(line(&keys, server.as_ref(), &controls)));
    keys.into_iter().try_for_each(Running::wait)?;
    Ok(())
}

/// What was bound. A single key has one control socket, and several have a list of them.
fn line(keys: &[Running], server: Option<&UsbIp>, controls: &[PathBuf]) -> Map<String, Value> {
    let mut line = Map::new();
    for frontend in keys.iter().flat_map(Running::frontends) {
        match frontend {
            Frontend::Udp(address) => line.insert("udp".into(), address.to_string().into()),
            Frontend::Tcp(address) => line.insert("tcp".into(), address.to_string().into()),
            Frontend::Uhid => line.insert("uhid".into(), format!("keywright/{}/", std::process::id()).into()),
        };
    }
    if let Some(server) = server {
        line.insert("usbip".into(), server.address().to_string().into());
        line.insert("bus_ids".into(), server.bus_ids().into());
    }
    let controls: Vec<Value> = controls.iter().map(|path| path.to_string_lossy().into()).collect();
    match controls.as_slice() {
        [] => {}
        [control] => drop(line.insert("control".into(), control.clone())),
        _ => drop(line.insert("control".into(), controls.into())),
    }
    line
}

/// The keys to run, and where all of them are offered over USB/IP.
struct Arguments {
    keys: Vec<Options>,
    usbip: Option<SocketAddr>,
}

fn arguments(words: impl Iterator<Item = String>) -> Result<Arguments, Box<dyn Error>> {
    let words: Vec<_> = words.collect();
    let number = match words.iter().position(|word| word == "--keys") {
        Some(at) => words.get(at + 1).ok_or("--keys needs a value")?.parse()?,
        None => 1_u32,
    };
    let mut usbip = None;
    let key = |place| options(&words, (number > 1).then_some(place), &mut usbip);
    let keys = (1..=number).map(key).collect::<Result<_, _>>()?;
    Ok(Arguments { keys, usbip })
}

/// The options of one key; `place` is its number if there are several, whose files get it as an ending.
fn options(
    words: &[String],
    place: Option<u32>,
    usbip: &mut Option<SocketAddr>,
) -> Result<Options, Box<dyn Error>> {
    let own = |path: &str| PathBuf::from(place.map_or(path.to_owned(), |place| format!("{path}.{place}")));
    let mut options = Options::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "emulate" | "--json" => {}
            "--keys" => drop(value()?.clone()),
            "--udp" => options.frontends.push(Frontend::Udp(value()?.parse()?)),
            "--tcp" => options.frontends.push(Frontend::Tcp(value()?.parse()?)),
            "--uhid" => options.frontends.push(Frontend::Uhid),
            "--usbip" => *usbip = Some(value()?.parse()?),
            "--state" => options.storage = Storage::File(own(value()?)),
            "--control" => options.control = Some(own(value()?)),
            "--touch" => options.touch = TouchPolicy::parse(value()?, ask())?,
            _ => return Err(format!("`{word}` is not known here").into()),
        }
    }
    Ok(options)
}

/// Asks on the terminal.
fn ask() -> Ask {
    Box::new(|prompt| {
        eprintln!("The key wants to be touched: press Enter, or type n to decline.");
        let mut line = String::new();
        match std::io::stdin().read_line(&mut line) {
            _ if !prompt.is_wanted() => {
                eprintln!("That was too late: the request is over.");
                Answer::Nothing
            }
            Ok(0) | Err(_) => Answer::Nothing,
            Ok(_) if line.trim() == "n" => Answer::Decline,
            Ok(_) => Answer::Touch,
        }
    })
}
