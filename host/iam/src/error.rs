//! Why the local IAM does not start.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why the local IAM does not start; each says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The listen address can be reached by other machines, or is not the one that `localhost` names.
    #[error(
        "{0} cannot be used without TLS: use 127.0.0.1:PORT, or give a certificate, its key and the console's origin"
    )]
    NotLoopback(SocketAddr),
    /// Other machines are to reach the console, and it is not said under which name.
    #[error("other machines reach {0} by a name: give the console's origin, such as https://iam.example.org")]
    NoOrigin(SocketAddr),
    /// An origin that plain HTTP cannot have.
    #[error(
        "without TLS the console is at http://localhost:PORT: leave {0} out, or give a certificate and its key"
    )]
    OriginWithoutTls(String),
    /// Not an origin of a console behind TLS.
    #[error(
        "{0:?} cannot be the console's origin: it is https://, a name that is not an IP address and perhaps a port, such \
         as https://iam.example.org"
    )]
    Origin(String),
    /// The certificate cannot be used.
    #[error("the certificate {path}: {why}")]
    Certificate {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The certificate's key cannot be used.
    #[error("the key {path}: {why}")]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
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
    /// A role's name cannot be one.
    #[error("{0:?} is not a role name: 1 to 64 of letters, digits and _+=,.@-")]
    Role(String),
    /// A file of metadata cannot be read, or is not of MDS3's shape.
    #[error(
        "{path} is not metadata as the FIDO Metadata Service's payload has it (JSON with `entries`): {why}"
    )]
    Metadata {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
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
    /// There is no data where some has to be.
    #[error("there is no data in {0}: check the path; `keywright iam serve --data` makes it")]
    NoData(PathBuf),
    /// A server of another version has the data open.
    #[error(
        "{0} is in use by a server of another version: use that version's command, or stop the server first"
    )]
    OtherVersion(PathBuf),
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
    /// The data could not be brought to the form of this version: something in it refers to what is not there.
    #[error(
        "the data cannot be brought to schema {0}: rows refer to others that are not there; nothing was changed"
    )]
    Migration(i64),
    /// The key that seals the secrets is not there, or is not the one they were sealed with.
    #[error(
        "{0} is not the key that the secrets in this data directory are sealed with: put the right file back"
    )]
    SealKey(PathBuf),
    /// The copy of the database is not whole.
    #[error("the copy at {0} is not whole: delete it and try again")]
    Backup(PathBuf),
    /// The database failed.
    #[error("the database: {0}")]
    Database(#[from] rusqlite::Error),
    /// The operating system has no randomness to give.
    #[error("no randomness from the operating system: {0}")]
    Randomness(#[from] getrandom::Error),
    /// The server's thread could not be started, or ended badly.
    #[error("the server's thread: {0}")]
    Thread(io::Error),
    /// A file of hardware tokens was refused, and nothing of it was imported.
    #[error("{0}")]
    Tokens(String),
    /// The administrator or the access key could not be made or read.
    #[error("the administrator could not be set up: {0}")]
    Start(String),
    /// A first password could not be hashed.
    #[error("the administrator's password could not be stored: {0}")]
    Password(String),
}
