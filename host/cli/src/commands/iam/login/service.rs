//! The sign-in at the service's JSON endpoints.

use keywright_host::webauthn::{Origin, RequestOptions};
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::tls::TlsConfig;
use zeroize::Zeroizing;

use super::kept::{Grant, Kept};
use crate::args::Device;
use crate::args::login::Whom;
use crate::console::{Console, ConsoleError};
use crate::failure::{Failure, Kind};
use crate::key::Key;
use crate::user::User;

/// One sign-in.
pub(super) struct Service<'a> {
    console: Console,
    url: String,
    whom: &'a Whom,
}

/// How far the first step led.
#[derive(Deserialize)]
struct Begun {
    state: String,
    #[serde(default)]
    devices: Vec<DeviceKind>,
}

#[derive(Deserialize)]
struct DeviceKind {
    #[serde(rename = "type")]
    kind: String,
}

impl<'a> Service<'a> {
    pub(super) fn new(whom: &'a Whom, tls: TlsConfig) -> Self {
        let url = whom.url.console();
        Self { console: Console::new(&url, tls), url, whom }
    }

    /// The first step with a grant; `false` when it has ended, and only the password is left.
    pub(super) fn begin_with_grant(&mut self, grant: &Grant) -> Result<bool, Failure> {
        let body = json!({ "grant": grant.token.as_str() });
        match self.console.post("/api/sign-in/grant", body) {
            Ok(_) => Ok(true),
            Err(ConsoleError::Refused { status: 403, .. }) => Ok(false),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// The first step with the password.
    pub(super) fn begin_with_password(&mut self, password: &Zeroizing<String>) -> Result<(), Failure> {
        let body = json!({
            "account": self.whom.account, "user": self.whom.user, "password": password.as_str(),
        });
        let begun = self.console.post_for::<Begun>("/api/sign-in", body);
        let begun = begun.map_err(|error| self.failed(error))?;
        let words = match begun.state.as_str() {
            "mfa_required" if begun.devices.iter().any(|device| device.kind == "webauthn") => return Ok(()),
            "mfa_required" => "has no security key; sign in with --browser and a code, or assign a key",
            _ => "has no MFA device, and credentials here take one: assign a security key",
        };
        let (user, url) = (&self.whom.user, &self.url);
        Err(Failure::new(Kind::State, format!("{user} {words} at {url}/security-credentials")))
    }

    /// The second step: a touch of the key.
    pub(super) fn prove(&mut self, device: &Device, user: &mut User) -> Result<(), Failure> {
        let origin: Origin = self.url.parse()?;
        // The key first: a challenge does not wait for one to be plugged in.
        let mut key = Key::find(device, user)?;
        let options = self.console.post_for::<RequestOptions>("/api/sign-in/webauthn/options", json!({}));
        let options = options.map_err(|error| self.failed(error))?;
        let response = key.authenticator.authenticate(&options, &origin, user);
        let response = user.outcome(response)?;
        let proven = self.console.post("/api/sign-in/webauthn", json!({ "credential": response }));
        proven.map(drop).map_err(|error| self.failed(error))
    }

    /// What someone signed in is given. The session ends with that.
    pub(super) fn credentials(&mut self, seconds: u32) -> Result<Kept, Failure> {
        let login = self.console.post_for::<Kept>("/api/credentials", json!({ "duration_seconds": seconds }));
        let login = login.map_err(|error| self.failed(error))?;
        // A session that is left open ends by itself.
        let _ = self.console.post("/api/sign-out", Value::Null);
        require(self.whom, &login.arn)?;
        Ok(login)
    }

    fn failed(&self, error: ConsoleError) -> Failure {
        match error {
            ConsoleError::Refused { message, .. } => Failure::new(Kind::Other, message),
            ConsoleError::Http(error) => Failure::new(
                Kind::Other,
                format!(
                    "no answer from {} ({error}): check --console-url{}, or start it with `keywright iam serve`",
                    self.url,
                    if self.url.starts_with("https://") { " and --ca-bundle" } else { "" }
                ),
            ),
            ConsoleError::Json(error) => Failure::new(
                Kind::Other,
                format!(
                    "{} answers something else than a local IAM does ({error}): check --console-url",
                    self.url
                ),
            ),
        }
    }
}

/// Refuses credentials of anybody else than who was asked for.
pub(super) fn require(whom: &Whom, arn: &str) -> Result<(), Failure> {
    let user = arn.strip_prefix(&format!("arn:aws:iam::{}:user/", whom.account));
    let user = user.and_then(|path| path.rsplit('/').next());
    if user.is_some_and(|user| user.eq_ignore_ascii_case(&whom.user)) {
        return Ok(());
    }
    let asked = format!("{} of {}", whom.user, whom.account);
    Err(Failure::new(
        Kind::Verification,
        format!("the credentials are those of {arn} and not of {asked}: sign in as {asked}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_of_somebody_else_are_refused() {
        let url = "http://localhost:8080".parse().unwrap();
        let whom = Whom { url, account: "123456789012".to_owned(), user: "ann".to_owned() };
        for arn in ["arn:aws:iam::123456789012:user/ann", "arn:aws:iam::123456789012:user/team/Ann"] {
            require(&whom, arn).unwrap();
        }
        for arn in [
            "",
            "arn:aws:iam::123456789012:user/eve",
            "arn:aws:iam::123456789012:user/ann/eve",
            "arn:aws:iam::210987654321:user/ann",
            "arn:aws:iam::123456789012:root",
            "arn:aws:sts::123456789012:assumed-role/r/ann",
        ] {
            assert_eq!(require(&whom, arn).unwrap_err().kind(), Kind::Verification, "{arn}");
        }
    }
}
