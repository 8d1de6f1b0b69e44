//! The driver-only command for the systems that no check runs on: compiled as far as that goes without their linkers.
//!
//! hidapi's C code needs those systems' own headers, so its build script is stood in for; everything else is checked as it is.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::run::{Log, Outcome, Project, answers, failed, skipped};
use crate::thumb;

/// Checks the command for each system.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    let library = find(project)?.ok_or_else(|| {
        let targets = TARGETS.join(" ");
        skipped(
            format!("rustc has no standard library for {targets}"),
            format!("rustup target add {targets} (or, on Debian, cargo xtask setup --debian)"),
        )
    })?;
    TARGETS.iter().try_for_each(|target| log.run(&mut check(project, &library, target)))
}

/// Where the standard library for these systems comes from.
enum Library {
    /// The ordinary compiler has it.
    Installed,
    /// It is built from the sources that this compiler comes with.
    Source { rustc: PathBuf },
}

fn find(project: &Project) -> Outcome<Option<Library>> {
    let scratch = project.scratch()?;
    let probe = scratch.join("probe-std.rs");
    fs::write(&probe, "pub fn probe() -> std::time::Instant { std::time::Instant::now() }\n")
        .map_err(|error| failed(&probe.display(), &error))?;
    let has_it = |target: &&str| {
        let mut command = project.command("rustc");
        command.args(["--crate-type", "lib", "--emit", "metadata", "--target", target, "--out-dir"]);
        answers(command.arg(&scratch).arg(&probe))
    };
    if TARGETS.iter().all(has_it) {
        return Ok(Some(Library::Installed));
    }
    let rustc = thumb::named_by_set_up().filter(|rustc| has_sources(project, rustc));
    Ok(rustc.map(|rustc| Library::Source { rustc }))
}

/// Whether a compiler comes with the sources of its standard library.
fn has_sources(project: &Project, rustc: &Path) -> bool {
    let sysroot = project.command(rustc).args(["--print", "sysroot"]).output();
    sysroot.is_ok_and(|output| {
        let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        sysroot.join("lib/rustlib/src/rust/library/std/Cargo.toml").is_file()
    })
}

fn check(project: &Project, library: &Library, target: &str) -> Command {
    let mut command = project.cargo("check --locked --package keywright-cli --no-default-features");
    command.args(["--target", target, "--target-dir"]).arg(project.target.join("platforms"));
    command.args(["--config", &format!("target.{target}.hidapi.rustc-cfg=['hidapi']")]);
    if let Library::Source { rustc } = library {
        // The variable is how a stable compiler builds its own library.
        command.args(["-Z", "build-std=std,panic_abort"]).env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1");
    }
    command
}

const TARGETS: &[&str] = &["x86_64-pc-windows-msvc", "aarch64-apple-darwin"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_built_only_where_it_is_not_installed() {
        let project = Project::find().unwrap();
        let words = |library: &Library| {
            let command = check(&project, library, "x");
            command.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        assert!(!words(&Library::Installed).contains("build-std"));
        assert!(words(&Library::Source { rustc: "rustc".into() }).contains("build-std=std"));
    }
}
