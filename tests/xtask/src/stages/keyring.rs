//! The authenticator app and a real keyring: `tests/keyring/run.sh`.
//!
//! The script finds the command in `KEYWRIGHT`, and starts a session bus and a keyring of its own.

use std::time::Duration;

use crate::run::{Log, Outcome, Project, answers, skipped};

/// Builds the command and runs the script.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    if !is_ready(project) {
        return Err(skipped("there is no keyring to start", by_hand()));
    }
    log.run(&mut project.cargo("build --quiet -p keywright-cli"))?;
    let mut command = project.command("bash");
    command.arg("tests/keyring/run.sh").env("KEYWRIGHT", project.target.join("debug/keywright"));
    log.run_within(Duration::from_secs(600), &mut command)
}

/// Whether all that the script starts is installed.
pub(crate) fn is_ready(project: &Project) -> bool {
    let is_there = |(name, option): (&str, &str)| answers(project.command(name).arg(option));
    COMMANDS.into_iter().all(is_there)
}

/// How a person installs it.
pub(crate) fn by_hand() -> String {
    format!("apt-get install {} (or cargo xtask setup --debian)", PACKAGES.join(" "))
}

/// Debian's names.
pub(crate) const PACKAGES: &[&str] = &["dbus-bin", "dbus-daemon", "gnome-keyring", "python3"];

/// Each with an option that ends it at once and well.
const COMMANDS: [(&str, &str); 3] =
    [("dbus-run-session", "--version"), ("gnome-keyring-daemon", "--version"), ("python3", "--version")];
