//! The udev rule that the project ships, put where udev looks for it.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Serialize;

use super::Machine;
use crate::failure::{Failure, Kind};

/// What was done.
#[derive(Debug, Serialize)]
pub(crate) struct Installed {
    /// `udev_rule_installed`, or `udev_rule_was_there`.
    done: &'static str,
    file: String,
    /// Whether udev was told.
    reloaded: bool,
    undo: String,
}

/// Writes the rule and tells udev. A file that is there and is another one stays, unless `replace`.
///
/// # Errors
/// If it may not be written, or something else stands there.
pub(crate) fn install(machine: &Machine, replace: bool) -> Result<Installed, Failure> {
    let path = machine.path(PLACE);
    let file = path.display().to_string();
    let was_there = match fs::read(&path) {
        Ok(content) if content == RULE.as_bytes() => true,
        Ok(_) if !replace => {
            let words = format!(
                "{file} is there already and is another one: look at it, and add --replace if it may go"
            );
            return Err(Failure::new(Kind::State, words));
        }
        Ok(_) => false,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(Failure::file(&path, &error)),
    };
    if !was_there {
        write(&path).map_err(|error| refused(&path, &error))?;
    }
    let reloaded = machine.is_this() && reload();
    let undo = format!("sudo rm {file} && sudo {RELOAD}");
    let done = if was_there { "udev_rule_was_there" } else { "udev_rule_installed" };
    Ok(Installed { done, file, reloaded, undo })
}

/// Whether there is such a rule, ours or a changed one.
pub(super) fn is_installed(machine: &Machine) -> bool {
    machine.has(PLACE)
}

impl fmt::Display for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.done {
            "udev_rule_was_there" => writeln!(f, "{} was there already.", self.file)?,
            _ => writeln!(f, "Wrote {}.", self.file)?,
        }
        if self.reloaded {
            f.write_str("udev follows it now: the person who sits at the machine may run `keywright emulate --uhid` and use the key. ")?;
        } else {
            writeln!(f, "udev follows it after a restart, or: sudo {RELOAD} && sudo {TRIGGER}")?;
        }
        f.write_str("Whoever may write /dev/uhid can make any input device, a keyboard included.\n")?;
        write!(f, "To undo it: {}", self.undo)
    }
}

/// Whole or not at all, and to be read by everybody, as rules are.
fn write(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension(format!("rules.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
    let written = file
        .write_all(RULE.as_bytes())
        .and_then(|()| set_mode(&file))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path));
    written.inspect_err(|_| drop(fs::remove_file(&beside)))
}

#[cfg(unix)]
fn set_mode(file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn set_mode(_file: &fs::File) -> io::Result<()> {
    Err(io::Error::other("only Linux has udev"))
}

fn refused(path: &Path, error: &io::Error) -> Failure {
    if error.kind() != io::ErrorKind::PermissionDenied {
        return Failure::file(path, error);
    }
    let program =
        std::env::current_exe().map_or_else(|_| "keywright".to_owned(), |path| path.display().to_string());
    let words = format!("only root may write {}: sudo {program} doctor --install-udev-rule", path.display());
    Failure::new(Kind::State, words)
}

/// Has udev read its rules, and look again at what is there.
fn reload() -> bool {
    let tell = |words: &str| {
        let mut words = words.split_whitespace();
        let status = words.next().map(|program| {
            Command::new(program)
                .args(words)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
        });
        matches!(status, Some(Ok(status)) if status.success())
    };
    tell(RELOAD) && tell(TRIGGER)
}

const RULE: &str = include_str!("../../udev/70-keywright.rules");
const PLACE: &str = "etc/udev/rules.d/70-keywright.rules";
const RELOAD: &str = "udevadm control --reload";
const TRIGGER: &str = "udevadm trigger --subsystem-match=misc --subsystem-match=hidraw";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_root_is_told_the_line_with_sudo() {
        let failure = refused(Path::new("/etc/udev/rules.d/x"), &io::ErrorKind::PermissionDenied.into());
        assert_eq!(failure.kind(), Kind::State);
        assert!(failure.to_string().contains("sudo /"), "{failure}");
        assert!(failure.to_string().ends_with("doctor --install-udev-rule"), "{failure}");
    }
}
