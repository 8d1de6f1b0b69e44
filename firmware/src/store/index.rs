//! What is kept in memory of each credential, so that a search reads no flash: 14 bytes.

use super::credential::CreationNumber;

/// Keyed hashes of what a credential is looked for by. Two credentials of one RP have the same `rp`; so, by chance, may
/// others, and whoever finds one reads the record to be sure.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Tags {
    /// Of 48 bits, since RPs are also told apart by it: in a full store two are mistaken for one with a chance of 10^-10.
    pub(super) rp: [u8; 6],
    pub(super) user: [u8; 2],
    pub(super) id: [u8; 2],
}

/// A credential that the index knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Which one.
    pub number: CreationNumber,
    /// Its `credProtect` level, 1 to 3; 0 if none was asked for.
    pub cred_protect: u8,
}

/// The credentials, by slot.
pub(super) struct Index<const N: usize> {
    /// The creation number above two bits of `credProtect`; 0: no credential.
    numbers: [u32; N],
    tags: [Tags; N],
}

impl<const N: usize> Index<N> {
    pub(super) const fn new() -> Self {
        Self { numbers: [0; N], tags: [Tags { rp: [0; 6], user: [0; 2], id: [0; 2] }; N] }
    }

    pub(super) fn set(&mut self, slot: usize, candidate: Candidate, tags: Tags) {
        if let (Some(number), Some(place)) = (self.numbers.get_mut(slot), self.tags.get_mut(slot)) {
            *number = pack(candidate);
            *place = tags;
        }
    }

    pub(super) fn clear(&mut self, slot: usize) {
        if let Some(number) = self.numbers.get_mut(slot) {
            *number = 0;
        }
    }

    pub(super) fn get(&self, slot: usize) -> Option<(Candidate, Tags)> {
        let packed = self.numbers.get(slot).copied().filter(|&packed| packed != 0)?;
        Some((unpack(packed), *self.tags.get(slot)?))
    }

    pub(super) fn slot(&self, number: CreationNumber) -> Option<usize> {
        self.numbers.iter().position(|&packed| packed != 0 && unpack(packed).number == number)
    }

    pub(super) fn free_slot(&self) -> Option<usize> {
        self.numbers.iter().position(|&packed| packed == 0)
    }

    pub(super) fn count(&self) -> usize {
        self.numbers.iter().filter(|&&packed| packed != 0).count()
    }

    /// The number for the next credential; `None` if there is none left.
    pub(super) fn next_number(&self) -> Option<CreationNumber> {
        let newest = self.numbers.iter().map(|packed| packed >> 2).max().unwrap_or(0);
        (newest < u32::MAX >> 2).then(|| CreationNumber(newest + 1))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Candidate, &Tags)> {
        let all = self.numbers.iter().zip(&self.tags).enumerate();
        all.filter(|(_, (packed, _))| **packed != 0)
            .map(|(slot, (&packed, tags))| (slot, unpack(packed), tags))
    }

    /// The newest of an RP, or the newest that is older than `before`.
    pub(super) fn find_by_rp(&self, rp: [u8; 6], before: Option<CreationNumber>) -> Option<Candidate> {
        let of_rp = self.iter().filter(|(.., tags)| tags.rp == rp).map(|(_, candidate, _)| candidate);
        newest_before(of_rp, before)
    }

    /// The newest credential of the RP whose newest is next older than `before`.
    pub(super) fn next_rp(&self, before: Option<CreationNumber>) -> Option<Candidate> {
        let newest_of_rp = self
            .iter()
            .filter(|(_, candidate, tags)| self.find_by_rp(tags.rp, None) == Some(*candidate))
            .map(|(_, candidate, _)| candidate);
        newest_before(newest_of_rp, before)
    }
}

fn newest_before(
    candidates: impl Iterator<Item = Candidate>,
    before: Option<CreationNumber>,
) -> Option<Candidate> {
    candidates
        .filter(|candidate| before.is_none_or(|before| candidate.number < before))
        .max_by_key(|candidate| candidate.number)
}

pub(super) fn pack(candidate: Candidate) -> u32 {
    candidate.number.0 << 2 | u32::from(candidate.cred_protect & 3)
}

pub(super) fn unpack(packed: u32) -> Candidate {
    let [low, ..] = packed.to_le_bytes();
    Candidate { number: CreationNumber(packed >> 2), cred_protect: low & 3 }
}
