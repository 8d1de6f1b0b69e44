//! The scenarios against the key of this project, against keys that misbehave, and from the command line.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod bench;
mod broken_keys;
mod command;
mod own_key;
