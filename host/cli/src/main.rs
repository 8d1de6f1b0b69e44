//! The `keywright` command. It has no logic of its own: it reads its arguments, hands them to one of [`commands`], and says what
//! came of it. `JSON.md` has the shapes of `--json` and the exit codes.
//!
//! | room | what is in it |
//! |---|---|
//! | [`args`] | the shape of the command line |
//! | [`commands`] | one file a command |
//! | `aws` | AWS's API, the asking end |
//! | `console` | the JSON endpoints of the local IAM, the asking end |
//! | `demo` | the story that the command of that name tells |
//! | [`doctor`] | what a machine lacks for keys, and how to mend it |
//! | [`output`] | text or JSON on standard output, everything else on standard error |
//! | [`failure`] | every error's kind, exit code and words |
//! | [`key`] | finding and opening a key |
//! | [`user`] | whoever sits at the terminal: touches, PINs, yes or no |
//! | `roots` | whose certificates are believed |
//! | [`pin`], [`hidden`] | where PINs and other secrets come from; a line that is typed and not shown |
//! | [`interrupt`] | Ctrl-C, and being asked to end |
//! | [`credential_file`], [`replace`] | the file that `register` writes; replacing files whole |

mod args;
#[cfg(all(feature = "iam", unix))]
mod aws;
mod commands;
#[cfg(all(feature = "iam", unix))]
mod console;
mod credential_file;
#[cfg(all(feature = "emulator", feature = "iam", unix))]
mod demo;
mod doctor;
mod failure;
mod hidden;
mod interrupt;
mod key;
mod output;
mod pin;
mod replace;
#[cfg(all(feature = "iam", unix))]
mod roots;
mod user;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Arguments, Command};
use failure::Failure;
use output::Output;

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(Arguments { json, command }) => {
            let output = Output::new(json);
            dispatch(command, &output).unwrap_or_else(|failure| output.fail(&failure))
        }
        Err(error) => output::usage(&error),
    }
}

/// Hands a command to its file.
fn dispatch(command: Command, output: &Output) -> Result<ExitCode, Failure> {
    let done = match command {
        Command::Doctor(arguments) => return commands::doctor::run(arguments, output),
        Command::List => commands::list::run(output),
        Command::Info(device) => commands::info::run(&device, output),
        Command::Register(arguments) => commands::register::run(arguments, output),
        Command::Authenticate(arguments) => commands::authenticate::run(arguments, output),
        Command::Pin(command) => commands::pin::run(command, output),
        Command::Credentials(command) => commands::credentials::run(command, output),
        Command::Reset(arguments) => commands::reset::run(&arguments, output),
        Command::Select(arguments) => commands::select::run(arguments, output),
        Command::Wink(device) => commands::wink::run(&device, output),
        #[cfg(all(feature = "emulator", unix))]
        Command::Emulate(arguments) => commands::emulate::run(arguments, output),
        #[cfg(all(feature = "totp", unix))]
        Command::Totp(command) => commands::totp::run(command, output),
        #[cfg(all(feature = "iam", unix))]
        Command::Iam(command) => commands::iam::run(command, output),
        #[cfg(all(feature = "emulator", feature = "iam", unix))]
        Command::Demo(arguments) => commands::demo::run(&arguments, output),
    };
    done.map(|()| ExitCode::SUCCESS)
}
