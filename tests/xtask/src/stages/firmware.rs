//! The no_std proof: in the workspace another member's features could bring `std` into the firmware, so the two
//! crates are built alone, for the processors of the boards.

use crate::{
    run::{Log, Outcome, Project},
    thumb,
};

/// Builds each crate alone for each target, in a target folder of its own.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    let toolchain = thumb::require(project)?;
    let folder = project.target.join("thumb");
    toolchain.forget_builds_of_another(&folder)?;
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
