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
//! concern: users, devices, `totp`, `webauthn`, `signin`. A pending sign-in and a session are different
//! types, so that what needs a session cannot be called with less. `http` turns requests into calls.
//!
//! Not there yet: AWS's Query API, STS, removing and resynchronising devices, hardware tokens, QR codes,
//! tags, U2F keys by `appid`, changing a password. EdDSA keys are not offered, since `webauthn-rs-core`
//! cannot verify them. Unix only: the data is protected by file modes.
//!
#![doc = include_str!("../API.md")]

mod config;
mod devices;
mod error;
mod http;
mod iam;
mod names;
mod pages;
mod password;
mod refusal;
mod seal;
mod server;
mod session;
mod signin;
mod store;
#[cfg(test)]
mod testing;
mod throttle;
mod totp;
mod users;
mod webauthn;

pub use config::{Attestation, Clock, Config, Data};
pub use error::Error;
pub use iam::Administrator;
pub use server::{Running, Server};

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
