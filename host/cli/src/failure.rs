//! Every error's kind, exit code and words, in one place.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use keywright_common::ctaphid::ErrorCode;
use keywright_common::status::Status;
use keywright_host::ClientError;
use keywright_host::ctaphid::DeviceError;
use keywright_host::pin_uv_auth::PinRule;
use keywright_host::transport::TransportError;
use keywright_host::verify::VerifyError;
use keywright_host::webauthn::OriginError;
use serde::Serialize;

/// What kind of thing went wrong. The numbers are the exit codes, and are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub(crate) enum Kind {
    /// Anything else.
    Other = 1,
    /// The arguments, or a file that they name, cannot be used.
    Usage = 2,
    /// There is no such key, it is gone, does not answer, is in use, or may not be opened.
    Device = 3,
    /// The user declined, did not touch the key in time, or cancelled.
    User = 4,
    /// The PIN is wrong, blocked, needed, not set, or against a rule.
    Pin = 5,
    /// The key's answer does not hold what it must.
    Verification = 6,
    /// The credential is not on the key.
    NoCredential = 7,
    /// The key cannot do it.
    Unsupported = 8,
    /// The key can do it, but not as things stand.
    State = 9,
}

/// Why a command did not do what it was asked for.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    kind: Kind,
    exit_code: u8,
    message: String,
    /// What the key answered, if that is what failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusCode>,
    /// How many wrong PINs the key still takes, if it told.
    #[serde(skip_serializing_if = "Option::is_none")]
    retries: Option<u8>,
}

/// A CTAP status code.
#[derive(Debug, Serialize)]
struct StatusCode {
    code: u8,
    name: Option<&'static str>,
}

impl Kind {
    /// The exit code.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(self as u8)
    }
}

impl Failure {
    /// A failure in words that say what to do next.
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, exit_code: kind as u8, message: message.into(), status: None, retries: None }
    }

    /// The arguments cannot be used.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// What the operating system said of a file.
    pub(crate) fn file(path: &Path, error: &io::Error) -> Self {
        Self::new(
            Kind::Other,
            format!("{}: {error}; check the path, its permissions and the room on the disk", path.display()),
        )
    }

    /// The kind.
    pub(crate) const fn kind(&self) -> Kind {
        self.kind
    }

    /// The same failure in other words.
    pub(crate) fn in_words(self, message: impl Into<String>) -> Self {
        Self { message: message.into(), ..self }
    }

    /// The same failure with more words behind.
    #[cfg(all(feature = "iam", unix))]
    pub(crate) fn and(self, more: &dyn fmt::Display) -> Self {
        let message = format!("{}; {more}", self.message);
        self.in_words(message)
    }

    /// The exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        self.kind.exit_code()
    }

    /// `{"error":{…}}`, in one line.
    pub(crate) fn to_json(&self) -> String {
        #[derive(Serialize)]
        struct Shape<'a> {
            error: &'a Failure,
        }
        // There is nothing in it that JSON has no form for.
        serde_json::to_string(&Shape { error: self }).unwrap_or_default()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let status = error.status().map(|status| StatusCode { code: status.0, name: status.name() });
        let retries = if let ClientError::Pin { retries, .. } = &error { *retries } else { None };
        Self { status, retries, ..Self::new(client_kind(&error), error.to_string()) }
    }
}

impl From<DeviceError> for Failure {
    fn from(error: DeviceError) -> Self {
        Self::new(device_kind(&error), error.to_string())
    }
}

impl From<TransportError> for Failure {
    fn from(error: TransportError) -> Self {
        Self::new(Kind::Device, error.to_string())
    }
}

impl From<PinRule> for Failure {
    fn from(rule: PinRule) -> Self {
        Self::new(Kind::Pin, rule.to_string())
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        Self::new(Kind::Verification, error.to_string())
    }
}

impl From<OriginError> for Failure {
    fn from(error: OriginError) -> Self {
        Self::usage(error.to_string())
    }
}

#[cfg(all(feature = "totp", unix))]
impl From<keywright_totp::Error> for Failure {
    fn from(error: keywright_totp::Error) -> Self {
        use keywright_totp::Error;
        let kind = match error {
            Error::WrongPassphrase(_) | Error::NeedsPassphrase(_) | Error::WeakPassphrase => Kind::Pin,
            Error::NoKeyring(_)
            | Error::Keyring(_)
            | Error::ForeignItem(_)
            | Error::File { .. }
            | Error::Random(_) => Kind::Other,
            _ => Kind::Usage,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(all(feature = "iam", unix))]
impl From<crate::console::ConsoleError> for Failure {
    fn from(error: crate::console::ConsoleError) -> Self {
        Self::new(Kind::Other, error.to_string())
    }
}

const fn client_kind(error: &ClientError) -> Kind {
    match error {
        ClientError::Device(error) => device_kind(error),
        ClientError::Status { status, .. } => status_kind(*status),
        ClientError::Pin { .. } | ClientError::PinRule(_) | ClientError::PinNotSet => Kind::Pin,
        ClientError::Cancelled => Kind::User,
        ClientError::Unsupported(_) => Kind::Unsupported,
        ClientError::Malformed(_) => Kind::Verification,
        ClientError::StatusWord(_) => Kind::Other,
        ClientError::Request(_) => Kind::Usage,
        ClientError::NoKey => Kind::Device,
        ClientError::Excluded => Kind::State,
        ClientError::NoCredential => Kind::NoCredential,
    }
}

const fn status_kind(status: Status) -> Kind {
    match status {
        Status::OPERATION_DENIED
        | Status::USER_ACTION_TIMEOUT
        | Status::ACTION_TIMEOUT
        | Status::UP_REQUIRED => Kind::User,
        Status::PUAT_REQUIRED
        | Status::PIN_AUTH_INVALID
        | Status::PIN_POLICY_VIOLATION
        | Status::UV_BLOCKED
        | Status::UV_INVALID => Kind::Pin,
        Status::INVALID_COMMAND
        | Status::INVALID_SUBCOMMAND
        | Status::UNSUPPORTED_ALGORITHM
        | Status::UNSUPPORTED_OPTION
        | Status::INVALID_OPTION
        | Status::UNAUTHORIZED_PERMISSION => Kind::Unsupported,
        Status::NOT_ALLOWED | Status::KEY_STORE_FULL => Kind::State,
        Status::CHANNEL_BUSY => Kind::Device,
        _ => Kind::Other,
    }
}

const fn device_kind(error: &DeviceError) -> Kind {
    match error {
        DeviceError::Refused(ErrorCode::INVALID_CMD) | DeviceError::Unsupported(_) => Kind::Unsupported,
        DeviceError::Transport(_)
        | DeviceError::Busy
        | DeviceError::Timeout
        | DeviceError::Refused(ErrorCode::CHANNEL_BUSY) => Kind::Device,
        DeviceError::Cancelled => Kind::User,
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use keywright_common::ctap2::Command;

    use super::*;

    fn status(status: Status) -> Failure {
        ClientError::Status { command: Command::RESET, status }.into()
    }

    #[test]
    fn each_kind_of_failure_has_the_code_that_is_documented() {
        let document = include_str!("../JSON.md");
        for (kind, name) in [
            (Kind::Other, "other"),
            (Kind::Usage, "usage"),
            (Kind::Device, "device"),
            (Kind::User, "user"),
            (Kind::Pin, "pin"),
            (Kind::Verification, "verification"),
            (Kind::NoCredential, "no_credential"),
            (Kind::Unsupported, "unsupported"),
            (Kind::State, "state"),
        ] {
            assert!(document.contains(&format!("| {} | `{name}` |", kind as u8)), "{name}");
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
    }

    #[test]
    fn an_error_is_told_with_the_keys_own_status() {
        let json: serde_json::Value = serde_json::from_str(&status(Status::NOT_ALLOWED).to_json()).unwrap();
        assert_eq!(json["error"]["kind"], "state");
        assert_eq!(json["error"]["exit_code"], 9);
        assert_eq!(json["error"]["status"], serde_json::json!({ "code": 0x30, "name": "NOT_ALLOWED" }));
    }

    #[test]
    fn a_status_that_nobody_knows_is_told_by_its_number() {
        let failure = status(Status(0xf7));
        assert_eq!(failure.kind(), Kind::Other);
        assert!(failure.to_json().contains("\"name\":null"), "{}", failure.to_json());
    }

    #[test]
    fn a_key_that_is_busy_or_gone_is_no_other_failure() {
        for error in [
            DeviceError::Busy,
            DeviceError::Timeout,
            DeviceError::Refused(ErrorCode::CHANNEL_BUSY),
            DeviceError::Transport(TransportError::Gone),
        ] {
            assert_eq!(Failure::from(ClientError::from(error)).kind(), Kind::Device);
        }
    }

    #[test]
    fn what_failed_to_convince_is_a_verification() {
        assert_eq!(Failure::from(VerifyError::Counter).kind(), Kind::Verification);
        assert_eq!(Failure::from(ClientError::Malformed("x")).kind(), Kind::Verification);
    }
}
