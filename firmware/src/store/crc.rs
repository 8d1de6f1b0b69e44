//! CRC-32 as of IEEE 802.3, without a table.

/// A checksum in the making.
#[derive(Clone, Copy)]
pub(super) struct Crc(u32);

impl Crc {
    pub(super) const fn new() -> Self {
        Self(u32::MAX)
    }

    pub(super) fn with(self, bytes: &[u8]) -> Self {
        let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        Self(bytes.iter().fold(self.0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step)))
    }

    pub(super) const fn value(self) -> u32 {
        !self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_is_that_of_the_standard() {
        assert_eq!(Crc::new().with(b"1234").with(b"56789").value(), 0xcbf4_3926);
    }
}
