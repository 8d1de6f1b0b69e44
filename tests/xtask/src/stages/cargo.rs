//! The stages that are cargo's own: format, lints, tests, documents, and the driver-only build.
//!
//! They share one profile and no flag of theirs reaches a dependency, so that the heavy crates are built once.

use std::time::Duration;

use super::links;
use crate::run::{Log, Outcome, Project, Stop, answers, skipped};

/// Formatting, checked and not changed.
pub(super) fn fmt(project: &Project, log: &Log) -> Outcome {
    needs(project, "fmt", "rustup component add rustfmt")?;
    log.run(&mut project.cargo("fmt --all --check"))
}

/// Lints over the workspace and all its targets.
pub(super) fn clippy(project: &Project, log: &Log) -> Outcome {
    needs_clippy(project)?;
    log.run(&mut project.cargo("clippy --locked --workspace --all-targets -- -D warnings"))
}

/// The unit tests of what every form of the key and every driver stands on.
pub(super) fn unit(project: &Project, log: &Log) -> Outcome {
    run_tests(
        project,
        log,
        "--package keywright-common --package keywright-firmware --package keywright-host --lib",
    )
}

/// Every test there is.
pub(super) fn test(project: &Project, log: &Log) -> Outcome {
    run_tests(project, log, "--workspace")?;
    log.run(&mut project.cargo("test --locked --workspace --doc"))
}

/// The documentation, and the links of the documents beside it.
pub(super) fn docs(project: &Project, log: &Log) -> Outcome {
    links::check(project, log)?;
    log.run(project.cargo("doc --locked --workspace --no-deps").env("RUSTDOCFLAGS", "-D warnings"))
}

/// The command as a driver alone: what a person gets who wants no emulator and no IAM.
pub(super) fn driver_only(project: &Project, log: &Log) -> Outcome {
    let tree = log.capture_within(
        Duration::from_secs(600),
        &mut project.cargo(
            "tree --locked --package keywright-cli --no-default-features --edges normal --prefix none --format {p}",
        ),
    )?;
    log.line(&tree);
    if let Some(found) = foreign_to_the_driver(&tree) {
        return Err(Stop::Failed(format!("a driver-only build depends on {found}")));
    }
    needs_clippy(project)?;
    log.run(
        &mut project.cargo("clippy --locked --package keywright-cli --no-default-features -- -D warnings"),
    )
}

/// The first crate of a dependency tree that a driver has no business with.
fn foreign_to_the_driver(tree: &str) -> Option<&str> {
    tree.lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|name| ["keywright-firmware", "keywright-emulator", "keywright-iam"].contains(name))
}

/// Runs the tests of a selection of packages, with nextest where it is installed.
fn run_tests(project: &Project, log: &Log, selection: &str) -> Outcome {
    let words = if answers(&mut project.cargo("nextest --version")) {
        format!("nextest run --locked --config-file tests/xtask/nextest.toml --no-tests pass {selection}")
    } else if selection.contains("--lib") {
        format!("test --locked --no-fail-fast {selection}")
    } else {
        // `--tests` makes it nextest's selection: unit and integration tests, the doctests apart.
        format!("test --locked --no-fail-fast --tests {selection}")
    };
    log.run(&mut project.cargo(&words))
}

fn needs_clippy(project: &Project) -> Outcome {
    needs(project, "clippy", "rustup component add clippy")
}

/// Skips the stage where cargo lacks a subcommand.
fn needs(project: &Project, subcommand: &str, mend: &str) -> Outcome {
    if answers(&mut project.cargo(&format!("{subcommand} --version"))) {
        return Ok(());
    }
    Err(skipped(format!("cargo {subcommand} is not installed"), mend))
}

#[cfg(test)]
mod tests {
    use super::foreign_to_the_driver;

    #[test]
    fn a_driver_that_pulls_in_the_firmware_is_found() {
        let tree = "keywright-cli v0.1.0 (/x)\nkeywright-host v0.1.0 (/x)\nkeywright-firmware v0.1.0 (/x)\n";
        assert_eq!(foreign_to_the_driver(tree), Some("keywright-firmware"));
    }

    #[test]
    fn a_driver_on_common_alone_is_accepted() {
        let tree =
            "keywright-cli v0.1.0 (/x/keywright-iam)\nkeywright-host v0.1.0 (/x)\nkeywright-common v0.1.0\n";
        assert_eq!(foreign_to_the_driver(tree), None);
    }
}
