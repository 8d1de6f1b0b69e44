//! Flash in memory.

use core::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

/// NOR flash in memory: 16 sectors of 4 KiB, as an RP2040 keeps for the store.
#[derive(Clone)]
pub struct RamFlash {
    cells: Vec<u8>,
    changes: Arc<AtomicUsize>,
}

/// How often a flash and its clones were written or erased.
pub struct Changes(Arc<AtomicUsize>);

impl RamFlash {
    /// A count that goes on when the key owns the flash.
    pub fn changes(&self) -> Changes {
        Changes(self.changes.clone())
    }
}

impl Changes {
    /// The count so far.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Default for RamFlash {
    fn default() -> Self {
        Self { cells: vec![0xff; 16 * 4096], changes: Arc::default() }
    }
}

impl ErrorType for RamFlash {
    type Error = Infallible;
}

impl ReadNorFlash for RamFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        let offset = offset as usize;
        bytes.copy_from_slice(&self.cells[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.cells.len()
    }
}

impl NorFlash for RamFlash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        self.changes.fetch_add(1, Ordering::Relaxed);
        self.cells[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        self.changes.fetch_add(1, Ordering::Relaxed);
        let offset = offset as usize;
        self.cells[offset..offset + bytes.len()].iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
        Ok(())
    }
}
