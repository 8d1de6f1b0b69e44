//! Who asks: an access key, from where AWS's own clients take it.

use std::fmt;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::profile::{Profile, variable};
use super::{Answer, ApiError, Failure};

/// An access key, and what temporary credentials have besides.
pub(crate) struct Credentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: Zeroizing<String>,
    pub(super) session_token: Option<Zeroizing<String>>,
}

/// What a `credential_process` prints, as AWS documents it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ProcessCredentials {
    version: u32,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Zeroizing<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_token: Option<Zeroizing<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expiration: Option<String>,
}

impl Credentials {
    /// The environment's, unless a profile was named on the command line; else the profile's.
    ///
    /// # Errors
    /// If there are none.
    pub(super) fn of(profile: &Profile) -> Result<Self, Failure> {
        if !profile.is_chosen
            && let Some(access_key_id) = variable("AWS_ACCESS_KEY_ID")
        {
            let secret = variable("AWS_SECRET_ACCESS_KEY").map(Zeroizing::new);
            let secret_access_key = secret.ok_or_else(|| {
                Failure::usage("AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not: set both")
            })?;
            let session_token = variable("AWS_SESSION_TOKEN").map(Zeroizing::new);
            return Ok(Self { access_key_id, secret_access_key, session_token });
        }
        if let Some(access_key_id) = profile.setting("aws_access_key_id") {
            let half = || {
                Failure::usage(format!("the profile {} has no aws_secret_access_key: add it", profile.name))
            };
            let secret_access_key = profile.secret("aws_secret_access_key").ok_or_else(half)?;
            return Ok(Self {
                access_key_id,
                secret_access_key,
                session_token: profile.secret("aws_session_token"),
            });
        }
        if let Some(command) = profile.setting("credential_process") {
            return run(&command, &profile.name);
        }
        Err(Failure::usage(format!(
            "there are no AWS credentials: export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the profile {} some \
             (profiles of SSO and roles are not followed)",
            profile.name
        )))
    }
}

impl ProcessCredentials {
    /// Those that an answer of STS holds.
    ///
    /// # Errors
    /// If a part is missing.
    pub(crate) fn of(answer: &Answer) -> Result<Self, ApiError> {
        Ok(Self::temporary(
            &answer.required("AccessKeyId")?,
            answer.required("SecretAccessKey")?,
            answer.required("SessionToken")?,
            answer.required("Expiration")?.to_string(),
        ))
    }

    /// Credentials that end.
    pub(crate) fn temporary(
        access_key_id: &str,
        secret_access_key: Zeroizing<String>,
        session_token: Zeroizing<String>,
        expiration: String,
    ) -> Self {
        Self {
            version: 1,
            access_key_id: access_key_id.to_owned(),
            secret_access_key,
            session_token: Some(session_token),
            expiration: Some(expiration),
        }
    }
}

/// The same in either form: it is for programs.
impl fmt::Display for ProcessCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// The profile's own command.
fn run(command: &str, profile: &str) -> Result<Credentials, Failure> {
    let failed = |why: String| {
        Failure::usage(format!("the credential_process of the profile {profile} failed: {why}"))
    };
    let output = Command::new("sh").args(["-c", command]).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    let printed = Zeroizing::new(output.stdout);
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    let found: ProcessCredentials =
        serde_json::from_slice(&printed).map_err(|_| failed("it printed no credentials".to_owned()))?;
    let ProcessCredentials { access_key_id, secret_access_key, session_token, .. } = found;
    Ok(Credentials { access_key_id, secret_access_key, session_token })
}
