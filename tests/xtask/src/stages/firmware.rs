//! The no_std proof: in the workspace another member's features could bring `std` into the firmware, so the two
//! crates are built alone, for the processors of the boards.

use std::{fs, path::Path};

use crate::{
    run::{Log, Outcome, Project, failed, skipped},
    thumb::{self, Toolchain},
};

/// Builds each crate alone for each target, in a target folder of its own.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    let Some(toolchain) = thumb::find(project)? else {
        let targets = thumb::TARGETS.join(" ");
        return Err(skipped(
            format!("rustc has no core library for {targets}"),
            format!("rustup target add {targets} (or, on Debian, cargo xtask setup --debian)"),
        ));
    };
    let folder = project.target.join("thumb");
    forget_builds_of_another(&toolchain, &folder)?;
    for target in thumb::TARGETS {
        for package in ["keywright-common", "keywright-firmware"] {
            let words = format!("build --locked --release --lib --package {package} --target {target}");
            let mut command = project.cargo(&words);
            command.arg("--target-dir").arg(&folder);
            log.run(toolchain.apply(&mut command))?;
        }
    }
    Ok(())
}

/// Cargo does not notice that a compiler's core library was built anew, and then mixes two of them.
fn forget_builds_of_another(toolchain: &Toolchain, folder: &Path) -> Outcome {
    let stamp = folder.join("toolchain");
    if fs::read_to_string(&stamp).is_ok_and(|text| text == toolchain.identity) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| failed(&folder.display(), &error))?;
    }
    fs::create_dir_all(folder).map_err(|error| failed(&folder.display(), &error))?;
    fs::write(&stamp, &toolchain.identity).map_err(|error| failed(&stamp.display(), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rebuilt_core_library_starts_the_build_anew() {
        let folder = std::env::temp_dir().join(format!("keywright-xtask-thumb-{}", std::process::id()));
        let toolchain = |identity: &str| Toolchain { rustc: None, identity: identity.to_owned() };
        forget_builds_of_another(&toolchain("first"), &folder).unwrap();
        fs::write(folder.join("artefact"), "").unwrap();

        forget_builds_of_another(&toolchain("first"), &folder).unwrap();
        assert!(folder.join("artefact").exists());

        forget_builds_of_another(&toolchain("second"), &folder).unwrap();
        assert!(!folder.join("artefact").exists());
        fs::remove_dir_all(folder).unwrap();
    }
}
