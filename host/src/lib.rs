//! A driver for FIDO2 and U2F security keys of any vendor.
//!
//! Each layer is usable alone: a [`transport`] carries reports of 64 bytes; what stands on it speaks CTAPHID, then CTAP2
//! and U2F, then WebAuthn. One loop, no second thread, no sleep.

pub mod auth_data;
mod cbor;
pub mod choose;
pub mod ctap2;
pub mod ctaphid;
pub mod error;
pub mod pin_uv_auth;
mod random;
pub mod transport;
pub mod u2f;
pub mod user;
pub mod verify;
pub mod webauthn;

pub use error::ClientError;
pub use user::UserInteraction;

#[cfg(test)]
mod testing;
