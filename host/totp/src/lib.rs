//! An authenticator app: accounts that show codes by the clock (TOTP, RFC 6238), where their secrets are kept, and the QR codes
//! that carry them.
//!
//! ```
//! use keywright_totp::{Account, Parameters};
//!
//! let account = Account::from_base32("ada", "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ", Parameters::default())?;
//! let code = account.code(59);
//! assert_eq!((code.text.as_str(), code.seconds_left), ("287082", 1));
//! # Ok::<(), keywright_totp::Error>(())
//! ```
//!
//! | room | what is in it |
//! |---|---|
//! | `account`, `uri` | an account, its codes, and its `otpauth:` URI |
//! | `picture` | QR codes: read from a picture, drawn as one or for a terminal |
//! | `store` | where accounts are kept: the system's `keyring`, or a sealed `file` |
//!
//! Secrets wipe themselves and are in no `Debug` and no error. Unix only: a file is protected by its mode.

mod account;
mod error;
mod file;
mod keyring;
mod picture;
mod store;
mod uri;

pub use account::{Account, Algorithm, Code, Parameters};
pub use error::Error;
pub use file::{SealedFile, check_passphrase};
pub use keyring::Keyring;
pub use picture::{png, read_picture, terminal};
pub use store::Store;
pub use uri::is_uri;
