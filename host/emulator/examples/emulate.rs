//! Runs a key for hosts on this machine, without the `keywright` command.
//!
//! `emulate [--udp ADDRESS] [--tcp ADDRESS] [--state FILE] [--control PATH] [--touch POLICY]`; prints one line of JSON with what
//! was bound (see `CONTROL.md`) and runs until it is ended. Words that are not known here are refused, but for `emulate` and `--json`,
//! with which the `keywright` command is asked for the same.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use keywright_emulator::{Answer, Ask, Emulator, Frontend, Options, Storage, TouchPolicy};
use serde_json::{Map, Value};

fn main() -> Result<(), Box<dyn Error>> {
    let options = options(std::env::args().skip(1))?;
    let control = options.control.clone();
    let running = Emulator::start(options)?;
    let mut line = Map::new();
    for frontend in running.frontends() {
        let (name, address) = match frontend {
            Frontend::Udp(address) => ("udp", address),
            Frontend::Tcp(address) => ("tcp", address),
        };
        line.insert(name.into(), address.to_string().into());
    }
    line.extend(control.map(|path| ("control".into(), path.to_string_lossy().into())));
    println!("{}", Value::Object(line));
    Ok(running.wait()?)
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Options, Box<dyn Error>> {
    let mut options = Options::default();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word.as_str() {
            "emulate" | "--json" => {}
            "--udp" => options.frontends.push(Frontend::Udp(value()?.parse::<SocketAddr>()?)),
            "--tcp" => options.frontends.push(Frontend::Tcp(value()?.parse::<SocketAddr>()?)),
            "--state" => options.storage = Storage::File(PathBuf::from(value()?)),
            "--control" => options.control = Some(PathBuf::from(value()?)),
            "--touch" => options.touch = TouchPolicy::parse(&value()?, ask())?,
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
