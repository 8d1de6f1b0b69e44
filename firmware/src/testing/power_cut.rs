//! A NOR flash in memory that keeps the rules, counts operations, and loses power when told.

#![expect(clippy::indexing_slicing, clippy::panic, reason = "a flash for tests: a broken rule ends the test")]

use std::vec;
use std::vec::Vec;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// A flash of `PAGES` erase blocks of `ERASE` bytes, written in units of `WRITE` bytes.
///
/// It panics when a rule of NOR flash is broken: a unit that is not wholly erased is programmed, or an operation is
/// not aligned. An operation that loses power leaves some bits changed, some not, and some **unstable**: these read
/// differently from one read to the next until they are erased, and must never be programmed over.
///
/// One rule has an exception. A write of at most 16 bytes that was cut before anything of it could be seen may be tried
/// again: who starts again cannot know of it. It succeeds, and the bits that only the first write had begun on become
/// unstable; or it fails, as on a flash with error correction ([`PowerCutFlash::correct_errors`]).
#[derive(Clone)]
pub struct PowerCutFlash<const WRITE: usize, const ERASE: usize, const PAGES: usize> {
    bytes: Vec<u8>,
    /// The bits that read at random.
    unstable: Vec<u8>,
    /// Which bytes were programmed, or half erased, since the last whole erase.
    used: Vec<bool>,
    /// The short writes that were cut and left nothing to be seen: where, and which bits they had begun on.
    ghosts: Vec<(usize, Vec<u8>)>,
    writes: u32,
    erases: u32,
    power: Option<Power>,
    reads_fail: bool,
    corrects_errors: bool,
    writes_fail: bool,
    noise: u64,
}

/// Why an operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// The power was lost in this operation or before it.
    PowerLost,
    /// The test asked for failing operations.
    Failing,
    /// Not aligned or out of bounds.
    Rule(NorFlashErrorKind),
}

impl<const WRITE: usize, const ERASE: usize, const PAGES: usize> PowerCutFlash<WRITE, ERASE, PAGES> {
    /// A flash that reads 0xFF everywhere, as it comes from the factory.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: vec![0xff; ERASE * PAGES],
            unstable: vec![0; ERASE * PAGES],
            used: vec![false; ERASE * PAGES],
            ghosts: Vec::new(),
            writes: 0,
            erases: 0,
            power: None,
            reads_fail: false,
            corrects_errors: false,
            writes_fail: false,
            noise: 1,
        }
    }

    /// A flash with these bytes on it. Where 16 bytes in a row are 0xFF they are taken for erased.
    ///
    /// # Panics
    ///
    /// If they are more than the flash holds. Missing bytes read 0xFF.
    #[must_use]
    pub fn with_bytes(bytes: &[u8]) -> Self {
        let mut flash = Self::new();
        flash.bytes[..bytes.len()].copy_from_slice(bytes);
        for (used, bytes) in flash.used.chunks_mut(16).zip(flash.bytes.chunks(16)) {
            used.fill(bytes.iter().any(|&byte| byte != 0xff));
        }
        flash
    }

    /// Lets `operations` more writes and erases succeed; the next one is cut half way, and all after it fail. `seed`
    /// chooses what the cut one leaves.
    pub fn cut_power_after(&mut self, operations: u32, seed: u64) {
        self.power = Some(Power::Left(operations));
        self.noise = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    }

    /// The power comes back. What was lost stays lost.
    pub fn restore_power(&mut self) {
        self.power = None;
    }

    /// From now on every read fails, or none does.
    pub fn fail_reads(&mut self, fail: bool) {
        self.reads_fail = fail;
    }

    /// From now on every write and erase fails and leaves what a cut would leave, or none does.
    pub fn fail_writes(&mut self, fail: bool) {
        self.writes_fail = fail;
    }

    /// From now on this is a flash with error correction, or one without.
    pub fn correct_errors(&mut self, correct: bool) {
        self.corrects_errors = correct;
    }

    /// How many writes and erases were begun.
    #[must_use]
    pub fn operations(&self) -> u32 {
        self.writes + self.erases
    }

    /// How many erases were begun.
    #[must_use]
    pub fn erases(&self) -> u32 {
        self.erases
    }

    /// What is on the flash. An unstable bit shows as one of its two values.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Flips one bit of the flash, as age does.
    pub fn rot(&mut self, at: usize, bit: u8) {
        self.bytes[at] ^= 1 << (bit % 8);
    }

    /// What becomes of the next write or erase.
    fn fate(&mut self) -> Fate {
        if self.writes_fail {
            return Fate::Cut(Broken::Failing);
        }
        match self.power {
            None => Fate::Whole,
            Some(Power::Lost) => Fate::Dark,
            Some(Power::Left(0)) => {
                self.power = Some(Power::Lost);
                Fate::Cut(Broken::PowerLost)
            }
            Some(Power::Left(operations)) => {
                self.power = Some(Power::Left(operations - 1));
                Fate::Whole
            }
        }
    }

    fn random(&mut self) -> u8 {
        // xorshift64*
        self.noise ^= self.noise >> 12;
        self.noise ^= self.noise << 25;
        self.noise ^= self.noise >> 27;
        self.noise.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes()[0]
    }

    /// Whether this may be written here, and what becomes of it otherwise.
    fn check_unused(&mut self, start: usize, bytes: &[u8]) -> Result<(), Broken> {
        if !self.used[start..start + bytes.len()].contains(&true) {
            return Ok(());
        }
        let Some(ghost) = self.ghosts.iter().position(|(at, bits)| *at == start && bits.len() == bytes.len())
        else {
            panic!("programmed twice: {start}..+{}", bytes.len());
        };
        if self.corrects_errors {
            return Err(Broken::Failing);
        }
        let (_, begun) = self.ghosts.swap_remove(ghost);
        for (i, (begun, byte)) in begun.iter().zip(bytes).enumerate() {
            self.unstable[start + i] |= begun & byte;
        }
        Ok(())
    }

    /// Leaves a byte that was to become `target` half way: each bit that changes did, did not, or is unstable.
    fn leave_half_way(&mut self, at: usize, target: u8, mood: u8) {
        let changing = self.bytes[at] ^ target;
        let (first, second) = match mood % 5 {
            0 => (0, 0),                // nothing seems to have happened
            1 => (0xff, 0),             // all of it seems to have happened
            2 => (self.random(), 0),    // some bits changed, all steady
            3 => (0xff, self.random()), // all of them changed, some unsteadily
            _ => (self.random(), self.random()),
        };
        self.bytes[at] ^= changing & first;
        self.unstable[at] |= changing & second;
        self.used[at] = true;
    }
}

/// What is left of the power.
#[derive(Clone, Copy)]
enum Power {
    Left(u32),
    Lost,
}

#[derive(PartialEq, Eq)]
enum Fate {
    /// The operation is done.
    Whole,
    /// The operation is left half way, for this reason.
    Cut(Broken),
    /// Nothing happens: the power is gone.
    Dark,
}

impl<const WRITE: usize, const ERASE: usize, const PAGES: usize> Default
    for PowerCutFlash<WRITE, ERASE, PAGES>
{
    fn default() -> Self {
        Self::new()
    }
}

impl<const WRITE: usize, const ERASE: usize, const PAGES: usize> ErrorType
    for PowerCutFlash<WRITE, ERASE, PAGES>
{
    type Error = Broken;
}

impl<const WRITE: usize, const ERASE: usize, const PAGES: usize> ReadNorFlash
    for PowerCutFlash<WRITE, ERASE, PAGES>
{
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Broken> {
        check_read(self, offset, bytes.len()).map_err(Broken::Rule)?;
        if self.reads_fail {
            return Err(Broken::Failing);
        }
        let range = offset as usize..offset as usize + bytes.len();
        bytes.copy_from_slice(&self.bytes[range.clone()]);
        if self.unstable[range.clone()].iter().any(|&mask| mask != 0) {
            for (byte, at) in bytes.iter_mut().zip(range) {
                *byte ^= self.random() & self.unstable[at];
            }
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        ERASE * PAGES
    }
}

impl<const WRITE: usize, const ERASE: usize, const PAGES: usize> NorFlash
    for PowerCutFlash<WRITE, ERASE, PAGES>
{
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = ERASE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Broken> {
        check_erase(self, from, to).unwrap_or_else(|kind| panic!("erase {from}..{to}: {kind}"));
        assert_eq!((to - from) as usize, ERASE, "one block at a time");
        let fate = self.fate();
        if fate == Fate::Dark {
            return Err(Broken::PowerLost);
        }
        self.erases += 1;
        let range = from as usize..to as usize;
        if let Fate::Cut(reason) = fate {
            // Some flashes program every cell before they erase it.
            let (mood, preprogram) = (self.random(), self.random().is_multiple_of(4));
            for at in range {
                self.leave_half_way(at, if preprogram { 0 } else { 0xff }, mood);
            }
            return Err(reason);
        }
        self.bytes[range.clone()].fill(0xff);
        self.unstable[range.clone()].fill(0);
        self.ghosts.retain(|(at, _)| !range.contains(at));
        self.used[range].fill(false);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Broken> {
        check_write(self, offset, bytes.len()).unwrap_or_else(|kind| panic!("write at {offset}: {kind}"));
        let fate = self.fate();
        if fate == Fate::Dark {
            return Err(Broken::PowerLost);
        }
        self.writes += 1;
        let start = offset as usize;
        self.check_unused(start, bytes)?;
        if let Fate::Cut(reason) = fate {
            // The cut falls somewhere in the range: before it all is written, after it nothing, or all of it half.
            let mood = self.random();
            let cut = usize::from(self.random()) * bytes.len() / 255;
            for (i, &byte) in bytes.iter().enumerate() {
                let mood = if mood & 0x80 == 0 { mood } else { u8::from(i < cut) };
                self.leave_half_way(start + i, byte, mood);
            }
            let range = start..start + bytes.len();
            let seen = self.bytes[range.clone()].iter().any(|&byte| byte != 0xff);
            if !seen && self.unstable[range].iter().all(|&bits| bits == 0) && bytes.len() <= 16 {
                self.ghosts.push((start, bytes.iter().map(|byte| !byte).collect()));
            }
            return Err(reason);
        }
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
        self.used[start..start + bytes.len()].fill(true);
        Ok(())
    }
}

impl NorFlashError for Broken {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Rule(kind) => *kind,
            Self::PowerLost | Self::Failing => NorFlashErrorKind::Other,
        }
    }
}
