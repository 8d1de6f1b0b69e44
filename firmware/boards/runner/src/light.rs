//! What each state looks like on a single light.

use keywright_firmware::key::Indication;

/// Whether the light is on, `millis` after the board started.
pub const fn is_on(indication: Indication, millis: u64) -> bool {
    match indication {
        Indication::Idle => false,
        Indication::Processing => true,
        // Even blinking, twice a second: press and release.
        Indication::TouchWanted(_) => millis % 500 < 250,
        // Three short flashes and a pause.
        Indication::Wink => millis % 1000 < 600 && millis % 200 < 100,
    }
}

/// A board that will not work: as many flashes as the fault's number, then a long pause.
pub const fn is_on_in_fault(fault: Fault, millis: u64) -> bool {
    let at = millis % 3000;
    at < 400 * (fault as u64) && at % 400 < 200
}

/// Why a board does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Fault {
    /// The source of randomness failed its tests: no key may be made.
    Randomness = 2,
    /// The store could not be opened.
    Store = 3,
}

#[cfg(test)]
mod tests {
    use keywright_firmware::authenticator::Touch;

    use super::*;

    fn flashes(pattern: impl Fn(u64) -> bool, millis: u64) -> usize {
        (1..millis).filter(|at| pattern(*at) && !pattern(at - 1)).count() + usize::from(pattern(0))
    }

    #[test]
    fn a_key_at_rest_is_dark_and_one_at_work_is_lit() {
        assert!((0..5000).all(|at| !is_on(Indication::Idle, at) && is_on(Indication::Processing, at)));
    }

    #[test]
    fn every_state_looks_different_within_three_seconds() {
        let count = |pattern: &dyn Fn(u64) -> bool| flashes(pattern, 3000);
        let seen = [
            count(&|at| is_on(Indication::TouchWanted(Touch::Press), at)),
            count(&|at| is_on(Indication::Wink, at)),
            count(&|at| is_on_in_fault(Fault::Randomness, at)),
            count(&|at| is_on_in_fault(Fault::Store, at)),
        ];
        assert_eq!(seen, [6, 9, 2, 3]);
    }
}
