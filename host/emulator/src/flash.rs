//! NOR flash on a PC: in memory, or in a file that keeps it.
//!
//! What the key writes stays in memory until [`Flash::commit`] makes all of it durable at once; the key's loop commits
//! before it lets go of a response. The store above survives a power cut after any operation, *in the order of its
//! operations*. A file gives no order: between two syncs the system writes what it likes first. So a commit is made whole
//! or not at all, by a log in the file (the room `journal`), and the store finds the state after one of its commands, never one
//! between two.

mod file;
mod journal;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

pub use file::StateError;
use journal::Journal;
#[cfg(test)]
pub(crate) use tests::TestDisk;

/// Bytes of a sector.
pub const SECTOR_SIZE: usize = 4096;
/// Sectors of a new flash: 256 KiB.
pub const SECTORS: u32 = 64;

/// A NOR flash. Clones are handles of the same one: the key has one, and whoever commits another.
///
/// Erased bytes are 0xff, and only they can be written; anything else is a fault of the store, is refused, and makes every
/// later commit fail, so that nothing that was built on it gets out.
#[derive(Clone, Debug)]
pub struct Flash(Arc<Mutex<Chip>>);

/// Why the flash refused an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlashError {
    /// Offset or length is no multiple of the write or erase size.
    #[error("an operation is not aligned")]
    NotAligned,
    /// There is no such place.
    #[error("an operation is out of bounds")]
    OutOfBounds,
    /// The place was written before and not erased since.
    #[error("a place that is not erased was written")]
    NotErased,
    /// An earlier operation or commit failed: nothing is read or written any more.
    #[error("the flash has failed")]
    Failed,
}

/// Why a commit failed. Nothing that was written since the last one counts.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The system did not take the bytes: the disk is full, or broken.
    #[error("what the key keeps could not be written: {0}; make room or change the disk, then start again")]
    System(#[from] io::Error),
    /// The store broke the flash's rules.
    #[error("{0}: this is a fault of Keywright, please report it; the state is as it was before")]
    Misused(#[from] FlashError),
}

/// The cells, and what of them is not durable yet.
#[derive(Debug)]
struct Chip {
    cells: Vec<u8>,
    /// Sectors that changed since the last commit.
    dirty: BTreeSet<u32>,
    /// Whether one of them was erased.
    has_erased: bool,
    /// Absent in memory.
    journal: Option<Journal>,
    failure: Option<FlashError>,
}

impl Flash {
    /// A new flash that ends with the process.
    pub fn in_memory() -> Self {
        Self::over(vec![ERASED; SECTOR_SIZE * SECTORS as usize], None)
    }

    /// The flash in a file; makes the file, with mode 0600, if there is none. The file stays locked until every handle is gone.
    ///
    /// # Errors
    /// [`StateError`]; a file that is refused is left as it is.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        file::open(path).map(|(cells, journal)| Self::over(cells, Some(journal)))
    }

    /// Makes everything that was written durable, all of it or nothing. Does nothing if nothing was written.
    ///
    /// # Errors
    /// [`CommitError`]; the flash then refuses everything: what it holds in memory is not what a restart would find.
    pub fn commit(&self) -> Result<(), CommitError> {
        self.chip().commit()
    }

    /// Erases everything; counts with the next commit.
    ///
    /// # Errors
    /// [`FlashError::Failed`] after an earlier failure.
    pub fn wipe(&mut self) -> Result<(), FlashError> {
        let end = u32::try_from(self.capacity()).map_err(|_| FlashError::OutOfBounds)?;
        self.erase(0, end)
    }

    fn over(cells: Vec<u8>, journal: Option<Journal>) -> Self {
        let chip = Chip { cells, dirty: BTreeSet::new(), has_erased: false, journal, failure: None };
        Self(Arc::new(Mutex::new(chip)))
    }

    fn chip(&self) -> MutexGuard<'_, Chip> {
        self.0.lock().unwrap_or_else(|poisoned| {
            // An operation that did not end left cells that nobody can vouch for.
            let mut chip = poisoned.into_inner();
            chip.failure = Some(FlashError::Failed);
            chip
        })
    }

    /// Remembers the first failure: it is the one that explains the rest.
    fn noted<T>(&self, result: Result<T, FlashError>) -> Result<T, FlashError> {
        if let Err(error) = &result {
            self.chip().failure.get_or_insert(*error);
        }
        result
    }
}

impl Chip {
    fn commit(&mut self) -> Result<(), CommitError> {
        if let Some(failure) = self.failure {
            return Err(failure.into());
        }
        if let Some(journal) = &mut self.journal
            && !self.dirty.is_empty()
            && let Err(error) = journal.commit(&self.cells, &self.dirty, self.has_erased)
        {
            self.failure = Some(FlashError::Failed);
            return Err(error.into());
        }
        self.dirty.clear();
        self.has_erased = false;
        Ok(())
    }

    fn read(&self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        self.failure.map_or(Ok(()), |_| Err(FlashError::Failed))?;
        let start = offset as usize;
        let cells = self.cells.get(start..start.saturating_add(bytes.len()));
        bytes.copy_from_slice(cells.ok_or(FlashError::OutOfBounds)?);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let cells = self.cells_mut(offset, bytes.len())?;
        if cells.iter().any(|cell| *cell != ERASED) {
            return Err(FlashError::NotErased);
        }
        cells.copy_from_slice(bytes);
        self.touch(offset, bytes.len());
        Ok(())
    }

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        let length = to.checked_sub(from).ok_or(FlashError::OutOfBounds)? as usize;
        self.cells_mut(from, length)?.fill(ERASED);
        self.touch(from, length);
        self.has_erased |= length > 0;
        Ok(())
    }

    fn cells_mut(&mut self, offset: u32, length: usize) -> Result<&mut [u8], FlashError> {
        self.failure.map_or(Ok(()), |_| Err(FlashError::Failed))?;
        let start = offset as usize;
        self.cells.get_mut(start..start.saturating_add(length)).ok_or(FlashError::OutOfBounds)
    }

    fn touch(&mut self, offset: u32, length: usize) {
        let start = offset as usize;
        let sectors = (start / SECTOR_SIZE)..start.saturating_add(length).div_ceil(SECTOR_SIZE);
        self.dirty.extend(sectors.filter_map(|sector| u32::try_from(sector).ok()));
    }
}

impl ErrorType for Flash {
    type Error = FlashError;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        let result = check_read(self, offset, bytes.len()).map_err(FlashError::from);
        let result = result.and_then(|()| self.chip().read(offset, bytes));
        self.noted(result)
    }

    fn capacity(&self) -> usize {
        self.chip().cells.len()
    }
}

impl NorFlash for Flash {
    /// A word, as on the boards: what is not aligned there is refused here too.
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        let result = check_erase(self, from, to).map_err(FlashError::from);
        let result = result.and_then(|()| self.chip().erase(from, to));
        self.noted(result)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let result = check_write(self, offset, bytes.len()).map_err(FlashError::from);
        let result = result.and_then(|()| self.chip().write(offset, bytes));
        self.noted(result)
    }
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::NotErased | Self::Failed => NorFlashErrorKind::Other,
        }
    }
}

impl From<NorFlashErrorKind> for FlashError {
    fn from(kind: NorFlashErrorKind) -> Self {
        match kind {
            NorFlashErrorKind::NotAligned => Self::NotAligned,
            NorFlashErrorKind::OutOfBounds => Self::OutOfBounds,
            _ => Self::Failed,
        }
    }
}

const ERASED: u8 = 0xff;
