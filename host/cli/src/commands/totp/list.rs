//! `keywright totp list`.

use std::fmt;

use serde::Serialize;

use super::{Shown, place};
use crate::args::totp::Place;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// Lists what is kept, without secrets.
///
/// # Errors
/// If the place does not open.
pub(super) fn run(place: &Place, output: &Output) -> Result<(), Failure> {
    let store = place::open(place, place::Purpose::Look, &mut Interrupt::default())?;
    let accounts = store.accounts()?.iter().map(Shown::of).collect();
    output.answer(&Kept { kept_in: store.place(), accounts })
}

#[derive(Serialize)]
struct Kept {
    kept_in: String,
    accounts: Vec<Shown>,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.accounts.is_empty() {
            return write!(f, "There are no accounts in {}.", self.kept_in);
        }
        self.accounts.iter().try_for_each(|account| writeln!(f, "{account}"))
    }
}
