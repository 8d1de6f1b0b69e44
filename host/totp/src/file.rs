//! A file of one's own, where there is no keyring: sealed with a passphrase, or with a key that lies beside it.
//!
//! The file is JSON: `version`, `protection`, and `sealed`, which is XChaCha20-Poly1305 over the accounts' `otpauth:` URIs, one a line; the
//! version and the protection are authenticated with them. It is replaced whole, under a lock of its folder.

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::account::Account;
use crate::error::Error;

mod sealing;

pub use sealing::check_passphrase;
use sealing::{Key, Protection};

/// A file that is open: its key is in memory.
pub struct SealedFile {
    path: PathBuf,
    protection: Protection,
    key: Key,
}

/// What is in the file.
#[derive(Serialize, Deserialize)]
struct Content {
    version: u32,
    protection: Protection,
    #[serde(with = "sealing::base64")]
    sealed: Vec<u8>,
}

impl SealedFile {
    /// Makes a file without accounts, and its folder. Without a passphrase its key is a file beside it, `PATH.key`.
    ///
    /// # Errors
    /// [`Error::Exists`] if something is there, or if it cannot be written.
    pub fn create(path: &Path, passphrase: Option<&str>) -> Result<Self, Error> {
        let folder = folder(path);
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(Error::file(folder))?;
        let _lock = lock(path)?;
        if fs::symlink_metadata(path).is_ok() {
            return Err(Error::Exists(path.to_owned()));
        }
        let (protection, key) = match passphrase {
            Some(passphrase) => Protection::by_passphrase(passphrase)?,
            None => (Protection::KeyFile, key_beside(path)?),
        };
        let file = Self { path: path.to_owned(), protection, key };
        file.write(&[])?;
        Ok(file)
    }

    /// Whether a file needs a passphrase to be opened.
    ///
    /// # Errors
    /// If it cannot be read, or is no such file.
    pub fn needs_passphrase(path: &Path) -> Result<bool, Error> {
        Ok(matches!(read(path)?.protection, Protection::Argon2id(_)))
    }

    /// Opens a file.
    ///
    /// # Errors
    /// [`Error::WrongPassphrase`], which costs nothing; if it cannot be read, is exposed or damaged.
    pub fn open(path: &Path, passphrase: Option<&str>) -> Result<Self, Error> {
        let content = read(path)?;
        let key = match (&content.protection, passphrase) {
            (Protection::KeyFile, _) => existing_key(&key_path(path))?
                .ok_or_else(|| damaged(path, "its key file, with .key behind its name, is not there"))?,
            (Protection::Argon2id(work), Some(passphrase)) => {
                work.check().map_err(|why| damaged(path, why))?;
                work.key(passphrase)?.ok_or_else(|| Error::WrongPassphrase(path.to_owned()))?
            }
            (Protection::Argon2id(_), None) => return Err(Error::NeedsPassphrase(path.to_owned())),
        };
        let file = Self { path: path.to_owned(), protection: content.protection.clone(), key };
        file.unsealed(&content)?;
        Ok(file)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn accounts(&self) -> Result<Vec<Account>, Error> {
        self.unsealed(&read(&self.path)?)
    }

    pub(crate) fn add(&self, account: &Account) -> Result<(), Error> {
        let _lock = lock(&self.path)?;
        let mut accounts = self.accounts()?;
        if accounts.iter().any(|other| other.name() == account.name()) {
            return Err(Error::NameTaken(account.name().to_owned()));
        }
        accounts.push(account.clone());
        self.write(&accounts)
    }

    /// Whether there was one to remove.
    pub(crate) fn remove(&self, name: &str) -> Result<bool, Error> {
        let _lock = lock(&self.path)?;
        let mut accounts = self.accounts()?;
        let before = accounts.len();
        accounts.retain(|account| account.name() != name);
        if accounts.len() == before {
            return Ok(false);
        }
        self.write(&accounts)?;
        Ok(true)
    }

    fn unsealed(&self, content: &Content) -> Result<Vec<Account>, Error> {
        if content.protection != self.protection {
            return Err(damaged(&self.path, "it was sealed anew meanwhile"));
        }
        let plain = self.key.open(&self.protection, &content.sealed);
        let plain = plain.ok_or_else(|| damaged(&self.path, "it does not open with its key"))?;
        let text = std::str::from_utf8(&plain).map_err(|_| damaged(&self.path, "it holds no text"))?;
        let account =
            |uri| Account::from_uri(uri, None).map_err(|_| damaged(&self.path, "an account in it is none"));
        text.lines().map(account).collect()
    }

    fn write(&self, accounts: &[Account]) -> Result<(), Error> {
        let uris: Vec<_> = accounts.iter().map(Account::uri).collect();
        let mut plain = Zeroizing::new(Vec::with_capacity(uris.iter().map(|uri| uri.len() + 1).sum()));
        for uri in &uris {
            plain.extend_from_slice(uri.as_bytes());
            plain.push(b'\n');
        }
        let sealed = self.key.seal(&self.protection, &plain)?;
        let content = Content { version: VERSION, protection: self.protection.clone(), sealed };
        let text = serde_json::to_vec(&content).map_err(io::Error::from);
        text.and_then(|text| replace(&self.path, &text)).map_err(Error::file(&self.path))
    }
}

impl fmt::Debug for SealedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedFile").field("path", &self.path).finish_non_exhaustive()
    }
}

fn read(path: &Path) -> Result<Content, Error> {
    let bytes = private(path)?.ok_or_else(|| Error::file(path)(io::ErrorKind::NotFound.into()))?;
    let content: Content =
        serde_json::from_slice(&bytes).map_err(|_| damaged(path, "it is not what was written"))?;
    if content.version == VERSION { Ok(content) } else { Err(damaged(path, "it is of another version")) }
}

/// The bytes of a file that nobody else may read; `None` if there is none.
fn private(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(Error::file(path))?,
    };
    let about = file.metadata().map_err(Error::file(path))?;
    if !about.is_file() {
        return Err(damaged(path, "it is no file"));
    }
    if about.permissions().mode() & 0o077 != 0 {
        return Err(Error::Exposed(path.to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(Error::file(path))?;
    if bytes.len() as u64 > LARGEST { Err(damaged(path, "it is too large")) } else { Ok(Some(bytes)) }
}

/// The key beside a file that is to be made: one that is there was left by a command that was killed in between.
fn key_beside(path: &Path) -> Result<Key, Error> {
    let path = key_path(path);
    if let Some(key) = existing_key(&path)? {
        return Ok(key);
    }
    let key = Key::random()?;
    replace(&path, key.bytes()).map_err(Error::file(&path))?;
    Ok(key)
}

fn existing_key(path: &Path) -> Result<Option<Key>, Error> {
    let Some(bytes) = private(path)?.map(Zeroizing::new) else { return Ok(None) };
    Key::from_slice(&bytes).map(Some).ok_or_else(|| damaged(path, "it is no key"))
}

fn key_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".key");
    name.into()
}

/// One command changes the files of a folder at a time. Nothing is left behind by it.
fn lock(path: &Path) -> Result<File, Error> {
    let folder = folder(path);
    let lock = File::open(folder).and_then(|file| file.lock().map(|()| file));
    lock.map_err(Error::file(folder))
}

/// Writes a file beside, mode 0600, and moves it to its place in one step for whoever looks.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = folder(path);
    let mut beside = tempfile::Builder::new().prefix(".keywright-totp-").tempfile_in(folder)?;
    beside.write_all(bytes)?;
    beside.as_file().sync_all()?;
    beside.persist(path)?;
    File::open(folder)?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn damaged(path: &Path, why: &'static str) -> Error {
    Error::Damaged { path: path.to_owned(), why }
}

const VERSION: u32 = 1;
/// Thousands of accounts.
const LARGEST: u64 = 1 << 20;

#[cfg(test)]
mod tests;
