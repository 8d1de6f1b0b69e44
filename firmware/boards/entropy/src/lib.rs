//! From a raw source of noise to random bytes, on chips whose only noise is disclaimed by their maker.
//!
//! Samples pass the [`health`] tests, 4096 of them are condensed into a seed by the [`Collector`], and the seed feeds
//! the [`Generator`]; a [`Source`] is all three. The [`seed_file`] carries what was collected over a power cycle, so that a source that is worse
//! than it seems gains with every start. Nothing here reads a register: a sample is an input.
//!
//! Section numbers are those of NIST SP 800-90A Revision 1 (generator) and SP 800-90B (noise source).
#![no_std]

#[cfg(test)]
extern crate std;

mod collector;
mod generator;
pub mod health;
pub mod seed_file;
mod source;

pub use collector::{Collector, SAMPLES_PER_SEED};
pub use generator::Generator;
pub use health::Failure;
pub use source::{Shared, Source};

/// 256 bits for the generator; wiped when dropped.
pub type Seed = zeroize::Zeroizing<[u8; 32]>;
