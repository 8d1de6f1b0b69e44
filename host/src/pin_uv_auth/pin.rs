//! PINs, and the rules that can be held before anything is sent.

use std::fmt;

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, Zeroizing};

/// A PIN in the form in which keys take it: Unicode NFC, UTF-8 (§6.5.2.3). Wiped on drop.
#[derive(Clone)]
pub struct Pin(Zeroizing<String>);

/// Why a text cannot be a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinRule {
    /// Fewer code points than asked for.
    #[error("the PIN has {found} characters and must have at least {minimum}: choose a longer one")]
    TooShort {
        /// How many there must be.
        minimum: usize,
        /// How many there are.
        found: usize,
    },
    /// More code points than the key takes.
    #[error("the PIN has {found} characters and may have {maximum} at most: choose a shorter one")]
    TooLong {
        /// How many there may be.
        maximum: usize,
        /// How many there are.
        found: usize,
    },
    /// More than 63 bytes.
    #[error("the PIN takes {0} bytes and may take 63 at most: choose a shorter one")]
    TooManyBytes(usize),
    /// A NUL, which the padding could not be told from.
    #[error("the PIN has a character of code 0: choose one without")]
    Nul,
}

impl Pin {
    /// A PIN as a user wrote it. The rules are those of every key; [`Pin::check_new`] holds the rules of one.
    ///
    /// # Errors
    /// [`PinRule`].
    pub fn new(text: &str) -> Result<Self, PinRule> {
        // Room for the whole from the start, so that no copy is left behind: NFC is never longer than three times.
        let mut normal = Zeroizing::new(String::with_capacity(text.len().saturating_mul(3)));
        normal.extend(text.nfc());
        let pin = Self(normal);
        if pin.0.contains('\0') {
            return Err(PinRule::Nul);
        }
        if pin.0.len() > MAX_BYTES {
            return Err(PinRule::TooManyBytes(pin.0.len()));
        }
        pin.check_new(MIN_LENGTH, MAX_BYTES)?;
        Ok(pin)
    }

    /// Holds a new PIN against a key's limits, which count code points.
    ///
    /// # Errors
    /// [`PinRule::TooShort`], [`PinRule::TooLong`].
    pub fn check_new(&self, minimum: usize, maximum: usize) -> Result<(), PinRule> {
        let found = self.0.chars().count();
        if found < minimum {
            return Err(PinRule::TooShort { minimum, found });
        }
        if found > maximum {
            return Err(PinRule::TooLong { maximum, found });
        }
        Ok(())
    }

    /// `pinHash`: the first 16 bytes of SHA-256.
    pub fn hash(&self) -> Zeroizing<[u8; 16]> {
        let mut digest: [u8; 32] = Sha256::digest(self.0.as_bytes()).into();
        let mut hash = Zeroizing::new([0; 16]);
        hash.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        digest.zeroize();
        hash
    }

    /// `paddedNewPin`: 64 bytes, the rest of them zero.
    pub fn padded(&self) -> Zeroizing<[u8; 64]> {
        let mut padded = Zeroizing::new([0; 64]);
        padded.iter_mut().zip(self.0.bytes()).for_each(|(to, from)| *to = from);
        padded
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(redacted)")
    }
}

/// The least of every key (§6.5.1).
const MIN_LENGTH: usize = 4;
/// What fits 64 bytes with a zero behind it.
const MAX_BYTES: usize = 63;
