//! `cargo xtask`: the checks of the whole project and the set-up they need.
//!
//! `cargo xtask test` runs the stages of the table in [`stages`]; `cargo xtask setup` installs what a stage would
//! otherwise be skipped for; `cargo xtask checklist` holds the security checklist against the tests; `cargo xtask lab`
//! runs a command in the Linux guest of the lab; `cargo xtask hil` plays scenarios with a key.
//! Each stage is a function over the [`run::Project`] and the stage's own [`run::Log`]; adding a stage is one
//! function and one row of the table.

mod boards;
mod checklist;
mod dist;
mod emulator;
mod flash;
mod hil;
mod lab;
mod python;
mod run;
mod setup;
mod spdx;
mod stages;
mod thumb;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand, builder::PossibleValuesParser};

use run::Project;
use stages::Selection;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Keywright's checks and set-up")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the checks: all of them, or the stages named
    Test {
        /// Only the stages that answer within three minutes once everything is built
        #[arg(long, conflicts_with = "stages")]
        fast: bool,
        /// Show the stages and what each one checks, and run nothing
        #[arg(long)]
        list: bool,
        /// The stages to run, in the order of the table
        #[arg(value_name = "STAGE", value_parser = PossibleValuesParser::new(stages::names()))]
        stages: Vec<String>,
    },
    /// Build the boards' images into target/firmware and show their sizes
    Firmware,
    /// Register the emulated RP2040, with its real image, in a local IAM and sign in with it
    DemoBoard,
    /// Gather command, images, checksums and licences into target/dist, for people without a toolchain
    Dist,
    /// Put an image onto a board that is plugged in; what the key keeps stays where it is
    Flash {
        /// The board: a Raspberry Pi Pico with BOOTSEL held while it was plugged in, or an STM32F405
        board: flash::Board,
        /// The STM32 over its own DFU loader (dfu-util) rather than a probe (probe-rs)
        #[arg(long)]
        dfu: bool,
        /// Close the STM32's flash to debuggers: read-out protection level 1 (openocd). Opening it again erases everything
        #[arg(long, conflicts_with = "dfu")]
        lock: bool,
    },
    /// Show the rules of the security checklist and their tests; fails where one that is due has none
    Checklist,
    /// Play the project's scenarios with a key that is plugged in, of whatever vendor (--help shows how)
    #[command(disable_help_flag = true)]
    Hil {
        /// --device hid:PATH, and more
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
        arguments: Vec<OsString>,
    },
    /// Run a command as root in a throw-away Linux guest that has uhid and USB/IP
    Lab {
        /// Open a shell there
        #[arg(long, conflicts_with = "command")]
        shell: bool,
        /// The command; it sees this machine's files, and what it writes is thrown away but for target/xtask/lab
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Install what the checks need and this machine lacks
    Setup {
        /// Show what is missing and the commands that mend it, and change nothing
        #[arg(long)]
        print: bool,
        /// Install Debian's packages: the lab's, and the firmware's targets where rustc lacks them (always on in CI)
        #[arg(long)]
        debian: bool,
    },
}

fn main() -> ExitCode {
    match dispatch(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("cargo xtask: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Runs one command; true if everything it was asked for is well.
fn dispatch(command: Command) -> Result<bool, String> {
    match command {
        Command::Test { list: true, .. } => {
            print!("{}", stages::listing());
            Ok(true)
        }
        Command::Test { fast, stages, .. } => {
            let selection = match (fast, stages.is_empty()) {
                (true, _) => Selection::Fast,
                (false, true) => Selection::Full,
                (false, false) => Selection::Named(stages),
            };
            stages::run(&Project::find()?, &selection)
        }
        Command::Firmware => boards::run(&Project::find()?),
        Command::DemoBoard => stages::board::show(&Project::find()?),
        Command::Dist => dist::run(&Project::find()?),
        Command::Flash { board, dfu, lock } => flash::run(&Project::find()?, board, dfu, lock),
        Command::Checklist => checklist::run(&Project::find()?),
        Command::Hil { arguments } => hil::run(&Project::find()?, &arguments),
        Command::Lab { shell, command } => lab::run(&Project::find()?, &command, shell),
        Command::Setup { print, debian } => setup::run(&Project::find()?, print, debian),
    }
}
