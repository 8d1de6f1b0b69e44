//! `keywright iam session`: a code becomes temporary credentials.

use std::fmt;

use serde::Serialize;

use super::proof::{Proof, Said};
use crate::args::aws::Session;
use crate::aws::credentials::ProcessCredentials;
use crate::aws::{Answer, ApiError, Aws, Service};
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::Output;

/// Asks STS with a code, and with the next one if that was used already.
///
/// # Errors
/// If there is no code, or it is refused.
pub(super) fn run(arguments: &Session, output: &Output) -> Result<(), Failure> {
    let Session { serial, totp, typed, code_fd, duration, export, account, place } = arguments;
    let aws = Aws::of(account)?;
    let said = Said { totp: totp.as_deref(), typed: *typed, code_fd: *code_fd, place };
    let proof = Proof::of(serial, &said, &mut Interrupt::default())?;
    let duration = duration.map(|seconds| seconds.to_string());
    let answer = proven(&proof, |code| {
        let members = [("SerialNumber", serial.as_str()), ("TokenCode", code)];
        let duration = duration.as_deref().map(|seconds| ("DurationSeconds", seconds));
        aws.call(Service::Sts, "GetSessionToken", &members.into_iter().chain(duration).collect::<Vec<_>>())
    })?;
    output.answer(&Made { credentials: ProcessCredentials::of(&answer)?, export: *export })
}

/// The answer to the first code that is taken.
fn proven(proof: &Proof, ask: impl Fn(&str) -> Result<Answer, ApiError>) -> Result<Answer, Failure> {
    let mut refused = None;
    for code in proof.codes()? {
        match ask(&code) {
            Ok(answer) => return Ok(answer),
            Err(error) if is_wrong_code(&error) => refused = Some(error),
            Err(error) => return Err(error.into()),
        }
    }
    let failure =
        Failure::from(refused.unwrap_or(ApiError::Unknown { action: "GetSessionToken", why: String::new() }));
    let words = format!("{failure}; a code is good once: try again with the next one, in at most 30 seconds");
    Err(failure.in_words(words))
}

/// Not for a device that is not there: trying another code would be of no use.
fn is_wrong_code(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { message, .. } if message.contains("invalid MFA one time pass code"))
}

/// The credentials, which are what was asked for.
#[derive(Serialize)]
struct Made {
    #[serde(flatten)]
    credentials: ProcessCredentials,
    #[serde(skip)]
    export: bool,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProcessCredentials { access_key_id, secret_access_key, session_token, .. } = &self.credentials;
        if !self.export {
            return self.credentials.fmt(f);
        }
        writeln!(f, "export AWS_ACCESS_KEY_ID={}", Quoted(access_key_id))?;
        writeln!(f, "export AWS_SECRET_ACCESS_KEY={}", Quoted(secret_access_key))?;
        write!(f, "export AWS_SESSION_TOKEN={}", Quoted(session_token.as_ref().map_or("", |token| token)))
    }
}

/// A word for a shell, whatever is in it.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_endpoint_says_is_one_word_to_a_shell() {
        for text in ["", "abc+/=", "'; echo gone; '", "$(echo gone)", "a\nb"] {
            let script = format!("printf %s {}", Quoted(text));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }

    #[test]
    fn only_a_wrong_code_is_worth_another_one() {
        let refused = |message: &str| ApiError::Refused {
            action: "GetSessionToken",
            code: "AccessDenied".to_owned(),
            message: message.to_owned(),
        };
        assert!(is_wrong_code(&refused(
            "MultiFactorAuthentication failed with invalid MFA one time pass code. "
        )));
        assert!(!is_wrong_code(&refused("MultiFactorAuthentication failed, unable to validate MFA code.")));
        assert!(!is_wrong_code(&ApiError::Unknown {
            action: "X",
            why: "invalid MFA one time pass code".to_owned()
        }));
    }
}
