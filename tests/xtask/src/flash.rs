//! `cargo xtask flash`: an image onto a board. Only the image's own sectors are written, so that credentials stay.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::ValueEnum;

use crate::run::{Project, words};

/// The boards there are images for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Board {
    /// A Raspberry Pi Pico
    Rp2040,
    /// An STM32F405
    Stm32f4,
}

/// Flashes, or locks, a board; true if it was done.
pub(crate) fn run(project: &Project, board: Board, dfu: bool, lock: bool) -> Result<bool, String> {
    match (board, lock) {
        (Board::Rp2040, true) => Err("an RP2040 has nothing to lock: see docs/boards.md".to_owned()),
        (Board::Rp2040, false) => copy_to_drive(&image(project, "keywright-rp2040.uf2")?),
        (Board::Stm32f4, true) => tool(project.command("openocd").args(LOCK)),
        (Board::Stm32f4, false) if dfu => {
            let mut command = project.command("dfu-util");
            // Only the image's length: what lies behind it is not erased.
            command.args(["--alt", "0", "--dfuse-address", "0x08000000:leave", "--download"]);
            tool(command.arg(image(project, "keywright-stm32f4.bin")?))
        }
        (Board::Stm32f4, false) => {
            let mut command = project.command("probe-rs");
            command.args(["download", "--chip", "STM32F405RGTx"]);
            tool(command.arg(image(project, "keywright-stm32f4.elf")?))
        }
    }
}

/// An image that `cargo xtask firmware` built.
fn image(project: &Project, name: &str) -> Result<PathBuf, String> {
    let path = project.target.join("firmware").join(name);
    if path.exists() { Ok(path) } else { Err(format!("there is no {name} yet; run cargo xtask firmware")) }
}

/// The drive that a Pico shows in BOOTSEL mode takes the file and restarts the board.
fn copy_to_drive(uf2: &Path) -> Result<bool, String> {
    let drive = mounts()
        .into_iter()
        .find(|drive| {
            let about = fs::read_to_string(drive.join("INFO_UF2.TXT"));
            about.is_ok_and(|about| is_rp2040(&about))
        })
        .ok_or("no RPI-RP2 drive: hold BOOTSEL while you plug the Pico in, and mount the drive")?;
    let to = drive.join("keywright.uf2");
    fs::copy(uf2, &to).map_err(|error| format!("{}: {error}", to.display()))?;
    println!("copied to {}; the key starts by itself. Plug it in again before a reset", drive.display());
    Ok(true)
}

/// What the boot ROM of an RP2040 says about itself; other boards have UF2 drives too.
fn is_rp2040(about: &str) -> bool {
    about.lines().any(|line| line.trim() == "Board-ID: RPI-RP2")
}

/// Where systems mount drives: one or two folders down.
fn mounts() -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let roots = ["/media", "/run/media", "/Volumes", "/mnt"].map(PathBuf::from);
    let named = env::var_os("KEYWRIGHT_DRIVE").map(PathBuf::from);
    let first: Vec<_> = roots.iter().flat_map(|root| entries(root)).collect();
    let second: Vec<_> = first.iter().flat_map(|folder| entries(folder)).collect();
    named.into_iter().chain(first).chain(second).collect()
}

fn tool(command: &mut Command) -> Result<bool, String> {
    println!("$ {}", words(command));
    match command.status() {
        Ok(status) => Ok(status.success()),
        Err(error) => {
            let name = command.get_program().display();
            Err(format!("{name} does not start ({error}): install it; docs/boards.md says what needs it"))
        }
    }
}

/// Level 1, never level 2, which nobody can take back.
const LOCK: [&str; 6] = [
    "-f",
    "interface/stlink.cfg",
    "-f",
    "target/stm32f4x.cfg",
    "-c",
    "init; reset halt; stm32f2x lock 0; reset; shutdown",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drive_of_an_rp2040_is_told_from_those_of_other_boards() {
        assert!(is_rp2040("UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n"));
        assert!(!is_rp2040("UF2 Bootloader v1.0\nModel: Raspberry Pi RP2350\nBoard-ID: RP2350\n"));
        assert!(!is_rp2040(""));
    }

    #[test]
    fn the_lock_is_level_one() {
        assert!(LOCK.iter().any(|word| word.contains("stm32f2x lock 0")));
        assert!(!LOCK.iter().any(|word| word.contains("options_write")));
    }
}
