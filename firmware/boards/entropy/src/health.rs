//! The health tests of SP 800-90B §4.4 over a source of single bits.
//!
//! The source is credited an eighth of a bit of min-entropy a sample, and a false alarm may come once in 2^20 tests.

/// What the source did that a working one does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The same bit too many times in a row (§4.4.1): the source is stuck.
    Repetition,
    /// One bit too often in a window (§4.4.2): the source has lost most of its entropy.
    Proportion,
    /// The source itself reports a fault, as hardware generators can.
    Reported,
}

/// Both tests, over every sample that is ever taken.
#[derive(Clone, Debug, Default)]
pub struct HealthTests {
    last: Option<bool>,
    repetitions: u16,
    window: Window,
}

/// The adaptive proportion test counts how often a window's first bit comes again in it.
#[derive(Clone, Debug, Default)]
struct Window {
    first: bool,
    seen: u16,
    equal: u16,
}

impl HealthTests {
    /// Tests a sample.
    ///
    /// # Errors
    /// [`Failure`]: nothing that was taken from the source since its last good seed may be used.
    pub fn check(&mut self, sample: bool) -> Result<(), Failure> {
        self.repetitions = if self.last == Some(sample) { self.repetitions.saturating_add(1) } else { 1 };
        self.last = Some(sample);
        if self.repetitions >= REPETITION_CUTOFF {
            return Err(Failure::Repetition);
        }
        self.window.check(sample)
    }
}

impl Window {
    fn check(&mut self, sample: bool) -> Result<(), Failure> {
        if self.seen == 0 {
            self.first = sample;
        }
        self.seen = self.seen.saturating_add(1);
        self.equal = self.equal.saturating_add(u16::from(sample == self.first));
        if self.equal >= PROPORTION_CUTOFF {
            return Err(Failure::Proportion);
        }
        if self.seen == PROPORTION_WINDOW {
            *self = Self::default();
        }
        Ok(())
    }
}

/// §4.4.1: 1 + 20 / H for H = 0.125 and a false alarm in 2^20.
const REPETITION_CUTOFF: u16 = 161;
/// §4.4.2: samples in a window of a binary source.
const PROPORTION_WINDOW: u16 = 1024;
/// §4.4.2: 1 + critbinom(1024, 2^-0.125, 1 - 2^-20).
const PROPORTION_CUTOFF: u16 = 979;

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds samples until a test fails; how many it took.
    fn fails_after(limit: usize, mut sample: impl FnMut(usize) -> bool) -> Option<(usize, Failure)> {
        let mut tests = HealthTests::default();
        (0..limit).find_map(|at| tests.check(sample(at)).err().map(|failure| (at + 1, failure)))
    }

    #[test]
    fn g30_a_stuck_source_is_found_after_161_samples_whichever_bit_it_is_stuck_at() {
        for stuck in [false, true] {
            assert_eq!(fails_after(4096, |_| stuck), Some((161, Failure::Repetition)));
        }
    }

    #[test]
    fn g30_a_source_that_sticks_later_is_found_as_soon() {
        assert_eq!(fails_after(4096, |at| at > 1000 || at % 2 == 0), Some((1000 + 161, Failure::Repetition)));
    }

    #[test]
    fn g30_160_equal_samples_between_others_are_no_failure() {
        assert_eq!(fails_after(100_000, |at| at % 161 < 80), None);
    }

    #[test]
    fn g30_a_source_that_is_biased_beyond_its_credit_is_found_within_a_window() {
        // 63 of 64: the repetition test never sees it.
        let (at, failure) = fails_after(4096, |at| at % 64 != 63).unwrap();
        assert_eq!(failure, Failure::Proportion);
        assert!(at <= 1024, "{at}");
    }

    #[test]
    fn g30_the_last_count_below_the_cutoff_passes_and_one_more_fails() {
        // Ones with zeros spread so that no run reaches 161; exactly `ones` of them, beginning with a one.
        let window =
            |ones: usize| move |at: usize| at == 0 || at % 1024 * (1024 - ones) % 1024 >= 1024 - ones;
        let count = |ones: usize| (0..1024).filter(|at| window(ones)(*at)).count();
        let most = (900..1024).filter(|ones| count(*ones) == 978).max().unwrap();
        assert_eq!(fails_after(1024, window(most)), None);
        let over = (900..1024).filter(|ones| count(*ones) == 979).min().unwrap();
        assert_eq!(fails_after(1024, window(over)).map(|(_, failure)| failure), Some(Failure::Proportion));
    }

    #[test]
    fn a_fair_source_passes_a_million_samples() {
        let mut state = 0x1234_5678_u32;
        let mut fair = |_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state & 1 == 1
        };
        assert_eq!(fails_after(1_000_000, &mut fair), None);
    }
}
