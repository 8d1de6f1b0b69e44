//! The RP2040's image on an emulated board: `tests/board`, run by Node.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    time::Duration,
};

use crate::{
    boards::{self, Image},
    emulator,
    run::{Log, Outcome, Project, Stop, failed, skipped},
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
    log.run_within(Duration::from_secs(1200), &mut node)?;
    drive(project, log, image)
}

/// The project's own driver against the board behind a socket.
fn drive(project: &Project, log: &Log, image: &Image) -> Outcome {
    log.run(&mut project.cargo("build --locked --package keywright-host --example ceremony"))?;
    let mut socket = emulator::node(project);
    socket.arg("tests/board/socket.mjs").arg(&image.elf).arg("--touch");
    let mut board = socket
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(&"the emulated board", &error))?;
    let outcome = address(&mut board).and_then(|address| {
        let mut ceremony = project.command(project.target.join("debug/examples/ceremony"));
        log.run_within(Duration::from_secs(120), ceremony.arg(address))
    });
    let _ = board.kill();
    let _ = board.wait();
    outcome
}

/// The first line that the board says.
fn address(board: &mut Child) -> Outcome<String> {
    let silent = || Stop::Failed("the emulated board does not start".to_owned());
    let mut line = String::new();
    let output = board.stdout.as_mut().ok_or_else(silent)?;
    BufReader::new(output).read_line(&mut line).map_err(|_| silent())?;
    let address = line.trim();
    if address.starts_with("udp:") { Ok(address.to_owned()) } else { Err(silent()) }
}
