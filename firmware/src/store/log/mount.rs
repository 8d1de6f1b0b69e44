//! Reading a flash that was left in any state, and making sure of it.

use embedded_storage::nor_flash::NorFlash;

use super::{Log, ValueBuffer};
use crate::store::addresses::{Addresses, Key};
use crate::store::error::StoreError;
use crate::store::media::UNIT;
use crate::store::record::{Header, MAX_RECORD};
use crate::store::superblock::{COPIES, DeviceSecret, LENGTH, RECORDS, State, Superblock, SuperblockBytes};

/// What reading the records found.
struct Scan {
    /// The last record. It alone may have been cut.
    last: Option<Last>,
    /// Where the last accepted record ends.
    accepted: u32,
    /// Where whatever was written to the page ends.
    written: u32,
    /// Whether the newest page says that the next was about to be opened.
    opening: bool,
    /// A record that read well and then did not: taken as not there.
    distrusted: Option<u32>,
}

#[derive(Clone, Copy)]
struct Last {
    key: Key,
    header: Header,
    at: u32,
}

impl<F: NorFlash, const N: usize> Log<F, N> {
    /// Reads the flash, repairs what a power cut left, and formats it if nothing was ever written to it.
    ///
    /// # Errors
    ///
    /// Any of [`StoreError`] but `TooLong`, `NotFound` and `Wiping`. A store that is being wiped is no error: see
    /// [`Log::is_wiping`].
    pub(in crate::store) fn mount(
        &mut self,
        random: &mut impl rand_core::CryptoRng,
    ) -> Result<(), StoreError> {
        self.media.check()?;
        let Some((page, superblock)) = self.find_newest()? else {
            return self.format_if_fresh(random);
        };
        self.newest = page;
        self.superblock = superblock;
        self.check_pages()?;
        self.sort_free_pages()?;
        self.read_records()?;
        self.live = 0;
        for key in Addresses::<N>::keys() {
            self.live = self.live.saturating_add(self.live_size(key)?);
        }
        Ok(())
    }

    /// The page with the highest sequence that was opened wholly.
    fn find_newest(&mut self) -> Result<Option<(u32, Superblock)>, StoreError> {
        let (mut newest, mut newer_format) = (None::<(u32, Superblock)>, None);
        for page in 0..self.media.pages() {
            match self.opened(page) {
                Ok(Some(superblock)) => {
                    if newest.as_ref().is_none_or(|(_, newest)| newest.sequence < superblock.sequence) {
                        newest = Some((page, superblock));
                    }
                }
                Ok(None) => {}
                Err(StoreError::NewerFormat(format)) => newer_format = Some(format),
                Err(error) => return Err(error),
            }
        }
        match (newer_format, &newest) {
            // A reset was confirmed: whatever is left is to be erased.
            (_, Some((_, superblock))) if superblock.state == State::Wiping => Ok(newest),
            (Some(format), _) => Err(StoreError::NewerFormat(format)),
            (None, _) => Ok(newest),
        }
    }

    /// The superblock of a page, if the page was opened wholly.
    fn opened(&mut self, page: u32) -> Result<Option<Superblock>, StoreError> {
        let [first, second] = self.superblocks(page)?;
        let both = first.is_some() && first == second;
        let Some(superblock) = first.or(second) else { return Ok(None) };
        let (start, end) = (self.media.start(page), self.end_of(page));
        let sane = superblock.moved_end >= RECORDS
            && superblock.moved_end < self.media.page_size()
            && superblock.oldest <= superblock.sequence;
        // Something behind the moved records was written after both superblocks were.
        let opened = sane && (both || !self.media.is_blank(start + superblock.moved_end, end)?);
        Ok(opened.then_some(superblock))
    }

    pub(super) fn superblocks(&mut self, page: u32) -> Result<[Option<Superblock>; 2], StoreError> {
        let start = self.media.start(page);
        let mut found = [None, None];
        for (place, copy) in found.iter_mut().zip(COPIES) {
            let mut bytes = SuperblockBytes([0; LENGTH as usize]);
            self.media.read(start + copy, &mut bytes.0)?;
            *place = Superblock::decode(&bytes)?;
        }
        Ok(found)
    }

    /// Formats a flash on which nothing was ever stored: at most a first format was cut.
    ///
    /// All of it is blank but the page that the cut format had begun with. A format ends with a mark on another page, so
    /// that a store whose only superblocks are lost is not taken for this.
    fn format_if_fresh(&mut self, random: &mut impl rand_core::CryptoRng) -> Result<(), StoreError> {
        let mut begun = None;
        for page in 0..self.media.pages() {
            if self.media.is_blank(self.media.start(page), self.end_of(page))? {
                continue;
            }
            if self.media.is_marked(page)? || begun.replace(page).is_some() {
                return Err(StoreError::Corrupt);
            }
        }
        let page = begun.unwrap_or(0);
        self.erased = 0;
        self.media.erase_unmarked(page)?;
        self.open_alone(page, 1, 1, Some(DeviceSecret::random(random)))?;
        let other = self.next_page();
        self.media.mark_erased(other)?;
        self.erased |= super::bit(other);
        Ok(())
    }

    /// Lets an erased page replace every other; without a secret the store is then being wiped.
    pub(super) fn open_alone(
        &mut self,
        page: u32,
        sequence: u32,
        epoch: u32,
        secret: Option<DeviceSecret>,
    ) -> Result<(), StoreError> {
        self.erased &= !super::bit(page);
        let superblock = Superblock {
            state: if secret.is_some() { State::Clean } else { State::Wiping },
            pages: u8::try_from(self.media.pages()).unwrap_or(u8::MAX),
            sequence,
            oldest: sequence,
            epoch,
            moved_end: RECORDS,
            secret: secret.unwrap_or(DeviceSecret::new([0; 32])),
        };
        self.commit(page, &superblock)?;
        self.superblock = superblock;
        self.newest = page;
        self.half_open = false;
        self.addresses = Addresses::new();
        self.live = 0;
        self.position = self.media.start(page) + RECORDS;
        self.accepted = self.position;
        self.start()
    }

    /// Every page that counts must be there, and of one store.
    fn check_pages(&mut self) -> Result<(), StoreError> {
        let newest = self.superblock.clone();
        if u32::from(newest.pages) != self.media.pages() || self.in_use() >= self.media.pages() {
            return Err(StoreError::Corrupt);
        }
        for behind in 1..self.in_use() {
            let page = (self.newest + self.media.pages() - behind) % self.media.pages();
            let [first, second] = self.superblocks(page)?;
            let belongs = first.or(second).is_some_and(|found| {
                found.sequence == newest.sequence - behind
                    && found.state == State::Clean
                    && found.epoch == newest.epoch
                    && found.secret == newest.secret
            });
            if !belongs {
                return Err(StoreError::Corrupt);
            }
        }
        Ok(())
    }

    /// Finds out which free pages are erased, and erases one that might count the next time.
    fn sort_free_pages(&mut self) -> Result<(), StoreError> {
        self.erased = 0;
        for page in self.free() {
            if self.media.is_erased(page)? {
                self.erased |= super::bit(page);
                continue;
            }
            let sequence = match self.superblocks(page) {
                Ok(found) => found.iter().flatten().map(|superblock| superblock.sequence).max(),
                Err(StoreError::NewerFormat(_)) => None,
                Err(error) => return Err(error),
            };
            if sequence >= Some(self.superblock.sequence) {
                self.erase(page)?;
            }
        }
        Ok(())
    }

    fn read_records(&mut self) -> Result<(), StoreError> {
        let mut buffer: ValueBuffer = [0; _];
        let mut distrusted = None;
        for _ in 0..4 {
            let mut scan = Scan { last: None, accepted: 0, written: 0, opening: false, distrusted };
            self.addresses = Addresses::new();
            for behind in (0..self.in_use()).rev() {
                let page = (self.newest + self.media.pages() - behind) % self.media.pages();
                self.scan_page(page, &mut scan)?;
            }
            self.accepted = scan.accepted;
            self.doubt = true;
            if scan.opening || scan.written + 8 * UNIT + MAX_RECORD > self.limit() {
                // There may have been no room, and the next page half opened without a trace.
                self.erased &= !super::bit(self.next_page());
            }
            // A write that seems not to have begun may have spoiled the unit that follows.
            self.position = (scan.written + UNIT).min(self.end_of(self.newest));
            let Some(last) = scan.last else { return self.settle_unless_full() };
            let Some(value) = self.read_value(last.at, &last.header, &mut buffer)? else {
                distrusted = Some(last.at);
                continue;
            };
            return self.accept(last, value);
        }
        Err(StoreError::Corrupt)
    }

    /// Takes the last record as written, and writes it again to be sure.
    fn accept(&mut self, last: Last, value: &[u8]) -> Result<(), StoreError> {
        self.addresses.set(last.key, (!value.is_empty()).then_some(last.at));
        let at = self.append(&last.header, value, true)?;
        self.addresses.set(last.key, (!value.is_empty()).then_some(at));
        Ok(())
    }

    pub(super) fn settle_unless_full(&mut self) -> Result<(), StoreError> {
        // A store that is being wiped takes no records, so its page may be full of starts.
        if self.is_wiping() && self.position + UNIT > self.end_of(self.newest) {
            return Ok(());
        }
        self.settle(None)
    }

    fn scan_page(&mut self, page: u32, scan: &mut Scan) -> Result<(), StoreError> {
        let (start, sequence) = (self.media.start(page), self.sequence_of(page));
        let [first, second] = self.superblocks(page)?;
        let moved_end = start + first.or(second).ok_or(StoreError::Corrupt)?.moved_end;
        let end = self.media.programmed_end(start + RECORDS, self.end_of(page))?;
        (scan.written, scan.opening) = (end, false);
        if scan.accepted == 0 || scan.last.is_none() {
            scan.accepted = moved_end;
        }
        let mut buffer: ValueBuffer = [0; _];
        let mut at = start + RECORDS;
        while at < end {
            let Some(header) = self.header(at, sequence)? else {
                at += UNIT;
                continue;
            };
            scan.written = scan.written.max((at + header.size()).min(self.end_of(page)));
            if scan.distrusted == Some(at) || self.read_value(at, &header, &mut buffer)?.is_none() {
                // Its length says nothing: the header may not have read so when the next record was written.
                at += UNIT;
                continue;
            }
            self.admit(header, at, at < moved_end, scan)?;
            at += header.size();
        }
        Ok(())
    }

    /// Takes a record that reads well, in the order of the log.
    fn admit(&mut self, header: Header, at: u32, moved: bool, scan: &mut Scan) -> Result<(), StoreError> {
        if header.is_start() {
            let since = u32::from(header.since) * UNIT;
            let page = self.media.page_of(since);
            // What was not accepted then must not count now.
            scan.last.take_if(|last| self.media.page_of(last.at) != page || last.at >= since);
            scan.accepted = since;
            return Ok(());
        }
        if header.is_opening() {
            scan.opening = true;
            return Ok(());
        }
        // A key without a place here was written by a build that holds more credentials.
        let key = Addresses::<N>::key(header.key).ok_or(StoreError::Corrupt)?;
        if moved {
            self.addresses.set(key, (header.length != 0).then_some(at));
            return Ok(());
        }
        // Another record follows, so the one before it was written wholly.
        if let Some(last) = scan.last.replace(Last { key, header, at }) {
            self.addresses.set(last.key, (last.header.length != 0).then_some(last.at));
        }
        scan.accepted = at + header.size();
        Ok(())
    }
}
