//! `keywright iam login` and `keywright iam logout`: temporary credentials with MFA, as AWS's tools take them from a
//! `credential_process`.
//!
//! What is kept is used while it is fresh; then a touch of the key renews it, and only once in a while the password.

mod browser;
mod kept;
mod profile;
mod service;

use std::fmt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use ureq::tls::TlsConfig;

use crate::args::login::{Login, Whom};
use crate::aws::credentials::ProcessCredentials;
use crate::failure::{Failure, Kind};
use crate::output::Output;
use crate::roots;
use crate::user::User;
use kept::{Keeping, Kept};
use profile::Profile;
use service::Service;

/// Prints credentials: those that are kept, or new ones. With `--configure` it writes the profile that asks for them.
///
/// # Errors
/// What the service, the key or the user refused, or what is wrong with a file.
pub(crate) fn run(arguments: Login, output: &Output) -> Result<(), Failure> {
    let named = arguments.configure.clone().or(arguments.show.clone());
    let profile = named.map(|name| Profile::of(&arguments, name)).transpose()?;
    if let (Some(profile), Some(_)) = (&profile, &arguments.show) {
        return output.answer(&Shown { profile: profile.name().as_str(), snippet: profile.to_string() });
    }
    // Before anybody signs in: what cannot be written is told at once.
    let file = profile.as_ref().map(Profile::prepare).transpose()?;
    let kept = current(arguments)?;
    match (profile, file) {
        (Some(profile), Some(file)) => {
            let path = file.write(&profile)?;
            output.answer(&Configured { profile: profile.name().as_str(), file: path, arn: &kept.arn })
        }
        _ => output.answer(&credentials(&kept)?),
    }
}

/// Forgets what is kept.
///
/// # Errors
/// If the file cannot be removed.
pub(crate) fn log_out(whom: &Whom, output: &Output) -> Result<(), Failure> {
    let removed = Keeping::of(whom)?.forget()?;
    output.answer(&LoggedOut { done: "logged_out", removed })
}

/// Credentials that live for a while yet. Of several commands that want new ones, one asks its user and the others wait.
fn current(arguments: Login) -> Result<Kept, Failure> {
    let keeping = Keeping::of(&arguments.whom)?;
    if let Some(kept) = keeping.read()?.filter(|kept| kept.is_fresh(now())) {
        return Ok(kept);
    }
    let _turn = keeping.wait_for_turn()?;
    let kept = keeping.read()?;
    if let Some(kept) = kept.as_ref().filter(|kept| kept.is_fresh(now())) {
        return Ok(kept.clone());
    }
    let grant = kept.and_then(|kept| kept.grant).filter(|grant| now() < grant.expires_at);
    let fresh = if arguments.browser && grant.is_none() {
        browser::log_in(&arguments)?
    } else {
        tap(arguments, grant)?
    };
    keeping.write(&fresh)?;
    Ok(fresh)
}

/// The driver's own sign-in: a grant or the password, and a touch of the key.
fn tap(arguments: Login, grant: Option<kept::Grant>) -> Result<Kept, Failure> {
    let tls = believed(&arguments)?;
    let Login { whom, device, pin, password_fd, duration, browser, .. } = arguments;
    let mut user = User::new(pin).at_terminal();
    let mut service = Service::new(&whom, tls);
    let renewed = match &grant {
        Some(grant) => service.begin_with_grant(grant)?,
        None => false,
    };
    if !renewed {
        if browser {
            return Err(Failure::new(Kind::User, "this login has ended: run the same command at a terminal"));
        }
        let source = crate::pin::Source::of(password_fd, None);
        let prompt = format!("Password of {} at {}: ", whom.user, whom.url.console());
        service.begin_with_password(&user.secret(&source, "password", &prompt)?)?;
    }
    service.prove(&device, &mut user)?;
    let mut fresh = service.credentials(duration)?;
    // A renewed login has the grant that it began with.
    fresh.grant = fresh.grant.or(grant.filter(|_| renewed));
    Ok(fresh)
}

/// Whom the service's certificate may be from.
fn believed(arguments: &Login) -> Result<TlsConfig, Failure> {
    roots::believed(arguments.roots.bundle(&arguments.whom.url).as_deref())
}

/// Seconds since 1970.
fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

/// What AWS's tools read from a `credential_process`.
fn credentials(kept: &Kept) -> Result<ProcessCredentials, Failure> {
    let time = OffsetDateTime::from_unix_timestamp(kept.expires_at).ok();
    let expiration = time.and_then(|time| time.format(&Rfc3339).ok()).ok_or_else(|| {
        let words = "the service gave no time that the credentials end at: use a newer keywright";
        Failure::new(Kind::Other, words)
    })?;
    let (secret, token) = (kept.secret_access_key.clone(), kept.session_token.clone());
    Ok(ProcessCredentials::temporary(&kept.access_key_id, secret, token, expiration))
}

#[derive(Serialize)]
struct Configured<'a> {
    profile: &'a str,
    file: PathBuf,
    arn: &'a str,
}

impl fmt::Display for Configured<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (profile, file) = (self.profile, self.file.display());
        write!(
            f,
            "You are {}, and the profile {profile} is in {file}.\nTry it: aws --profile {profile} sts get-caller-identity",
            self.arn
        )
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    profile: &'a str,
    snippet: String,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.snippet)
    }
}

#[derive(Serialize)]
struct LoggedOut {
    done: &'static str,
    removed: bool,
}

impl fmt::Display for LoggedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.removed { "The login is forgotten." } else { "There was no login to forget." })
    }
}
