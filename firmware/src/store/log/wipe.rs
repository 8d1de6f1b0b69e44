//! Erasing everything, a page at a time, so that a power cut never leaves a store with a part of its records.

use embedded_storage::nor_flash::NorFlash;

use super::Log;
use crate::store::error::StoreError;
use crate::store::media::UNIT;
use crate::store::record::Header;
use crate::store::superblock::DeviceSecret;

impl<F: NorFlash, const N: usize> Log<F, N> {
    /// Does the next step of a wipe, or begins one. `true` once all is erased and a new secret is in place.
    ///
    /// A first page says that the store is being wiped. Once it is written nothing of the old store counts, and a start
    /// that finds it goes on. Then every other page is erased, one a step; the last of them takes the new secret at once.
    /// The first page, which never held anything, is left for [`Log::recycle_step`].
    ///
    /// `mounted`: whether the log could be read. It need not be.
    ///
    /// # Errors
    ///
    /// [`StoreError::Flash`] and [`StoreError::Geometry`]; the step can be tried again.
    pub(in crate::store) fn wipe_step(
        &mut self,
        mounted: bool,
        random: &mut impl rand_core::CryptoRng,
    ) -> Result<bool, StoreError> {
        self.media.check()?;
        if !(mounted && self.is_wiping()) {
            return self.begin_wipe(mounted).map(|()| false);
        }
        self.settle_unless_full()?;
        let last = self.next_page();
        if let Some(page) = self.free().find(|&page| page != last && !self.is_erased(page)) {
            return self.erase(page).map(|()| false);
        }
        let sequence = self.superblock.sequence.checked_add(1).ok_or(StoreError::Corrupt)?;
        // Whatever a step before this left, it is erased here.
        self.media.erase_unmarked(last)?;
        self.open_alone(last, sequence, self.superblock.epoch, Some(DeviceSecret::random(random)))?;
        Ok(true)
    }

    fn begin_wipe(&mut self, mounted: bool) -> Result<(), StoreError> {
        let (page, sequence, epoch) = if mounted {
            self.announce_opening()?;
            let page = self.next_page();
            if !self.is_erased(page) {
                self.erase(page)?;
            }
            (page, self.superblock.sequence, self.superblock.epoch)
        } else {
            self.erased = 0;
            let least = self.least_page()?;
            self.media.erase_unmarked(least.0)?;
            least
        };
        let sequence = sequence.checked_add(1).ok_or(StoreError::Corrupt)?;
        // Should the commit fail, the page must not come to count after other records were written.
        self.half_open = mounted;
        self.open_alone(page, sequence, epoch.wrapping_add(1), None)
    }

    /// Leaves a trace before the next page is opened. Without room for it the start takes the next page for spoilt anyway.
    fn announce_opening(&mut self) -> Result<(), StoreError> {
        self.settle(None)?;
        let at = self.position;
        if at + UNIT > self.end_of(self.newest) {
            return Ok(());
        }
        self.position += UNIT;
        self.doubt = true;
        self.write_record(at, self.superblock.sequence, &Header::opening(), &[])?;
        self.doubt = false;
        Ok(())
    }

    /// In a store that cannot be read: the page that counts least, the highest sequence and the highest epoch.
    ///
    /// Erasing this page cannot turn a store that is not whole into one that seems to be.
    fn least_page(&mut self) -> Result<(u32, u32, u32), StoreError> {
        let (mut least, mut sequence, mut epoch) = (None::<(u32, u32)>, 0, 0);
        for page in 0..self.media.pages() {
            let found = match self.superblocks(page) {
                Ok([first, second]) => first.or(second).map(|found| (found.sequence, found.epoch)),
                Err(StoreError::NewerFormat(_)) => Some((u32::MAX, 0)),
                Err(error) => return Err(error),
            };
            let own = found.map_or(0, |(sequence, _)| sequence);
            if least.is_none_or(|(_, least)| own < least) {
                least = Some((page, own));
            }
            if let Some((found_sequence, found_epoch)) = found.filter(|(sequence, _)| *sequence != u32::MAX) {
                sequence = sequence.max(found_sequence);
                epoch = epoch.max(found_epoch);
            }
        }
        Ok((least.map_or(0, |(page, _)| page), sequence, epoch))
    }
}
