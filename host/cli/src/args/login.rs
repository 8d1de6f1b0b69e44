//! Signing in at the local IAM.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use url::Url;

use super::{Device, PinSource};
use crate::roots;

/// Signing in.
#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) whom: Whom,
    #[command(flatten)]
    pub(crate) roots: Roots,
    #[command(flatten)]
    pub(crate) device: Device,
    #[command(flatten)]
    pub(crate) pin: PinSource,
    /// Read the password from this file descriptor: its next line. Without it the password is asked for, hidden.
    #[arg(long, value_name = "FD", conflicts_with = "browser")]
    pub(crate) password_fd: Option<u32>,
    /// How long the credentials live, 60 seconds to 12 hours.
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(60..=43_200))]
    pub(crate) duration: u32,
    /// Sign in with a browser, instead of a key that this command asks.
    #[arg(long)]
    pub(crate) browser: bool,
    /// Then write a profile of this name into ~/.aws/config, so that `aws` and the SDKs ask this command.
    #[arg(long, value_name = "PROFILE", conflicts_with = "show")]
    pub(crate) configure: Option<ProfileName>,
    /// Show that profile, and do nothing else.
    #[arg(long, value_name = "PROFILE")]
    pub(crate) show: Option<ProfileName>,
}

/// Whose login it is, and where.
#[derive(Clone, Debug, Args)]
pub(crate) struct Whom {
    /// The local IAM's console, as `keywright iam serve` says it: `http://localhost:PORT`, or `https://NAME` behind TLS.
    #[arg(long = "console-url", value_name = "URL")]
    pub(crate) url: ServiceUrl,
    /// The account, 12 digits.
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub(crate) account: String,
    /// The user's name.
    #[arg(long, value_name = "NAME", value_parser = user)]
    pub(crate) user: String,
}

/// Whose certificates the console may have.
#[derive(Clone, Debug, Args)]
pub(crate) struct Roots {
    /// Believe the certificates of this file (PEM), for a console with TLS and an authority of its own; also `AWS_CA_BUNDLE`.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_bundle: Option<PathBuf>,
}

impl Roots {
    /// The file that is to be believed at an address.
    pub(crate) fn bundle(&self, url: &ServiceUrl) -> Option<PathBuf> {
        let of_environment = || match url {
            ServiceUrl::Here(_) => None,
            ServiceUrl::Secure(_) => roots::of_environment(),
        };
        self.ca_bundle.clone().or_else(of_environment)
    }
}

/// A local IAM: on this machine, or behind TLS. A password goes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServiceUrl {
    /// On a port of this machine's.
    Here(u16),
    /// Its origin, behind TLS.
    Secure(String),
}

impl ServiceUrl {
    /// The origin of its console, which security keys sign for.
    pub(crate) fn console(&self) -> String {
        match self {
            Self::Here(80) => "http://localhost".to_owned(),
            Self::Here(port) => format!("http://localhost:{port}"),
            Self::Secure(origin) => origin.clone(),
        }
    }

    /// Where programs ask.
    pub(crate) fn api(&self) -> String {
        match self {
            Self::Here(port) => format!("http://127.0.0.1:{port}"),
            Self::Secure(origin) => origin.clone(),
        }
    }
}

impl FromStr for ServiceUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = if text.starts_with("https://") {
            secure(text).map(Self::Secure)
        } else {
            here(text).map(Self::Here)
        };
        found.ok_or(
            "a local IAM is at http://127.0.0.1:PORT or http://localhost:PORT, as `keywright iam serve` says, or with TLS at \
             https://NAME or https://NAME:PORT",
        )
    }
}

fn here(text: &str) -> Option<u16> {
    let rest = text.strip_prefix("http://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
    let rest = rest.and_then(|rest| rest.strip_prefix("127.0.0.1").or(rest.strip_prefix("localhost")));
    let is_number = |port: &&str| port.bytes().all(|byte| byte.is_ascii_digit());
    let port = match rest {
        Some("") => Some("80"),
        rest => rest.and_then(|rest| rest.strip_prefix(':')).filter(is_number),
    };
    port.and_then(|port| port.parse().ok()).filter(|port| *port != 0)
}

/// An origin and nothing else: security keys are for a name, and no number is one.
fn secure(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let origin = url.origin().ascii_serialization();
    let is_plain = text.strip_suffix('/').unwrap_or(text).eq_ignore_ascii_case(&origin);
    (url.domain().is_some() && url.port() != Some(0) && is_plain).then_some(origin)
}

/// The name of a profile of AWS's tools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProfileName(String);

impl ProfileName {
    /// As `--profile` takes it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProfileName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.@+=-".contains(&byte);
        if (1..=64).contains(&text.len()) && text.bytes().all(is_plain) {
            return Ok(Self(text.to_owned()));
        }
        Err("a profile's name is 1 to 64 letters, digits and _.@+=-")
    }
}

fn account(text: &str) -> Result<String, &'static str> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    Err("an account is 12 digits")
}

fn user(text: &str) -> Result<String, &'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(is_plain) {
        return Ok(text.to_owned());
    }
    Err("a user name is 1 to 64 letters, digits and _+=,.@-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_on_this_machine_or_behind_tls_is_taken_and_no_other() {
        let console = |text: &str| text.parse::<ServiceUrl>().map(|url| url.console());
        for (text, origin) in [
            ("http://127.0.0.1:8080", "http://localhost:8080"),
            ("http://localhost:8080/", "http://localhost:8080"),
            ("http://localhost", "http://localhost"),
            ("https://localhost:8080", "https://localhost:8080"),
            ("https://iam.example.org/", "https://iam.example.org"),
            ("https://IAM.example.org:8443", "https://iam.example.org:8443"),
        ] {
            assert_eq!(console(text).as_deref(), Ok(origin));
        }
        for text in [
            "",
            "localhost:8080",
            "http://localhost:0",
            "http://localhost:65536",
            "http://localhost:+80",
            "http://localhost:80:80",
            "http://localhost.evil.example:80",
            "http://localhost@evil.example:80",
            "http://127.0.0.1:80@evil.example",
            "http://127.0.0.1:80/path",
            "http://127.0.0.1//",
            "http://127.0.0.10:80",
            "http://10.0.0.1:80",
            "http://[::1]:80",
            "http://iam.example.org",
            "https://",
            "https://iam.example.org/path",
            "https://iam.example.org//",
            "https://iam.example.org?x",
            "https://iam.example.org#x",
            "https://user@iam.example.org",
            "https://iam.example.org:0",
            "https://10.0.0.1",
            "https://[::1]:8443",
            "https://iam.example.org\n",
        ] {
            assert!(console(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_would_break_out_of_a_line_of_a_file_is_no_name() {
        assert!("a.b-c_d@e".parse::<ProfileName>().is_ok());
        for text in ["", "a b", "a]", "a\n[b", "a\"", "é", &"a".repeat(65)] {
            assert!(text.parse::<ProfileName>().is_err(), "{text:?}");
        }
        for text in ["", "a b", "a'", "a\n", "$a", &"a".repeat(65)] {
            assert!(user(text).is_err(), "{text:?}");
        }
        for text in ["", "12345678901", "1234567890123", "12345678901a"] {
            assert!(account(text).is_err(), "{text:?}");
        }
    }
}
