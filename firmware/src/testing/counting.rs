//! Randomness that can be foreseen.

use rand_core::{Infallible, TryCryptoRng, TryRng};

/// Bytes that differ from draw to draw and are the same in every run. Not random at all.
#[derive(Clone, Debug, Default)]
pub struct Counting(u64);

impl Counting {
    /// A source whose draws differ from those of every other seed.
    #[must_use]
    pub const fn new(seed: u32) -> Self {
        // Draws are numbered in the lower half.
        Self((seed as u64) << 32)
    }
}

impl TryRng for Counting {
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

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0 += 1;
        // splitmix64
        let mut state = self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for byte in bytes {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            [*byte, ..] = (mixed ^ (mixed >> 31)).to_le_bytes();
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}
