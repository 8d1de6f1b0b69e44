//! `cargo xtask setup`: installs what a stage would be skipped for, and nothing that is there already.

use std::fs;

use crate::{
    emulator, lab, python,
    run::{Log, Outcome, Project, Stop, answers, skipped},
    stages::{browser, iam_clients, keyring},
    thumb,
};

/// Something that checks need and a machine may lack.
struct Need {
    what: &'static str,
    is_met: fn(&Project) -> Outcome<bool>,
    /// The command that a person would type.
    by_hand: fn() -> String,
    install: fn(&Project, &Log, Manner) -> Outcome,
}

/// How far set-up may go.
#[derive(Clone, Copy)]
struct Manner {
    /// Whether system packages may be installed.
    system: bool,
}

const NEEDS: &[Need] = &[
    Need {
        what: "the boards' targets",
        is_met: |project| Ok(thumb::find(project)?.is_some()),
        by_hand: || format!("rustup target add {}", thumb::TARGETS.join(" ")),
        install: install_targets,
    },
    Need {
        what: "the foreign clients' Python packages",
        is_met: |project| Ok(python::is_ready(project)),
        by_hand: || {
            let venv = "target/xtask/venv";
            let lists = python::REQUIREMENTS.join(" ");
            let options = python::REQUIREMENTS.map(|list| format!("-r {list}")).join(" ");
            format!(
                "python3 -m venv {venv} && {venv}/bin/pip install {options} && \
                 cat {lists} > {venv}/requirements.txt"
            )
        },
        install: install_packages,
    },
    Need {
        what: "the AWS CLI of version 2",
        is_met: |project| Ok(iam_clients::has_aws_v2(project)),
        by_hand: || iam_clients::BY_HAND.to_owned(),
        install: install_aws_v2,
    },
    Need {
        what: "a Chromium for the console's pages",
        is_met: |project| Ok(browser::chromium(project).is_some()),
        by_hand: || browser::BY_HAND.to_owned(),
        install: install_chromium,
    },
    Need {
        what: "a keyring for the authenticator app",
        is_met: |project| Ok(keyring::is_ready(project)),
        by_hand: keyring::by_hand,
        install: install_keyring,
    },
    Need {
        what: "the emulated board",
        is_met: |project| Ok(emulator::is_ready(project)),
        by_hand: || "cargo xtask setup (it needs Node 20 or newer with npm, and python3 with pip)".to_owned(),
        install: |project, log, _| emulator::install(project, log),
    },
    Need {
        what: "the Linux lab",
        is_met: |_| match lab::require() {
            Ok(()) => Ok(true),
            Err(Stop::Skipped { .. }) => Ok(false),
            Err(stop) => Err(stop),
        },
        by_hand: lab::by_hand,
        install: install_lab,
    },
];

/// Meets every need that is not met; true if none is left.
pub(crate) fn run(project: &Project, print: bool, debian: bool) -> Result<bool, String> {
    let manner = Manner { system: debian || project.ci };
    let folder = project.scratch().map_err(|stop| format!("{stop:?}"))?;
    let log = Log::create(&folder, "setup").map_err(|stop| format!("{stop:?}"))?;
    let mut complete = true;
    for need in NEEDS {
        let outcome = (need.is_met)(project).and_then(|met| match (met, print) {
            (true, _) => Ok("ok      "),
            (false, true) => Err(skipped("missing", (need.by_hand)())),
            (false, false) => (need.install)(project, &log, manner).map(|()| "done    "),
        });
        complete &= outcome.is_ok();
        println!("{}", line(need.what, &outcome));
        if matches!(outcome, Err(Stop::Failed(_))) {
            print!("{}", fs::read_to_string(log.path()).unwrap_or_default());
        }
    }
    Ok(complete)
}

fn line(what: &str, outcome: &Outcome<&str>) -> String {
    match outcome {
        Ok(word) => format!("{word}{what}"),
        Err(Stop::Failed(why)) => format!("FAILED  {what}: {why}"),
        Err(Stop::Skipped { reason, mend }) => format!("MISSING {what}: {reason}; to mend it: {mend}"),
    }
}

/// rustup's toolchains are a person's own: set-up says what to do there, and acts only where it was told to.
fn install_targets(project: &Project, log: &Log, manner: Manner) -> Outcome {
    if !manner.system {
        let mend = format!("rustup target add {}", thumb::TARGETS.join(" "));
        return Err(skipped(
            "rustc lacks them",
            format!("{mend} (or, on Debian, cargo xtask setup --debian)"),
        ));
    }
    log.run(project.command("bash").arg("tests/xtask/setup-embedded"))?;
    match thumb::find(project)? {
        Some(_) => Ok(()),
        None => {
            Err(Stop::Failed("the set-up script ran, and still no compiler builds for the boards".to_owned()))
        }
    }
}

/// A Python environment, with Debian's package for making one if that is all that is missing.
fn install_packages(project: &Project, log: &Log, manner: Manner) -> Outcome {
    if !answers(project.command("python3").arg("--version")) {
        return Err(skipped("there is no python3", "install Python 3.10 or newer"));
    }
    if !answers(project.command("python3").args(["-c", "import ensurepip, venv"])) {
        if !manner.system {
            return Err(skipped("python3 cannot make environments", "apt-get install python3-venv"));
        }
        apt_install(project, log, &["python3-venv"])?;
    }
    python::install(project, log)
}

/// Debian's package, where set-up may install it.
fn install_chromium(project: &Project, log: &Log, manner: Manner) -> Outcome {
    if !manner.system {
        return Err(skipped("there is none", browser::BY_HAND));
    }
    apt_install(project, log, &["chromium"])
}

/// Debian's package, where set-up may install it.
fn install_aws_v2(project: &Project, log: &Log, manner: Manner) -> Outcome {
    if !manner.system {
        return Err(skipped("there is none", iam_clients::BY_HAND));
    }
    apt_install(project, log, &["awscli"])
}

/// Debian's packages, where set-up may install them.
fn install_keyring(project: &Project, log: &Log, manner: Manner) -> Outcome {
    if !manner.system {
        return Err(skipped("there is none to start", keyring::by_hand()));
    }
    apt_install(project, log, keyring::PACKAGES)
}

/// The guest's kernel, QEMU and the clients: packages of the whole machine, so only where set-up was told to.
fn install_lab(project: &Project, log: &Log, manner: Manner) -> Outcome {
    if !manner.system || !answers(project.command("apt-get").arg("--version")) {
        return lab::require();
    }
    apt_install(project, log, lab::PACKAGES)?;
    lab::require()
}

fn apt_install(project: &Project, log: &Log, packages: &[&str]) -> Outcome {
    log.run(&mut apt(project, &["update", "-qq"]))?;
    let mut install = apt(project, &["install", "-y", "-qq", "--no-install-recommends"]);
    log.run(install.args(packages))
}

/// apt-get that asks nothing, through sudo where it must be.
fn apt(project: &Project, arguments: &[&str]) -> std::process::Command {
    let is_root = answers(project.command("sh").args(["-c", "[ \"$(id -u)\" = 0 ]"]));
    let mut command = project.command(if is_root { "apt-get" } else { "sudo" });
    if !is_root {
        command.args(["-n", "apt-get"]);
    }
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}
