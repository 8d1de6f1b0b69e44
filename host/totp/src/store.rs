//! Where accounts are kept.

use crate::account::Account;
use crate::error::Error;
use crate::file::SealedFile;
use crate::keyring::Keyring;

/// A place for accounts. Names are unique in it.
#[derive(Debug)]
pub enum Store {
    /// The system's keyring.
    Keyring(Keyring),
    /// A file of one's own.
    File(SealedFile),
}

impl Store {
    /// All accounts, by name.
    ///
    /// # Errors
    /// If the place cannot be read.
    pub fn accounts(&self) -> Result<Vec<Account>, Error> {
        let mut accounts = match self {
            Self::Keyring(keyring) => keyring.accounts()?,
            Self::File(file) => file.accounts()?,
        };
        accounts.sort_by(|one, other| one.name().cmp(other.name()));
        Ok(accounts)
    }

    /// The account of a name.
    ///
    /// # Errors
    /// [`Error::NoAccount`], or if the place cannot be read.
    pub fn find(&self, name: &str) -> Result<Account, Error> {
        let found = self.accounts()?.into_iter().find(|account| account.name() == name);
        found.ok_or_else(|| self.no_account(name))
    }

    /// Keeps another account.
    ///
    /// # Errors
    /// [`Error::NameTaken`], or if the place cannot be written; nothing is changed then.
    pub fn add(&self, account: &Account) -> Result<(), Error> {
        match self {
            Self::Keyring(keyring) => keyring.add(account),
            Self::File(file) => file.add(account),
        }
    }

    /// Forgets an account for good.
    ///
    /// # Errors
    /// [`Error::NoAccount`], or if the place cannot be written; nothing is changed then.
    pub fn remove(&self, name: &str) -> Result<(), Error> {
        let is_removed = match self {
            Self::Keyring(keyring) => keyring.remove(name)?,
            Self::File(file) => file.remove(name)?,
        };
        if is_removed { Ok(()) } else { Err(self.no_account(name)) }
    }

    /// The place in words.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Keyring(_) => "the system's keyring".to_owned(),
            Self::File(file) => file.path().display().to_string(),
        }
    }

    fn no_account(&self, name: &str) -> Error {
        Error::NoAccount(name.to_owned(), self.place())
    }
}
