//! A local IAM.
mod config;
mod error;
mod names;
mod password;
mod refusal;
mod seal;
mod store;
#[cfg(test)]
mod testing;
mod throttle;

pub use config::{Attestation, Clock, Config, Data};
pub use error::Error;

/// Random bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}
