//! The chip's own flash, of which the store has the last three sectors, of 128 KiB each.
//!
//! The core stands still while a sector is erased: nothing that has to answer may ask for it.

use embassy_stm32::flash::{Blocking, Error, Flash, WRITE_SIZE};
use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

/// The store's sectors; `memory.x` keeps the image out of them.
pub(crate) struct Region(pub(crate) Flash<'static, Blocking>);

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlashError {
    /// Not a place in this region, or not aligned.
    Place(NorFlashErrorKind),
    /// The chip reports it.
    Chip(Error),
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Place(kind) => *kind,
            Self::Chip(_) => NorFlashErrorKind::Other,
        }
    }
}

impl ErrorType for Region {
    type Error = FlashError;
}

impl ReadNorFlash for Region {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len()).map_err(FlashError::Place)?;
        self.0.blocking_read(START.saturating_add(offset), bytes).map_err(FlashError::Chip)
    }

    fn capacity(&self) -> usize {
        3 * Self::ERASE_SIZE
    }
}

impl NorFlash for Region {
    const WRITE_SIZE: usize = WRITE_SIZE;
    const ERASE_SIZE: usize = 128 * 1024;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to).map_err(FlashError::Place)?;
        self.0.blocking_erase(START.saturating_add(from), START.saturating_add(to)).map_err(FlashError::Chip)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len()).map_err(FlashError::Place)?;
        self.0.blocking_write(START.saturating_add(offset), bytes).map_err(FlashError::Chip)
    }
}

/// `STORE` of `memory.x`, from the start of the flash.
const START: u32 = 640 * 1024;
