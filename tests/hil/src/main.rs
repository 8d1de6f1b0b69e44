//! `cargo xtask hil`: the scenarios against a key that is plugged in.

mod control;
mod operator;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;
use keywright_hil::{Effect, Offer, Rig, Selection, TABLE, plan, run};
use keywright_host::pin_uv_auth::Pin;
use keywright_host::transport::{self, DeviceAddress};

use control::ControlSocket;
use operator::Operator;

/// Plays the project's scenarios with a security key, of whatever vendor.
///
/// It asks the key what it offers, says what it will do, and leaves out what the key does not have. Nothing is lost without --wipe.
/// Exit codes: 0 nothing failed, 1 something did, 2 the arguments, 3 there is no such key, 4 the user ended it.
#[derive(Parser)]
#[command(name = "cargo xtask hil", bin_name = "cargo xtask hil")]
struct Arguments {
    /// The key: hid:PATH, udp:ADDRESS:PORT or tcp:ADDRESS:PORT
    #[arg(long, value_name = "ADDRESS", required_unless_present = "list")]
    device: Option<DeviceAddress>,
    /// Also play what resets the key, sets a PIN and stores credentials: everything that is on the key is lost
    #[arg(long)]
    wipe: bool,
    /// Do not ask before wiping
    #[arg(long, requires = "wipe")]
    yes: bool,
    /// Also play what waits for longer than ten seconds
    #[arg(long)]
    slow: bool,
    /// The environment variable with the key's PIN, for keys that want it for everything
    #[arg(long, value_name = "NAME")]
    pin_env: Option<String>,
    /// The emulator's control socket, which touches the key and plugs it in again
    #[arg(long, value_name = "SOCKET")]
    control: Option<PathBuf>,
    /// The key is touched without being asked, as with `keywright emulate --touch auto`
    #[arg(long)]
    touches_itself: bool,
    /// Write the results there as JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Show the scenarios, and play none
    #[arg(long)]
    list: bool,
    /// Only these: subjects (pin) or names (pin/wrong)
    #[arg(value_name = "SCENARIO")]
    names: Vec<String>,
}

/// Why nothing was played: what to say, and the exit code.
struct Refusal(u8, String);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        print!("{}", listing());
        return ExitCode::SUCCESS;
    }
    match play(arguments) {
        Ok(code) => ExitCode::from(code),
        Err(Refusal(code, words)) => {
            eprintln!("cargo xtask hil: {words}");
            ExitCode::from(code)
        }
    }
}

fn play(arguments: Arguments) -> Result<u8, Refusal> {
    let selection = selection(&arguments)?;
    let Some(address) = arguments.device else {
        return Err(Refusal(USAGE, "--device is missing".to_owned()));
    };
    let is_stopped = watch()?;
    let control = arguments.control.map(ControlSocket::new).transpose().map_err(|why| Refusal(USAGE, why))?;
    let transport = transport::open(&address).map_err(|error| Refusal(DEVICE, error.to_string()))?;
    let name = address.to_string();
    let operator = Operator::new(address, control, arguments.touches_itself, is_stopped);
    let mut rig = Rig::new(transport, Box::new(operator));
    if let Some(name) = arguments.pin_env {
        rig = rig.with_pin(pin(&name)?);
    }
    let offer = rig.offer().map_err(|error| Refusal(DEVICE, error.to_string()))?;
    if announce(&name, &offer, &selection) && !arguments.yes {
        confirm(&name)?;
    }
    let report = run(&mut rig, &selection).map_err(|error| Refusal(DEVICE, error.to_string()))?;
    // Whoever sits at the terminal has seen each line as it came.
    if io::stdout().is_terminal() {
        println!("{}", report.summary())
    } else {
        print!("{}", report.table())
    }
    match &report.left {
        Some(left) => eprintln!("{left}"),
        None if report.is_interrupted => eprintln!("What is on the key is as it was."),
        None => {}
    }
    if let Some(path) = arguments.junit {
        std::fs::write(&path, report.junit(&name))
            .map_err(|error| Refusal(OTHER, format!("{}: {error}: name another file", path.display())))?;
    }
    Ok(match (report.is_interrupted, report.is_well()) {
        (true, _) => USER,
        (false, true) => 0,
        (false, false) => OTHER,
    })
}

fn selection(arguments: &Arguments) -> Result<Selection, Refusal> {
    for name in &arguments.names {
        let one = Selection { names: vec![name.clone()], ..Selection::default() };
        if !TABLE.iter().any(|scenario| one.names(scenario)) {
            let words = format!("there is no scenario `{name}`: --list shows them");
            return Err(Refusal(USAGE, words));
        }
    }
    Ok(Selection { names: arguments.names.clone(), may_wipe: arguments.wipe, with_slow: arguments.slow })
}

/// Says what the key is and what will be done with it; whether it will be wiped.
fn announce(name: &str, offer: &Offer, selection: &Selection) -> bool {
    // What a key calls itself could drive a terminal.
    let versions = offer.info.as_ref().map(|info| info.versions.join(" ").escape_debug().to_string());
    eprintln!("{name}: {}", versions.as_deref().unwrap_or("U2F only"));
    let plan = plan(selection, offer);
    let played: Vec<_> = plan.iter().filter(|(_, why)| why.is_none()).map(|(scenario, _)| scenario).collect();
    let wipes = played.iter().any(|scenario| scenario.effect == Effect::Wipes);
    eprintln!("Scenarios to be played: {}; left out: {}.", played.len(), plan.len() - played.len());
    for scenario in &played {
        eprintln!("  {:<26} {}", scenario.name, scenario.about);
    }
    if wipes {
        eprintln!("The key is reset before and after: EVERY CREDENTIAL AND THE PIN ON IT ARE LOST.");
    } else {
        eprintln!("Nothing that is on the key is changed. Touch it when it asks.");
    }
    wipes
}

fn confirm(name: &str) -> Result<(), Refusal> {
    if !io::stdin().is_terminal() {
        let words = "there is no terminal to ask at whether the key may be wiped: add --yes if it may";
        return Err(Refusal(USAGE, words.to_owned()));
    }
    eprint!("Wipe {name}? [y/N] ");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer);
    if read.is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        return Ok(());
    }
    Err(Refusal(USER, "nothing was done: answer y, or leave out --wipe".to_owned()))
}

fn pin(name: &str) -> Result<Pin, Refusal> {
    let text = std::env::var(name)
        .map_err(|_| Refusal(USAGE, format!("the environment has no variable {name} with a PIN")))?;
    Pin::new(&text).map_err(|rule| Refusal(USAGE, rule.to_string()))
}

/// Whether the user asked for the end. The first Ctrl-C ends the run in order, the second the process.
fn watch() -> Result<Arc<AtomicBool>, Refusal> {
    let is_stopped = Arc::new(AtomicBool::new(false));
    let heed = is_stopped.clone();
    let handler = move || {
        if heed.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(USER));
        }
    };
    ctrlc::set_handler(handler)
        .map_err(|error| Refusal(OTHER, format!("Ctrl-C cannot be watched: {error}")))?;
    Ok(is_stopped)
}

fn listing() -> String {
    let line = |scenario: &keywright_hil::Scenario| {
        let wipes = if scenario.effect == Effect::Wipes { " (--wipe)" } else { "" };
        let slow = if scenario.is_slow { " (--slow)" } else { "" };
        format!("{:<26} {}{wipes}{slow}\n", scenario.name, scenario.about)
    };
    TABLE.iter().map(line).collect()
}

// The codes of the command `keywright`.
const OTHER: u8 = 1;
const USAGE: u8 = 2;
const DEVICE: u8 = 3;
const USER: u8 = 4;
