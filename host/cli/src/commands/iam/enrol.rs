//! `keywright iam enrol`.

mod app;
mod key;

use std::fmt;

use serde::Serialize;

use crate::args::aws::Enrol;
use crate::failure::Failure;
use crate::output::{Foreign, Output};

/// Enrols an authenticator app or a security key.
///
/// # Errors
/// Whatever kept it from being done; nothing is left half-done then, or it is said what is.
pub(super) fn run(arguments: &Enrol, output: &Output) -> Result<(), Failure> {
    let enrolled = if arguments.totp { app::enrol(arguments)? } else { key::enrol(arguments)? };
    output.answer(&enrolled)
}

/// A device that is in use now.
#[derive(Serialize)]
struct Enrolled {
    serial: String,
    user: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// Under which name the app's secret is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_as: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_in: Option<String>,
    done: &'static str,
}

impl fmt::Display for Enrolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is an MFA device of {} now.", Foreign(&self.serial), Foreign(&self.user))?;
        if let (Some(name), Some(place)) = (&self.kept_as, &self.kept_in) {
            write!(
                f,
                "\nIts secret is kept in {place}: `keywright totp code {}` shows its codes.",
                Foreign(name)
            )?;
        }
        Ok(())
    }
}
