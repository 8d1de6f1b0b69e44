//! Clients that know nothing but hidraw, against the key in a Linux guest: `tests/lab/run.py`, one boot for all.

use std::{fs, time::Duration};

use super::demo::release_build;
use crate::{
    boards, emulator,
    emulator::{Board, Program, Touch},
    lab, python,
    run::{Log, Outcome, Project, failed, skipped},
};

/// Boots the guest, plays every scenario there, and prints the table of clients and operations.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    lab::require()?;
    if !python::is_ready(project) {
        return Err(skipped("the pinned Python packages are not installed", "cargo xtask setup"));
    }
    let binary = release_build(project, log)?;
    log.run(&mut project.cargo("build --locked --package keywright-hil"))?;
    let hil = project.target.join("debug/keywright-hil");
    if !emulator::is_ready(project) {
        return Err(skipped("the emulated board is not installed", "cargo xtask setup"));
    }
    let image = boards::rp2040(project, log)?;
    // Outside of the guest, which has no strength to spare.
    let board = Board::start(project, Program::UsbIp, &image.elf, Touch::Always)?;
    let results = lab::results(project)?;
    let table = results.join("table.txt");
    // What an earlier run found, and saw, is not what this one does.
    fs::remove_dir_all(&results).map_err(|error| failed(&results.display(), &error))?;
    fs::create_dir(&results).map_err(|error| failed(&results.display(), &error))?;
    let mut command = lab::guest(project, &results);
    command.env("VM_TIMEOUT", GUEST_LIMIT.as_secs().to_string());
    command.env("VM_MEM", GUEST_MEMORY);
    command.env("VM_NET", "1").env("BOARD_PORT", board.port());
    command.env("KEYWRIGHT", binary).env("HIL", hil).env("RESULTS", &results);
    command.env("CHROMIUM", "chromium").env("FIREFOX", "firefox-esr");
    command.arg(python::interpreter(project)).args(["-B", "tests/lab/run.py"]);
    let outcome = log.run_within(GUEST_LIMIT + Duration::from_secs(30), &mut command);
    match fs::read_to_string(&table) {
        Ok(text) => print!("{text}"),
        // It was played to its end, so that it has a table; a run that failed may have none.
        Err(error) if outcome.is_ok() => return Err(failed(&table.display(), &error)),
        Err(_) => {}
    }
    outcome
}

/// For the browsers; and what the guest writes is in memory too.
const GUEST_MEMORY: &str = "3G";

/// The guest kills itself then. On two idle processors it takes about a third of that.
const GUEST_LIMIT: Duration = Duration::from_secs(1800);
