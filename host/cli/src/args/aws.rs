//! The command line's shape: devices and sessions at an IAM, this one or AWS's.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keywright_host::transport::DeviceAddress;

use super::login::{Roots, ServiceUrl};
use super::totp::Place;
use super::{Device, PinSource};

/// Which AWS, and as whom.
#[derive(Clone, Debug, Args)]
pub(crate) struct Account {
    /// Take the credentials of this profile; without it those of the environment, else of AWS_PROFILE or "default".
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Ask here and not AWS; also AWS_ENDPOINT_URL_IAM, AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL.
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// The region; also AWS_REGION.
    #[arg(long, value_name = "NAME")]
    pub(crate) region: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Enrol {
    /// The new device's name.
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Enrol an authenticator app, kept by `keywright totp`, at any IAM; without it, a security key at the local one.
    #[arg(long)]
    pub(crate) totp: bool,
    /// The user; with --totp the one who asks unless said.
    #[arg(long, value_name = "NAME", required_unless_present = "totp")]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) account: Account,
    #[command(flatten)]
    pub(crate) place: Place,
    /// The name to keep the app's secret under; NAME@ACCOUNT unless said, as AWS's own QR code has it.
    #[arg(long, value_name = "NAME", requires = "totp")]
    pub(crate) keep_as: Option<String>,
    #[command(flatten)]
    pub(crate) console: Console,
    #[command(flatten)]
    pub(crate) device: Device,
    /// The key that proves who you are, where the user has one already.
    #[arg(long, value_name = "WHERE", conflicts_with = "totp")]
    pub(crate) proof_device: Option<DeviceAddress>,
    #[command(flatten)]
    pub(crate) pin: PinSource,
}

/// The console of a local IAM.
#[derive(Clone, Debug, Args)]
pub(crate) struct Console {
    /// The console of the local IAM: `http://localhost:PORT`, or `https://NAME` behind TLS.
    #[arg(long, value_name = "URL", required_unless_present = "totp", conflicts_with = "totp")]
    pub(crate) console_url: Option<ServiceUrl>,
    #[command(flatten)]
    pub(crate) roots: Roots,
    /// The account's number, 12 digits.
    #[arg(long, value_name = "NUMBER", required_unless_present = "totp", conflicts_with = "totp")]
    pub(crate) account: Option<String>,
    /// Read the user's password from this file descriptor: its next line; without it, it is asked for, hidden.
    #[arg(long, value_name = "FD", conflicts_with = "password_env")]
    pub(crate) password_fd: Option<u32>,
    /// Take the user's password from this environment variable.
    #[arg(long, value_name = "NAME")]
    pub(crate) password_env: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Devices {
    /// List the MFA devices of a user.
    List {
        /// The user; the one who asks unless said.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        #[command(flatten)]
        account: Account,
    },
    /// Deactivate an MFA device, and delete it.
    Remove {
        /// The device's serial number, such as arn:aws:iam::123456789012:mfa/phone.
        #[arg(value_name = "SERIAL")]
        serial: String,
        /// Whose it is; the one who asks unless said.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Do not ask first.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        account: Account,
    },
    /// Tell the IAM the clock of an authenticator app anew, by two codes of its secret here.
    Resync {
        /// The device's serial number.
        #[arg(value_name = "SERIAL")]
        serial: String,
        /// Whose it is; the one who asks unless said.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// The account of `keywright totp`; NAME@ACCOUNT of the serial number unless said.
        #[arg(long, value_name = "NAME")]
        totp: Option<String>,
        #[command(flatten)]
        account: Account,
        #[command(flatten)]
        place: Place,
    },
    /// Report who has which MFA devices, and who has none.
    Report {
        /// As CSV.
        #[arg(long)]
        csv: bool,
        /// Write it to this file.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        account: Account,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Session {
    /// The MFA device's serial number, such as arn:aws:iam::123456789012:mfa/phone.
    #[arg(long, value_name = "SERIAL")]
    pub(crate) serial: String,
    /// The account of `keywright totp` that has its secret; NAME@ACCOUNT of the serial number unless said.
    #[arg(long, value_name = "NAME")]
    pub(crate) totp: Option<String>,
    /// Ask for a code, and do not look for a secret here.
    #[arg(long, conflicts_with_all = ["totp", "code_fd"])]
    pub(crate) typed: bool,
    /// Read a code from this file descriptor: its next line.
    #[arg(long, value_name = "FD", conflicts_with = "totp")]
    pub(crate) code_fd: Option<u32>,
    /// How long the credentials are to live, in seconds: 900 (15 minutes) to 129600 (36 hours), 43200 (12 hours) unless said.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(900..=129_600))]
    pub(crate) duration: Option<u32>,
    /// Print lines for a shell to evaluate, and no JSON for `credential_process`.
    #[arg(long)]
    pub(crate) export: bool,
    #[command(flatten)]
    pub(crate) account: Account,
    #[command(flatten)]
    pub(crate) place: Place,
}
