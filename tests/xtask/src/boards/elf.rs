//! As much of an ELF file (32 bits, little endian) as it takes to flash and to measure it.

use std::ops::Range;

/// What an image loads, and what it occupies.
pub(super) struct Elf<'a> {
    /// Where in flash which bytes go.
    loads: Vec<(u32, &'a [u8])>,
    /// Sections that have memory at run time: where, and how many bytes.
    sections: Vec<(u32, u32)>,
}

impl<'a> Elf<'a> {
    /// Reads the program headers and the section headers; `None` if the file is cut short or of another kind.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(b"\x7fELF\x01\x01") {
            return None;
        }
        let mut elf = Self { loads: Vec::new(), sections: Vec::new() };
        for header in headers(bytes, word(bytes, 28)?, half(bytes, 42)?, half(bytes, 44)?) {
            let header = header?;
            let (kind, offset, place, length) =
                (word(header, 0)?, word(header, 4)?, word(header, 12)?, word(header, 16)?);
            if kind == LOAD && length > 0 {
                let start = usize::try_from(offset).ok()?;
                let end = start.checked_add(usize::try_from(length).ok()?)?;
                elf.loads.push((place, bytes.get(start..end)?));
            }
        }
        for header in headers(bytes, word(bytes, 32)?, half(bytes, 46)?, half(bytes, 48)?) {
            let header = header?;
            let (flags, place, length) = (word(header, 8)?, word(header, 12)?, word(header, 20)?);
            if flags & ALLOCATED != 0 {
                elf.sections.push((place, length));
            }
        }
        Some(elf)
    }

    /// The flash from `start` on, with 0xFF where nothing is loaded.
    pub(super) fn flash_image(&self, start: u32) -> Vec<u8> {
        let mut image = Vec::new();
        for (place, bytes) in &self.loads {
            let Some(at) = place.checked_sub(start).and_then(|at| usize::try_from(at).ok()) else { continue };
            let end = at.saturating_add(bytes.len());
            if image.len() < end {
                image.resize(end, 0xff);
            }
            image.iter_mut().skip(at).zip(*bytes).for_each(|(to, from)| *to = *from);
        }
        image
    }

    /// How many bytes of a memory the sections have at run time.
    pub(super) fn occupied(&self, memory: &Range<u32>) -> usize {
        let inside = self.sections.iter().filter(|(place, _)| memory.contains(place));
        inside.filter_map(|(_, length)| usize::try_from(*length).ok()).sum()
    }
}

/// `count` headers of `size` bytes each.
fn headers(bytes: &[u8], start: u32, size: u16, count: u16) -> impl Iterator<Item = Option<&[u8]>> {
    let (start, size) = (usize::try_from(start).unwrap_or(usize::MAX), usize::from(size));
    (0..usize::from(count)).map(move |number| {
        let at = start.checked_add(number.checked_mul(size)?)?;
        bytes.get(at..at.checked_add(size)?)
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

/// PT_LOAD.
const LOAD: u32 = 1;
/// SHF_ALLOC.
const ALLOCATED: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with one segment of 4 bytes at 0x1000_0100 that runs at 0x2000_0000, and a section of 8 bytes beside it.
    fn file() -> Vec<u8> {
        let mut bytes = b"\x7fELF\x01\x01\x01".to_vec();
        bytes.resize(52, 0);
        let mut put = |at: usize, word: u32| bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        put(28, 52);
        put(32, 88);
        put(40, 32 << 16 | 52);
        put(44, 40 << 16 | 1);
        put(48, 2);
        for word in [1, 168, 0x2000_0000, 0x1000_0100, 4, 4, 5, 4] {
            bytes.extend(u32::to_le_bytes(word));
        }
        bytes.resize(88, 0);
        for (place, length) in [(0x2000_0000, 4), (0x2000_0004, 8)] {
            for word in [0, 1, 2, place, 0, length, 0, 0, 4, 0] {
                bytes.extend(u32::to_le_bytes(word));
            }
        }
        bytes.extend(b"code");
        bytes
    }

    #[test]
    fn what_is_loaded_lies_at_its_place_in_flash_with_blanks_before_it() {
        let file = file();
        let image = Elf::parse(&file).unwrap().flash_image(0x1000_0000);
        assert_eq!(image.len(), 0x104);
        assert!(image[..0x100].iter().all(|byte| *byte == 0xff));
        assert_eq!(&image[0x100..], b"code");
    }

    #[test]
    fn memory_that_only_runs_is_counted_too_and_only_where_it_is() {
        let file = file();
        let elf = Elf::parse(&file).unwrap();
        assert_eq!(elf.occupied(&(0x2000_0000..0x2004_2000)), 12);
        assert_eq!(elf.occupied(&(0x1000_0000..0x1001_0000)), 0);
    }

    #[test]
    fn a_file_that_is_cut_short_or_of_another_kind_is_no_image() {
        let file = file();
        for length in 0..file.len() {
            assert!(Elf::parse(&file[..length]).is_none(), "{length}");
        }
        assert!(Elf::parse(b"\x7fELF\x02\x01 and sixty-four bits of something else").is_none());
    }
}
