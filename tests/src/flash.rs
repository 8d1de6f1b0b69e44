//! Flash in memory.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use embedded_storage::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// NOR flash in memory: 16 sectors of 4 KiB, as an RP2040 keeps for the store. Clones are the same chip, which outlives
/// the key that runs on it.
#[derive(Clone)]
pub struct RamFlash {
    cells: Rc<RefCell<Vec<u8>>>,
    is_worn_out: Rc<Cell<bool>>,
}

impl RamFlash {
    /// A copy of what is on the chip.
    pub fn content(&self) -> Vec<u8> {
        self.cells.borrow().clone()
    }

    /// Whether every erasure and write fails from now on.
    pub fn wear_out(&self, is_worn_out: bool) {
        self.is_worn_out.set(is_worn_out);
    }

    fn check(&self) -> Result<(), NorFlashErrorKind> {
        if self.is_worn_out.get() { Err(NorFlashErrorKind::Other) } else { Ok(()) }
    }
}

impl Default for RamFlash {
    fn default() -> Self {
        Self { cells: Rc::new(RefCell::new(vec![0xff; 16 * 4096])), is_worn_out: Rc::default() }
    }
}

impl ErrorType for RamFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for RamFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let offset = offset as usize;
        bytes.copy_from_slice(&self.cells.borrow()[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.cells.borrow().len()
    }
}

impl NorFlash for RamFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.check()?;
        self.cells.borrow_mut()[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        self.check()?;
        let offset = offset as usize;
        let cells = &mut self.cells.borrow_mut()[offset..offset + bytes.len()];
        cells.iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
        Ok(())
    }
}
