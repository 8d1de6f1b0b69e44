//! The local IAM alone: `cargo run -p keywright-iam --example serve -- --json [--listen ADDR] [--data DIR] [--guard]
//! [--tls CERT KEY] [--origin URL]`.
//!
//! The first line is one JSON object; it stays until it is ended.

use std::{env, error::Error, io::Write as _};

use keywright_iam::{Config, Data, Guard, Server, Tls};

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = Config::ephemeral();
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--json" | "--ephemeral" => {}
            "--data" => config.data = Data::Directory(value()?.into()),
            "--guard" => config.guard = Some(Guard { mfa_within: None }),
            "--listen" => config.listen = value()?.parse()?,
            "--tls" => config.tls = Some(Tls { certificate: value()?.into(), key: value()?.into() }),
            "--origin" => config.origin = Some(value()?),
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    let mut told = Ok(());
    Server::serve(config, |running| {
        told = serde_json::to_string(running)
            .map_err(std::io::Error::from)
            .and_then(|line| writeln!(std::io::stdout(), "{line}"));
    })?;
    Ok(told?)
}
