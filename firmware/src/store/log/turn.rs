//! Opening the next page, and moving into it what counts in the oldest.

use embedded_storage::nor_flash::NorFlash;

use super::{Addresses, Carried, Log, ValueBuffer, bit};
use crate::store::error::StoreError;
use crate::store::record::Header;
use crate::store::superblock::{COPIES, RECORDS, Superblock};

impl<F: NorFlash, const N: usize> Log<F, N> {
    /// Opens the next page, and retires the oldest if it would be the last free one.
    pub(super) fn turn(&mut self, carried: Carried<'_>) -> Result<(), StoreError> {
        let page = self.next_page();
        if !self.is_erased(page) {
            self.forced_erases += 1;
            self.erase(page)?;
        }
        let retired = (self.free().count() == 1).then(|| self.oldest_page());
        self.erased &= !bit(page);
        let mut next = self.superblock.clone();
        next.sequence = next.sequence.checked_add(1).ok_or(StoreError::Full)?;
        next.moved_end = RECORDS;
        if let Some(retired) = retired {
            next.moved_end += self.move_live(retired, page, next.sequence, carried)?;
            next.oldest = next.oldest.saturating_add(1);
        }
        self.half_open = true;
        self.commit(page, &next)?;
        self.half_open = false;
        if let Some(retired) = retired {
            self.follow_moved(retired, page)?;
        }
        self.position = self.media.start(page) + next.moved_end;
        if retired == Some(self.media.page_of(self.accepted)) {
            self.accepted = self.position;
        }
        self.newest = page;
        self.superblock = next;
        self.start()
    }

    /// Copies the live records of a page, in the order of their keys, and returns how many bytes they take.
    fn move_live(
        &mut self,
        from: u32,
        to: u32,
        sequence: u32,
        carried: Carried<'_>,
    ) -> Result<u32, StoreError> {
        let mut buffer: ValueBuffer = [0; _];
        let mut moved = 0;
        for key in Addresses::<N>::keys() {
            let Some(at) = self.addresses.get(key).filter(|&at| self.media.page_of(at) == from) else {
                continue;
            };
            let target = self.media.start(to) + RECORDS + moved;
            if let Some((header, value)) = carried.filter(|(header, _)| header.key == key.number()) {
                self.write_record(target, sequence, header, value)?;
                moved += header.size();
            } else {
                let header = self.live_header(key, at)?;
                let value = self.read_value(at, &header, &mut buffer)?.ok_or(StoreError::Corrupt)?;
                self.write_record(target, sequence, &Header { since: 0xffff, ..header }, value)?;
                moved += header.size();
            }
        }
        Ok(moved)
    }

    /// Lets the addresses follow what [`Log::move_live`] copied.
    fn follow_moved(&mut self, from: u32, to: u32) -> Result<(), StoreError> {
        let mut target = self.media.start(to) + RECORDS;
        for key in Addresses::<N>::keys() {
            let Some(at) = self.addresses.get(key).filter(|&at| self.media.page_of(at) == from) else {
                continue;
            };
            let size = self.live_header(key, at)?.size();
            self.addresses.set(key, Some(target));
            target += size;
        }
        Ok(())
    }

    /// Writes both superblocks of a page.
    pub(super) fn commit(&mut self, page: u32, superblock: &Superblock) -> Result<(), StoreError> {
        let encoded = superblock.encode();
        let start = self.media.start(page);
        COPIES.iter().try_for_each(|copy| self.media.write(start + copy, &encoded.0))
    }
}
