//! The RP2040's image on an emulated board: `tests/board`, run by Node, and the project's own driver against it.

use std::time::Duration;

use super::demo;
use crate::{
    boards::{self, Image},
    emulator::{self, Board, Program, Touch},
    run::{Log, Outcome, Project, skipped},
};

/// Builds the image that would be flashed and runs the tests on it.
pub(super) fn run(project: &Project, log: &Log) -> Outcome {
    let image = image(project, log)?;
    // Two cores: one file of tests a core.
    let mut node = emulator::node(project);
    node.args(["--test", "--test-concurrency=2"]);
    node.args(emulator::test_files(project)?);
    node.env("KEYWRIGHT_ELF", &image.elf).env("KEYWRIGHT_UF2", &image.flashable);
    node.env("KEYWRIGHT_NEWER", boards::build_newer(project, log)?);
    log.run_within(Duration::from_secs(1800), &mut node)?;
    ceremony(project, log, &image)?;
    scenarios(project, log, &image)?;
    let said = tell(project, log, &image)?;
    log.line(&said);
    demo::judge(&said)
}

/// `cargo xtask demo-board`: the emulated board is registered in the local IAM and signs in.
pub(crate) fn show(project: &Project) -> Result<bool, String> {
    let said = crate::run::by_hand(project, "demo-board", |log| {
        println!("building the RP2040's image and the command");
        let image = image(project, log)?;
        println!(
            "{} runs on an emulated Raspberry Pi Pico, at a quarter of its speed or less",
            image.elf.display()
        );
        tell(project, log, &image)
    })?;
    print!("{said}");
    Ok(true)
}

/// The image of the RP2040, built.
fn image(project: &Project, log: &Log) -> Outcome<Image> {
    if !emulator::is_ready(project) {
        return Err(skipped("the emulated board is not installed", "cargo xtask setup"));
    }
    boards::rp2040(project, log)
}

/// Registrations and assertions of each algorithm, and over U2F.
fn ceremony(project: &Project, log: &Log, image: &Image) -> Outcome {
    log.run(&mut project.cargo("build --locked --package keywright-host --example ceremony"))?;
    let board = Board::start(project, Program::Socket, &image.elf, Touch::Always)?;
    let mut ceremony = project.command(project.target.join("debug/examples/ceremony"));
    log.run_within(Duration::from_secs(300), ceremony.arg(&board.address))
}

/// The scenarios that any key is put through, with hands that are the harness'.
fn scenarios(project: &Project, log: &Log, image: &Image) -> Outcome {
    log.run(&mut project.cargo("build --locked --package keywright-hil"))?;
    let board = Board::start(project, Program::Socket, &image.elf, Touch::WhenTold)?;
    let mut hil = project.command(project.target.join("debug/keywright-hil"));
    hil.args(["--device", &board.address, "--wipe", "--yes", "--control"]).arg(&board.control);
    log.run_within(Duration::from_secs(1800), &mut hil)
}

/// The demonstration of the command with the board as its key: what it says, as JSON.
fn tell(project: &Project, log: &Log, image: &Image) -> Outcome<String> {
    let command = demo::release_build(project, log)?;
    let board = Board::start(project, Program::Socket, &image.elf, Touch::Always)?;
    let mut command = project.command(command);
    command.args(["demo", "--json", "--device", &board.address]);
    log.capture_within(Duration::from_secs(300), &mut command)
}
