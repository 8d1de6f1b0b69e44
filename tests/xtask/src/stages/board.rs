//! The RP2040's image on an emulated board: `tests/board`, run by Node.

use std::time::Duration;

use crate::{
    boards, emulator,
    run::{Log, Outcome, Project, Stop, skipped},
};

/// Builds the image that would be flashed and runs the tests on it.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    if !emulator::is_ready(project) {
        return Err(skipped("the emulated board is not installed", "cargo xtask setup"));
    }
    let images = boards::build(project, log)?;
    let image = images.first().ok_or_else(|| Stop::Failed("there is no image for the RP2040".to_owned()))?;
    // Two cores: one file of tests a core.
    let mut node = emulator::node(project);
    node.args(["--test", "--test-concurrency=2"]);
    node.args(emulator::test_files(project)?);
    node.env("KEYWRIGHT_ELF", &image.elf).env("KEYWRIGHT_UF2", &image.flashable);
    log.run_within(Duration::from_secs(1200), &mut node)
}
