//! `cargo xtask hil`: builds and runs `keywright-hil` (tests/hil), which has a driver that the checks need not wait for.

use std::{env, ffi::OsString, process::Command};

use crate::run::Project;

/// Runs the scenarios with these arguments; true if nothing failed. Where the system can, this process becomes that one, so
/// that Ctrl-C and the exit code are its own.
pub(crate) fn run(project: &Project, arguments: &[OsString]) -> Result<bool, String> {
    let mut command = project.cargo("run --quiet --locked --package keywright-hil --manifest-path");
    command.arg(project.root.join("Cargo.toml")).arg("--");
    // Where the person stands, not the project's folder: paths on the command line are theirs.
    command.current_dir(env::current_dir().map_err(|error| error.to_string())?);
    become_it(command.args(arguments))
}

#[cfg(unix)]
fn become_it(command: &mut Command) -> Result<bool, String> {
    use std::os::unix::process::CommandExt as _;

    Err(format!("cargo does not start: {}", command.exec()))
}

#[cfg(not(unix))]
fn become_it(command: &mut Command) -> Result<bool, String> {
    let status = command.status().map_err(|error| format!("cargo does not start: {error}"))?;
    Ok(status.success())
}
