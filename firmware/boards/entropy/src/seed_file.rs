//! Entropy that outlives the power: a seed on flash, replaced before the one that was there is used.
//!
//! Two sectors of slots, one slot a start. The newest slot that is whole counts. A slot that was replaced is overwritten
//! with zeros, which NOR flash can do without an erase; a sector is erased when the other one is full.
//! The file only adds to what the source gives: a file that is gone, torn or known to somebody costs nothing but the gain.

use embedded_storage::nor_flash::{NorFlash, ReadNorFlash};
use sha2::{Digest, Sha256};

use crate::Seed;

/// The seed that was there, if one was, and a place for the next.
pub struct SeedFile<F> {
    flash: F,
    newest: Option<Slot>,
}

/// One seed on flash.
struct Slot {
    at: u32,
    number: u32,
    seed: Seed,
}

impl<F: NorFlash> SeedFile<F> {
    /// Reads the file from `flash`, which holds nothing else: two sectors.
    ///
    /// # Errors
    /// Whatever the flash reports.
    pub fn open(mut flash: F) -> Result<Self, F::Error> {
        let mut newest: Option<Slot> = None;
        for at in slots::<F>() {
            let mut bytes = [0; SLOT];
            flash.read(at, &mut bytes)?;
            if let Some((number, seed)) = decode(&bytes)
                && newest.as_ref().is_none_or(|slot| slot.number < number)
            {
                newest = Some(Slot { at, number, seed });
            }
        }
        Ok(Self { flash, newest })
    }

    /// The seed of an earlier start; empty if there is none.
    pub fn seed(&self) -> &[u8] {
        self.newest.as_ref().map(|slot| slot.seed.as_slice()).unwrap_or_default()
    }

    /// Puts `next` in the place of the seed that was there. Only then may that one be used.
    ///
    /// # Errors
    /// Whatever the flash reports.
    pub fn replace(mut self, next: &Seed) -> Result<(), F::Error> {
        let number = self.newest.as_ref().map_or(0, |slot| slot.number.saturating_add(1));
        let at = self.place()?;
        self.flash.write(at, &encode(number, next))?;
        match &self.newest {
            Some(old) => self.flash.write(old.at, &[0; SLOT]),
            None => Ok(()),
        }
    }

    /// The next slot that nothing was written to; a sector is erased if there is none in it.
    fn place(&mut self) -> Result<u32, F::Error> {
        let sector = u32::try_from(F::ERASE_SIZE).unwrap_or(u32::MAX);
        let mut at = self.newest.as_ref().map_or(0, |slot| slot.at.saturating_add(SLOT_SIZE));
        while !at.is_multiple_of(sector) && !is_blank(&mut self.flash, at)? {
            at = at.saturating_add(SLOT_SIZE);
        }
        if at.is_multiple_of(sector) {
            at %= sector.saturating_mul(2);
            self.flash.erase(at, at.saturating_add(sector))?;
        }
        Ok(at)
    }
}

fn slots<F: NorFlash>() -> impl Iterator<Item = u32> {
    let end = u32::try_from(F::ERASE_SIZE.saturating_mul(2)).unwrap_or(u32::MAX);
    (0..end).step_by(SLOT)
}

fn is_blank<F: ReadNorFlash>(flash: &mut F, at: u32) -> Result<bool, F::Error> {
    let mut bytes = [0; SLOT];
    flash.read(at, &mut bytes)?;
    Ok(bytes.iter().all(|byte| *byte == 0xff))
}

/// Number, seed, and the beginning of the hash over both.
fn encode(number: u32, seed: &Seed) -> [u8; SLOT] {
    let mut bytes = [0; SLOT];
    let content = number.to_le_bytes().into_iter().chain(**seed).chain(checksum(number, seed));
    bytes.iter_mut().zip(content).for_each(|(to, from)| *to = from);
    bytes
}

fn decode(bytes: &[u8; SLOT]) -> Option<(u32, Seed)> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    let (seed, rest) = rest.split_first_chunk::<32>()?;
    let (number, seed) = (u32::from_le_bytes(*number), Seed::new(*seed));
    rest.starts_with(&checksum(number, &seed)).then_some((number, seed))
}

fn checksum(number: u32, seed: &Seed) -> [u8; 8] {
    let hash = Sha256::new().chain_update(b"keywright seed").chain_update(number.to_le_bytes());
    let digest: [u8; 32] = hash.chain_update(**seed).finalize().into();
    digest.first_chunk().copied().unwrap_or_default()
}

/// A slot's bytes: number, seed and checksum, with room to a size that every flash writes.
const SLOT: usize = 64;
const SLOT_SIZE: u32 = 64;

#[cfg(test)]
mod tests {
    use core::convert::Infallible;
    use std::vec;
    use std::vec::Vec;

    use embedded_storage::nor_flash::ErrorType;

    use super::*;

    #[derive(Clone)]
    struct Flash {
        bytes: Vec<u8>,
        erases: usize,
        /// Bytes that are still written before the power fails.
        power: usize,
    }

    impl Flash {
        fn new() -> Self {
            Self { bytes: vec![0xff; 8192], erases: 0, power: usize::MAX }
        }
    }

    impl ErrorType for &mut Flash {
        type Error = Infallible;
    }

    impl ReadNorFlash for &mut Flash {
        const READ_SIZE: usize = 1;

        fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
            bytes.copy_from_slice(&self.bytes[at as usize..at as usize + bytes.len()]);
            Ok(())
        }

        fn capacity(&self) -> usize {
            self.bytes.len()
        }
    }

    impl NorFlash for &mut Flash {
        const WRITE_SIZE: usize = 1;
        const ERASE_SIZE: usize = 4096;

        fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
            if self.power > 0 {
                self.bytes[from as usize..to as usize].fill(0xff);
                self.erases += 1;
            }
            Ok(())
        }

        fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Infallible> {
            for (cell, byte) in self.bytes[at as usize..].iter_mut().zip(bytes) {
                if self.power > 0 {
                    self.power = self.power.saturating_sub(1);
                    *cell &= byte;
                }
            }
            Ok(())
        }
    }

    fn start(flash: &mut Flash, next: u8) -> Vec<u8> {
        let file = SeedFile::open(flash).unwrap();
        let seed = file.seed().to_vec();
        file.replace(&Seed::new([next; 32])).unwrap();
        seed
    }

    #[test]
    fn the_seed_of_one_start_is_there_at_the_next_and_only_then() {
        let mut flash = Flash::new();
        assert!(start(&mut flash, 0).is_empty());
        for n in 1..=255 {
            assert_eq!(start(&mut flash, n), [n - 1; 32]);
        }
        assert_eq!(flash.erases, 4, "an erase for 64 starts");
    }

    #[test]
    fn a_seed_that_was_used_is_no_longer_on_flash() {
        let mut flash = Flash::new();
        for n in 1..=100 {
            start(&mut flash, n);
            let old = [n - 1; 32];
            assert!(n == 1 || flash.bytes.windows(32).all(|window| window != old), "{n}");
        }
    }

    #[test]
    fn g26_a_power_cut_at_any_byte_leaves_the_old_seed_or_the_new() {
        let mut before = Flash::new();
        (1..=70).for_each(|n| drop(start(&mut before, n)));
        for power in 0..=128 {
            let mut flash = before.clone();
            flash.power = power;
            start(&mut flash, 200);
            flash.power = usize::MAX;
            let found = SeedFile::open(&mut flash).unwrap().seed().to_vec();
            assert!(found == [70; 32] || found == [200; 32], "{power}: {found:?}");
            assert_eq!(start(&mut flash, 201), found);
            assert_eq!(start(&mut flash, 202), [201; 32]);
        }
    }

    #[test]
    fn what_is_damaged_is_no_seed() {
        let mut flash = Flash::new();
        start(&mut flash, 7);
        for at in 0..44 {
            let mut damaged = flash.clone();
            damaged.bytes[at] ^= 0x10;
            assert!(SeedFile::open(&mut damaged).unwrap().seed().is_empty(), "byte {at}");
        }
    }
}
