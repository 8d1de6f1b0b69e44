//! What is stored about the PIN, in one record, so that all of it changes at once.

use super::codec::{Reader, Writer};
use crate::crypto::Secret;

/// The PIN. No record means that no PIN is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinRecord {
    /// What an entered PIN is compared with.
    pub verifier: Secret<32>,
    /// How many wrong entries are left; written **before** an entry is compared.
    pub retries: u8,
    /// How many entries in a row have been wrong since power-up.
    pub consecutive_mismatches: u8,
    /// The length of the PIN in Unicode code points.
    pub length_code_points: u8,
}

impl PinRecord {
    pub(super) fn encode(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(buffer);
        writer.put(&[VERSION]);
        writer.put(self.verifier.expose());
        writer.put(&[self.retries, self.consecutive_mismatches, self.length_code_points]);
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.byte()? != VERSION {
            return None;
        }
        let verifier = Secret::new(reader.take()?);
        let [retries, consecutive_mismatches, length_code_points] = reader.take()?;
        let record = Self { verifier, retries, consecutive_mismatches, length_code_points };
        reader.0.is_empty().then_some(record)
    }
}

const VERSION: u8 = 1;
