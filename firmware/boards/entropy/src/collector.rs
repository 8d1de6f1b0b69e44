//! From samples to a seed.

use sha2::{Digest, Sha256};

use crate::Seed;
use crate::health::{Failure, HealthTests};

/// Takes samples from a source and condenses them; the source's tests never stop.
#[derive(Debug, Default)]
pub struct Collector {
    tests: HealthTests,
}

impl Collector {
    /// A collector over a source that has just started: its first samples are tested and thrown away
    /// (SP 800-90B §4.3 asks for 1024).
    ///
    /// # Errors
    /// [`Failure`] if the source is not at work.
    pub fn start(mut sample: impl FnMut() -> Result<bool, Failure>) -> Result<Self, Failure> {
        let mut collector = Self::default();
        for _ in 0..START_UP_SAMPLES {
            collector.tests.check(sample()?)?;
        }
        Ok(collector)
    }

    /// A seed of full entropy: 4096 samples at an eighth of a bit are 512 bits into a hash of 256
    /// (SP 800-90B §3.1.5.1.2 asks for 64 more than come out).
    ///
    /// # Errors
    /// [`Failure`] if the source is no longer at work; nothing of the samples is given out.
    pub fn seed(&mut self, mut sample: impl FnMut() -> Result<bool, Failure>) -> Result<Seed, Failure> {
        let mut hash = Sha256::new();
        for _ in 0..SAMPLES_PER_SEED / 8 {
            let mut byte = 0;
            for _ in 0..8 {
                let bit = sample()?;
                self.tests.check(bit)?;
                byte = byte << 1 | u8::from(bit);
            }
            hash.update([byte]);
        }
        Ok(Seed::new(hash.finalize().into()))
    }
}

/// Samples that go into one seed.
pub const SAMPLES_PER_SEED: usize = 4096;
const START_UP_SAMPLES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// A source with some life in it.
    fn source() -> impl FnMut() -> Result<bool, Failure> {
        let mut state = 0x9e37_79b9_u32;
        move || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            Ok(state & 1 == 1)
        }
    }

    #[test]
    fn g30_a_stuck_source_gives_no_collector() {
        assert_eq!(Collector::start(|| Ok(true)).err(), Some(Failure::Repetition));
    }

    #[test]
    fn g30_a_source_that_sticks_while_running_gives_no_seed() {
        let mut living = source();
        let mut collector = Collector::start(&mut living).unwrap();
        assert!(collector.seed(&mut living).is_ok());
        let mut taken = 0;
        let dying = || {
            taken += 1;
            if taken > 4000 { Ok(true) } else { living() }
        };
        // The run begins in the last samples of this seed and is found in the next.
        let outcomes = [dying].map(|mut dying| [collector.seed(&mut dying), collector.seed(&mut dying)]);
        assert!(outcomes.into_iter().flatten().any(|outcome| outcome.is_err()));
    }

    #[test]
    fn g30_a_fault_that_the_source_reports_gives_no_seed() {
        assert_eq!(Collector::start(|| Err(Failure::Reported)).err(), Some(Failure::Reported));
        let mut collector = Collector::start(source()).unwrap();
        assert_eq!(collector.seed(|| Err(Failure::Reported)).err(), Some(Failure::Reported));
    }

    #[test]
    fn a_seed_takes_4096_samples_and_every_one_of_them_counts() {
        let seed_with = |flipped: Option<usize>| {
            let mut living = source();
            let mut taken = 0;
            let mut collector = Collector::default();
            let seed = collector.seed(|| {
                taken += 1;
                living().map(|bit| bit ^ (Some(taken - 1) == flipped))
            });
            assert_eq!(taken, SAMPLES_PER_SEED);
            *seed.unwrap()
        };
        let plain = seed_with(None);
        for flipped in [0, 7, 8, 2048, 4095] {
            assert_ne!(seed_with(Some(flipped)), plain, "sample {flipped}");
        }
    }
}
