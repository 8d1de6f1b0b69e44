//! `keywright totp export`: the only command that shows a secret, and only where nobody else looks.

use std::fmt;
use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use keywright_totp::{Account, png, terminal};
use serde::Serialize;
use zeroize::Zeroizing;

use super::place;
use crate::args::totp::Place;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Foreign, Output};
use crate::replace::Replacement;
use crate::user::{check_confirmable, confirm};

/// As what a secret is shown.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    /// An `otpauth:` URI.
    Uri,
    /// A QR code of the URI.
    Qr,
}

/// Where it goes.
pub(super) struct To {
    /// A file; the terminal without one.
    pub(super) file: Option<PathBuf>,
    /// Whether the file may be there already.
    pub(super) force: bool,
}

/// Shows the secret once the user has said yes.
///
/// # Errors
/// If there is no such account, nobody is there to see it, the place does not open, or the user says no.
pub(super) fn run(
    name: &str,
    form: Form,
    to: To,
    yes: bool,
    place: &Place,
    output: &Output,
) -> Result<(), Failure> {
    check_confirmable(yes)?;
    let file = to.file.map(|path| check(path, to.force)).transpose()?;
    if file.is_none() && (!io::stdout().is_terminal() || output.is_json()) {
        return Err(Failure::usage(
            "a secret is shown at a terminal or written to a private file, and nowhere else: name one with --output",
        ));
    }
    let store = place::open(place, place::Purpose::Look, &mut Interrupt::default())?;
    let account = store.find(name)?;
    let question =
        format!("Whoever sees what this shows has the second factor of {} for good. Go on?", Foreign(name));
    confirm(&question, yes)?;
    let Some((path, replacement)) = file else { return output.answer(&Shown(at_terminal(&account, form)?)) };
    replacement.commit(&in_file(&account, form)?, !to.force)?;
    output.answer(&Written { name, form, file: path, done: "exported" })
}

/// What a file is to hold.
fn in_file(account: &Account, form: Form) -> Result<Zeroizing<Vec<u8>>, Failure> {
    Ok(match form {
        Form::Qr => png(&account.uri())?,
        Form::Uri => Zeroizing::new([account.uri().as_bytes(), b"\n"].concat()),
    })
}

fn at_terminal(account: &Account, form: Form) -> Result<Zeroizing<String>, Failure> {
    Ok(match form {
        Form::Qr => terminal(&account.uri())?,
        Form::Uri => account.uri(),
    })
}

fn check(path: PathBuf, force: bool) -> Result<(String, Replacement), Failure> {
    if !force && fs::symlink_metadata(&path).is_ok() {
        return Err(Failure::usage(format!(
            "{}: something is there already: name another file, or add --force",
            path.display()
        )));
    }
    let replacement = Replacement::of(Path::new(&path))?;
    Ok((path.display().to_string(), replacement))
}

/// The secret itself.
#[derive(Serialize)]
struct Shown(Zeroizing<String>);

#[derive(Serialize)]
struct Written<'a> {
    name: &'a str,
    form: Form,
    file: String,
    done: &'static str,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "The secret of {} is in {}, which only you can read. Delete it when it has been used.",
            Foreign(self.name),
            self.file
        )
    }
}
