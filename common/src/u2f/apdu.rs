//! The command APDU of ISO 7816-4 §5.1.

use super::StatusWord;
use crate::cbor::{Encoder, Full};

/// A command; borrows its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Apdu<'a> {
    /// CLA.
    pub class: u8,
    /// INS.
    pub instruction: u8,
    /// P1.
    pub p1: u8,
    /// P2.
    pub p2: u8,
    /// The command's data: Nc bytes, at most 65535.
    pub data: &'a [u8],
    /// Ne, the most bytes that the response's data may have: 1 to 65536, or 0 if the command has no Le.
    pub expected: u32,
}

/// How lengths are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// In one byte: up to 255 bytes of data and 256 of response.
    Short,
    /// In two bytes: up to 65535 bytes of data and 65536 of response. What CTAPHID carries (U2F HID Protocol §3).
    Extended,
}

/// The most data that a command can have, in bytes.
pub const MAX_DATA: usize = 65535;

impl<'a> Apdu<'a> {
    /// Reads a command of any of the four cases, in either encoding. Nothing may stand behind it.
    ///
    /// # Errors
    /// [`StatusWord::WRONG_LENGTH`] if the lengths in the command and that of the command do not agree.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, StatusWord> {
        let (&[class, instruction, p1, p2], body) =
            bytes.split_first_chunk().ok_or(StatusWord::WRONG_LENGTH)?;
        let (data, expected) = match body {
            [] => (&[][..], 0),
            [le] => (&[][..], short_expected(*le)),
            [0, rest @ ..] => extended_body(rest)?,
            [lc, rest @ ..] => short_body(*lc, rest)?,
        };
        Ok(Self { class, instruction, p1, p2, data, expected })
    }

    /// Writes the command.
    ///
    /// # Errors
    /// [`Full`] if the buffer has no room, or if a length is more than the encoding can state.
    pub fn encode(&self, encoding: Encoding, encoder: &mut Encoder<'_>) -> Result<(), Full> {
        encoder.raw(&[self.class, self.instruction, self.p1, self.p2])?;
        match encoding {
            Encoding::Short => self.encode_short(encoder),
            Encoding::Extended => self.encode_extended(encoder),
        }
    }

    fn encode_short(&self, encoder: &mut Encoder<'_>) -> Result<(), Full> {
        if !self.data.is_empty() {
            let lc = u8::try_from(self.data.len()).map_err(|_| Full)?;
            encoder.raw(&[lc])?.raw(self.data)?;
        }
        match self.expected {
            0 => {}
            SHORT_MAX => drop(encoder.raw(&[0])?),
            expected => drop(encoder.raw(&[u8::try_from(expected).map_err(|_| Full)?])?),
        }
        Ok(())
    }

    fn encode_extended(&self, encoder: &mut Encoder<'_>) -> Result<(), Full> {
        let has_data = !self.data.is_empty();
        if has_data {
            let lc = u16::try_from(self.data.len()).map_err(|_| Full)?;
            encoder.raw(&[0])?.raw(&lc.to_be_bytes())?.raw(self.data)?;
        }
        let le = match self.expected {
            0 => return Ok(()),
            EXTENDED_MAX => 0,
            expected => u16::try_from(expected).map_err(|_| Full)?,
        };
        if !has_data {
            encoder.raw(&[0])?;
        }
        encoder.raw(&le.to_be_bytes())?;
        Ok(())
    }
}

/// What stands behind Lc in the short encoding: the data, and Le or nothing.
fn short_body(lc: u8, rest: &[u8]) -> Result<(&[u8], u32), StatusWord> {
    let (data, le) = rest.split_at_checked(usize::from(lc)).ok_or(StatusWord::WRONG_LENGTH)?;
    match le {
        [] => Ok((data, 0)),
        [le] => Ok((data, short_expected(*le))),
        _ => Err(StatusWord::WRONG_LENGTH),
    }
}

/// What stands behind the zero that begins the extended encoding: Le alone, or Lc, the data, and Le or nothing.
///
/// An Lc of zero should have been left out, but early drafts of U2F asked for version that way (`00 03 00 00 00 0000
/// 0000`), and hosts still do.
fn extended_body(rest: &[u8]) -> Result<(&[u8], u32), StatusWord> {
    let (length, rest) = rest.split_first_chunk::<2>().ok_or(StatusWord::WRONG_LENGTH)?;
    if rest.is_empty() {
        return Ok((&[], extended_expected(*length)));
    }
    let lc = usize::from(u16::from_be_bytes(*length));
    let (data, le) = rest.split_at_checked(lc).ok_or(StatusWord::WRONG_LENGTH)?;
    match le {
        [] => Ok((data, 0)),
        [high, low] => Ok((data, extended_expected([*high, *low]))),
        _ => Err(StatusWord::WRONG_LENGTH),
    }
}

fn short_expected(le: u8) -> u32 {
    if le == 0 { SHORT_MAX } else { u32::from(le) }
}

fn extended_expected(le: [u8; 2]) -> u32 {
    let le = u16::from_be_bytes(le);
    if le == 0 { EXTENDED_MAX } else { u32::from(le) }
}

const SHORT_MAX: u32 = 256;
const EXTENDED_MAX: u32 = 65536;
