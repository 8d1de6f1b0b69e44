//! What is stored about the PIN, in one record, so that all of it changes at once.

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::codec::{Reader, Writer};

/// The PIN. No record means that no PIN is set. Wiped on drop, never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct PinRecord {
    /// What an entered PIN is compared with, in constant time.
    pub verifier: [u8; 32],
    /// How many wrong entries are left; written **before** an entry is compared.
    pub retries: u8,
    /// The length of the PIN in Unicode code points.
    pub length_code_points: u8,
    /// The shortest PIN that may be set, in code points. Only rises.
    pub min_pin_length: u8,
    /// Whether the PIN must be changed before it gives a token.
    pub force_change: bool,
}

impl PinRecord {
    pub(super) fn encode(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(buffer);
        writer.put(&[VERSION]);
        writer.put(&self.verifier);
        let force_change = u8::from(self.force_change);
        writer.put(&[self.retries, self.length_code_points, self.min_pin_length, force_change]);
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.byte()? != VERSION {
            return None;
        }
        let verifier = reader.take()?;
        let [retries, length_code_points, min_pin_length, force_change @ 0..=1] = reader.take()? else {
            return None;
        };
        let force_change = force_change == 1;
        reader.0.is_empty().then_some(Self {
            verifier,
            retries,
            length_code_points,
            min_pin_length,
            force_change,
        })
    }
}

const VERSION: u8 = 1;
