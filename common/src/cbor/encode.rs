//! The encoder.

use super::Integer;
use crate::status::Status;

/// Writes CBOR with shortest heads into a buffer. Keys must be written in canonical order by the caller.
#[derive(Debug)]
pub struct Encoder<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

/// The buffer has no room for what was to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl<'b> Encoder<'b> {
    /// An encoder that begins at the start of `buffer`.
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// Bytes written so far.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing has been written.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// What has been written so far.
    pub fn written(&self) -> &[u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// The head of a map of `count` entries.
    ///
    /// # Errors
    /// [`Full`] if the buffer has no room.
    pub fn map(&mut self, count: usize) -> Result<&mut Self, Full> {
        self.head(5, count as u64)
    }

    /// The head of an array of `count` items.
    ///
    /// # Errors
    /// [`Full`] if the buffer has no room.
    pub fn array(&mut self, count: usize) -> Result<&mut Self, Full> {
        self.head(4, count as u64)
    }

    /// An integer.
    ///
    /// # Errors
    /// [`Full`] if the buffer has no room, or if the value is outside the range of CBOR's integers.
    pub fn integer(&mut self, value: impl Into<Integer>) -> Result<&mut Self, Full> {
        let value = value.into();
        let (major, magnitude) = if value < 0 { (1, -1 - value) } else { (0, value) };
        self.head(major, u64::try_from(magnitude).map_err(|_| Full)?)
    }

    /// A byte string.
    ///
    /// # Errors
    /// [`Full`] if the buffer has no room.
    pub fn bytes(&mut self, value: &[u8]) -> Result<&mut Self, Full> {
        self.head(2, value.len() as u64)?.raw(value)
    }

    /// A text string.
    ///
    /// # Errors
    /// [`Full`] if the buffer has no room.
    pub fn text(&mut self, value: &str) -> Result<&mut Self, Full> {
        self.head(3, value.len() as u64)?.raw(value.as_bytes())
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// [`Full`] if the buffer has no room.
    pub fn boolean(&mut self, value: bool) -> Result<&mut Self, Full> {
        self.raw(&[0xf4 | u8::from(value)])
    }

    /// Bytes as they are: an item that is encoded already, or what is no CBOR at all.
    ///
    /// # Errors
    /// [`Full`] if the buffer has no room.
    pub fn raw(&mut self, bytes: &[u8]) -> Result<&mut Self, Full> {
        let end = self.length.checked_add(bytes.len()).ok_or(Full)?;
        self.buffer.get_mut(self.length..end).ok_or(Full)?.copy_from_slice(bytes);
        self.length = end;
        Ok(self)
    }

    fn head(&mut self, major: u8, argument: u64) -> Result<&mut Self, Full> {
        let [.., b6, b7] = argument.to_be_bytes();
        let initial = major << 5;
        if argument < 24 {
            self.raw(&[initial | b7])
        } else if argument <= u64::from(u8::MAX) {
            self.raw(&[initial | 24, b7])
        } else if argument <= u64::from(u16::MAX) {
            self.raw(&[initial | 25, b6, b7])
        } else if let Ok(argument) = u32::try_from(argument) {
            self.raw(&[initial | 26])?.raw(&argument.to_be_bytes())
        } else {
            self.raw(&[initial | 27])?.raw(&argument.to_be_bytes())
        }
    }
}

impl From<Full> for Status {
    fn from(_: Full) -> Self {
        Self::OTHER
    }
}
