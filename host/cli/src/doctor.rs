//! What a machine lacks for security keys, and how to mend it.
//!
//! The machine is a value, [`Machine`]: a folder to look in and a way to try whether a device may be opened. So each finding
//! can be tested with a machine that is made up.

mod keys;
mod machine;
mod udev_rule;
mod virtual_key;

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

pub(crate) use machine::Machine;
pub(crate) use udev_rule::install;

/// What a machine is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// Security keys that are plugged in.
    Keys,
    /// `keywright emulate --uhid`.
    Uhid,
    /// Attaching keys of `keywright emulate --usbip` to this machine.
    Usbip,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Nothing is missing.
    pub(crate) ready: bool,
    system: &'static str,
    kernel: Option<String>,
    container: Option<String>,
    wsl: bool,
    findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    purpose: Purpose,
    /// Stable words.
    name: &'static str,
    state: State,
    message: String,
    /// Commands, or what else to do.
    mend: Option<String>,
}

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it must be.
    Ok,
    /// Good to know; nothing depends on it here.
    Note,
    /// Without it, nothing works.
    Missing,
}

/// Looks at a machine for these purposes.
pub(crate) fn examine(machine: &Machine, purposes: &[Purpose]) -> Report {
    let mut findings = Vec::new();
    for purpose in purposes {
        findings.extend(match purpose {
            _ if machine.system != "linux" => elsewhere(machine.system, *purpose),
            Purpose::Keys => keys::findings(machine),
            Purpose::Uhid => virtual_key::uhid(machine),
            Purpose::Usbip => virtual_key::usbip(machine),
        });
    }
    Report {
        ready: findings.iter().all(|finding| finding.state != State::Missing),
        system: machine.system,
        kernel: machine.kernel(),
        container: machine.container(),
        wsl: machine.is_wsl(),
        findings,
    }
}

impl Finding {
    fn ok(purpose: Purpose, name: &'static str, message: impl Into<String>) -> Self {
        Self { purpose, name, state: State::Ok, message: message.into(), mend: None }
    }

    fn missing(
        purpose: Purpose,
        name: &'static str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        let state = State::Missing;
        Self { purpose, name, state, message: message.into(), mend: Some(mend.into()) }
    }

    fn note(
        purpose: Purpose,
        name: &'static str,
        message: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { state: State::Note, ..Self::missing(purpose, name, message, mend) }
    }
}

/// What is known of systems that this project is not tested on.
fn elsewhere(system: &str, purpose: Purpose) -> Vec<Finding> {
    vec![match (purpose, system) {
        (Purpose::Keys, "windows") => Finding::note(
            purpose,
            "administrator",
            "Windows lets only administrators open a FIDO key directly; browsers ask Windows instead.",
            "start the terminal with “Run as administrator”",
        ),
        (Purpose::Keys, "macos") => Finding::ok(
            purpose,
            "hid",
            "macOS lets every program of the person at the machine open a FIDO key.",
        ),
        (Purpose::Keys, _) => Finding::note(
            purpose,
            "hid",
            format!("Nothing is known of keys on {system}."),
            "try `keywright list`",
        ),
        (Purpose::Uhid | Purpose::Usbip, _) => Finding::missing(
            purpose,
            "system",
            "Only Linux makes HID devices of programs in this way.",
            "use a Linux machine or VM; `keywright emulate --udp` serves programs that know its address",
        ),
    }]
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.system)?;
        if let Some(kernel) = &self.kernel {
            write!(f, " {kernel}")?;
        }
        if let Some(container) = &self.container {
            write!(f, ", in a container ({container})")?;
        }
        f.write_str(if self.wsl { ", in WSL\n" } else { "\n" })?;
        let mut latest = None;
        for finding in &self.findings {
            if latest.replace(finding.purpose) != Some(finding.purpose) {
                writeln!(f, "\n{}", finding.purpose)?;
            }
            writeln!(f, "  {:<8} {}", finding.state.to_string(), finding.message)?;
            if let Some(mend) = &finding.mend {
                writeln!(f, "           -> {mend}")?;
            }
        }
        f.write_str(if self.ready { "\nNothing is missing." } else { "\nSomething is missing: see above." })
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keys => "Security keys that are plugged in",
            Self::Uhid => "A virtual key as a device of this machine: keywright emulate --uhid",
            Self::Usbip => "A virtual key over USB/IP, attached to this machine",
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Missing => "MISSING",
        })
    }
}

#[cfg(test)]
mod tests;
