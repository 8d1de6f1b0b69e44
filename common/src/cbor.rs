//! CTAP2 canonical CBOR (§8): a strict reader that borrows from the message, and an encoder.
//!
//! A message is checked whole, once, by [`Item::parse`]: shortest heads, definite lengths, keys in order and without
//! duplicates, valid UTF-8, no tags, at most four levels of nesting, nothing behind the end. What comes out borrows
//! from the message and can be walked without failing again, except for a value that has another type than asked for.

mod encode;
mod read;

pub use encode::{Encoder, Full};
pub use read::{Integer, Item, Items, Key, Malformed, Map, MapEntries, UnexpectedType};

/// Levels of nesting that a message may have (§8).
pub const MAX_DEPTH: usize = 4;
