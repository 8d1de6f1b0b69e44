//! What can go wrong with the store, and what the caller does about it.

/// Why the store refused. One enumeration for the whole store: each is handled differently, none is "absent".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The flash driver failed. Nothing is known about what was to be read; what was to be written is either there or
    /// not after the next start. The command fails; a later one may succeed.
    Flash,
    /// No room for another record, or no number left to give. The command answers `KEY_STORE_FULL`; nothing changed.
    Full,
    /// There is something on the flash that is not a whole store: an erase block, a record or the secret is missing or was
    /// changed. The key reports a fault and does nothing but a reset.
    Corrupt,
    /// The flash was written by a later firmware, in this format. The key reports a fault; the later firmware reads it.
    NewerFormat(u16),
    /// The flash is not one that the store can use (see [`Store`](super::Store)). A fault of the board.
    Geometry,
    /// The value is longer than a record can be. A fault of the caller; nothing changed.
    TooLong,
    /// There is no such credential. Nothing changed.
    NotFound,
    /// A reset was begun and is not finished: only `reset_step` does anything.
    Wiping,
}

impl core::fmt::Display for StoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let reason = match self {
            Self::Flash => "the flash could not be read or written",
            Self::Full => "there is no room",
            Self::Corrupt => "what is on it is damaged",
            Self::NewerFormat(format) => {
                return write!(f, "it was written by a later version of Keywright, in format {format}");
            }
            Self::Geometry => "the flash has a size or units that a store cannot be made on",
            Self::TooLong => "a value is longer than a record",
            Self::NotFound => "there is no such credential",
            Self::Wiping => "a reset was begun and is not finished",
        };
        f.write_str(reason)
    }
}

impl core::error::Error for StoreError {}
