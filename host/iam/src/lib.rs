//! A local IAM: users register MFA devices and sign in with them as AWS IAM does it, on this machine alone.
//!
//! [`Server::start`] runs it in a thread of its own until [`Running`] is dropped; [`Server::serve`] stays.
//! The console is for people at [`Running::console_url`], the JSON endpoints below are for scripts.
//!
//! ```
//! let running = keywright_iam::Server::start(keywright_iam::Config::ephemeral())?;
//! let administrator = running.administrator.as_ref().expect("the first start");
//! println!("{} account {} user {}", running.console_url, running.account, administrator.user);
//! # Ok::<(), keywright_iam::Error>(())
//! ```
//!
//! What blocks ([`rusqlite`], argon2, signatures) is in one value without sockets, `Iam`, one file a
//! concern: users, devices, `totp`, `webauthn`, `signin`, `removal`, `events`. A pending sign-in and a session are different
//! types, so that what needs a session cannot be called with less. `http` turns requests into calls, and `aws` those
//! of AWS's API; `actor` holds who may do what for both.
//!
//! Not there yet: changing a password. EdDSA keys are not offered, since
//! `webauthn-rs-core` cannot verify them. Unix only: the data is protected by file modes.
//!
#![doc = include_str!("../API.md")]
//!
#![doc = include_str!("../AWS.md")]
//!
#![doc = include_str!("../CONSOLE.md")]

mod access_keys;
mod actor;
mod attestation;
mod aws;
mod config;
mod data_directory;
mod devices;
mod error;
mod events;
mod hardware_token;
mod http;
mod iam;
mod lockout;
mod login;
mod names;
mod oauth;
mod origin;
mod overview;
mod page;
mod pages;
mod password;
mod qr;
mod refusal;
mod removal;
mod seal;
mod server;
mod session;
mod signin;
mod store;
mod tags;
mod temporary;
#[cfg(test)]
mod testing;
mod throttle;
mod timestamp;
mod totp;
mod users;
mod virtual_device;
mod webauthn;

pub use aws::sigv4::signing::Signer;
pub use config::{Attestation, Clock, Config, Data, Guard, KeyPolicy, Removal, Role, Tls, UserVerification};
pub use data_directory::DataDirectory;
pub use error::Error;
pub use hardware_token::{Imported, Token};
pub use iam::Administrator;
pub use server::{Running, Server};

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
