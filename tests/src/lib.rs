//! What the tests that cross crates share: a key in a simulated world.
//!
//! Everything goes through 64-byte reports and a clock that only the test moves.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod flash;
mod platform;
mod random;
mod request;
mod simulation;

pub use flash::RamFlash;
pub use platform::{Agreement, authenticate, cose_key, padded, pin_hash};
pub use random::TestRandom;
pub use request::{CLIENT_DATA_HASH, Parameters, descriptor};
pub use simulation::{IDENTITY, Simulation, User, map, value_at};
