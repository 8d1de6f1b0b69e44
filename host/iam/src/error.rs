//! Why the local IAM does not start.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why the local IAM does not start; each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listen address can be reached by other machines, or is not the one that `localhost` names.
    #[error(
        "{0} cannot be used: the console is for this machine alone and listens on 127.0.0.1; use 127.0.0.1:PORT"
    )]
    NotLoopback(SocketAddr),
    /// The port is taken or may not be used.
    #[error("cannot listen on {address}: {source}; choose another port, or 0 for any free one")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The account is not twelve digits.
    #[error("{0:?} is not an account: an account is 12 digits, such as 123456789012")]
    Account(String),
    /// The data belongs to another account than the one asked for.
    #[error(
        "the data belongs to account {stored}, not {asked}: leave the account out or choose another data directory"
    )]
    OtherAccount {
        /// The account in the data directory.
        stored: String,
        /// The account asked for.
        asked: String,
    },
    /// The administrator's name is not a user name.
    #[error("{0:?} is not a user name: 1 to 64 of letters, digits and _+=,.@-")]
    Administrator(String),
    /// A file or directory of the data cannot be used.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Other users of this machine can reach the data.
    #[error("{path} can be reached by other users of this machine: run `chmod {mode:o} {path}`")]
    TooOpen {
        /// The file or directory.
        path: PathBuf,
        /// The mode that it should have.
        mode: u32,
    },
    /// Another server has the data open.
    #[error("{0} is in use by another server: stop that one or choose another data directory")]
    InUse(PathBuf),
    /// A newer version wrote the data.
    #[error(
        "the data was written by a newer version (schema {found}, this version knows {known}): start that version instead"
    )]
    NewerSchema {
        /// The schema version found.
        found: i64,
        /// The newest schema version that this program knows.
        known: i64,
    },
    /// The key that seals the secrets is not there, or is not the one they were sealed with.
    #[error(
        "{0} is not the key that the secrets in this data directory are sealed with: put the right file back"
    )]
    SealKey(PathBuf),
    /// The database failed.
    #[error("the database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The operating system has no randomness to give.
    #[error("no randomness from the operating system: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The server's thread could not be started, or ended badly.
    #[error("the server's thread: {0}")]
    Thread(io::Error),
    /// A first password could not be hashed.
    #[error("the administrator's password could not be stored: {0}")]
    Password(String),
}
