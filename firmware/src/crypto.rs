//! Cryptography: the only place that names the crates that do it.
//!
//! Secrets are owned values that wipe themselves; comparisons of secrets take the same time whatever they find.

mod base_point;
mod cbc;
mod ecdh;
mod eddsa;
mod es256;
mod mac;
pub mod seal;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

pub(crate) use cbc::AesCbc;
pub(crate) use ecdh::KeyAgreementKey;
pub(crate) use eddsa::EdDsaKey;
pub(crate) use es256::{Es256Key, Prepared};
pub(crate) use mac::{are_equal, hkdf_sha256, hmac_sha256};

/// A signature in the form in which WebAuthn carries it: ASN.1 DER for ES256, 64 bytes for EdDSA.
pub(crate) type Signature = heapless::Vec<u8, 72>;

/// Secret bytes: wiped on drop, compared in constant time, never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes bytes in.
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Draws bytes.
    pub fn random(random: &mut impl rand_core::CryptoRng) -> Self {
        let mut secret = Self([0; N]);
        random.fill_bytes(&mut secret.0);
        secret
    }

    /// The bytes.
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes, to be written in place.
    pub const fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> core::fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret")
    }
}

/// SHA-256 over the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

#[cfg(test)]
mod vectors {
    /// The bytes of a hexadecimal text of a test vector.
    pub(super) fn hex<const N: usize>(text: &str) -> [u8; N] {
        core::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }
}
