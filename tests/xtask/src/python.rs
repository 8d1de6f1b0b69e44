//! The Python packages of the foreign clients, in an environment of the project's own.

use std::{fs, path::PathBuf};

use crate::run::{Log, Outcome, Project, answers, failed};

/// The packages, each at one version.
pub(crate) const REQUIREMENTS: [&str; 3] = [
    "tests/foreign/requirements.txt",
    "tests/iam-clients/requirements.txt",
    "tests/browser/requirements.txt",
];

/// The interpreter that has the packages.
pub(crate) fn interpreter(project: &Project) -> PathBuf {
    folder(project).join("bin/python")
}

/// Whether the environment is there and holds the packages that the project asks for today.
pub(crate) fn is_ready(project: &Project) -> bool {
    let installed = fs::read_to_string(stamp(project));
    matches!((installed, wanted(project)), (Ok(installed), Ok(wanted)) if installed == wanted)
        && answers(
            project
                .command(interpreter(project))
                .args(["-c", "import fido2, boto3, awscli, pyotp, websocket"]),
        )
}

/// Makes the environment anew.
pub(crate) fn install(project: &Project, log: &Log) -> Outcome {
    let folder = folder(project);
    log.run(project.command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = project.command(interpreter(project));
    pip.args(["-m", "pip", "install", "--quiet"]);
    pip.args(REQUIREMENTS.iter().flat_map(|list| ["--requirement", list]));
    log.run(&mut pip)?;
    // Written last: an installation that was cut short is not taken for a whole one.
    fs::write(stamp(project), wanted(project)?).map_err(|error| failed(&folder.display(), &error))
}

/// The lists as they are today, one after the other.
fn wanted(project: &Project) -> Outcome<String> {
    REQUIREMENTS.iter().map(|list| project.read(list)).collect()
}

fn folder(project: &Project) -> PathBuf {
    project.target.join("xtask/venv")
}

fn stamp(project: &Project) -> PathBuf {
    folder(project).join("requirements.txt")
}
