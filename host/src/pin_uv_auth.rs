//! The platform's side of the PIN/UV auth protocols 1 and 2 (§6.5.4, §6.5.6, §6.5.7).
//!
//! ```
//! use keywright_host::pin_uv_auth::{Pin, PinRule, Protocol, SharedSecret};
//!
//! // A key's public point; here, the generator.
//! let x = *b"\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\
//!            \x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96";
//! let y = *b"\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\
//!            \x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";
//! let secret = SharedSecret::encapsulate(Protocol::Two, &x, &y).unwrap();
//! let pin = Pin::new("1234")?;
//! let encrypted = secret.encrypt(&*pin.hash()).unwrap();
//! assert_eq!(encrypted.len(), 16 + 16);
//! assert_eq!(secret.decrypt(&encrypted).unwrap()[..], pin.hash()[..]);
//! assert_eq!(Pin::new("123").unwrap_err(), PinRule::TooShort { minimum: 4, found: 3 });
//! # Ok::<(), PinRule>(())
//! ```

mod pin;

use std::fmt;

use aes::Aes256;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use ciborium::Value;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{PublicKey, Sec1Point, SecretKey};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use crate::{cbor, random};

pub use pin::{Pin, PinRule};

/// A PIN/UV auth protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Protocol 1, of CTAP 2.0.
    One,
    /// Protocol 2.
    Two,
}

impl Protocol {
    /// The best of those that a key offers: 2 if it is among them. A key that names none speaks 1, as CTAP 2.0 had it.
    pub fn choose(offered: &[u64]) -> Option<Self> {
        match offered {
            [] => Some(Self::One),
            offered if offered.contains(&2) => Some(Self::Two),
            offered if offered.contains(&1) => Some(Self::One),
            _ => None,
        }
    }

    /// The protocol's number.
    pub const fn number(self) -> u64 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// `authenticate`: HMAC-SHA-256, of which protocol 1 keeps 16 bytes.
    fn authenticate(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        // HMAC takes keys of every length.
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
        let tag = mac.chain_update(message).finalize().into_bytes();
        let length = match self {
            Self::One => 16,
            Self::Two => 32,
        };
        tag.iter().copied().take(length).collect()
    }
}

/// What platform and key share after a key agreement. Wiped on drop.
pub struct SharedSecret {
    protocol: Protocol,
    hmac_key: Zeroizing<[u8; 32]>,
    aes_key: Zeroizing<[u8; 32]>,
    platform: ([u8; 32], [u8; 32]),
}

impl SharedSecret {
    /// `encapsulate`: makes a key pair of its own and agrees with the key's public point, given by its coordinates.
    /// `None` if that point is not on the curve, or the system has no randomness.
    pub fn encapsulate(protocol: Protocol, x: &[u8; 32], y: &[u8; 32]) -> Option<Self> {
        loop {
            let mut scalar: [u8; 32] = random::bytes()?;
            // One in 2^32 draws is no scalar of the curve.
            let secret = SecretKey::from_slice(&scalar);
            scalar.zeroize();
            if let Ok(secret) = secret {
                return Self::agree(protocol, &secret, x, y);
            }
        }
    }

    fn agree(protocol: Protocol, secret: &SecretKey, x: &[u8; 32], y: &[u8; 32]) -> Option<Self> {
        let point = Sec1Point::from_affine_coordinates(&(*x).into(), &(*y).into(), false);
        let peer = PublicKey::from_sec1_bytes(point.as_bytes()).ok()?;
        let shared = p256::ecdh::diffie_hellman(secret.to_nonzero_scalar(), peer.as_affine());
        let z = shared.raw_secret_bytes();
        let (hmac_key, aes_key) = match protocol {
            Protocol::One => {
                let key: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest(z).into());
                (key.clone(), key)
            }
            Protocol::Two => (derive(z, b"CTAP2 HMAC key")?, derive(z, b"CTAP2 AES key")?),
        };
        let public = secret.public_key().to_sec1_point(false);
        let (_, coordinates) = public.as_bytes().split_first()?;
        let (platform_x, platform_y) = coordinates.split_first_chunk::<32>()?;
        let platform = (*platform_x, platform_y.try_into().ok()?);
        Some(Self { protocol, hmac_key, aes_key, platform })
    }

    /// The protocol that was agreed with.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// `encrypt`; the length of `plaintext` must be a multiple of 16, else `None`.
    pub fn encrypt(&self, plaintext: &[u8]) -> Option<Vec<u8>> {
        let iv: [u8; 16] = match self.protocol {
            Protocol::One => [0; 16],
            Protocol::Two => random::bytes()?,
        };
        self.encrypt_with(iv, plaintext)
    }

    fn encrypt_with(&self, iv: [u8; 16], plaintext: &[u8]) -> Option<Vec<u8>> {
        let mut out = match self.protocol {
            Protocol::One => Vec::new(),
            Protocol::Two => iv.to_vec(),
        };
        let (blocks, rest) = plaintext.as_chunks::<16>();
        let mut cipher = cbc::Encryptor::<Aes256>::new((&*self.aes_key).into(), &iv.into());
        for block in blocks {
            let mut block = (*block).into();
            cipher.encrypt_block(&mut block);
            out.extend_from_slice(&block);
        }
        rest.is_empty().then_some(out)
    }

    /// `decrypt`; `None` if the length is none that `encrypt` gives.
    pub fn decrypt(&self, ciphertext: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (iv, ciphertext) = match self.protocol {
            Protocol::One => (&[0; 16], ciphertext),
            Protocol::Two => ciphertext.split_first_chunk::<16>()?,
        };
        let (blocks, rest) = ciphertext.as_chunks::<16>();
        let mut cipher = cbc::Decryptor::<Aes256>::new((&*self.aes_key).into(), iv.into());
        // Never grows, so that no copy of the plaintext is left behind.
        let mut out = Zeroizing::new(Vec::with_capacity(ciphertext.len()));
        for block in blocks {
            let mut block = (*block).into();
            cipher.decrypt_block(&mut block);
            out.extend_from_slice(&block);
            block.zeroize();
        }
        rest.is_empty().then_some(out)
    }

    /// `authenticate` under the shared secret.
    pub fn authenticate(&self, message: &[u8]) -> Vec<u8> {
        self.protocol.authenticate(&*self.hmac_key, message)
    }

    /// The platform's public key, as `keyAgreement` carries it: a COSE_Key of algorithm -25 (§6.5.6).
    pub fn key_agreement(&self) -> Value {
        let (x, y) = &self.platform;
        cbor::map([
            (1, Some(Value::from(2))),
            (3, Some(Value::from(-25))),
            (-1, Some(Value::from(1))),
            (-2, Some(cbor::bytes(x))),
            (-3, Some(cbor::bytes(y))),
        ])
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedSecret({:?}, redacted)", self.protocol)
    }
}

/// A pinUvAuthToken. Wiped on drop.
#[derive(Clone)]
pub struct Token {
    protocol: Protocol,
    bytes: Zeroizing<Vec<u8>>,
}

impl Token {
    /// A token that a key gave; `None` if its length is none that a token has (§6.5.6, §6.5.7).
    pub fn new(protocol: Protocol, bytes: Zeroizing<Vec<u8>>) -> Option<Self> {
        let is_token = match protocol {
            Protocol::One => bytes.len() == 16 || bytes.len() == 32,
            Protocol::Two => bytes.len() == 32,
        };
        is_token.then_some(Self { protocol, bytes })
    }

    /// The protocol that the token belongs to.
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// `authenticate` under the token: a pinUvAuthParam.
    pub fn authenticate(&self, message: &[u8]) -> Vec<u8> {
        self.protocol.authenticate(&self.bytes, message)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({:?}, redacted)", self.protocol)
    }
}

/// Bits of a token's permissions (§6.5.5.7).
pub mod permission {
    /// makeCredential.
    pub const MAKE_CREDENTIAL: u8 = 0x01;
    /// getAssertion.
    pub const GET_ASSERTION: u8 = 0x02;
    /// credentialManagement.
    pub const CREDENTIAL_MANAGEMENT: u8 = 0x04;
    /// bioEnrollment.
    pub const BIO_ENROLLMENT: u8 = 0x08;
    /// largeBlobs, writing.
    pub const LARGE_BLOB_WRITE: u8 = 0x10;
    /// authenticatorConfig.
    pub const AUTHENTICATOR_CONFIGURATION: u8 = 0x20;
    /// credentialManagement, reading only, with a token that persists.
    pub const PERSISTENT_CREDENTIAL_MANAGEMENT_READ_ONLY: u8 = 0x40;
}

fn derive(z: &[u8], info: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(&[0; 32]), z).expand(info, &mut *key).ok()?;
    Some(key)
}

#[cfg(test)]
mod tests;
