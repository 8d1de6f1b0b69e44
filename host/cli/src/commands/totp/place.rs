//! Where the accounts are kept, and opening that place.

use std::env;
use std::path::{Path, PathBuf};

use keywright_totp::{Error, Keyring, SealedFile, Store, check_passphrase};
use zeroize::Zeroizing;

use crate::args::totp::Place;
use crate::failure::{Failure, Kind};
use crate::hidden;
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::pin::{Descriptors, Source};

/// What a place is opened for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// What is there.
    Look,
    /// To keep something: a file is made if there is none.
    Keep,
}

/// Opens the place that was named; else the usual file if there is one, the system's keyring, or a new file.
///
/// # Errors
/// If there is none, or it does not open.
pub(crate) fn open(place: &Place, purpose: Purpose, interrupt: &mut Interrupt) -> Result<Store, Failure> {
    match named(place).as_deref() {
        Some("keyring") => Ok(Store::Keyring(Keyring::connect()?)),
        Some(path) => file(Path::new(path), place, purpose, interrupt),
        None => usual(place, purpose, interrupt),
    }
}

/// Opens the place as [`open`] does to look; `None` if nothing is kept anywhere.
///
/// # Errors
/// If it is there and does not open.
pub(crate) fn find(place: &Place, interrupt: &mut Interrupt) -> Result<Option<Store>, Failure> {
    let is_named = named(place).is_some();
    if is_named || usual_path()?.exists() || Keyring::connect().is_ok() {
        return open(place, Purpose::Look, interrupt).map(Some);
    }
    Ok(None)
}

fn named(place: &Place) -> Option<String> {
    place.store.clone().or_else(|| env::var("KEYWRIGHT_TOTP_STORE").ok()).filter(|named| !named.is_empty())
}

fn usual(place: &Place, purpose: Purpose, interrupt: &mut Interrupt) -> Result<Store, Failure> {
    let path = usual_path()?;
    if path.exists() {
        return file(&path, place, purpose, interrupt);
    }
    match Keyring::connect() {
        Ok(keyring) => Ok(Store::Keyring(keyring)),
        Err(error) if purpose == Purpose::Look => Err(Failure::usage(format!(
            "no accounts are kept: there is no {}, and {error}; add one with `keywright totp add`",
            path.display()
        ))),
        Err(_) => {
            Output::note(format_args!(
                "There is no system keyring, so the accounts are kept in {}.",
                path.display()
            ));
            file(&path, place, purpose, interrupt)
        }
    }
}

/// A folder of the person's own, as freedesktop.org has it.
fn usual_path() -> Result<PathBuf, Failure> {
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let data = data.or_else(|| env::home_dir().map(|home| home.join(".local/share")));
    let data = data.ok_or_else(|| Failure::usage("there is no home folder: say where with --store FILE"))?;
    Ok(data.join("keywright/totp"))
}

fn file(path: &Path, place: &Place, purpose: Purpose, interrupt: &mut Interrupt) -> Result<Store, Failure> {
    if path.exists() {
        let passphrase =
            SealedFile::needs_passphrase(path)?.then(|| known(path, place, interrupt)).transpose()?;
        return Ok(Store::File(SealedFile::open(path, passphrase.as_ref().map(|text| text.as_str()))?));
    }
    if purpose == Purpose::Look {
        return Err(Failure::usage(format!(
            "{}: there is no such file; `keywright totp add` makes one",
            path.display()
        )));
    }
    let passphrase = (!place.no_passphrase).then(|| new(path, place, interrupt)).transpose()?;
    let made = SealedFile::create(path, passphrase.as_ref().map(|text| text.as_str()));
    match made {
        // Another command was faster.
        Err(Error::Exists(_)) => {
            Err(Failure::usage(format!("{}: it was made meanwhile: try again", path.display())))
        }
        made => Ok(Store::File(made?)),
    }
}

/// The passphrase of a file that is there.
fn known(path: &Path, place: &Place, interrupt: &mut Interrupt) -> Result<Zeroizing<String>, Failure> {
    let given = source(place).text(&mut Descriptors::default(), "passphrase")?;
    given.map_or_else(|| ask(&format!("Passphrase of {}: ", path.display()), interrupt), Ok)
}

/// The passphrase that a new file is to have; at the terminal, asked for twice.
fn new(path: &Path, place: &Place, interrupt: &mut Interrupt) -> Result<Zeroizing<String>, Failure> {
    if let Some(given) = source(place).text(&mut Descriptors::default(), "passphrase")? {
        check_passphrase(&given)?;
        return Ok(given);
    }
    let prompt = format!("A passphrase for {}, 8 characters or more: ", path.display());
    let first = ask(&prompt, interrupt)?;
    check_passphrase(&first)?;
    if ask("The same again: ", interrupt)? != first {
        return Err(Failure::new(Kind::Pin, "the two are not the same, and nothing was done: try again"));
    }
    Ok(first)
}

fn source(place: &Place) -> Source {
    Source::of(place.passphrase_fd, place.passphrase_env.clone())
}

fn ask(prompt: &str, interrupt: &mut Interrupt) -> Result<Zeroizing<String>, Failure> {
    // Whoever is interrupted gets the terminal back as it was.
    interrupt.watch();
    let line = hidden::line(prompt, interrupt).map_err(|error| {
        Failure::new(
            Kind::Pin,
            format!(
                "a passphrase is needed and there is no terminal to ask at ({error}): give it with --passphrase-fd or \
                 --passphrase-env, or make a new file with --no-passphrase"
            ),
        )
    })?;
    let cancelled = || Failure::new(Kind::User, "cancelled: no passphrase was given, and nothing was done");
    line.filter(|text| !text.is_empty()).ok_or_else(cancelled)
}
