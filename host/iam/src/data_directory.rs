//! What its owner does to a data directory from the command line, whether or not a server has it open.

use std::path::{Path, PathBuf};

use crate::{
    config::Clock,
    error::Error,
    hardware_token::{self, Imported, Token},
    store::{self, Store},
};

/// A data directory. Whoever can reach it needs no password: it holds everything. What is done here is therefore not
/// in the event log.
#[derive(Debug, Clone)]
pub struct DataDirectory(PathBuf);

impl DataDirectory {
    /// The data of `Config::in_directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// Imports the hardware TOTP tokens of a file. The file is CSV, with a first line `serial,seed_hex` or
    /// `serial,seed_base32`, or PSKC (RFC 6030) with plain seeds.
    ///
    /// # Errors
    ///
    /// [`Error::Tokens`] when something in the file is wrong: nothing was imported then. Whatever keeps the data from
    /// being opened.
    pub fn import_tokens(&self, file: &str) -> Result<Imported, Error> {
        hardware_token::import_into(&Store::beside(&self.0)?, file, Clock::system().seconds())
    }

    /// The hardware TOTP tokens, in the order in which they were imported.
    ///
    /// # Errors
    ///
    /// Whatever keeps the data from being opened.
    pub fn tokens(&self) -> Result<Vec<Token>, Error> {
        let tokens =
            Store::beside(&self.0)?.read(|connection| hardware_token::list(connection, 0, EVERY_ONE))?;
        Ok(tokens.into_iter().map(|(_, token)| token).collect())
    }

    /// Writes a copy of the database, as it is now, to a new file of mode 0600; a server goes on meanwhile.
    ///
    /// `seal.key` is not part of it: without that file the secrets in the copy stay closed, so keep the two apart. To
    /// restore, put both into an empty directory of mode 0700, the copy as `iam.sqlite`.
    ///
    /// # Errors
    ///
    /// When there is no data, such a file is there already, or it cannot be written.
    pub fn backup(&self, to: &Path) -> Result<(), Error> {
        store::backup(&self.0, to)
    }
}

/// To SQLite's LIMIT.
const EVERY_ONE: i64 = -1;
