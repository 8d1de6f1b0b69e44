//! Authenticator data, read tolerantly (WebAuthn §6.1): keys of every algorithm and every extension output.

use ciborium::Value;
use keywright_common::auth_data::{FIXED_LENGTH, flag};

use crate::cbor::Members;

/// What an authenticator signs.
///
/// ```
/// use keywright_host::auth_data::AuthData;
///
/// let mut bytes = [0; 37];
/// bytes[32] = 0x05;
/// bytes[36] = 9;
/// let data = AuthData::parse(&bytes).unwrap();
/// assert!(data.user_present() && data.user_verified());
/// assert_eq!(data.sign_count, 9);
/// assert!(AuthData::parse(&bytes[..36]).is_none());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct AuthData {
    /// SHA-256 of the RP ID.
    pub rp_id_hash: [u8; 32],
    /// Bits of [`flag`], and of later texts.
    pub flags: u8,
    /// The signature counter.
    pub sign_count: u32,
    /// In a registration, the new credential.
    pub attested_credential: Option<AttestedCredential>,
    /// Extension outputs, whatever they are.
    pub extensions: Vec<(Value, Value)>,
}

/// The new credential of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestedCredential {
    /// The authenticator's model.
    pub aaguid: [u8; 16],
    /// The credential id.
    pub id: Vec<u8>,
    /// The public key: a COSE_Key as the authenticator encoded it.
    pub public_key: Vec<u8>,
}

impl AuthData {
    /// Reads authenticator data; `None` if a part is missing or something follows it.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (fixed, mut rest) = bytes.split_first_chunk::<FIXED_LENGTH>()?;
        let (rp_id_hash, tail) = fixed.split_first_chunk::<32>()?;
        let (&flags, count) = tail.split_first()?;
        let attested_credential = if flags & flag::AT == 0 { None } else { Some(attested(&mut rest)?) };
        let extensions = if flags & flag::ED == 0 { Vec::new() } else { read(&mut rest)?.into_map().ok()? };
        rest.is_empty().then_some(Self {
            rp_id_hash: *rp_id_hash,
            flags,
            sign_count: u32::from_be_bytes(count.try_into().ok()?),
            attested_credential,
            extensions,
        })
    }

    /// The user touched the key, or otherwise showed to be there.
    pub const fn user_present(&self) -> bool {
        self.flags & flag::UP != 0
    }

    /// The user proved to be the one.
    pub const fn user_verified(&self) -> bool {
        self.flags & flag::UV != 0
    }

    /// The output of an extension.
    pub fn extension(&self, name: &str) -> Option<&Value> {
        self.extensions.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
    }
}

/// The bytes with an AAGUID of zeros, as `attestation: "none"` wants it (WebAuthn §5.1.3 step 22).
pub(crate) fn without_aaguid(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if let Some(aaguid) = bytes.get_mut(FIXED_LENGTH..FIXED_LENGTH + 16) {
        aaguid.fill(0);
    }
    bytes
}

fn attested(rest: &mut &[u8]) -> Option<AttestedCredential> {
    let (aaguid, tail) = rest.split_first_chunk::<16>()?;
    let (length, tail) = tail.split_first_chunk::<2>()?;
    let (id, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = tail;
    Members::from_value(read(rest)?)?;
    let public_key = tail.get(..tail.len().checked_sub(rest.len())?)?.to_vec();
    Some(AttestedCredential { aaguid: *aaguid, id: id.to_vec(), public_key })
}

/// One value, of whatever form; `rest` is what follows it.
fn read(rest: &mut &[u8]) -> Option<Value> {
    ciborium::from_reader(rest).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn example() -> Vec<u8> {
        let mut bytes = vec![7; 32];
        bytes.extend([0xc1, 0, 0, 0, 5]);
        bytes.extend([9; 16]);
        bytes.extend([0, 3, 1, 2, 3]);
        // An RSA key in an order that is not canonical, then an extension of the future with a float.
        bytes.extend([0xa3, 0x20, 0x42, 1, 2, 3, 0x39, 1, 0, 1, 3]);
        bytes.extend([0xa1, 0x63, b'n', b'e', b'w', 0xf9, 0x3c, 0]);
        bytes
    }

    #[test]
    fn g37_keys_and_extensions_that_are_not_known_are_read() {
        let data = AuthData::parse(&example()).unwrap();
        let credential = data.attested_credential.as_ref().unwrap();
        assert_eq!(credential.id, [1, 2, 3]);
        assert_eq!(credential.public_key.len(), 11);
        assert_eq!(data.extension("new"), Some(&Value::Float(1.0)));
        assert_eq!(data.extension("old"), None);
    }

    #[test]
    fn every_truncation_and_a_trailing_byte_are_refused() {
        let bytes = example();
        for cut in 0..bytes.len() {
            assert_eq!(AuthData::parse(&bytes[..cut]), None, "{cut}");
        }
        assert_eq!(AuthData::parse(&[&bytes[..], &[0]].concat()), None);
    }

    #[test]
    fn only_the_aaguid_is_taken_out() {
        let bytes = example();
        let anonymous = without_aaguid(&bytes);
        assert_eq!(AuthData::parse(&anonymous).unwrap().attested_credential.unwrap().aaguid, [0; 16]);
        let differing = bytes.iter().zip(&anonymous).filter(|(a, b)| a != b).count();
        assert_eq!(differing, 16);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = AuthData::parse(&bytes);
        }

        #[test]
        fn no_tail_makes_the_reader_panic(tail in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = AuthData::parse(&[&example()[..60], &tail].concat());
        }
    }
}
