//! What stands before the status word.

use super::StatusWord;
use crate::cbor::{Encoder, Full};

/// The response to U2F_REGISTER (Raw Message Formats §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterResponse<'a> {
    /// The credential's public key: `04 || x || y`.
    pub public_key: &'a [u8; 65],
    /// What authentication will ask with, at most 255 bytes.
    pub key_handle: &'a [u8],
    /// An X.509 certificate in DER.
    pub certificate: &'a [u8],
    /// By the certificate's key, over `00 || application || challenge || key handle || public key`; DER.
    pub signature: &'a [u8],
}

/// The response to U2F_AUTHENTICATE (Raw Message Formats §5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthenticateResponse<'a> {
    /// The user presence byte: [`USER_PRESENT`] in bit 0, the others are reserved.
    pub user_presence: u8,
    /// The signature counter.
    pub counter: u32,
    /// By the credential's key, over `application || user presence || counter || challenge`; DER.
    pub signature: &'a [u8],
}

/// The bytes are no such response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedResponse;

/// Bit 0 of the user presence byte.
pub const USER_PRESENT: u8 = 0x01;
/// The response to U2F_VERSION (Raw Message Formats §6.3).
pub const VERSION: &[u8] = b"U2F_V2";

/// Takes a response apart: its data and its status word.
///
/// # Errors
/// [`MalformedResponse`] if it has not even a status word.
pub fn split_status(response: &[u8]) -> Result<(&[u8], StatusWord), MalformedResponse> {
    let (data, word) = response.split_last_chunk::<2>().ok_or(MalformedResponse)?;
    Ok((data, StatusWord(u16::from_be_bytes(*word))))
}

impl<'a> RegisterResponse<'a> {
    /// Reads the response's data. The key is not checked to be on the curve, nor the certificate or the signature.
    ///
    /// # Errors
    /// [`MalformedResponse`] if a part is cut short, or the reserved byte, the point's form or the certificate's tag is
    /// another.
    pub fn parse(data: &'a [u8]) -> Result<Self, MalformedResponse> {
        let (&[reserved], rest) = data.split_first_chunk::<1>().ok_or(MalformedResponse)?;
        let (public_key, rest) = rest.split_first_chunk::<65>().ok_or(MalformedResponse)?;
        if reserved != RESERVED || !public_key.starts_with(&[UNCOMPRESSED]) {
            return Err(MalformedResponse);
        }
        let (length, rest) = rest.split_first().ok_or(MalformedResponse)?;
        let (key_handle, rest) = rest.split_at_checked(usize::from(*length)).ok_or(MalformedResponse)?;
        let certificate_length = sequence_length(rest).ok_or(MalformedResponse)?;
        let (certificate, signature) = rest.split_at_checked(certificate_length).ok_or(MalformedResponse)?;
        if signature.is_empty() {
            return Err(MalformedResponse);
        }
        Ok(Self { public_key, key_handle, certificate, signature })
    }

    /// Writes the response's data.
    ///
    /// # Errors
    /// [`Full`] if the buffer has no room, or if the key handle is longer than 255 bytes.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Full> {
        let length = u8::try_from(self.key_handle.len()).map_err(|_| Full)?;
        encoder.raw(&[RESERVED])?.raw(self.public_key)?.raw(&[length])?.raw(self.key_handle)?;
        encoder.raw(self.certificate)?.raw(self.signature)?;
        Ok(())
    }
}

impl<'a> AuthenticateResponse<'a> {
    /// Reads the response's data. The signature is not checked.
    ///
    /// # Errors
    /// [`MalformedResponse`] if there are fewer than six bytes.
    pub fn parse(data: &'a [u8]) -> Result<Self, MalformedResponse> {
        let (&[user_presence], rest) = data.split_first_chunk::<1>().ok_or(MalformedResponse)?;
        let (counter, signature) = rest.split_first_chunk().ok_or(MalformedResponse)?;
        if signature.is_empty() {
            return Err(MalformedResponse);
        }
        Ok(Self { user_presence, counter: u32::from_be_bytes(*counter), signature })
    }

    /// Writes the response's data.
    ///
    /// # Errors
    /// [`Full`] if the buffer has no room.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Full> {
        encoder.raw(&[self.user_presence])?.raw(&self.counter.to_be_bytes())?.raw(self.signature)?;
        Ok(())
    }
}

/// The length of the DER SEQUENCE that `bytes` begin with, its head included: nothing else says where the certificate
/// of a registration ends.
fn sequence_length(bytes: &[u8]) -> Option<usize> {
    let (head, content) = match bytes {
        [SEQUENCE, length @ 0..=0x7f, ..] => (2, usize::from(*length)),
        [SEQUENCE, 0x81, length, ..] => (3, usize::from(*length)),
        [SEQUENCE, 0x82, high, low, ..] => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        _ => return None,
    };
    content.checked_add(head)
}

/// The first byte of a registration.
const RESERVED: u8 = 0x05;
/// SEC 1's form of a point with both coordinates.
const UNCOMPRESSED: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
