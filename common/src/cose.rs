//! Public keys as COSE_Key maps (RFC 9052 §7, RFC 9053), in CTAP2 canonical form.

use crate::cbor::{Encoder, Full, Map};
use crate::status::Status;

/// A COSE algorithm identifier. Open: identifiers that are not named here survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Algorithm(pub i32);

impl Algorithm {
    /// ECDSA on P-256 with SHA-256.
    pub const ES256: Self = Self(-7);
    /// EdDSA; in CTAP with the curve Ed25519.
    pub const EDDSA: Self = Self(-8);
    /// ECDH-ES with HKDF-256: what CTAP calls the key agreement key's algorithm, though it derives keys otherwise.
    pub const ECDH_ES_HKDF_256: Self = Self(-25);
}

/// A public key that CTAP carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// A P-256 key for signatures: kty EC2, alg ES256, crv P-256.
    Es256 {
        /// The x coordinate, big-endian.
        x: [u8; 32],
        /// The y coordinate, big-endian.
        y: [u8; 32],
    },
    /// An Ed25519 key: kty OKP, alg EdDSA, crv Ed25519.
    EdDsa {
        /// The key.
        x: [u8; 32],
    },
    /// A P-256 key for key agreement: kty EC2, alg ECDH-ES+HKDF-256, crv P-256.
    EcdhEsHkdf256 {
        /// The x coordinate, big-endian.
        x: [u8; 32],
        /// The y coordinate, big-endian.
        y: [u8; 32],
    },
}

impl PublicKey {
    /// The key's algorithm.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Es256 { .. } => Algorithm::ES256,
            Self::EdDsa { .. } => Algorithm::EDDSA,
            Self::EcdhEsHkdf256 { .. } => Algorithm::ECDH_ES_HKDF_256,
        }
    }

    /// Writes the COSE_Key map.
    ///
    /// # Errors
    /// [`Full`] if the buffer has no room; 78 bytes are enough.
    pub fn encode(&self, encoder: &mut Encoder<'_>) -> Result<(), Full> {
        let algorithm = self.algorithm().0;
        match self {
            Self::Es256 { x, y } | Self::EcdhEsHkdf256 { x, y } => {
                encoder.map(5)?.integer(KTY)?.integer(KTY_EC2)?.integer(ALG)?.integer(algorithm)?;
                encoder.integer(CRV)?.integer(CRV_P256)?.integer(X)?.bytes(x)?.integer(Y)?.bytes(y)?;
            }
            Self::EdDsa { x } => {
                encoder.map(4)?.integer(KTY)?.integer(KTY_OKP)?.integer(ALG)?.integer(algorithm)?;
                encoder.integer(CRV)?.integer(CRV_ED25519)?.integer(X)?.bytes(x)?;
            }
        }
        Ok(())
    }

    /// Reads a COSE_Key map. Members that are not known are ignored.
    ///
    /// # Errors
    /// `MISSING_PARAMETER` if a member is absent, `CBOR_UNEXPECTED_TYPE` if one has another type, `INVALID_PARAMETER`
    /// if a value is none of the three kinds or a coordinate is not 32 bytes.
    pub fn decode(map: Map<'_>) -> Result<Self, Status> {
        let number = |key| map.get(key).ok_or(Status::MISSING_PARAMETER)?.integer().map_err(Status::from);
        let coordinate = |key| -> Result<[u8; 32], Status> {
            let bytes = map.get(key).ok_or(Status::MISSING_PARAMETER)?.bytes()?;
            bytes.try_into().map_err(|_| Status::INVALID_PARAMETER)
        };
        let algorithm = i32::try_from(number(ALG)?).map(Algorithm).map_err(|_| Status::INVALID_PARAMETER)?;
        match (number(KTY)?, algorithm, number(CRV)?) {
            (KTY_EC2, Algorithm::ES256, CRV_P256) => Ok(Self::Es256 { x: coordinate(X)?, y: coordinate(Y)? }),
            (KTY_EC2, Algorithm::ECDH_ES_HKDF_256, CRV_P256) => {
                Ok(Self::EcdhEsHkdf256 { x: coordinate(X)?, y: coordinate(Y)? })
            }
            (KTY_OKP, Algorithm::EDDSA, CRV_ED25519) => Ok(Self::EdDsa { x: coordinate(X)? }),
            _ => Err(Status::INVALID_PARAMETER),
        }
    }
}

const KTY: i64 = 1;
const ALG: i64 = 3;
const CRV: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;
const KTY_OKP: i128 = 1;
const KTY_EC2: i128 = 2;
const CRV_P256: i128 = 1;
const CRV_ED25519: i128 = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::Item;

    const KEYS: [PublicKey; 3] = [
        PublicKey::Es256 { x: [1; 32], y: [2; 32] },
        PublicKey::EdDsa { x: [3; 32] },
        PublicKey::EcdhEsHkdf256 { x: [4; 32], y: [5; 32] },
    ];

    #[test]
    fn keys_survive_the_way_there_and_back_in_canonical_form() {
        for key in KEYS {
            let mut buffer = [0; 78];
            let mut encoder = Encoder::new(&mut buffer);
            key.encode(&mut encoder).unwrap();
            let map = Item::parse(encoder.written()).unwrap().map().unwrap();
            assert_eq!(PublicKey::decode(map), Ok(key));
        }
    }

    #[test]
    fn a_key_agreement_key_begins_as_the_specification_shows() {
        let mut buffer = [0; 78];
        let mut encoder = Encoder::new(&mut buffer);
        KEYS[2].encode(&mut encoder).unwrap();
        assert_eq!(encoder.written()[..10], [0xa5, 0x01, 0x02, 0x03, 0x38, 0x18, 0x20, 0x01, 0x21, 0x58]);
    }

    #[test]
    fn a_key_with_a_short_coordinate_or_a_foreign_curve_is_refused() {
        let decode = |bytes: &[u8]| PublicKey::decode(Item::parse(bytes).unwrap().map().unwrap());
        let short = [0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x41, 0, 0x22, 0x41, 0];
        assert_eq!(decode(&short), Err(Status::INVALID_PARAMETER));
        let curve = [0xa5, 1, 2, 3, 0x26, 0x20, 2, 0x21, 0x41, 0, 0x22, 0x41, 0];
        assert_eq!(decode(&curve), Err(Status::INVALID_PARAMETER));
        assert_eq!(decode(&[0xa1, 1, 2]), Err(Status::MISSING_PARAMETER));
        assert_eq!(decode(&[0xa2, 1, 0x61, b'x', 3, 0x26]), Err(Status::CBOR_UNEXPECTED_TYPE));
    }
}
