//! What proves an authenticator app: codes of a secret that is kept here, or a code that somebody gives.

use keywright_totp::{Account, Error, Store};
use zeroize::Zeroizing;

use super::identity::kept_name;
use crate::args::totp::Place;
use crate::commands::totp::{now, place};
use crate::failure::{Failure, Kind};
use crate::hidden;
use crate::interrupt::Interrupt;
use crate::pin::{Descriptors, Source};

/// Where codes come from.
pub(super) enum Proof {
    /// A secret that is kept here.
    Kept(Account),
    /// Somebody who has the device.
    Given(Zeroizing<String>),
}

/// What was said of it on the command line.
pub(super) struct Said<'a> {
    /// The name under which the secret is kept.
    pub(super) totp: Option<&'a str>,
    /// Ask, and do not look.
    pub(super) typed: bool,
    /// A descriptor that has a code.
    pub(super) code_fd: Option<u32>,
    /// Where secrets are kept.
    pub(super) place: &'a Place,
}

impl Proof {
    /// The secret of the device, if it is kept here; else a code is asked for.
    ///
    /// # Errors
    /// If a secret was named and is not there, or no code is given.
    pub(super) fn of(serial: &str, said: &Said<'_>, interrupt: &mut Interrupt) -> Result<Self, Failure> {
        if said.code_fd.is_some() {
            let code = Source::of(said.code_fd, None).text(&mut Descriptors::default(), "code")?;
            return Ok(Self::Given(code.unwrap_or_default()));
        }
        if said.typed {
            return ask(serial, interrupt).map(Self::Given);
        }
        match kept(serial, said.totp, said.place, interrupt)? {
            Some((account, _)) => Ok(Self::Kept(account)),
            None => ask(serial, interrupt).map(Self::Given),
        }
    }

    /// The codes to try in turn. That of now may have been used already, and that of the next step is good by then: nobody waits.
    pub(super) fn codes(&self) -> Result<Vec<Zeroizing<String>>, Failure> {
        match self {
            Self::Given(code) => Ok(vec![code.clone()]),
            Self::Kept(account) => {
                let now = now()?;
                let period = u64::from(account.parameters().period);
                Ok([now, now + period].map(|time| account.code(time).text).into())
            }
        }
    }
}

/// The secret of a device, and where it is kept; `None` if it is not, and was not named.
///
/// # Errors
/// If it was named and is not there, or the place does not open.
pub(super) fn kept(
    serial: &str,
    named: Option<&str>,
    place: &Place,
    interrupt: &mut Interrupt,
) -> Result<Option<(Account, Store)>, Failure> {
    if let Some(name) = named {
        let store = place::open(place, place::Purpose::Look, interrupt)?;
        return Ok(Some((store.find(name)?, store)));
    }
    let Some(name) = kept_name(serial) else { return Ok(None) };
    let Some(store) = place::find(place, interrupt)? else { return Ok(None) };
    match store.find(&name) {
        Ok(account) => Ok(Some((account, store))),
        Err(Error::NoAccount(..)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn ask(serial: &str, interrupt: &mut Interrupt) -> Result<Zeroizing<String>, Failure> {
    interrupt.watch();
    let line = hidden::line(&format!("Code of {serial}: "), interrupt).map_err(|error| {
        Failure::usage(format!(
            "no secret of {serial} is kept here, and there is no terminal to ask for a code at ({error}): add it with \
             `keywright totp add`, or give a code with --code-fd"
        ))
    })?;
    let cancelled = || Failure::new(Kind::User, "cancelled: no code was given, and nothing was done");
    line.filter(|text| !text.is_empty()).ok_or_else(cancelled)
}
