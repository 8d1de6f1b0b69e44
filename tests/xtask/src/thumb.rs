//! Which compiler can build for the boards.
//!
//! On a person's machine it is the ordinary one, after `rustup target add`. Where rustup must not download, the
//! set-up script gives Debian's compiler the core library and leaves a file that names it; that compiler is used for
//! the firmware only, never for what runs here.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::run::{Outcome, Project, answers, failed, skipped};

/// The Cortex-M0+ of the RP2040 and the Cortex-M4F of the STM32F4.
pub(crate) const TARGETS: [&str; 2] = ["thumbv6m-none-eabi", "thumbv7em-none-eabihf"];

/// A compiler that can build for every one of [`TARGETS`].
pub(crate) struct Toolchain {
    /// The compiler, if it is not the one that cargo takes by itself.
    pub(crate) rustc: Option<PathBuf>,
    /// What changes when the compiler or its core library does.
    pub(crate) identity: String,
}

impl Toolchain {
    /// Makes a cargo command use this compiler.
    pub(crate) fn apply<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        if let Some(rustc) = &self.rustc {
            command.env("RUSTC", rustc);
        }
        command
    }

    /// Cargo does not notice that a compiler's core library was built anew, and then mixes two of them.
    pub(crate) fn forget_builds_of_another(&self, folder: &Path) -> Outcome {
        let stamp = folder.join("toolchain");
        if fs::read_to_string(&stamp).is_ok_and(|text| text == self.identity) {
            return Ok(());
        }
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|error| failed(&folder.display(), &error))?;
        }
        fs::create_dir_all(folder).map_err(|error| failed(&folder.display(), &error))?;
        fs::write(&stamp, &self.identity).map_err(|error| failed(&stamp.display(), &error))
    }
}

/// The compiler for the boards; without one the stage is skipped.
pub(crate) fn require(project: &Project) -> Outcome<Toolchain> {
    let targets = TARGETS.join(" ");
    find(project)?.ok_or_else(|| {
        skipped(
            format!("rustc has no core library for {targets}"),
            format!("rustup target add {targets} (or, on Debian, cargo xtask setup --debian)"),
        )
    })
}

/// The compiler for the boards, or none.
pub(crate) fn find(project: &Project) -> Outcome<Option<Toolchain>> {
    let scratch = project.scratch()?;
    let probe = scratch.join("probe.rs");
    // A crate that needs the core library and nothing else: finding the library's file would not prove that it fits.
    fs::write(&probe, "#![no_std]\n").map_err(|error| failed(&probe.display(), &error))?;
    for candidate in [None, named_by_set_up()] {
        let rustc = candidate.clone().unwrap_or_else(|| "rustc".into());
        let builds = |target: &&str| {
            let mut command = project.command(&rustc);
            command.args(["--crate-type", "lib", "--emit", "metadata", "--target", target, "--out-dir"]);
            answers(command.arg(&scratch).arg(&probe))
        };
        if TARGETS.iter().all(builds) {
            let identity = identity(project, &rustc);
            return Ok(Some(Toolchain { rustc: candidate, identity }));
        }
    }
    Ok(None)
}

/// The compiler that `tests/xtask/setup-embedded` left ready, if it did.
pub(crate) fn named_by_set_up() -> Option<PathBuf> {
    let cache = env::var_os("EMBEDDED_CACHE")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache/embedded-rust")))?;
    rustc_in(&fs::read_to_string(cache.join("env")).ok()?)
}

/// The compiler in a line of shell such as `export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc`.
fn rustc_in(assignments: &str) -> Option<PathBuf> {
    assignments.split_whitespace().find_map(|word| word.strip_prefix("RUSTC=")).map(PathBuf::from)
}

/// The compiler's version and the files of its core libraries.
fn identity(project: &Project, rustc: &PathBuf) -> String {
    let ask = |arguments: &[&str]| {
        let output = project.command(rustc).args(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    };
    let mut identity = ask(&["-vV"]);
    for target in TARGETS {
        let folder = ask(&["--print", "target-libdir", "--target", target]);
        let entries = fs::read_dir(folder.trim()).into_iter().flatten().flatten();
        let mut files: Vec<_> = entries
            .map(|entry| (entry.file_name(), entry.metadata().and_then(|metadata| metadata.modified()).ok()))
            .collect();
        files.sort();
        identity += &format!("{target} {files:?}\n");
    }
    identity
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiler_is_read_from_the_line_that_set_up_leaves() {
        let line = "export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc\n";
        assert_eq!(rustc_in(line), Some(PathBuf::from("/usr/bin/rustc")));
    }

    #[test]
    fn an_empty_file_means_the_ordinary_compiler() {
        assert_eq!(rustc_in(""), None);
    }

    #[test]
    fn a_rebuilt_core_library_starts_the_build_anew() {
        let folder = env::temp_dir().join(format!("keywright-xtask-thumb-{}", std::process::id()));
        let toolchain = |identity: &str| Toolchain { rustc: None, identity: identity.to_owned() };
        toolchain("first").forget_builds_of_another(&folder).unwrap();
        fs::write(folder.join("artefact"), "").unwrap();

        toolchain("first").forget_builds_of_another(&folder).unwrap();
        assert!(folder.join("artefact").exists());

        toolchain("second").forget_builds_of_another(&folder).unwrap();
        assert!(!folder.join("artefact").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
