//! What can go wrong, in words that say what to do next and hold no secret.

use std::io;
use std::path::{Path, PathBuf};

/// Why something was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text is no `otpauth:` URI of a TOTP account.
    #[error("this is no otpauth URI of a TOTP account: {0}")]
    Uri(String),
    /// A secret is not base32, or of no length that a secret has.
    #[error("the secret is {0}: copy it again, as the site shows it (letters and the digits 2 to 7)")]
    Secret(&'static str),
    /// Digits or period are not what codes have.
    #[error("{0}")]
    Parameters(&'static str),
    /// A name cannot be one.
    #[error("a name has 1 to 256 characters, none of them a colon or a control character: give another one")]
    Name,
    /// The name is taken.
    #[error("there is an account {0} already: give another name, or remove that one first")]
    NameTaken(String),
    /// There is no such account.
    #[error("there is no account {0} in {1}: `keywright totp list` shows those that are there")]
    NoAccount(String, String),
    /// A picture shows no QR code that can be used.
    #[error("the picture {0}")]
    Picture(&'static str),
    /// No keyring answers.
    #[error(
        "the system's keyring does not answer ({0}): start it and unlock it, or keep the secrets in a file"
    )]
    NoKeyring(String),
    /// The keyring is there and did not do it.
    #[error("the system's keyring refused ({0}): unlock it, and try again")]
    Keyring(String),
    /// The keyring holds something of this program's kind that it did not write.
    #[error(
        "the keyring's item {0} is no account: look at it in the system's password application, and delete it there"
    )]
    ForeignItem(String),
    /// The passphrase is wrong; trying costs nothing.
    #[error("the passphrase of {} is wrong: try again, that costs nothing", .0.display())]
    WrongPassphrase(PathBuf),
    /// A passphrase is needed and there is none.
    #[error("{} is sealed with a passphrase: give it", .0.display())]
    NeedsPassphrase(PathBuf),
    /// A passphrase is too short to protect anything.
    #[error("a passphrase has 8 to 1024 characters: take a longer one")]
    WeakPassphrase,
    /// A file cannot be what it was when it was written.
    #[error("{} is damaged or was changed by another program ({why}): put a copy of it back", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What does not hold.
        why: &'static str,
    },
    /// Others may read or write a file.
    #[error("{} can be read or changed by others: `chmod 600` it, and think of its secrets as read", .0.display())]
    Exposed(PathBuf),
    /// Something stands where a new file is to be.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// What the operating system said of a file.
    #[error("{}: {error}; check the path, its permissions and the room on the disk", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// There is no randomness.
    #[error("the operating system gives no randomness: {0}")]
    Random(#[from] getrandom::Error),
}

impl Error {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        |error| Self::File { path: path.to_owned(), error }
    }
}
