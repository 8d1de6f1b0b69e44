//! `keywright iam`: the local IAM, and what is asked of any IAM.

mod devices;
mod enrol;
mod identity;
mod login;
mod proof;
mod session;

use std::fmt;

use keywright_iam::{Config, Error, Guard, Running, Server};
use serde::Serialize;

use crate::args::Iam;
use crate::failure::{Failure, Kind};
use crate::interrupt;
use crate::output::Output;

/// Hands a command to its file.
///
/// # Errors
/// Whatever kept it from being done.
pub(crate) fn run(command: Iam, output: &Output) -> Result<(), Failure> {
    match command {
        Iam::Serve { listen, data, ephemeral: _, guard, mfa_within } => {
            let config = data.map_or_else(Config::ephemeral, Config::in_directory);
            serve(Config { listen, guard: guard.then_some(Guard { mfa_within }), ..config }, output)
        }
        Iam::Login(arguments) => login::run(arguments, output),
        Iam::Logout(whom) => login::log_out(&whom, output),
        Iam::Enrol(arguments) => enrol::run(&arguments, output),
        Iam::Devices(command) => devices::run(command, output),
        Iam::Session(arguments) => session::run(&arguments, output),
    }
}

/// Serves until the process is asked to end.
fn serve(config: Config, output: &Output) -> Result<(), Failure> {
    let running = Server::start(config)?;
    interrupt::on_termination(running.stopper())?;
    output.answer(&Started(&running))?;
    Ok(running.wait()?)
}

/// What there is to know of a server that has started, in the server's own JSON.
#[derive(Serialize)]
#[serde(transparent)]
struct Started<'a>(&'a Running);

impl fmt::Display for Started<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Running { url, console_url, account, administrator, access_key_id, secret_access_key, .. } =
            self.0;
        writeln!(f, "The console of the local IAM is at {console_url}")?;
        writeln!(f, "  account   {account}")?;
        writeln!(f, "AWS's API for its command and SDKs is at {url}:")?;
        writeln!(f, "  export AWS_ENDPOINT_URL_IAM={url} AWS_ENDPOINT_URL_STS={url} AWS_REGION=us-east-1")?;
        writeln!(f, "  export AWS_ACCESS_KEY_ID={access_key_id} AWS_SECRET_ACCESS_KEY={secret_access_key}")?;
        write!(f, "The administrator signs in to the console")?;
        if let Some(administrator) = administrator {
            write!(
                f,
                " with\n  user      {}\n  password  {}\nwhich is shown this once and kept nowhere.",
                administrator.user, administrator.password
            )?;
        }
        if administrator.is_none() {
            write!(f, " with the password of the first start.")?;
        }
        write!(f, "\nCtrl-C ends it.")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::NotLoopback(_)
            | Error::Account(_)
            | Error::OtherAccount { .. }
            | Error::Administrator(_)
            | Error::Role(_) => Kind::Usage,
            _ => Kind::Other,
        };
        Self::new(kind, error.to_string())
    }
}
