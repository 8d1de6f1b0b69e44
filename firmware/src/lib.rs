//! The whole security key without its board: what runs in every form of the key.
//!
//! The key is a value. Reports, touches and the time go in; reports come out. Nothing here waits, reads a clock or
//! knows what USB is. [`ctaphid::Device`] is the transport's end, [`Authenticator`] the commands and the state between
//! them; they exchange owned messages and hold no reference to each other. [`Key`] puts both on one thread.
//!
//! | room | what is in it | what it may touch |
//! |---|---|---|
//! | [`ctaphid`] | channels, transactions, keepalives | nothing else |
//! | [`authenticator`] | the request that waits for a touch | the commands |
//! | `ctap2` | one file a command | state, store, randomness, crypto |
//! | `pin` | the PIN, its retries and its policy | store, crypto |
//! | `pin_uv_auth` | key agreement and the pinUvAuthToken | crypto |
//! | `u2f` | register, authenticate and version, and the presence they take | state, store, randomness, crypto |
//! | `attestation` | who speaks for a new credential | crypto |
//! | `lookup` | which credentials a request may use | store, crypto |
//! | `decision` | what one skipped instruction must not turn | nothing else |
//! | `state` | what commands know beside the store | nothing else |
//! | `credential` | what is inside a credential id | crypto |
//! | [`store`] | records on flash | flash, crypto |
//! | [`crypto`] | every use of a cryptographic crate | nothing else |
//! | [`key`] | device and authenticator on one thread | both |
//!
//! Section numbers are those of CTAP 2.3 (Proposed Standard, 2026-02-26).
#![no_std]

#[cfg(any(test, feature = "testing"))]
extern crate std;

mod attestation;
pub mod authenticator;
mod credential;
pub mod crypto;
mod ctap2;
pub mod ctaphid;
mod decision;
pub mod identity;
pub mod key;
mod lookup;
mod pin;
mod pin_uv_auth;
mod state;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod u2f;

pub use authenticator::Authenticator;
pub use identity::Identity;
pub use key::Key;
