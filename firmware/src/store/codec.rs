//! Bytes of a record's value, one field after the other.

/// Appends fields to a buffer. A field that does not fit makes the result `None`.
pub(super) struct Writer<'a> {
    buffer: &'a mut [u8],
    length: Option<usize>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(buffer: &'a mut [u8]) -> Self {
        Self { buffer, length: Some(0) }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        self.length = self.length.and_then(|from| {
            let to = from.checked_add(bytes.len())?;
            self.buffer.get_mut(from..to)?.copy_from_slice(bytes);
            Some(to)
        });
    }

    /// A field with its length in two bytes before it.
    pub(super) fn put_long(&mut self, bytes: &[u8]) {
        match u16::try_from(bytes.len()) {
            Ok(length) => self.put(&length.to_le_bytes()),
            Err(_) => self.length = None,
        }
        self.put(bytes);
    }

    /// A field with its length in one byte before it.
    pub(super) fn put_short(&mut self, bytes: &[u8]) {
        match u8::try_from(bytes.len()) {
            Ok(length) => self.put(&[length]),
            Err(_) => self.length = None,
        }
        self.put(bytes);
    }

    /// How many bytes were written, if all fitted.
    pub(super) const fn finish(self) -> Option<usize> {
        self.length
    }
}

/// Takes fields off the front of a value.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.take().map(|[byte]| byte)
    }

    pub(super) fn long(&mut self) -> Option<&'a [u8]> {
        let length = u16::from_le_bytes(self.take()?);
        self.slice(usize::from(length))
    }

    pub(super) fn short(&mut self) -> Option<&'a [u8]> {
        let length = self.byte()?;
        self.slice(usize::from(length))
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }
}
