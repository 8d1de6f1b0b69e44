//! A running key, as hosts and its owner see it.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod control;
mod folder;
mod kill;
mod tcp;
mod touch;
mod udp;
mod wire;
