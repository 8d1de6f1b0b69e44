//! Clients that know nothing but hidraw, against the key in a Linux guest: `tests/lab/run.py`, one boot for all.

use std::{fs, time::Duration};

use super::demo::release_build;
use crate::{
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
    let results = lab::results(project)?;
    let table = results.join("table.txt");
    // What an earlier run found is not what this one finds.
    if table.exists() {
        fs::remove_file(&table).map_err(|error| failed(&table.display(), &error))?;
    }
    let mut command = lab::guest(project, &results);
    command.env("VM_TIMEOUT", GUEST_LIMIT.as_secs().to_string());
    command.env("KEYWRIGHT", binary).env("HIL", hil).env("RESULTS", &results);
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

/// The guest kills itself then; the whole stage is to stay below a quarter of an hour.
const GUEST_LIMIT: Duration = Duration::from_secs(840);
