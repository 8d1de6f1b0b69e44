//! `keywright totp`: an authenticator app.

mod add;
mod code;
mod export;
mod list;
pub(crate) mod place;
mod remove;

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use keywright_totp::Account;
use serde::Serialize;

use crate::args::totp::Totp;
use crate::failure::{Failure, Kind};
use crate::output::{Foreign, Output};

/// Hands a command to its file.
///
/// # Errors
/// Whatever kept it from being done.
pub(crate) fn run(command: Totp, output: &Output) -> Result<(), Failure> {
    match command {
        Totp::Add(arguments) => add::run(&arguments, output),
        Totp::Code { name, wait, place } => code::run(&name, wait, &place, output),
        Totp::List { place } => list::run(&place, output),
        Totp::Remove { name, yes, place } => remove::run(&name, yes, &place, output),
        Totp::Export { name, qr, output: file, force, yes, place } => {
            let form = if qr { export::Form::Qr } else { export::Form::Uri };
            export::run(&name, form, export::To { file, force }, yes, &place, output)
        }
    }
}

/// An account without its secret.
#[derive(Serialize)]
pub(crate) struct Shown {
    name: String,
    issuer: Option<String>,
    algorithm: &'static str,
    digits: u8,
    period: u32,
}

impl Shown {
    pub(crate) fn of(account: &Account) -> Self {
        let parameters = account.parameters();
        Self {
            name: account.name().to_owned(),
            issuer: account.issuer().map(str::to_owned),
            algorithm: parameters.algorithm.name(),
            digits: parameters.digits,
            period: parameters.period,
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, issuer, algorithm, digits, period } = self;
        write!(f, "{}", Foreign(name))?;
        if let Some(issuer) = issuer {
            write!(f, "  ({})", Foreign(issuer))?;
        }
        write!(f, "  {algorithm}, {digits} digits, {period} s")
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> Result<u64, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map(|now| now.as_secs())
        .map_err(|_| Failure::new(Kind::Other, "the clock of this machine is wrong: set it"))
}
