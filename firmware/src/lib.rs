//! The whole security key without its board.
#![no_std]

#[cfg(any(test, feature = "testing"))]
extern crate std;

pub mod crypto;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
