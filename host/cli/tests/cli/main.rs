//! The real command against a virtual key that it runs itself.
#![cfg(all(unix, feature = "emulator"))]
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod credentials;
mod doctor;
mod failures;
mod harness;
#[cfg(feature = "iam")]
mod login;
mod pins;
mod serving;
mod shapes;
#[cfg(target_os = "linux")]
mod terminal;
mod touches;
