//! Cryptography: the only place that names the crates it comes from.

pub mod seal;
