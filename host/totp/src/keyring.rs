//! The system's keyring: the Secret Service of freedesktop.org, over D-Bus. What passes on the bus is encrypted for the session.

use std::collections::HashMap;
use std::fmt;

use secret_service::EncryptionType;
use secret_service::blocking::{Item, SecretService};
use zeroize::Zeroizing;

use crate::account::Account;
use crate::error::Error;

/// The keyring of whoever is logged in. Each account is an item of its own; its name can be read while the keyring is locked.
pub struct Keyring {
    service: SecretService<'static>,
}

impl Keyring {
    /// Reaches the keyring; nothing is unlocked yet.
    ///
    /// # Errors
    /// [`Error::NoKeyring`] if there is no session bus, or no keyring on it.
    pub fn connect() -> Result<Self, Error> {
        let service = SecretService::connect(EncryptionType::Dh);
        Ok(Self { service: service.map_err(|error| Error::NoKeyring(error.to_string()))? })
    }

    pub(crate) fn accounts(&self) -> Result<Vec<Account>, Error> {
        self.items(None)?.iter().map(account).collect()
    }

    pub(crate) fn add(&self, account: &Account) -> Result<(), Error> {
        if !self.items(Some(account.name()))?.is_empty() {
            return Err(Error::NameTaken(account.name().to_owned()));
        }
        let collection = self.service.get_default_collection().map_err(refused)?;
        collection.unlock().map_err(refused)?;
        let label = format!("Keywright TOTP: {}", account.name());
        let item = collection.create_item(
            &label,
            attributes(Some(account.name())),
            account.uri().as_bytes(),
            false,
            "text/plain",
        );
        item.map(drop).map_err(refused)
    }

    /// Whether there was one to remove.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, Error> {
        let items = self.items(Some(name))?;
        for item in &items {
            item.unlock().and_then(|()| item.delete()).map_err(refused)?;
        }
        Ok(!items.is_empty())
    }

    /// The items of this program, locked ones too.
    fn items(&self, name: Option<&str>) -> Result<Vec<Item<'_>>, Error> {
        let found = self.service.search_items(attributes(name)).map_err(refused)?;
        Ok(found.unlocked.into_iter().chain(found.locked).collect())
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring")
    }
}

fn account(item: &Item<'_>) -> Result<Account, Error> {
    // Which may ask the person for the keyring's password.
    item.unlock().map_err(refused)?;
    let secret = Zeroizing::new(item.get_secret().map_err(refused)?);
    let uri = std::str::from_utf8(&secret).ok();
    let account = uri.and_then(|uri| Account::from_uri(uri, None).ok());
    account.ok_or_else(|| Error::ForeignItem(item.get_label().unwrap_or_default()))
}

fn attributes(name: Option<&str>) -> HashMap<&str, &str> {
    [("application", "keywright"), ("type", "totp")]
        .into_iter()
        .chain(name.map(|name| ("account", name)))
        .collect()
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err has it")]
fn refused(error: secret_service::Error) -> Error {
    Error::Keyring(error.to_string())
}
