//! The flash chip, driven command by command.
//!
//! The image runs from RAM, so the flash is never mapped while it runs: no fetch can meet an erase, interrupts stay on
//! from the first to the last microsecond of it, and no cache keeps what was read.

use core::sync::atomic::{AtomicBool, Ordering};

use embassy_rp::pac::{IO_QSPI, SSI, io::vals::Outover};
use embassy_rp::rom_data;
use embassy_time::{Duration, Instant, block_for};
use embedded_storage::nor_flash::{
    ErrorType, MultiwriteNorFlash, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash, check_erase,
    check_read, check_write,
};

use crate::watchdog;

/// The chip.
pub(crate) struct Chip {
    /// The sector that is being erased, as far as is known.
    erasing: Option<u32>,
}

/// A part of the chip.
pub(crate) struct Region<'a> {
    chip: &'a mut Chip,
    start: u32,
    size: u32,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlashError {
    /// Not a place in this region, or not aligned.
    Place(NorFlashErrorKind),
    /// The chip did not become ready.
    Timeout,
}

/// Whether a command is on the wires of the flash, which the button shares.
static IS_ON_THE_WIRE: AtomicBool = AtomicBool::new(false);

/// Whether a command is on the wires of the flash at this moment.
pub(crate) fn is_on_the_wire() -> bool {
    IS_ON_THE_WIRE.load(Ordering::Relaxed)
}

impl Chip {
    /// Takes the flash out of the map: from now on it is driven by commands.
    #[expect(unsafe_code, reason = "the boot ROM's functions are called through its table")]
    pub(crate) fn unmap() -> Self {
        // SAFETY: both set up the flash's own interface and touch no memory; nothing runs from the mapped flash or reads
        // it, because the loader has copied all there is into RAM.
        unsafe {
            rom_data::connect_internal_flash();
            rom_data::flash_exit_xip();
        }
        Self { erasing: None }
    }

    /// The seed file's part: the 8 KiB before the store.
    pub(crate) const fn seed(&mut self) -> Region<'_> {
        Region { chip: self, start: 0x1b_e000, size: 0x2000 }
    }

    /// The store's part: the last 256 KiB of 2 MiB.
    pub(crate) const fn store(&mut self) -> Region<'_> {
        Region { chip: self, start: 0x1c_0000, size: 0x4_0000 }
    }

    /// The number that the maker gave to this chip.
    pub(crate) fn unique_id(&mut self) -> [u8; 8] {
        let mut id = [0; 8];
        self.transfer(&[READ_UNIQUE_ID, 0, 0, 0, 0], &[], &mut id);
        id
    }

    /// Reads, while an erase of another sector stands still for it.
    fn read(&mut self, at: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        let end = at.saturating_add(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        let is_suspended = match self.erasing {
            Some(sector) if at < sector.saturating_add(SECTOR) && sector < end => {
                self.wait(MAX_ERASE_TIME)?;
                false
            }
            Some(_) => self.suspend()?,
            None => false,
        };
        self.transfer(&command(READ_DATA, at), &[], bytes);
        if is_suspended {
            self.transfer(&[RESUME], &[], &mut []);
            // W25Q16JV §8.2.19: an erase that is resumed must run for 20 us before it is suspended again.
            block_for(SUSPEND_TIME);
        }
        Ok(())
    }

    fn program(&mut self, at: u32, bytes: &[u8]) -> Result<(), FlashError> {
        // What is written after an erase is on flash after it, whatever happens to the power.
        self.wait(MAX_ERASE_TIME)?;
        self.transfer(&[WRITE_ENABLE], &[], &mut []);
        self.transfer(&command(PAGE_PROGRAM, at), bytes, &mut []);
        self.wait(MAX_PROGRAM_TIME)
    }

    /// Begins to erase a sector, and leaves the chip to it: who needs the chip waits.
    fn erase_sector(&mut self, at: u32) -> Result<(), FlashError> {
        self.wait(MAX_ERASE_TIME)?;
        watchdog::feed();
        self.transfer(&[WRITE_ENABLE], &[], &mut []);
        self.transfer(&command(SECTOR_ERASE, at), &[], &mut []);
        self.erasing = Some(at);
        Ok(())
    }

    /// Makes an erase stand still; false if it was done, or if the chip does not know how and has been waited for.
    fn suspend(&mut self) -> Result<bool, FlashError> {
        if !self.is_busy() {
            self.erasing = None;
            return Ok(false);
        }
        self.transfer(&[SUSPEND], &[], &mut []);
        block_for(SUSPEND_TIME);
        let mut status = [0];
        self.transfer(&[READ_STATUS_2], &[], &mut status);
        let is_suspended = status.map(|bits| bits & SUSPENDED) != [0];
        if !is_suspended {
            self.wait(MAX_ERASE_TIME)?;
        }
        Ok(is_suspended)
    }

    fn is_busy(&mut self) -> bool {
        let mut status = [0];
        self.transfer(&[READ_STATUS], &[], &mut status);
        status.map(|bits| bits & BUSY) != [0]
    }

    fn wait(&mut self, limit: Duration) -> Result<(), FlashError> {
        let end = Instant::now() + limit;
        while self.is_busy() {
            if Instant::now() > end {
                return Err(FlashError::Timeout);
            }
        }
        self.erasing = None;
        Ok(())
    }

    /// One command: its bytes, what it writes, then what it reads. Interrupts stay on: as long as it is selected, the
    /// chip waits for its clock.
    fn transfer(&mut self, command: &[u8], write: &[u8], read: &mut [u8]) {
        let length = command.len().saturating_add(write.len());
        let mut outgoing = command.iter().chain(write).copied().chain((0..read.len()).map(|_| 0)).fuse();
        // What comes back while the command is sent is nothing.
        let mut nothing = [0; 5 + PAGE];
        let (nothing, _) = nothing.split_at_mut(length.min(5 + PAGE));
        let mut incoming = nothing.iter_mut().chain(read);
        let mut in_flight = 0_u8;
        select(true);
        loop {
            if in_flight < FIFO
                && let Some(byte) = outgoing.next()
            {
                SSI.dr0().write_value(u32::from(byte));
                in_flight = in_flight.saturating_add(1);
            } else if in_flight == 0 {
                break;
            }
            if SSI.sr().read().rfne()
                && let Some(place) = incoming.next()
            {
                let [byte, ..] = SSI.dr0().read().to_le_bytes();
                *place = byte;
                in_flight = in_flight.saturating_sub(1);
            }
        }
        select(false);
    }
}

impl Region<'_> {
    /// Where a place in the region is on the chip.
    const fn absolute(&self, offset: u32) -> u32 {
        self.start.saturating_add(offset)
    }
}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::Place(kind) => *kind,
            Self::Timeout => NorFlashErrorKind::Other,
        }
    }
}

impl ErrorType for Region<'_> {
    type Error = FlashError;
}

impl ReadNorFlash for Region<'_> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        check_read(self, offset, bytes.len()).map_err(FlashError::Place)?;
        self.chip.read(self.absolute(offset), bytes)
    }

    fn capacity(&self) -> usize {
        usize::try_from(self.size).unwrap_or_default()
    }
}

impl NorFlash for Region<'_> {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = SECTOR as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        check_erase(self, from, to).map_err(FlashError::Place)?;
        (from..to).step_by(Self::ERASE_SIZE).try_for_each(|at| self.chip.erase_sector(self.absolute(at)))
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        check_write(self, offset, bytes.len()).map_err(FlashError::Place)?;
        let (mut at, mut rest) = (self.absolute(offset), bytes);
        while !rest.is_empty() {
            // A program wraps at the end of its page.
            let room = PAGE.saturating_sub(usize::try_from(at).unwrap_or_default() % PAGE);
            let (page, behind) = rest.split_at(room.min(rest.len()));
            self.chip.program(at, page)?;
            at = at.saturating_add(u32::try_from(page.len()).unwrap_or_default());
            rest = behind;
        }
        Ok(())
    }
}

impl MultiwriteNorFlash for Region<'_> {}

/// Drives the chip's select line by hand, as the boot ROM does: low while a command lasts.
fn select(is_selected: bool) {
    if is_selected {
        IS_ON_THE_WIRE.store(true, Ordering::SeqCst);
    }
    let level = if is_selected { Outover::LOW } else { Outover::HIGH };
    IO_QSPI.gpio(SELECT_LINE).ctrl().modify(|ctrl| ctrl.set_outover(level));
    if !is_selected {
        IS_ON_THE_WIRE.store(false, Ordering::SeqCst);
    }
}

/// A command with an address of 24 bits.
const fn command(code: u8, at: u32) -> [u8; 4] {
    let [_, high, middle, low] = at.to_be_bytes();
    [code, high, middle, low]
}

/// The line of the flash interface that selects the chip: the BOOTSEL button pulls on it.
pub(crate) const SELECT_LINE: usize = 1;

const READ_STATUS: u8 = 0x05;
const WRITE_ENABLE: u8 = 0x06;
const PAGE_PROGRAM: u8 = 0x02;
const READ_DATA: u8 = 0x03;
const SECTOR_ERASE: u8 = 0x20;
const READ_UNIQUE_ID: u8 = 0x4b;
const READ_STATUS_2: u8 = 0x35;
const SUSPEND: u8 = 0x75;
const RESUME: u8 = 0x7a;
const BUSY: u8 = 1;
const SUSPENDED: u8 = 0x80;
/// What it takes the chip to suspend.
const SUSPEND_TIME: Duration = Duration::from_micros(21);
const SECTOR: u32 = 4096;
const PAGE: usize = 256;
/// Bytes that the interface holds in each direction.
const FIFO: u8 = 16;
/// W25Q16JV: at most 3 ms a page, 400 ms a sector.
const MAX_PROGRAM_TIME: Duration = Duration::from_millis(10);
const MAX_ERASE_TIME: Duration = Duration::from_millis(1000);
