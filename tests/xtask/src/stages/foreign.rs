//! Other people's clients against the emulator: `tests/foreign/run.sh`.
//!
//! The script finds the binary under test in `KEYWRIGHT` and the interpreter with the pinned packages in `PYTHON`.

use std::time::Duration;

use super::demo::release_build;
use crate::{
    python,
    run::{Log, Outcome, Project, skipped},
};

/// Runs the script with the binary and the interpreter that it needs.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    if !project.root.join(SCRIPT).exists() {
        return Err(skipped(format!("there is no {SCRIPT} yet"), "write it"));
    }
    if !python::is_ready(project) {
        return Err(skipped("the pinned Python packages are not installed", "cargo xtask setup"));
    }
    let binary = release_build(project, log)?;
    let mut command = project.command("bash");
    command.arg(SCRIPT).env("KEYWRIGHT", binary).env("PYTHON", python::interpreter(project));
    log.run_within(Duration::from_secs(600), &mut command)
}

const SCRIPT: &str = "tests/foreign/run.sh";
