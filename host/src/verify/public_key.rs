//! Public keys as credentials have them, and signatures.

use p256::Sec1Point;
use p256::ecdsa::DerSignature;
use p256::ecdsa::signature::Verifier as _;

use super::VerifyError;
use crate::cbor::Members;

/// A credential's public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// ES256: a point of P-256.
    Es256 {
        /// The x-coordinate, big-endian.
        x: [u8; 32],
        /// The y-coordinate, big-endian.
        y: [u8; 32],
    },
    /// EdDSA: a point of Ed25519 in its encoding.
    EdDsa {
        /// The encoded point.
        x: [u8; 32],
    },
    /// Of an algorithm that this program cannot verify: its COSE identifier.
    Other(i64),
}

impl PublicKey {
    /// Reads a COSE_Key of whatever algorithm; `None` if it is no COSE_Key, or a known algorithm's coordinates are missing.
    pub fn parse(cose: &[u8]) -> Option<Self> {
        let mut key = Members::parse(cose)?;
        let kind: i64 = key.unsigned(1)?;
        let algorithm: i64 = key.unsigned(3)?;
        let curve: Option<i64> = key.unsigned(-1);
        let mut coordinate = |label| -> Option<[u8; 32]> { key.bytes(label)?.try_into().ok() };
        match (kind, algorithm, curve) {
            (2, ES256, Some(1)) => Some(Self::Es256 { x: coordinate(-2)?, y: coordinate(-3)? }),
            (1, EDDSA, Some(6)) => Some(Self::EdDsa { x: coordinate(-2)? }),
            _ => Some(Self::Other(algorithm)),
        }
    }

    /// The COSE algorithm identifier.
    pub const fn algorithm(&self) -> i64 {
        match self {
            Self::Es256 { .. } => ES256,
            Self::EdDsa { .. } => EDDSA,
            Self::Other(algorithm) => *algorithm,
        }
    }

    /// The key as DER SubjectPublicKeyInfo (RFC 5280, RFC 5480, RFC 8410); `None` for an algorithm that is not known.
    pub fn to_spki(&self) -> Option<Vec<u8>> {
        match self {
            Self::Es256 { x, y } => Some([SPKI_P256, x, y].concat()),
            Self::EdDsa { x } => Some([SPKI_ED25519, x].concat()),
            Self::Other(_) => None,
        }
    }

    /// Verifies a signature: ASN.1 DER for ES256, 64 bytes for EdDSA.
    ///
    /// # Errors
    /// [`VerifyError::Algorithm`], [`VerifyError::Signature`]; [`VerifyError::Malformed`] if the key is no point of its curve.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        match self {
            Self::Es256 { x, y } => {
                let point = Sec1Point::from_affine_coordinates(&(*x).into(), &(*y).into(), false);
                let key =
                    p256::ecdsa::VerifyingKey::from_sec1_point(&point).map_err(|_| VerifyError::Malformed)?;
                verify_es256(&key, message, signature)
            }
            Self::EdDsa { x } => {
                let key = ed25519_dalek::VerifyingKey::from_bytes(x).map_err(|_| VerifyError::Malformed)?;
                let signature =
                    ed25519_dalek::Signature::from_slice(signature).map_err(|_| VerifyError::Signature)?;
                key.verify_strict(message, &signature).map_err(|_| VerifyError::Signature)
            }
            Self::Other(_) => Err(VerifyError::Algorithm),
        }
    }
}

/// Verifies a DER signature of ES256.
pub(super) fn verify_es256(
    key: &p256::ecdsa::VerifyingKey,
    message: &[u8],
    signature: &[u8],
) -> Result<(), VerifyError> {
    let signature = DerSignature::from_bytes(signature).map_err(|_| VerifyError::Signature)?;
    key.verify(message, &signature).map_err(|_| VerifyError::Signature)
}

const ES256: i64 = -7;
const EDDSA: i64 = -8;
/// Everything before the coordinates, the mark of an uncompressed point included.
const SPKI_P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
const SPKI_ED25519: &[u8] = &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
