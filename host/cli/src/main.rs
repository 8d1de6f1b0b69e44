//! The `keywright` command.

mod args;
mod demo;

use clap::Parser;

fn main() {
    let arguments = args::Arguments::parse();
    if let args::Command::Demo(_) = arguments.command {
        match demo::play(&mut |step| eprintln!("{step}")) {
            Ok((outcome, _)) => println!("{}", serde_json::json!(outcome)),
            Err(error) => eprintln!("{error}"),
        }
    }
}
