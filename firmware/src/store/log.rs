//! A log of records over raw flash that survives a power cut at every operation.
//!
//! Keys are small numbers, values at most [`MAX_VALUE`] bytes. A value is replaced by appending another, and deleted by
//! appending a deletion: nothing is ever programmed twice. Pages are used in a ring. The newest takes the records; when
//! only one page is free, whatever counts in the oldest is moved into it before its superblock is written, and **that
//! superblock is the commit**: it retires the oldest page, which may then be erased whenever there is time.
//!
//! How a cut at any operation is read afterwards, whichever bits it left, and also if bits read differently each time:
//!
//! - **A header or value that was cut** has a wrong checksum, or a right one. Either way the next start decides, and
//!   makes the decision last: it writes a *start*, which says up to which address records were accepted and so voids
//!   what reads well only later, and writes the last accepted record once more, for that one alone can be unsteady.
//! - **A write that seems not to have begun** may have half-programmed a unit that reads 0xFF: a start leaves one unit
//!   unused after whatever was programmed, and a page that was erased before the start is erased again if it may have
//!   been opened. Only if a start itself is cut so, the next one tries to write the same unit: no program that sees the
//!   same can do other than the same. It reads back what it wrote and goes on to the next unit if that failed.
//! - **A page that was being opened** counts if both superblocks are whole or if anything stands behind the moved
//!   records, which is written after both. Otherwise it is erased before another record is written; the page that it
//!   was to replace is still there, since nothing is erased between a superblock and its start.
//! - **An erase that was cut** leaves a page without the mark that says that it was erased, whatever else it reads.

use embedded_storage::nor_flash::NorFlash;

use super::addresses::{Addresses, Key};
use super::error::StoreError;
use super::media::{Media, UNIT, bytes};
use super::record::{Header, MAX_RECORD, MAX_VALUE, Place};
use super::superblock::{DeviceSecret, RECORDS, State, Superblock};

mod mount;
mod turn;
mod wipe;

/// The log, with the address of every live record in memory: 2 bytes each.
pub(super) struct Log<F, const N: usize> {
    media: Media<F>,
    /// That of the newest page.
    superblock: Superblock,
    newest: u32,
    /// Where the next record goes.
    position: u32,
    /// Where the last accepted record ends.
    accepted: u32,
    /// A write may have been cut since: a start must come before the next record.
    doubt: bool,
    /// The page after the newest may carry a superblock that was not committed: it must be erased before the next record.
    half_open: bool,
    /// The free pages that are known to be wholly erased, a bit each.
    erased: u128,
    addresses: Addresses<N>,
    /// How many bytes of flash the live records take.
    live: u32,
    forced_erases: u32,
}

/// A buffer for one value.
pub(super) type ValueBuffer = [u8; MAX_VALUE as usize];

impl<F: NorFlash, const N: usize> Log<F, N> {
    /// A log that is not read yet: everything but [`Log::mount`] and [`Log::wipe_step`] is to be left alone.
    pub(super) const fn unmounted(flash: F) -> Self {
        Self {
            media: Media::new(flash),
            superblock: Superblock {
                state: State::Clean,
                pages: 0,
                sequence: 0,
                oldest: 0,
                epoch: 0,
                moved_end: RECORDS,
                secret: DeviceSecret::new([0; 32]),
            },
            newest: 0,
            position: 0,
            accepted: 0,
            doubt: false,
            half_open: false,
            erased: 0,
            addresses: Addresses::new(),
            live: 0,
            forced_erases: 0,
        }
    }

    pub(super) fn into_flash(self) -> F {
        self.media.into_flash()
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) const fn flash_mut(&mut self) -> &mut F {
        self.media.flash_mut()
    }

    pub(super) fn secret(&self) -> &DeviceSecret {
        &self.superblock.secret
    }

    pub(super) fn epoch(&self) -> u32 {
        self.superblock.epoch
    }

    pub(super) fn is_wiping(&self) -> bool {
        self.superblock.state == State::Wiping
    }

    /// How many erases were made because there was no room, and not ahead of need.
    pub(super) fn forced_erases(&self) -> u32 {
        self.forced_erases
    }

    /// Whether there is a value under this key, without reading the flash.
    pub(super) fn contains(&self, key: Key) -> bool {
        self.addresses.get(key).is_some()
    }

    /// How many more records of the longest kind certainly fit.
    pub(super) fn remaining(&self) -> u32 {
        self.ceiling(false).saturating_sub(self.live) / MAX_RECORD
    }

    /// Reads the value of a key into the buffer.
    ///
    /// # Errors
    ///
    /// [`StoreError::Flash`], and [`StoreError::Corrupt`] if what is there is not what was written: never `None` for
    /// either.
    pub(super) fn get<'b>(
        &mut self,
        key: Key,
        buffer: &'b mut ValueBuffer,
    ) -> Result<Option<&'b [u8]>, StoreError> {
        let Some(at) = self.addresses.get(key) else { return Ok(None) };
        let header = self.live_header(key, at)?;
        self.read_value(at, &header, buffer)?.ok_or(StoreError::Corrupt).map(Some)
    }

    /// Replaces the value of a key, or gives it its first: after a power cut there is the old one or this one.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooLong`], [`StoreError::Full`]: nothing changed. [`StoreError::Flash`], [`StoreError::Corrupt`]: the
    /// old value counts until the next start, then the old one or this one.
    pub(super) fn put(&mut self, key: Key, value: &[u8]) -> Result<(), StoreError> {
        let header = Header::of(key.number(), value).ok_or(StoreError::TooLong)?;
        let old = self.live_size(key)?;
        let live = self.live.saturating_sub(old).saturating_add(header.size());
        if live > self.ceiling(key.is_fixed()) {
            return Err(StoreError::Full);
        }
        let at = self.append(&header, value, false)?;
        self.addresses.set(key, Some(at));
        self.live = live;
        Ok(())
    }

    /// Deletes a key: after a power cut there is the old value or none. Nothing is written if there is none.
    ///
    /// # Errors
    ///
    /// As of [`Log::put`].
    pub(super) fn delete(&mut self, key: Key) -> Result<(), StoreError> {
        if !self.contains(key) {
            return Ok(());
        }
        let old = self.live_size(key)?;
        let header = Header::of(key.number(), &[]).ok_or(StoreError::TooLong)?;
        self.append(&header, &[], false)?;
        self.addresses.set(key, None);
        self.live = self.live.saturating_sub(old);
        Ok(())
    }

    /// Makes room ahead of need, at most one erase at a time. `true` if there may be more to do.
    ///
    /// Once it has said `false`, the next record fits without an erase and without moving anything.
    ///
    /// # Errors
    ///
    /// As of [`Log::put`]; no value is lost.
    pub(super) fn recycle_step(&mut self) -> Result<bool, StoreError> {
        self.settle(None)?;
        if let Some(page) = self.free().find(|&page| !self.is_erased(page)) {
            self.erase(page)?;
            return Ok(true);
        }
        if self.position + UNIT + MAX_RECORD > self.limit() && self.live <= self.ceiling(true) {
            self.turn(None)?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Appends a record and returns its address. With `again`, the live value of its key is this very one, and may not
    /// read steadily.
    fn append(&mut self, header: &Header, value: &[u8], again: bool) -> Result<u32, StoreError> {
        let carried = again.then_some((header, value));
        self.settle(carried)?;
        self.make_room(header.size(), carried)?;
        let at = self.position;
        // Whatever becomes of the write, its place is used.
        self.position += header.size();
        self.doubt = true;
        self.write_record(at, self.superblock.sequence, header, value)?;
        self.doubt = false;
        self.accepted = self.position;
        Ok(at)
    }

    fn make_room(&mut self, size: u32, carried: Carried<'_>) -> Result<(), StoreError> {
        for _ in 0..=self.media.pages() {
            if self.position + size <= self.limit() {
                return Ok(());
            }
            self.turn(carried)?;
        }
        Err(StoreError::Full)
    }

    /// Makes what is on flash certain before the next record is written.
    fn settle(&mut self, carried: Carried<'_>) -> Result<(), StoreError> {
        if self.half_open {
            self.forced_erases += 1;
            self.erase(self.next_page())?;
        }
        if !self.doubt {
            return Ok(());
        }
        if self.position + UNIT <= self.end_of(self.newest) { self.start() } else { self.turn(carried) }
    }

    /// Writes a start, in the first unit that takes it.
    fn start(&mut self) -> Result<(), StoreError> {
        let since = u16::try_from(self.accepted / UNIT).map_err(|_| StoreError::Geometry)?;
        self.doubt = true;
        for _ in 0..3 {
            let place = Place { sequence: self.superblock.sequence, at: self.position };
            if place.at + UNIT > self.end_of(self.newest) {
                break;
            }
            self.position += UNIT;
            let bytes = Header::start(since).encode(place);
            if self.media.write(place.at, &bytes).is_ok() && self.reads_back(place.at, &bytes)? {
                self.doubt = false;
                return Ok(());
            }
        }
        Err(StoreError::Flash)
    }

    /// Whether the unit reads so, and steadily.
    fn reads_back(&mut self, at: u32, bytes: &[u8; 16]) -> Result<bool, StoreError> {
        for _ in 0..8 {
            if self.media.read_unit(at)? != *bytes {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn erase(&mut self, page: u32) -> Result<(), StoreError> {
        self.erased &= !bit(page);
        self.media.erase(page)?;
        self.erased |= bit(page);
        self.half_open &= page != self.next_page();
        Ok(())
    }

    fn write_record(
        &mut self,
        at: u32,
        sequence: u32,
        header: &Header,
        value: &[u8],
    ) -> Result<(), StoreError> {
        self.media.write(at, &header.encode(Place { sequence, at }))?;
        if value.is_empty() {
            return Ok(());
        }
        let mut padded: ValueBuffer = [0xff; MAX_VALUE as usize];
        padded.iter_mut().zip(value).for_each(|(to, from)| *to = *from);
        self.media.write(at + UNIT, padded.get(..bytes(header.value_size())).unwrap_or_default())
    }

    /// The header of the record at this address; `None` if there is none.
    fn header(&mut self, at: u32, sequence: u32) -> Result<Option<Header>, StoreError> {
        Ok(Header::decode(&self.media.read_unit(at)?, Place { sequence, at }))
    }

    fn live_header(&mut self, key: Key, at: u32) -> Result<Header, StoreError> {
        let header = self.header(at, self.sequence_of(self.media.page_of(at)))?;
        header.filter(|header| header.key == key.number()).ok_or(StoreError::Corrupt)
    }

    fn live_size(&mut self, key: Key) -> Result<u32, StoreError> {
        let Some(at) = self.addresses.get(key) else { return Ok(0) };
        Ok(self.live_header(key, at)?.size())
    }

    /// Reads a value; `None` if its checksum is wrong.
    fn read_value<'b>(
        &mut self,
        at: u32,
        header: &Header,
        buffer: &'b mut ValueBuffer,
    ) -> Result<Option<&'b [u8]>, StoreError> {
        if at + header.size() > self.end_of(self.media.page_of(at)) {
            return Ok(None);
        }
        self.media.read(at + UNIT, buffer.get_mut(..bytes(header.value_size())).unwrap_or_default())?;
        let value = buffer.get(..usize::from(header.length)).unwrap_or_default();
        Ok(Header::of(header.key, value).filter(|found| found.value_crc == header.value_crc).map(|_| value))
    }

    /// How many bytes live records may take: so few that recycling always gains room for the longest record.
    fn ceiling(&self, for_fixed_keys: bool) -> u32 {
        let usable = self.media.page_size() - RECORDS - RESERVE;
        let page = usable - (usable / 5).max(MAX_RECORD + 2 * UNIT);
        let all = page * (self.media.pages().saturating_sub(1));
        if for_fixed_keys { all } else { all.saturating_sub(FOR_FIXED_KEYS) }
    }

    /// Where records must end in the newest page.
    fn limit(&self) -> u32 {
        self.end_of(self.newest) - RESERVE
    }

    fn end_of(&self, page: u32) -> u32 {
        self.media.start(page) + self.media.page_size()
    }

    fn next_page(&self) -> u32 {
        (self.newest + 1) % self.media.pages()
    }

    /// How many pages count.
    fn in_use(&self) -> u32 {
        (self.superblock.sequence - self.superblock.oldest).saturating_add(1)
    }

    fn oldest_page(&self) -> u32 {
        (self.newest + self.media.pages() + 1 - self.in_use()) % self.media.pages()
    }

    /// The pages that do not count, in the order in which they will be used.
    fn free(&self) -> impl Iterator<Item = u32> + use<F, N> {
        let (newest, pages) = (self.newest, self.media.pages());
        (1..=pages.saturating_sub(self.in_use())).map(move |ahead| (newest + ahead) % pages)
    }

    fn sequence_of(&self, page: u32) -> u32 {
        let behind = (self.newest + self.media.pages() - page) % self.media.pages();
        self.superblock.sequence.wrapping_sub(behind)
    }

    fn is_erased(&self, page: u32) -> bool {
        self.erased & bit(page) != 0
    }
}

/// A record that replaces what is read from flash when it is moved.
type Carried<'a> = Option<(&'a Header, &'a [u8])>;

const fn bit(page: u32) -> u128 {
    1 << (page % 128)
}

/// What is left at the end of every page for the starts after three interrupted starts, in bytes.
const RESERVE: u32 = 96;
/// What is kept for the records that must be written also when the store is full of credentials, in bytes.
const FOR_FIXED_KEYS: u32 = 1024;

#[cfg(test)]
mod tests;
