//! The operating system's randomness.

use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// Randomness from the operating system.
///
/// The system was asked once when this was made. Should it fail later, which Linux rules out once it has begun, the key's
/// thread ends: nothing is ever made from bytes that are not random (G30).
#[derive(Debug)]
pub struct Random(());

impl Random {
    /// Asks the system for the first time, and waits until it has collected enough.
    ///
    /// # Errors
    /// The system's, if it has no randomness to give.
    pub fn new() -> Result<Self, getrandom::Error> {
        getrandom::fill(&mut [0; 32]).map(|()| Self(()))
    }
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    #[expect(
        clippy::panic,
        reason = "a key without randomness must end, and the trait has no other way to say so"
    )]
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match getrandom::fill(bytes) {
            Ok(()) => Ok(()),
            Err(error) => panic!("the operating system gives no randomness: {error}"),
        }
    }
}

impl TryCryptoRng for Random {}
