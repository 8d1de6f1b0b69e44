//! A record on flash: a header of one unit, then the value, filled up with 0xFF to whole units.
//!
//! ```text
//!  0  key        2
//!  2  length     2   of the value in bytes; 0: the key is deleted, or there is none
//!  4  since      2   of a start: see below, otherwise 0xFFFF
//!  6  0xFFFF     2
//!  8  CRC-32     4   over the value
//! 12  CRC-32     4   over the header before it, the page's sequence and the address: a record is one only where it was written
//! ```
//!
//! Header and value are two writes, so that a header that was cut spoils one unit and a value that was cut spoils what
//! its header says.

use super::crc::Crc;
use super::media::UNIT;

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) key: u16,
    pub(super) length: u16,
    pub(super) since: u16,
    pub(super) value_crc: u32,
}

impl Header {
    /// The header of a value, or of a deletion if there are no bytes. `None` if the value is too long.
    pub(super) fn of(key: u16, value: &[u8]) -> Option<Self> {
        let length = u16::try_from(value.len()).ok().filter(|&length| length <= MAX_VALUE)?;
        Some(Self { key, length, since: 0xffff, value_crc: Crc::new().with(value).value() })
    }

    /// The header of a start: whatever stands between the address `since` (in units) and this record was never
    /// accepted, and must not be, even if it reads well later.
    pub(super) const fn start(since: u16) -> Self {
        Self { key: START, length: 0, since, value_crc: 0 }
    }

    pub(super) fn is_start(&self) -> bool {
        self.key == START
    }

    /// The header that says that the next page is about to be opened, so that it is not taken for erased afterwards.
    pub(super) const fn opening() -> Self {
        Self { key: OPENING, length: 0, since: 0xffff, value_crc: 0 }
    }

    pub(super) fn is_opening(&self) -> bool {
        self.key == OPENING
    }

    pub(super) fn encode(&self, place: Place) -> [u8; 16] {
        let mut bytes = [0xff; 16];
        let parts: [&[u8]; 5] = [
            &self.key.to_le_bytes(),
            &self.length.to_le_bytes(),
            &self.since.to_le_bytes(),
            &[0xff, 0xff],
            &self.value_crc.to_le_bytes(),
        ];
        bytes.iter_mut().zip(parts.into_iter().flatten()).for_each(|(to, from)| *to = *from);
        let crc = place.crc(&bytes).to_le_bytes();
        bytes.iter_mut().skip(12).zip(crc).for_each(|(to, from)| *to = from);
        bytes
    }

    /// `None` if this is not the header of a record at this place.
    pub(super) fn decode(bytes: &[u8; 16], place: Place) -> Option<Self> {
        if *bytes == [0xff; 16] {
            return None;
        }
        let [k0, k1, l0, l1, s0, s1, 0xff, 0xff, v0, v1, v2, v3, c0, c1, c2, c3] = *bytes else {
            return None;
        };
        let header = Self {
            key: u16::from_le_bytes([k0, k1]),
            length: u16::from_le_bytes([l0, l1]),
            since: u16::from_le_bytes([s0, s1]),
            value_crc: u32::from_le_bytes([v0, v1, v2, v3]),
        };
        let whole = place.crc(bytes) == u32::from_le_bytes([c0, c1, c2, c3]);
        (whole && header.length <= MAX_VALUE).then_some(header)
    }

    /// How many bytes of flash the value takes.
    pub(super) fn value_size(&self) -> u32 {
        u32::from(self.length).next_multiple_of(UNIT)
    }

    /// How many bytes of flash the record takes.
    pub(super) fn size(&self) -> u32 {
        UNIT + self.value_size()
    }
}

/// Where a record is: the sequence of its page and its address.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) sequence: u32,
    pub(super) at: u32,
}

impl Place {
    fn crc(self, header: &[u8; 16]) -> u32 {
        let covered = header.get(..12).unwrap_or_default();
        Crc::new().with(covered).with(&self.sequence.to_le_bytes()).with(&self.at.to_le_bytes()).value()
    }
}

/// The longest value of a record, in bytes.
pub(super) const MAX_VALUE: u16 = 768;
/// The longest record, in bytes.
pub(super) const MAX_RECORD: u32 = 16 + 768;

/// The keys of records that are no values.
const START: u16 = 0xfffe;
const OPENING: u16 = 0xfffd;
