//! The whole of it: a source of noise and the generator that it keeps fed.

use core::cell::RefCell;
use core::convert::Infallible;

use rand_core::{Rng, TryCryptoRng, TryRng};

use crate::{Collector, Failure, Generator, Seed};

/// A generator with the noise behind it.
pub struct Source<S> {
    sample: S,
    collector: Collector,
    generator: Generator,
    /// What is done when the noise fails, and never returns: nothing may be made from randomness that is none.
    fail: fn(Failure) -> !,
}

impl<S: FnMut() -> Result<bool, Failure>> Source<S> {
    /// Tests the noise and seeds the generator; `personal` tells this chip from others and need not be secret, `saved` is
    /// a seed of an earlier start or nothing.
    ///
    /// # Errors
    /// [`Failure`] if the noise is none.
    pub fn start(
        mut sample: S,
        personal: &[u8],
        saved: &[u8],
        fail: fn(Failure) -> !,
    ) -> Result<Self, Failure> {
        let mut collector = Collector::start(&mut sample)?;
        let seed = collector.seed(&mut sample)?;
        let generator = Generator::new(&[&*seed, saved, personal]);
        Ok(Self { sample, collector, generator, fail })
    }

    /// Mixes in a fresh seed: takes as long as 4096 samples do.
    pub fn reseed(&mut self) {
        match self.collector.seed(&mut self.sample) {
            Ok(seed) => self.generator.reseed(&[&*seed]),
            Err(failure) => (self.fail)(failure),
        }
    }

    /// A seed for a later start.
    pub fn seed_to_save(&mut self) -> Seed {
        let mut seed = Seed::default();
        self.fill_bytes(&mut *seed);
        seed
    }
}

impl<S: FnMut() -> Result<bool, Failure>> TryRng for Source<S> {
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
        if self.generator.requests() >= MAX_REQUESTS {
            self.reseed();
        }
        self.generator.try_fill_bytes(bytes)
    }
}

impl<S: FnMut() -> Result<bool, Failure>> TryCryptoRng for Source<S> {}

/// A source that its board feeds while somebody draws from it: both on one thread.
pub struct Shared<S: 'static>(pub &'static RefCell<Source<S>>);

impl<S: FnMut() -> Result<bool, Failure>> TryRng for Shared<S> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.0.borrow_mut().try_next_u32()
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0.borrow_mut().try_next_u64()
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.borrow_mut().try_fill_bytes(bytes)
    }
}

impl<S: FnMut() -> Result<bool, Failure>> TryCryptoRng for Shared<S> {}

/// Requests that a seed serves at most; boards reseed when they are idle, long before.
const MAX_REQUESTS: u32 = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn noise() -> impl FnMut() -> Result<bool, Failure> {
        let mut state = 0x2545_f491_u32;
        move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            Ok(state & 1 == 1)
        }
    }

    fn fail(failure: Failure) -> ! {
        panic!("{failure:?}")
    }

    #[test]
    fn the_chip_and_the_seed_file_each_change_what_comes_out() {
        let first =
            |personal: &[u8], saved: &[u8]| Source::start(noise(), personal, saved, fail).unwrap().next_u64();
        let outputs = [first(b"a", b""), first(b"b", b""), first(b"a", &[1; 32])];
        assert!(outputs[0] != outputs[1] && outputs[0] != outputs[2] && outputs[1] != outputs[2]);
    }

    #[test]
    fn g30_a_source_is_reseeded_after_1024_requests_at_the_latest() {
        let mut taken = 0;
        let mut living = noise();
        let counted = || {
            taken += 1;
            living()
        };
        let mut source = Source::start(counted, b"", b"", fail).unwrap();
        (0..1025).for_each(|_| {
            source.next_u32();
        });
        drop(source);
        assert_eq!(taken, 1024 + 2 * crate::SAMPLES_PER_SEED);
    }

    #[test]
    #[should_panic(expected = "Repetition")]
    fn g30_noise_that_dies_while_running_ends_everything() {
        let mut taken = 0;
        let mut living = noise();
        let dying = || {
            taken += 1;
            if taken > 1024 + crate::SAMPLES_PER_SEED { Ok(false) } else { living() }
        };
        let mut source = Source::start(dying, b"", b"", fail).unwrap();
        (0..1025).for_each(|_| {
            source.next_u32();
        });
    }
}
