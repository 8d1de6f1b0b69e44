//! Real AWS clients against the local IAM: `tests/iam-clients/run.sh`.
//!
//! The script finds the command that serves it in `KEYWRIGHT_IAM`, the one that signs in in `KEYWRIGHT`, and the interpreter with the pinned packages in
//! `PYTHON`.

use std::time::Duration;

use crate::{
    python,
    run::{Log, Outcome, Project, skipped},
};

/// Builds the server and runs the script.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    if !python::is_ready(project) {
        return Err(skipped("the pinned Python packages are not installed", "cargo xtask setup"));
    }
    log.run(&mut project.cargo("build --quiet -p keywright-iam --example serve"))?;
    log.run(&mut project.cargo("build --quiet -p keywright-cli"))?;
    let mut command = project.command("bash");
    command.arg("tests/iam-clients/run.sh");
    command.env("KEYWRIGHT_IAM", project.target.join("debug/examples/serve"));
    command.env("KEYWRIGHT", project.target.join("debug/keywright"));
    command.env("PYTHON", python::interpreter(project));
    log.run_within(Duration::from_secs(600), &mut command)
}
