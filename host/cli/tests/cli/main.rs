//! The real command against a virtual key that it runs itself.
#![cfg(all(unix, feature = "emulator"))]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod credentials;
mod doctor;
#[cfg(feature = "iam")]
mod enrol;
mod failures;
#[cfg(feature = "iam")]
mod faults;
mod harness;
#[cfg(feature = "iam")]
mod iam_data;
#[cfg(feature = "iam")]
mod login;
mod pins;
mod serving;
mod shapes;
#[cfg(target_os = "linux")]
mod terminal;
#[cfg(feature = "totp")]
mod totp;
mod touches;
