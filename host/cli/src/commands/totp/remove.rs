//! `keywright totp remove`.

use std::fmt;

use serde::Serialize;

use super::place;
use crate::args::totp::Place;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Foreign, Output};
use crate::user::{check_confirmable, confirm};

/// Forgets an account once the user has said yes.
///
/// # Errors
/// If there is no such account, the place does not open, or the user says no.
pub(super) fn run(name: &str, yes: bool, place: &Place, output: &Output) -> Result<(), Failure> {
    check_confirmable(yes)?;
    let store = place::open(place, place::Purpose::Look, &mut Interrupt::default())?;
    store.find(name)?;
    let question = format!(
        "This forgets the secret of {} for good; a site that still asks for its codes cannot be entered with it any more. Go on?",
        Foreign(name)
    );
    confirm(&question, yes)?;
    store.remove(name)?;
    output.answer(&Removed { name, kept_in: store.place(), done: "removed" })
}

#[derive(Serialize)]
struct Removed<'a> {
    name: &'a str,
    kept_in: String,
    done: &'static str,
}

impl fmt::Display for Removed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is gone from {}.", Foreign(self.name), self.kept_in)
    }
}
