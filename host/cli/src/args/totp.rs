//! The command line's shape: the authenticator app.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use keywright_totp::Algorithm;

#[derive(Debug, Subcommand)]
pub(crate) enum Totp {
    /// Keep another account: an otpauth URI or a base32 secret, from standard input, a file, a picture, or typed unseen.
    Add(Add),
    /// Show the code of an account, and how long it is good.
    Code {
        /// The account.
        #[arg(value_name = "NAME")]
        name: String,
        /// Wait for the next code, so that the whole of its time is left.
        #[arg(long)]
        wait: bool,
        #[command(flatten)]
        place: Place,
    },
    /// List the accounts, without secrets.
    List {
        #[command(flatten)]
        place: Place,
    },
    /// Forget an account for good.
    Remove {
        /// The account.
        #[arg(value_name = "NAME")]
        name: String,
        /// Do not ask first.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Show the secret of an account at the terminal, or write it to a private file.
    Export {
        /// The account.
        #[arg(value_name = "NAME")]
        name: String,
        /// As a QR code: a PNG picture in a file, drawn at a terminal.
        #[arg(long)]
        qr: bool,
        /// Where to write it, mode 0600; without it, it is shown at the terminal.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Take the place of a file that is there.
        #[arg(long, requires = "output")]
        force: bool,
        /// Do not ask first.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The account's name; without it, the one that the URI has.
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Read the URI or the secret from this file.
    #[arg(long, value_name = "FILE", conflicts_with = "qr")]
    pub(crate) from: Option<PathBuf>,
    /// Read the QR code that this picture shows: PNG or JPEG, a screenshot too.
    #[arg(long, value_name = "FILE")]
    pub(crate) qr: Option<PathBuf>,
    /// The algorithm of a base32 secret: SHA1 unless said, SHA256 or SHA512.
    #[arg(long, value_name = "NAME")]
    pub(crate) algorithm: Option<Algorithm>,
    /// The digits of its codes: 6 unless said, to 8.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) digits: Option<u8>,
    /// The seconds that a code is shown for: 30 unless said.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) period: Option<u32>,
    #[command(flatten)]
    pub(crate) place: Place,
}

/// Where the accounts are kept.
#[derive(Clone, Debug, Args)]
pub(crate) struct Place {
    /// Where the accounts are: keyring, or the path of a file. Without it the usual file if there is one, else the system's
    /// keyring, else (to add to) a new file. Also KEYWRIGHT_TOTP_STORE.
    #[arg(long, value_name = "WHERE")]
    pub(crate) store: Option<String>,
    /// Read the file's passphrase from this file descriptor: its next line.
    #[arg(long, value_name = "FD", conflicts_with = "passphrase_env")]
    pub(crate) passphrase_fd: Option<u32>,
    /// Take the file's passphrase from this environment variable.
    #[arg(long, value_name = "NAME")]
    pub(crate) passphrase_env: Option<String>,
    /// Make a new file without a passphrase: a key beside it, FILE.key, opens it. Who can read both has the secrets.
    #[arg(long, conflicts_with_all = ["passphrase_fd", "passphrase_env"])]
    pub(crate) no_passphrase: bool,
}
