//! The log that makes a commit whole.
//!
//! The file holds the image and two slots. Commit `n` is:
//!
//! 1. write the changed sectors, their numbers, `n` and a hash over all of it to slot `n % 2`;
//! 2. sync: slot `n` is durable, and so is whatever commit `n - 1` did to the image;
//! 3. write the sectors to the image, and do not sync.
//!
//! Opening writes every slot whose hash is right to the image again, the older first. Whatever subset of the unsynced writes
//! reached the disk, the image is then that of a commit:
//!
//! - between 1 and 2, slot `n` may be torn. Slot `n - 1` is whole, and mends what the image lacks of it; what came
//!   before is in the image since the sync of `n - 1`.
//! - after 2, slot `n` is whole, and mends the image.
//!
//! Slots hold what the image held, also after it was erased. A commit that erases is therefore followed by a scrub: sync the image,
//! then fill both slots with zeros, the older one first and durably, so that an old slot is never the only whole one.
//! What the disk itself keeps of overwritten blocks is beyond a file's reach.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use sha2::{Digest, Sha256};

use super::SECTOR_SIZE;

/// What the log is written to.
pub(super) trait Medium: Send + std::fmt::Debug {
    /// Fills `bytes` from `offset`.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Makes what was written durable.
    fn sync(&mut self) -> io::Result<()>;
}

/// The log of a flash of `sectors` sectors.
#[derive(Debug)]
pub(super) struct Journal {
    medium: Box<dyn Medium>,
    sectors: u32,
    /// The number of the last commit.
    number: u64,
    /// How many sectors each slot may hold since it was last filled with zeros.
    used: [u32; 2],
}

/// A slot whose hash is right.
struct Commit {
    number: u64,
    sectors: Vec<u32>,
    content: Vec<u8>,
}

impl Journal {
    /// Brings the image on the medium up to its last commit and gives its cells.
    ///
    /// # Errors
    /// Those of the medium, or `InvalidData` if the slots contradict each other.
    pub(super) fn recover(medium: Box<dyn Medium>, sectors: u32) -> io::Result<(Self, Vec<u8>)> {
        let mut journal = Self { medium, sectors, number: 0, used: [sectors; 2] };
        let mut slots = [journal.read_slot(0)?, journal.read_slot(1)?];
        if let [Some(even), Some(odd)] = &slots
            && even.number.abs_diff(odd.number) != 1
        {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "its log contradicts itself"));
        }
        slots.sort_by_key(|slot| slot.as_ref().map(|commit| commit.number));
        for commit in slots.iter().flatten() {
            journal.number = commit.number;
            journal.apply(&commit.content, &commit.sectors)?;
        }
        journal.scrub()?;
        let mut cells = vec![0; SECTOR_SIZE * sectors as usize];
        journal.medium.read_at(&mut cells, IMAGE)?;
        Ok((journal, cells))
    }

    /// Makes the `dirty` sectors of `cells` durable, all or none.
    ///
    /// # Errors
    /// Those of the medium: it is then not known whether the commit counts.
    pub(super) fn commit(&mut self, cells: &[u8], dirty: &BTreeSet<u32>, has_erased: bool) -> io::Result<()> {
        let numbers: Vec<u32> = dirty.iter().copied().collect();
        let mut content = Vec::with_capacity(numbers.len() * SECTOR_SIZE);
        for number in &numbers {
            let start = *number as usize * SECTOR_SIZE;
            content.extend_from_slice(cells.get(start..start + SECTOR_SIZE).ok_or_else(out_of_range)?);
        }
        let number = self.number + 1;
        let slot = slot_of(number);
        let offset = self.slot_offset(slot);
        self.medium.write_at(&slot_bytes(number, &numbers, &content), offset)?;
        self.medium.sync()?;
        self.number = number;
        let count = u32::try_from(numbers.len()).map_err(|_| out_of_range())?;
        self.used = match (slot, self.used) {
            (0, [even, odd]) => [even.max(count), odd],
            (_, [even, odd]) => [even, odd.max(count)],
        };
        self.apply(&content, &numbers)?;
        if has_erased { self.scrub() } else { Ok(()) }
    }

    /// Writes sectors to the image.
    fn apply(&mut self, content: &[u8], numbers: &[u32]) -> io::Result<()> {
        for (number, sector) in numbers.iter().zip(content.chunks(SECTOR_SIZE)) {
            self.medium.write_at(sector, IMAGE + u64::from(*number) * SECTOR)?;
        }
        Ok(())
    }

    /// Leaves nothing in the slots; see the head of this file for the order.
    fn scrub(&mut self) -> io::Result<()> {
        let newer = slot_of(self.number);
        for slot in [1 - newer, newer] {
            self.medium.sync()?;
            let [even, odd] = &mut self.used;
            let used = std::mem::take(if slot == 0 { even } else { odd });
            let zeros = vec![0; (1 + used as usize) * SECTOR_SIZE];
            self.medium.write_at(&zeros, self.slot_offset(slot))?;
        }
        self.medium.sync()
    }

    /// The commit in a slot; `None` if there is no whole one.
    fn read_slot(&self, slot: u64) -> io::Result<Option<Commit>> {
        let offset = self.slot_offset(slot);
        let mut head = vec![0; SECTOR_SIZE];
        self.medium.read_at(&mut head, offset)?;
        let Some((hash, number, sectors)) = parse_head(&head, self.sectors) else { return Ok(None) };
        let mut content = vec![0; sectors.len() * SECTOR_SIZE];
        self.medium.read_at(&mut content, offset + SECTOR)?;
        let is_whole = hash == hash_of(number, &sectors, &content) && slot_of(number) == slot;
        Ok(is_whole.then_some(Commit { number, sectors, content }))
    }

    fn slot_offset(&self, slot: u64) -> u64 {
        IMAGE + u64::from(self.sectors) * SECTOR + slot * (1 + u64::from(self.sectors)) * SECTOR
    }
}

/// Bytes of a file with a flash of `sectors` sectors: a sector of header, the image, two slots.
pub(super) const fn file_size(sectors: u32) -> u64 {
    (1 + sectors as u64 + 2 * (1 + sectors as u64)) * SECTOR
}

impl Medium for File {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

fn slot_of(number: u64) -> u64 {
    number % 2
}

/// A slot: a sector with hash, number, count and sector numbers, then the sectors.
fn slot_bytes(number: u64, sectors: &[u32], content: &[u8]) -> Vec<u8> {
    let mut bytes = hash_of(number, sectors, content).to_vec();
    bytes.extend(head_tail(number, sectors));
    bytes.resize(SECTOR_SIZE, 0);
    bytes.extend_from_slice(content);
    bytes
}

fn hash_of(number: u64, sectors: &[u32], content: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(head_tail(number, sectors)).chain_update(content).finalize().into()
}

fn head_tail(number: u64, sectors: &[u32]) -> Vec<u8> {
    let count = u32::try_from(sectors.len()).unwrap_or(u32::MAX);
    let numbers = sectors.iter().flat_map(|sector| sector.to_le_bytes());
    number.to_le_bytes().into_iter().chain(count.to_le_bytes()).chain(numbers).collect()
}

/// Hash, number and sector numbers; `None` if this is no head that [`slot_bytes`] wrote for a flash of `limit` sectors.
fn parse_head(head: &[u8], limit: u32) -> Option<([u8; 32], u64, Vec<u32>)> {
    let (hash, rest) = head.split_first_chunk::<32>()?;
    let (number, rest) = rest.split_first_chunk::<8>()?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    let count = Some(u32::from_le_bytes(*count)).filter(|count| (1..=limit).contains(count))?;
    let (words, _) = rest.get(..4 * count as usize)?.as_chunks::<4>();
    let sectors: Vec<u32> = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let is_in_range = sectors.iter().all(|sector| *sector < limit);
    is_in_range.then_some((*hash, u64::from_le_bytes(*number), sectors))
}

fn out_of_range() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "a sector is out of range")
}

const SECTOR: u64 = SECTOR_SIZE as u64;
/// Where the image begins: behind the file's header.
const IMAGE: u64 = SECTOR;
/// How many sectors a slot's head can name.
pub(super) const MAX_SECTORS: u32 = 1000;
const _: () = assert!(32 + 8 + 4 + 4 * MAX_SECTORS as usize <= SECTOR_SIZE);
