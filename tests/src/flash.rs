//! Flash in memory.

use std::sync::{Arc, Mutex, MutexGuard};

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// NOR flash in memory: 16 sectors of 4 KiB, as an RP2040 keeps for the store. Clones are the same chip, which outlives
/// the key that runs on it.
#[derive(Clone, Default)]
pub struct RamFlash(Arc<Mutex<Chip>>);

struct Chip {
    cells: Vec<u8>,
    is_worn_out: bool,
    changes: usize,
    /// What was on the chip before each change, if that is recorded.
    history: Option<Vec<Vec<u8>>>,
}

impl RamFlash {
    /// A chip with this on it.
    pub fn with_content(content: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Chip { cells: content, ..Chip::default() })))
    }

    /// A copy of what is on the chip.
    pub fn content(&self) -> Vec<u8> {
        self.chip().cells.clone()
    }

    /// Whether every erasure and write fails from now on.
    pub fn wear_out(&self, is_worn_out: bool) {
        self.chip().is_worn_out = is_worn_out;
    }

    /// How often the chip was written or erased.
    pub fn changes(&self) -> usize {
        self.chip().changes
    }

    /// Keeps, from now on, what is on the chip before each change.
    pub fn record(&self) {
        self.chip().history = Some(Vec::new());
    }

    /// What was on the chip before each change since [`RamFlash::record`], and what is on it now.
    pub fn take_history(&self) -> Vec<Vec<u8>> {
        let mut chip = self.chip();
        let mut history = chip.history.take().unwrap_or_default();
        history.push(chip.cells.clone());
        history
    }

    fn chip(&self) -> MutexGuard<'_, Chip> {
        self.0.lock().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut [u8])) -> Result<(), NorFlashErrorKind> {
        let mut chip = self.chip();
        if chip.is_worn_out {
            return Err(NorFlashErrorKind::Other);
        }
        let Chip { cells, changes, history, .. } = &mut *chip;
        if let Some(history) = history {
            history.push(cells.clone());
        }
        *changes += 1;
        change(cells);
        Ok(())
    }
}

impl Default for Chip {
    fn default() -> Self {
        Self { cells: vec![0xff; 16 * 4096], is_worn_out: false, changes: 0, history: None }
    }
}

impl ErrorType for RamFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for RamFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let offset = offset as usize;
        bytes.copy_from_slice(&self.chip().cells[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.chip().cells.len()
    }
}

impl NorFlash for RamFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.change(|cells| cells[from as usize..to as usize].fill(0xff))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        let offset = offset as usize;
        self.change(|cells| {
            cells[offset..offset + bytes.len()].iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
        })
    }
}
