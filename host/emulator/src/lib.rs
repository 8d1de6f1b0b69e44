//! The Keywright security key on a PC.

pub mod flash;
mod random;

pub use random::Random;
