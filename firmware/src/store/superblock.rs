//! The superblock: what stands, twice, at the start of every page in use.
//!
//! A page in use begins with
//!
//! ```text
//!   0  mark that it was wholly erased (16)
//!  16  superblock (64)
//!  80  the same again (64)
//! 144  records
//! ```
//!
//! and a superblock is, in little-endian order,
//!
//! ```text
//!  0  "KWst"            4
//!  4  format            2   these, and the checksum, stay where they are in every format
//!  6  state             1   0 clean, 1 wiping
//!  7  pages             1   of the whole store
//!  8  sequence          4   of this page: they rise by one from page to page
//! 12  oldest            4   the sequence of the oldest page that still counts
//! 16  epoch             4   rises with every reset
//! 20  moved end         4   where in the page the records end that were moved here before the superblock was written
//! 24  device secret    32   zeros while wiping
//! 56  zeros             4
//! 60  CRC-32            4   over all before it
//! ```
//!
//! So the secret is written twice in each page, and a store of two erase blocks is as safe as one of sixty-four.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::crc::Crc;
use super::error::StoreError;
use crate::crypto::Secret;

/// The device secret: 32 random bytes, new with every reset. While wiping there are zeros in its place.
pub type DeviceSecret = Secret<32>;

/// What a page says about itself and the store.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Superblock {
    pub(super) state: State,
    pub(super) pages: u8,
    pub(super) sequence: u32,
    pub(super) oldest: u32,
    pub(super) epoch: u32,
    pub(super) moved_end: u32,
    pub(super) secret: DeviceSecret,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Clean,
    Wiping,
}

impl Superblock {
    pub(super) fn encode(&self) -> SuperblockBytes {
        let mut writer = Filling { bytes: SuperblockBytes([0; 64]), at: 0 };
        writer.put(&MAGIC);
        writer.put(&FORMAT.to_le_bytes());
        writer.put(&[if self.state == State::Clean { 0 } else { 1 }, self.pages]);
        for number in [self.sequence, self.oldest, self.epoch, self.moved_end] {
            writer.put(&number.to_le_bytes());
        }
        writer.put(self.secret.expose());
        writer.put(&[0; 4]);
        let crc = Crc::new().with(writer.bytes.0.get(..60).unwrap_or_default()).value();
        writer.put(&crc.to_le_bytes());
        writer.bytes
    }

    /// Reads one copy: `None` if it is not whole.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerFormat`] if it is whole and of a format that is not known here.
    pub(super) fn decode(bytes: &SuperblockBytes) -> Result<Option<Self>, StoreError> {
        let bytes = &bytes.0;
        let (Some(covered), Some(&crc)) = (bytes.get(..60), bytes.last_chunk::<4>()) else {
            return Ok(None);
        };
        let number =
            |at: usize| bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |n| u32::from_le_bytes(*n));
        if !bytes.starts_with(&MAGIC) || Crc::new().with(covered).value() != u32::from_le_bytes(crc) {
            return Ok(None);
        }
        let [_, _, _, _, low, high, state, pages, ..] = *bytes;
        let format = u16::from_le_bytes([low, high]);
        if format != FORMAT {
            return Err(StoreError::NewerFormat(format));
        }
        let mut secret = DeviceSecret::new([0; 32]);
        secret.expose_mut().iter_mut().zip(bytes.iter().skip(24)).for_each(|(to, from)| *to = *from);
        Ok(Some(Self {
            state: if state == 0 { State::Clean } else { State::Wiping },
            pages,
            sequence: number(8),
            oldest: number(12),
            epoch: number(16),
            moved_end: number(20),
            secret,
        }))
    }
}

/// A superblock as it is on flash. It holds the secret, so it wipes itself.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct SuperblockBytes(pub(super) [u8; 64]);

struct Filling {
    bytes: SuperblockBytes,
    at: usize,
}

impl Filling {
    fn put(&mut self, from: &[u8]) {
        self.bytes.0.iter_mut().skip(self.at).zip(from).for_each(|(to, from)| *to = *from);
        self.at += from.len();
    }
}

/// How long a superblock is, in bytes.
pub(super) const LENGTH: u32 = 64;
/// Where in a page the two copies are.
pub(super) const COPIES: [u32; 2] = [16, 80];
/// Where in a page the records begin.
pub(super) const RECORDS: u32 = 144;

/// The format that this firmware writes.
const FORMAT: u16 = 1;
const MAGIC: [u8; 4] = *b"KWst";

#[cfg(test)]
mod tests {
    use super::*;

    fn superblock() -> Superblock {
        Superblock {
            state: State::Wiping,
            pages: 16,
            sequence: 9,
            oldest: 3,
            epoch: 0x0102_0304,
            moved_end: 160,
            secret: DeviceSecret::new([5; 32]),
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        assert!(Superblock::decode(&superblock().encode()) == Ok(Some(superblock())));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        for bit in 0..512 {
            let mut bytes = superblock().encode();
            bytes.0[bit / 8] ^= 1 << (bit % 8);
            assert!(Superblock::decode(&bytes) == Ok(None), "bit {bit}");
        }
    }

    #[test]
    fn g29_a_newer_format_is_named() {
        let mut bytes = superblock().encode();
        bytes.0[4] = 2;
        let crc = Crc::new().with(&bytes.0[..60]).value();
        bytes.0[60..].copy_from_slice(&crc.to_le_bytes());
        assert!(Superblock::decode(&bytes) == Err(StoreError::NewerFormat(2)));
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert_eq!(std::format!("{:?}", DeviceSecret::new([5; 32])), "Secret");
    }
}
