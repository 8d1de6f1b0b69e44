//! A headless Chromium at the local IAM's console: `tests/browser/run.sh`.
//!
//! The script finds the command that serves the console in `KEYWRIGHT_IAM`, the one that reads its QR codes and asks for credentials in
//! `KEYWRIGHT`, the interpreter with the pinned packages in `PYTHON`, the browser in `CHROMIUM`, and leaves a picture of each page in
//! `SCREENSHOTS`: `target/xtask/browser`.

use std::{fs, time::Duration};

use crate::{
    python,
    run::{Log, Outcome, Project, answers, failed, skipped},
};

/// Builds the server and runs the script; the pictures are those of this run alone.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    let Some(chromium) = chromium(project) else {
        return Err(skipped("there is no Chromium", BY_HAND));
    };
    if !python::is_ready(project) {
        return Err(skipped("the pinned Python packages are not installed", "cargo xtask setup"));
    }
    log.run(&mut project.cargo("build --quiet -p keywright-iam --example serve"))?;
    log.run(&mut project.cargo("build --quiet -p keywright-cli"))?;
    let pictures = project.scratch()?.join("browser");
    if pictures.exists() {
        fs::remove_dir_all(&pictures).map_err(|error| failed(&pictures.display(), &error))?;
    }
    let mut command = project.command("bash");
    command.arg("tests/browser/run.sh");
    command.env("KEYWRIGHT_IAM", project.target.join("debug/examples/serve"));
    command.env("KEYWRIGHT", project.target.join("debug/keywright"));
    command.env("PYTHON", python::interpreter(project));
    command.env("CHROMIUM", chromium).env("SCREENSHOTS", pictures);
    log.run_within(Duration::from_secs(900), &mut command)
}

/// The browser's command, if there is one.
pub(crate) fn chromium(project: &Project) -> Option<&'static str> {
    NAMES.into_iter().find(|name| answers(project.command(name).arg("--version")))
}

/// Debian's name, and that of some that follow it.
const NAMES: [&str; 2] = ["chromium", "chromium-browser"];

/// How a person installs it.
pub(crate) const BY_HAND: &str = "apt-get install chromium (or cargo xtask setup --debian)";
