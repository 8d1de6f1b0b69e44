//! The Python packages of the foreign clients, in an environment of the project's own.

use std::{fs, path::PathBuf};

use crate::run::{Log, Outcome, Project, answers, failed};

/// The packages, each at one version.
pub(crate) const REQUIREMENTS: &str = "tests/foreign/requirements.txt";

/// The interpreter that has the packages.
pub(crate) fn interpreter(project: &Project) -> PathBuf {
    folder(project).join("bin/python")
}

/// Whether the environment is there and holds the packages that the project asks for today.
pub(crate) fn is_ready(project: &Project) -> bool {
    let installed = fs::read_to_string(stamp(project));
    let wanted = fs::read_to_string(project.root.join(REQUIREMENTS));
    matches!((installed, wanted), (Ok(installed), Ok(wanted)) if installed == wanted)
        && answers(project.command(interpreter(project)).args(["-c", "import fido2"]))
}

/// Makes the environment anew.
pub(crate) fn install(project: &Project, log: &Log) -> Outcome {
    let folder = folder(project);
    log.run(project.command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let mut pip = project.command(interpreter(project));
    log.run(pip.args(["-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS]))?;
    // Written last: an installation that was cut short is not taken for a whole one.
    fs::write(stamp(project), project.read(REQUIREMENTS)?).map_err(|error| failed(&folder.display(), &error))
}

fn folder(project: &Project) -> PathBuf {
    project.target.join("xtask/venv")
}

fn stamp(project: &Project) -> PathBuf {
    folder(project).join("requirements.txt")
}
