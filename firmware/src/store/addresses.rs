//! Where each record is: the log's index.

use super::media::UNIT;

/// The key of a record: a few fixed ones, then one for each credential slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u16);

impl Key {
    pub(super) const PIN: Self = Self(0);
    pub(super) const SIGN_COUNT: Self = Self(1);

    /// The key of a credential slot.
    pub(super) fn slot(slot: usize) -> Self {
        Self(u16::try_from(slot).unwrap_or(u16::MAX).saturating_add(FIXED))
    }

    pub(super) const fn number(self) -> u16 {
        self.0
    }

    pub(super) const fn is_fixed(self) -> bool {
        self.0 < FIXED
    }
}

/// The address of each key's record, in units.
pub(super) struct Addresses<const N: usize> {
    fixed: [u16; FIXED as usize],
    slots: [u16; N],
}

impl<const N: usize> Addresses<N> {
    pub(super) const fn new() -> Self {
        Self { fixed: [ABSENT; FIXED as usize], slots: [ABSENT; N] }
    }

    /// Every key, in order.
    pub(super) fn keys() -> impl Iterator<Item = Key> {
        (0..FIXED).map(Key).chain((0..N).map(Key::slot))
    }

    /// The key with this number, if there is a place for it.
    pub(super) fn key(number: u16) -> Option<Key> {
        let key = Key(number);
        (key.is_fixed() || usize::from(number - FIXED) < N).then_some(key)
    }

    pub(super) fn get(&self, key: Key) -> Option<u32> {
        let units = if key.is_fixed() {
            self.fixed.get(usize::from(key.0))
        } else {
            self.slots.get(usize::from(key.0 - FIXED))
        };
        units.filter(|&&units| units != ABSENT).map(|&units| u32::from(units) * UNIT)
    }

    pub(super) fn set(&mut self, key: Key, at: Option<u32>) {
        let place = if key.is_fixed() {
            self.fixed.get_mut(usize::from(key.0))
        } else {
            self.slots.get_mut(usize::from(key.0 - FIXED))
        };
        if let Some(place) = place {
            *place = at.and_then(|at| u16::try_from(at / UNIT).ok()).unwrap_or(ABSENT);
        }
    }
}

/// How many keys are not those of credential slots.
const FIXED: u16 = 8;
/// No record is at the start of a page.
const ABSENT: u16 = 0;
