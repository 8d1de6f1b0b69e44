//! The certificate that a credential issues to itself where U2F needs one and there is no batch.
//!
//! An X.509 certificate (RFC 5280) of version 1: it has no extension, since it claims nothing. Everything in it is the
//! same for every credential but the serial number and the public key, and the serial number is a hash of the key: it
//! shows nothing beyond what the registration carries beside it.

use keywright_common::cose::PublicKey;
use rand_core::CryptoRng;

use crate::credential::SigningKey;
use crate::crypto::sha256;

/// A certificate in DER.
pub(crate) type Certificate = heapless::Vec<u8, 384>;

/// Issues a certificate for `key`, signed by `key`; `None` if it is not for ES256.
pub(super) fn issue(key: &SigningKey, random: &mut impl CryptoRng) -> Option<Certificate> {
    let PublicKey::Es256 { x, y } = key.public_key() else { return None };
    let serial = serial_number(&x);
    let to_be_signed: [&[u8]; 10] =
        [TBS_HEAD, SERIAL_HEAD, &serial, ECDSA_WITH_SHA256, NAME, VALIDITY, NAME, P256_KEY_HEAD, &x, &y];
    let signature = key.sign(&to_be_signed, random);
    let bit_string_length = u8::try_from(signature.len().checked_add(1)?).ok()?;
    let bit_string = [0x03, bit_string_length, 0x00];
    let rest: [&[u8]; 3] = [ECDSA_WITH_SHA256, &bit_string, &signature];

    let parts = to_be_signed.iter().chain(&rest);
    let [high, low] = u16::try_from(parts.clone().map(|part| part.len()).sum::<usize>()).ok()?.to_be_bytes();
    let mut certificate = Certificate::from_slice(&[0x30, 0x82, high, low]).ok()?;
    parts.into_iter().try_for_each(|part| certificate.extend_from_slice(part)).ok()?;
    Some(certificate)
}

/// 16 bytes that are a positive INTEGER in its shortest form: RFC 5280 §4.1.2.2 wants no serial number twice.
fn serial_number(x: &[u8; 32]) -> [u8; SERIAL_LENGTH] {
    let hash = sha256(&[x]);
    let mut serial = [0; SERIAL_LENGTH];
    serial.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    let [first, ..] = &mut serial;
    *first = (*first & 0x3f) | 0x40;
    serial
}

const SERIAL_LENGTH: usize = 16;
/// SEQUENCE of [`TBS_LENGTH`] bytes: TBSCertificate.
const TBS_HEAD: &[u8] = &[0x30, 0x81, 0xe9];
const TBS_LENGTH: usize = 0xe9;
/// INTEGER of 16 bytes.
const SERIAL_HEAD: &[u8] = &[0x02, 0x10];
/// SEQUENCE { 1.2.840.10045.4.3.2 }
const ECDSA_WITH_SHA256: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// Issuer and subject: SEQUENCE { SET { SEQUENCE { 2.5.4.3 (commonName), UTF8String } } }
const NAME: &[u8] = b"\x30\x25\x31\x23\x30\x21\x06\x03\x55\x04\x03\x0c\x1aKeywright self attestation";
/// From 2025 to the end that RFC 5280 §4.1.2.5 names for "no end": the key has no clock that could say more.
const VALIDITY: &[u8] = b"\x30\x20\x17\x0d250101000000Z\x18\x0f99991231235959Z";
/// SEQUENCE { SEQUENCE { 1.2.840.10045.2.1 (ecPublicKey), 1.2.840.10045.3.1.7 (P-256) }, BIT STRING { 04 || x || y } }
const P256_KEY_HEAD: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];
const _: () = assert!(
    TBS_LENGTH
        == SERIAL_HEAD.len()
            + SERIAL_LENGTH
            + ECDSA_WITH_SHA256.len()
            + NAME.len()
            + VALIDITY.len()
            + NAME.len()
            + P256_KEY_HEAD.len()
            + 64
);
