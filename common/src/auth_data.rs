//! Authenticator data (WebAuthn Level 2 §6.1): what a credential's signature covers.

use crate::cbor::{Encoder, Full, Item};
use crate::cose::PublicKey;

/// Flag bits of authenticator data.
pub mod flag {
    /// The user was present.
    pub const UP: u8 = 0x01;
    /// The user was verified.
    pub const UV: u8 = 0x04;
    /// Attested credential data follows.
    pub const AT: u8 = 0x40;
    /// Extension data follows.
    pub const ED: u8 = 0x80;
}

/// Length of the fixed part: RP ID hash, flags and signature counter.
pub const FIXED_LENGTH: usize = 37;

/// The fixed part of authenticator data. The AT and ED bits are set by what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// SHA-256 of the RP ID.
    pub rp_id_hash: [u8; 32],
    /// The flags of [`flag`].
    pub flags: u8,
    /// The signature counter.
    pub sign_count: u32,
}

impl Fixed {
    /// Writes the 37 bytes.
    ///
    /// # Errors
    /// [`Full`] if the buffer has no room.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Full> {
        encoder.raw(&self.rp_id_hash)?.raw(&[self.flags])?.raw(&self.sign_count.to_be_bytes())?;
        Ok(())
    }
}

/// Writes attested credential data: AAGUID, length of the id, id, public key.
///
/// # Errors
/// [`Full`] if the buffer has no room, or if the id is longer than 65535 bytes.
pub fn encode_attested_credential(
    aaguid: &[u8; 16],
    credential_id: &[u8],
    public_key: &PublicKey,
    encoder: &mut Encoder<'_>,
) -> Result<(), Full> {
    let length = u16::try_from(credential_id.len()).map_err(|_| Full)?;
    encoder.raw(aaguid)?.raw(&length.to_be_bytes())?.raw(credential_id)?;
    public_key.encode(encoder)
}

/// Authenticator data as a reader sees it; borrows from the bytes.
#[derive(Clone, Copy, Debug)]
pub struct AuthData<'a> {
    /// The fixed part.
    pub fixed: Fixed,
    /// Attested credential data, if the AT flag says so.
    pub attested_credential: Option<AttestedCredential<'a>>,
    /// The encoded map of extension outputs, if the ED flag says so.
    pub extensions: Option<&'a [u8]>,
}

/// Attested credential data.
#[derive(Clone, Copy, Debug)]
pub struct AttestedCredential<'a> {
    /// The authenticator's model.
    pub aaguid: [u8; 16],
    /// The credential id.
    pub credential_id: &'a [u8],
    /// The encoded COSE_Key, of whatever kind.
    pub public_key: &'a [u8],
}

/// The bytes are no authenticator data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedAuthData;

impl<'a> AuthData<'a> {
    /// Reads authenticator data of any authenticator.
    ///
    /// # Errors
    /// [`MalformedAuthData`] if something is cut short, is not CBOR where CBOR must stand, or has bytes behind it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, MalformedAuthData> {
        let (rp_id_hash, rest) = take::<32>(bytes)?;
        let (&[flags], rest) = take::<1>(rest)?;
        let (&count, mut rest) = take::<4>(rest)?;
        let fixed = Fixed { rp_id_hash: *rp_id_hash, flags, sign_count: u32::from_be_bytes(count) };
        let mut attested_credential = None;
        if flags & flag::AT != 0 {
            let attested;
            (attested, rest) = AttestedCredential::split(rest)?;
            attested_credential = Some(attested);
        }
        let mut extensions = None;
        if flags & flag::ED != 0 {
            let map;
            (map, rest) = Item::parse_prefix(rest).map_err(|_| MalformedAuthData)?;
            map.map().map_err(|_| MalformedAuthData)?;
            extensions = Some(map.encoded());
        }
        if !rest.is_empty() {
            return Err(MalformedAuthData);
        }
        Ok(Self { fixed, attested_credential, extensions })
    }
}

impl<'a> AttestedCredential<'a> {
    fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), MalformedAuthData> {
        let (aaguid, rest) = take::<16>(bytes)?;
        let (&length, rest) = take::<2>(rest)?;
        let length = usize::from(u16::from_be_bytes(length));
        let (credential_id, rest) = rest.split_at_checked(length).ok_or(MalformedAuthData)?;
        let (key, rest) = Item::parse_prefix(rest).map_err(|_| MalformedAuthData)?;
        Ok((Self { aaguid: *aaguid, credential_id, public_key: key.encoded() }, rest))
    }
}

fn take<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), MalformedAuthData> {
    bytes.split_first_chunk().ok_or(MalformedAuthData)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: PublicKey = PublicKey::Es256 { x: [1; 32], y: [2; 32] };

    fn written(buffer: &mut [u8]) -> usize {
        let fixed =
            Fixed { rp_id_hash: [7; 32], flags: flag::UP | flag::AT | flag::ED, sign_count: 0x0102_0304 };
        let mut encoder = Encoder::new(buffer);
        fixed.encode(&mut encoder).unwrap();
        encode_attested_credential(&[9; 16], &[8; 82], &KEY, &mut encoder).unwrap();
        encoder.map(1).unwrap().text("credProtect").unwrap().integer(2).unwrap();
        encoder.len()
    }

    #[test]
    fn every_part_survives_the_way_there_and_back() {
        let mut buffer = [0; 300];
        let length = written(&mut buffer);
        let data = AuthData::parse(&buffer[..length]).unwrap();
        assert_eq!(data.fixed.sign_count, 0x0102_0304);
        assert_eq!(data.attested_credential.unwrap().credential_id, [8; 82]);
        assert_eq!(data.extensions.unwrap().len(), 14);
    }

    #[test]
    fn every_truncation_and_a_trailing_byte_are_refused() {
        let mut buffer = [0; 300];
        let length = written(&mut buffer);
        for cut in 0..length {
            assert_eq!(AuthData::parse(&buffer[..cut]).err(), Some(MalformedAuthData));
        }
        assert_eq!(AuthData::parse(&buffer[..=length]).err(), Some(MalformedAuthData));
    }
}
