//! `keywright demo`.

use std::fmt;

use keywright_iam::{Administrator, Running};
use serde::Serialize;

use crate::args::Demo;
use crate::demo::{self, DemoError, Outcome};
use crate::failure::{Failure, Kind};
use crate::interrupt;
use crate::key::Key;
use crate::output::Output;

/// Tells the story, and keeps the console open afterwards if that is asked for.
///
/// # Errors
/// [`DemoError`] if the story does not end as it must; what [`Key::open`] says of a key that was named.
pub(crate) fn run(arguments: &Demo, output: &Output) -> Result<(), Failure> {
    let named = arguments.device.as_ref().map(|address| Key::open(address, None)).transpose()?;
    let named = named.map(|key| key.authenticator);
    let (outcome, iam) = demo::play(named, &mut |step| Output::note(step))?;
    if !arguments.serve {
        return output.answer(&Told { outcome, console: None });
    }
    interrupt::on_termination(iam.stopper())?;
    output.answer(&Told { outcome, console: Some(Console::of(&iam)) })?;
    Ok(iam.wait()?)
}

/// How the story ended, and where its console is if it stays open.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    outcome: Outcome,
    #[serde(flatten)]
    console: Option<Console>,
}

/// The console that stays open, and who can sign in to it.
#[derive(Serialize)]
struct Console {
    console_url: String,
    account: String,
    administrator: Option<Administrator>,
}

impl Console {
    fn of(iam: &Running) -> Self {
        Self {
            console_url: iam.console_url.clone(),
            account: iam.account.clone(),
            administrator: iam.administrator.clone(),
        }
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reports = self.outcome.reports;
        write!(f, "All of it passed between the driver and the keys as 64-byte reports: {reports} of them.")?;
        let Some(Console { console_url, account, administrator }) = &self.console else { return Ok(()) };
        write!(f, "\nThe console is open at {console_url}, account {account}")?;
        if let Some(Administrator { user, password }) = administrator {
            write!(f, ": user {user}, password {password}")?;
        }
        write!(f, "\nCtrl-C ends it.")
    }
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        Self::new(Kind::Other, error.to_string())
    }
}
