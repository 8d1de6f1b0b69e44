//! The stages of `cargo xtask test` and the report on them.

pub(crate) mod board;
mod boards;
pub(crate) mod browser;
mod cargo;
mod checklist;
pub(crate) mod demo;
mod dist;
mod firmware;
mod foreign;
mod house;
pub(crate) mod iam_clients;
pub(crate) mod keyring;
mod lab;
mod licences;
mod links;
mod platforms;

use std::{
    fs,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use crate::run::{Log, Outcome, Project, Stop};

/// Which stages a person asked for.
pub(crate) enum Selection {
    /// All that the project must pass.
    Full,
    /// Those that answer quickly.
    Fast,
    /// These, by name.
    Named(Vec<String>),
}

/// One check, run as a whole and reported in one line.
struct Stage {
    name: &'static str,
    about: &'static str,
    part: Part,
    run: fn(&Project, &Log) -> Outcome,
}

/// When a stage runs without being named.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// In every run.
    Always,
    /// In a full run only.
    Full,
    /// In a fast run only, because a full run covers it.
    Fast,
}

/// The stages in the order in which they run: the quick and the telling ones first.
const TABLE: &[Stage] = &[
    Stage { name: "fmt", about: "rustfmt finds nothing to change", part: Part::Always, run: cargo::fmt },
    Stage {
        name: "house",
        about: "the project's own rules for its files",
        part: Part::Always,
        run: house::run,
    },
    Stage {
        name: "checklist",
        about: "each rule of the security checklist that is due has a test",
        part: Part::Always,
        run: checklist::run,
    },
    Stage {
        name: "clippy",
        about: "no warning in the workspace, all targets",
        part: Part::Always,
        run: cargo::clippy,
    },
    Stage {
        name: "unit",
        about: "unit tests of common, firmware and host",
        part: Part::Fast,
        run: cargo::unit,
    },
    Stage {
        name: "test",
        about: "every test of the workspace, doctests too",
        part: Part::Full,
        run: cargo::test,
    },
    Stage {
        name: "docs",
        about: "rustdoc without a warning; links between documents resolve",
        part: Part::Full,
        run: cargo::docs,
    },
    Stage {
        name: "driver-only",
        about: "the command without emulator and IAM, and without their crates",
        part: Part::Full,
        run: cargo::driver_only,
    },
    Stage {
        name: "platforms",
        about: "the driver-only command compiles for Windows and macOS",
        part: Part::Full,
        run: platforms::run,
    },
    Stage {
        name: "licences",
        about: "every dependency's licence and source is allowed by deny.toml",
        part: Part::Full,
        run: licences::run,
    },
    Stage {
        name: "firmware",
        about: "common and firmware, each alone, for Cortex-M0+ and M4F: no_std",
        part: Part::Full,
        run: firmware::run,
    },
    Stage {
        name: "boards",
        about: "the boards' images: built, within their budgets, and what can run here tested",
        part: Part::Full,
        run: boards::run,
    },
    Stage {
        name: "board",
        about: "the RP2040's image on an emulated board",
        part: Part::Full,
        run: board::run,
    },
    Stage {
        name: "demo",
        about: "the command's own demonstration, as JSON",
        part: Part::Full,
        run: demo::run,
    },
    Stage {
        name: "dist",
        about: "what is handed out: its files, checksums and licences, and that it runs where it is unpacked",
        part: Part::Full,
        run: dist::run,
    },
    Stage {
        name: "foreign",
        about: "python-fido2 against the emulator",
        part: Part::Full,
        run: foreign::run,
    },
    Stage {
        name: "iam-clients",
        about: "boto3 and the AWS CLIs against the local IAM",
        part: Part::Full,
        run: iam_clients::run,
    },
    Stage {
        name: "keyring",
        about: "the authenticator app in GNOME's keyring",
        part: Part::Full,
        run: keyring::run,
    },
    Stage {
        name: "browser",
        about: "a headless Chromium with a virtual key at the local IAM's console",
        part: Part::Full,
        run: browser::run,
    },
    Stage {
        name: "lab",
        about: "libfido2, python-fido2, OpenSSH and PAM against the key in a Linux guest",
        part: Part::Full,
        run: lab::run,
    },
];

/// The names of all stages.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|stage| stage.name)
}

/// The table, for a person.
pub(crate) fn listing() -> String {
    TABLE
        .iter()
        .map(|stage| {
            let part = match stage.part {
                Part::Always => "",
                Part::Full => " (not with --fast)",
                Part::Fast => " (with --fast, or by name)",
            };
            format!("{:<12} {}{part}\n", stage.name, stage.about)
        })
        .collect()
}

/// Runs the selected stages and reports on each; true if the project is well.
pub(crate) fn run(project: &Project, selection: &Selection) -> Result<bool, String> {
    let folder = project.scratch().map_err(|stop| format!("{stop:?}"))?;
    let mut tally = Tally::default();
    for stage in TABLE.iter().filter(|stage| selection.includes(stage)) {
        let log = Log::create(&folder, stage.name).map_err(|stop| format!("{stop:?}"))?;
        announce(stage.name);
        let start = Instant::now();
        let outcome = (stage.run)(project, &log);
        tally.count(&outcome);
        println!("{}", line(stage.name, &outcome, start.elapsed()));
        if matches!(outcome, Err(Stop::Failed(_))) {
            print!("{}", excerpt(&fs::read_to_string(log.path()).unwrap_or_default()));
            println!("        all of it: {}", log.path().display());
        }
    }
    println!("{tally}");
    Ok(tally.is_well(project.ci))
}

impl Selection {
    fn includes(&self, stage: &Stage) -> bool {
        match self {
            Self::Full => stage.part != Part::Fast,
            Self::Fast => stage.part != Part::Full,
            Self::Named(names) => names.iter().any(|name| name == stage.name),
        }
    }
}

/// How many stages came to what.
#[derive(Default)]
struct Tally {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl Tally {
    fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(Stop::Failed(_)) => self.failed += 1,
            Err(Stop::Skipped { .. }) => self.skipped += 1,
        }
    }

    /// A person may lack a tool; a machine that checks for everybody may not.
    fn is_well(&self, ci: bool) -> bool {
        self.failed == 0 && !(ci && self.skipped > 0)
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// The one line on a stage.
fn line(name: &str, outcome: &Outcome, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    match outcome {
        Ok(()) => format!("ok      {name:<12} {seconds:>6.1} s"),
        Err(Stop::Failed(why)) => format!("FAILED  {name:<12} {seconds:>6.1} s  {why}"),
        Err(Stop::Skipped { reason, mend }) => format!("SKIPPED {name}: {reason}; to mend it: {mend}"),
    }
}

/// Says on a terminal what is running, until the stage's line takes its place.
fn announce(name: &str) {
    if io::stdout().is_terminal() {
        print!("        {name}\r");
        let _ = io::stdout().flush();
    }
}

/// The end of a log, indented under the stage's line.
fn excerpt(log: &str) -> String {
    let lines: Vec<_> = log.lines().collect();
    let left_out = lines.len().saturating_sub(EXCERPT);
    let head = if left_out > 0 { format!("        ({left_out} lines above)\n") } else { String::new() };
    let tail: String = lines.iter().skip(left_out).map(|line| format!("        {line}\n")).collect();
    head + &tail
}

/// Lines of a failed stage's output that are shown.
const EXCERPT: usize = 300;

#[cfg(test)]
mod tests;
