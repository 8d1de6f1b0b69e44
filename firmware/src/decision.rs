//! Decisions that one skipped instruction must not turn (G31).
//!
//! Who disturbs the processor at the right moment makes it pass over an instruction, such as the branch that refuses. So
//! what lets a PIN, a touch or a retry count is a [`Grant`]: taken twice where it is decided, and looked at again where
//! something is given for it.

use core::hint::black_box;

/// Whether something was granted, in 32 bits of which every one counts.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub(crate) struct Grant(u32);

impl Grant {
    /// Nothing was granted.
    pub(crate) const NONE: Self = Self(0);

    /// Takes a decision twice; each time gives half of the grant.
    pub(crate) fn if_twice(mut decide: impl FnMut() -> bool) -> Self {
        // `black_box`, or the compiler would see that both say the same, and decide once.
        let mut grant = 0;
        if black_box(decide()) {
            grant |= black_box(FIRST);
        }
        if black_box(decide()) {
            grant |= black_box(SECOND);
        }
        Self(grant)
    }

    /// Whether it was granted, both times.
    pub(crate) fn holds(self) -> bool {
        black_box(self.0) == black_box(FIRST | SECOND)
    }

    /// Goes on only with a grant that holds.
    ///
    /// # Errors
    /// `refusal` without one.
    pub(crate) fn require<E>(self, refusal: E) -> Result<(), E> {
        if self.holds() { Ok(()) } else { Err(refusal) }
    }
}

/// Neither is near zero, near all ones, or near the other.
const FIRST: u32 = 0x5a96_0000;
const SECOND: u32 = 0x0000_c33c;

#[cfg(test)]
mod tests {
    use super::*;

    /// What decides is asked again, so that one answer that was turned is not enough.
    #[test]
    fn g31_a_decision_that_was_turned_once_grants_nothing() {
        for (answers, holds) in
            [([true, true], true), ([true, false], false), ([false, true], false), ([false, false], false)]
        {
            let mut answers = answers.into_iter();
            assert_eq!(Grant::if_twice(|| answers.next().unwrap()).holds(), holds);
            assert_eq!(answers.next(), None, "asked twice");
        }
        assert!(!Grant::NONE.holds());
    }

    #[test]
    fn g31_a_grant_with_any_bit_turned_holds_no_more() {
        let granted = Grant::if_twice(|| true);
        for bit in 0..32 {
            assert!(!Grant(granted.0 ^ 1 << bit).holds(), "bit {bit}");
            assert!(!Grant(Grant::NONE.0 ^ 1 << bit).holds(), "bit {bit}");
        }
        assert!(!Grant(u32::MAX).holds());
    }
}
