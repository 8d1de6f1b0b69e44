//! A local IAM.
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
