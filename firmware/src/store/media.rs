//! The flash as erase blocks ("pages") and units of 16 bytes, with marks on what was wholly erased.

use embedded_storage::nor_flash::NorFlash;

use super::error::StoreError;

/// A flash whose geometry the store can use.
///
/// Addresses are bytes from the start of the flash. Reads and writes are made in whole [`UNIT`]s.
pub(super) struct Media<F> {
    flash: F,
}

impl<F: NorFlash> Media<F> {
    pub(super) const fn new(flash: F) -> Self {
        Self { flash }
    }

    pub(super) fn into_flash(self) -> F {
        self.flash
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) const fn flash_mut(&mut self) -> &mut F {
        &mut self.flash
    }

    /// Refuses a flash that the log cannot work on.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let unit = bytes(UNIT);
        let units_fit = unit.is_multiple_of(F::WRITE_SIZE) && unit.is_multiple_of(F::READ_SIZE);
        let page_fits = (4096..=131_072).contains(&F::ERASE_SIZE) && F::ERASE_SIZE.is_multiple_of(unit);
        let capacity = self.flash.capacity();
        // Addresses in units are kept in 16 bits, pages in the bits of a `u128`.
        let count_fits = (2..=128).contains(&(capacity / F::ERASE_SIZE.max(1))) && capacity <= 1 << 20;
        let whole = F::ERASE_SIZE != 0 && capacity.is_multiple_of(F::ERASE_SIZE);
        if units_fit && page_fits && count_fits && whole { Ok(()) } else { Err(StoreError::Geometry) }
    }

    pub(super) fn page_size(&self) -> u32 {
        u32::try_from(F::ERASE_SIZE).unwrap_or(u32::MAX)
    }

    pub(super) fn pages(&self) -> u32 {
        let pages = self.flash.capacity().checked_div(F::ERASE_SIZE).unwrap_or(0);
        u32::try_from(pages).unwrap_or(u32::MAX)
    }

    /// Where a page begins.
    pub(super) fn start(&self, page: u32) -> u32 {
        page * self.page_size()
    }

    /// The page that an address is in.
    pub(super) fn page_of(&self, at: u32) -> u32 {
        at / self.page_size()
    }

    pub(super) fn read(&mut self, at: u32, into: &mut [u8]) -> Result<(), StoreError> {
        self.flash.read(at, into).map_err(|_| StoreError::Flash)
    }

    pub(super) fn read_unit(&mut self, at: u32) -> Result<[u8; 16], StoreError> {
        let mut unit = [0; 16];
        self.read(at, &mut unit)?;
        Ok(unit)
    }

    pub(super) fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), StoreError> {
        self.flash.write(at, bytes).map_err(|_| StoreError::Flash)
    }

    /// Erases a page and marks it as wholly erased. An erase that was cut leaves no mark, whatever the page reads.
    pub(super) fn erase(&mut self, page: u32) -> Result<(), StoreError> {
        self.erase_unmarked(page)?;
        self.mark_erased(page)
    }

    /// Erases a page that is written to at once: should that be cut before anything can be seen, it has no mark.
    pub(super) fn erase_unmarked(&mut self, page: u32) -> Result<(), StoreError> {
        let start = self.start(page);
        self.flash.erase(start, start + self.page_size()).map_err(|_| StoreError::Flash)
    }

    /// Marks a page as wholly erased.
    pub(super) fn mark_erased(&mut self, page: u32) -> Result<(), StoreError> {
        self.write(self.start(page), &ERASED_MARK)
    }

    /// Whether the page was wholly erased, was marked so, and nothing was written to it since.
    pub(super) fn is_erased(&mut self, page: u32) -> Result<bool, StoreError> {
        let start = self.start(page);
        Ok(self.is_marked(page)? && self.is_blank(start + UNIT, start + self.page_size())?)
    }

    /// Whether the page was marked as wholly erased, whatever was written to it since.
    pub(super) fn is_marked(&mut self, page: u32) -> Result<bool, StoreError> {
        Ok(self.read_unit(self.start(page))? == ERASED_MARK)
    }

    /// Whether all of `from..to` reads 0xFF.
    pub(super) fn is_blank(&mut self, from: u32, to: u32) -> Result<bool, StoreError> {
        Ok(self.programmed_end(from, to)? == from)
    }

    /// The end of the last unit in `from..to` that does not read 0xFF; `from` if there is none.
    pub(super) fn programmed_end(&mut self, from: u32, to: u32) -> Result<u32, StoreError> {
        let mut chunk = [0; 64];
        let mut end = to;
        while end > from {
            let length = (end - from).min(64);
            let part = chunk.get_mut(..bytes(length)).unwrap_or_default();
            self.read(end - length, part)?;
            if let Some(last) = part.iter().rposition(|&byte| byte != 0xff) {
                let last = u32::try_from(last).unwrap_or(0);
                return Ok(end - length + last / UNIT * UNIT + UNIT);
            }
            end -= length;
        }
        Ok(from)
    }
}

/// A length or address as an index.
pub(super) fn bytes(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// Everything on the flash begins at a multiple of this, in bytes: at least as large as any write unit.
pub(super) const UNIT: u32 = 16;

const ERASED_MARK: [u8; 16] = *b"keywright erased";
