//! The Keywright security key on a PC.

pub mod attestation;
