//! Signing in at the local IAM.

use std::str::FromStr;

use clap::Args;

use super::{Device, PinSource};

/// Signing in.
#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) whom: Whom,
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
    /// The local IAM, as `keywright iam serve` says it: http://localhost:PORT or http://127.0.0.1:PORT.
    #[arg(long = "console-url", value_name = "URL")]
    pub(crate) url: ServiceUrl,
    /// The account, 12 digits.
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub(crate) account: String,
    /// The user's name.
    #[arg(long, value_name = "NAME", value_parser = user)]
    pub(crate) user: String,
}

/// A local IAM. The password goes there in the clear, so it is on this machine or nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceUrl {
    port: u16,
}

impl ServiceUrl {
    /// The origin of its console, which security keys sign for.
    pub(crate) fn console(&self) -> String {
        match self.port {
            80 => "http://localhost".to_owned(),
            port => format!("http://localhost:{port}"),
        }
    }

    /// Where programs ask.
    pub(crate) fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

impl FromStr for ServiceUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("http://").map(|rest| rest.strip_suffix('/').unwrap_or(rest));
        let rest = rest.and_then(|rest| rest.strip_prefix("127.0.0.1").or(rest.strip_prefix("localhost")));
        let is_number = |port: &&str| port.bytes().all(|byte| byte.is_ascii_digit());
        let port = match rest {
            Some("") => Some("80"),
            rest => rest.and_then(|rest| rest.strip_prefix(':')).filter(is_number),
        };
        let port = port.and_then(|port| port.parse().ok()).filter(|port| *port != 0);
        let port = port.ok_or(
            "a local IAM is at http://127.0.0.1:PORT or http://localhost:PORT, as `keywright iam serve` says",
        )?;
        Ok(Self { port })
    }
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
    fn a_service_on_this_machine_is_taken_and_no_other() {
        let port = |text: &str| text.parse::<ServiceUrl>().map(|url| url.port);
        assert_eq!(port("http://127.0.0.1:8080"), Ok(8080));
        assert_eq!(port("http://localhost:8080/"), Ok(8080));
        assert_eq!(port("http://localhost"), Ok(80));
        for text in [
            "",
            "localhost:8080",
            "https://localhost:8080",
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
        ] {
            assert!(port(text).is_err(), "{text}");
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
