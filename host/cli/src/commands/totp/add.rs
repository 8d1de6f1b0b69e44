//! `keywright totp add`.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use keywright_totp::{Account, Parameters, is_uri, read_picture};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Shown, place};
use crate::args::totp::Add;
use crate::failure::{Failure, Kind};
use crate::hidden;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// Reads the account before it opens the place: what cannot be kept asks for no passphrase.
///
/// # Errors
/// If what was given is no account, the name is taken, or the place does not open.
pub(super) fn run(arguments: &Add, output: &Output) -> Result<(), Failure> {
    let mut interrupt = Interrupt::default();
    let account = account(arguments, &mut interrupt)?;
    let store = place::open(&arguments.place, place::Purpose::Keep, &mut interrupt)?;
    store.add(&account)?;
    output.answer(&Added { account: Shown::of(&account), kept_in: store.place(), done: "added" })
}

/// What was kept, and where.
#[derive(Serialize)]
struct Added {
    #[serde(flatten)]
    account: Shown,
    kept_in: String,
    done: &'static str,
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nis kept in {}.", self.account, self.kept_in)
    }
}

fn account(arguments: &Add, interrupt: &mut Interrupt) -> Result<Account, Failure> {
    let text = match (&arguments.qr, &arguments.from) {
        (Some(picture), _) => read_picture(&bytes(&mut open(picture)?, picture, LARGEST_PICTURE)?)
            .map_err(|error| Failure::usage(format!("{}: {error}", picture.display())))?,
        (None, Some(file)) => text(bytes(&mut open(file)?, file, LARGEST_TEXT)?)?,
        (None, None) if io::stdin().is_terminal() => typed(interrupt)?,
        (None, None) => text(bytes(&mut io::stdin(), Path::new("standard input"), LARGEST_TEXT)?)?,
    };
    if is_uri(&text) {
        if arguments.algorithm.is_some() || arguments.digits.is_some() || arguments.period.is_some() {
            return Err(Failure::usage(
                "the URI says algorithm, digits and period itself: leave out --algorithm, --digits and --period",
            ));
        }
        return Ok(Account::from_uri(&text, arguments.name.as_deref())?);
    }
    let name =
        arguments.name.as_deref().ok_or_else(|| Failure::usage("a base32 secret has no name: give one"))?;
    let usual = Parameters::default();
    let parameters = Parameters {
        algorithm: arguments.algorithm.unwrap_or(usual.algorithm),
        digits: arguments.digits.unwrap_or(usual.digits),
        period: arguments.period.unwrap_or(usual.period),
    };
    Ok(Account::from_base32(name, &text, parameters)?)
}

fn typed(interrupt: &mut Interrupt) -> Result<Zeroizing<String>, Failure> {
    interrupt.watch();
    let line =
        hidden::line("The otpauth URI or the base32 secret (not shown): ", interrupt).map_err(|error| {
            Failure::new(Kind::Other, format!("the terminal cannot be read: {error}; use --from"))
        })?;
    let cancelled = || Failure::new(Kind::User, "cancelled: no secret was given, and nothing was done");
    line.filter(|text| !text.is_empty()).ok_or_else(cancelled)
}

fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

fn bytes(source: &mut dyn Read, path: &Path, most: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 << 10));
    let read = source.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    if bytes.len() as u64 > most {
        return Err(Failure::usage(format!("{}: it is too large to be one: name another", path.display())));
    }
    Ok(bytes)
}

fn text(bytes: Zeroizing<Vec<u8>>) -> Result<Zeroizing<String>, Failure> {
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Failure::usage("what was given is no text: a picture is named with --qr, a URI or base32 is text")
    })?;
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::usage("nothing was given: an otpauth URI or a base32 secret is needed"));
    }
    if text.lines().count() > 1 {
        return Err(Failure::usage("several lines were given: one account at a time"));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

const LARGEST_TEXT: u64 = 16 << 10;
const LARGEST_PICTURE: u64 = 64 << 20;
