//! ECDSA on P-256 with SHA-256.

use keywright_common::cose::PublicKey;
use p256::ecdsa::Signature as Scalars;
use p256::elliptic_curve::Curve;
use p256::elliptic_curve::bigint::Odd;
use p256::elliptic_curve::ops::{Invert, Reduce};
use p256::elliptic_curve::point::AffineCoordinates;
use p256::{FieldBytes, NistP256, NonZeroScalar, Scalar, U256};
use rand_core::CryptoRng;
use rfc6979::KGenerator;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Secret, Signature, base_point};

type Nonces = KGenerator<'static, sha2::Sha256, U256>;

/// A private key: the scalar alone, since signing needs nothing else.
pub(crate) struct Es256Key(NonZeroScalar);

impl Es256Key {
    /// The key with this scalar; `None` if it is zero or not below the order.
    pub(crate) fn from_secret(secret: &Secret<32>) -> Option<Self> {
        NonZeroScalar::from_repr((*secret.expose()).into()).into_option().map(Self)
    }

    /// Draws a scalar.
    pub(crate) fn random_secret(random: &mut impl CryptoRng) -> Secret<32> {
        loop {
            let secret = Secret::random(random);
            if Self::from_secret(&secret).is_some() {
                return secret;
            }
        }
    }

    /// The public point.
    pub(crate) fn public_key(&self) -> PublicKey {
        let (x, y) = coordinates(&self.0);
        PublicKey::Es256 { x, y }
    }

    /// Signs a digest.
    pub(crate) fn sign(&self, digest: &[u8; 32], entropy: &[u8; 32]) -> Signature {
        let mut nonces = self.nonces(digest, entropy);
        loop {
            if let Some(signature) =
                next(&mut nonces, digest).and_then(|prepared| self.finish(prepared, digest))
            {
                return signature;
            }
        }
    }

    /// Does what takes long of signing a digest. `None` for one nonce in 2^128.
    pub(crate) fn prepare(&self, digest: &[u8; 32], entropy: &[u8; 32]) -> Option<Prepared> {
        next(&mut self.nonces(digest, entropy), digest)
    }

    /// Signs with what was prepared (FIPS 186-5 §6.4.1 steps 8 to 11). `None` if that was for another digest: a nonce is
    /// good for one.
    pub(crate) fn finish(&self, prepared: Prepared, digest: &[u8; 32]) -> Option<Signature> {
        if prepared.digest != *digest {
            return None;
        }
        let s = prepared.inverse * (reduce(&(*digest).into()) + prepared.r * *self.0);
        Scalars::from_scalars(prepared.r, s).ok().map(|scalars| der(&scalars))
    }

    /// The nonces are RFC 6979's with `entropy` added (§3.6): deterministic if the entropy fails, and not the same twice if
    /// the digest is, so that a fault cannot be compared.
    fn nonces(&self, digest: &[u8; 32], entropy: &[u8; 32]) -> Nonces {
        Nonces::new(&self.0.to_bytes(), digest, entropy, ORDER.as_ref())
    }
}

/// The nonce of a signature, as far as the digest has no part in it: r, and the inverse of k.
///
/// It is bound to the digest all the same. Used for a second one, it would give the private key away.
pub(crate) struct Prepared {
    digest: [u8; 32],
    r: Scalar,
    inverse: Scalar,
}

impl Drop for Prepared {
    fn drop(&mut self) {
        self.r.zeroize();
        self.inverse.zeroize();
    }
}

impl ZeroizeOnDrop for Prepared {}

/// Steps 4 to 7 with the next nonce.
fn next(nonces: &mut Nonces, digest: &[u8; 32]) -> Option<Prepared> {
    let mut nonce = FieldBytes::default();
    nonces.fill_next_k(&mut nonce);
    let prepared = NonZeroScalar::from_repr(nonce).into_option().map(|mut k| {
        let r = reduce(&base_point::multiply(&k).x());
        let inverse = *Invert::invert(&k);
        k.zeroize();
        Prepared { digest: *digest, r, inverse }
    });
    nonce.zeroize();
    prepared
}

impl Drop for Es256Key {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Es256Key {}

/// The affine coordinates of a scalar's public point.
pub(super) fn coordinates(scalar: &NonZeroScalar) -> ([u8; 32], [u8; 32]) {
    let point = base_point::multiply(scalar);
    (point.x().into(), point.y().into())
}

/// A number of 256 bits modulo the order.
fn reduce(bytes: &FieldBytes) -> Scalar {
    <Scalar as Reduce<FieldBytes>>::reduce(bytes)
}

/// `SEQUENCE { INTEGER r, INTEGER s }`.
fn der(signature: &Scalars) -> Signature {
    let (r, s) = signature.split_bytes();
    let mut body = heapless::Vec::<u8, 70>::new();
    for scalar in [r, s] {
        let start = scalar.iter().position(|byte| *byte != 0).unwrap_or(31);
        let digits = scalar.get(start..).unwrap_or_default();
        let is_high = digits.first().is_some_and(|byte| *byte >= 0x80);
        let pad: &[u8] = if is_high { &[0] } else { &[] };
        let length = u8::try_from(pad.len().saturating_add(digits.len())).unwrap_or_default();
        // Two integers of at most 2 + 33 bytes.
        let _ = body.extend_from_slice(&[0x02, length]);
        let _ = body.extend_from_slice(pad);
        let _ = body.extend_from_slice(digits);
    }
    let length = u8::try_from(body.len()).unwrap_or_default();
    let mut sequence = Signature::new();
    let _ = sequence.extend_from_slice(&[0x30, length]);
    let _ = sequence.extend_from_slice(&body);
    sequence
}

/// Of the base point.
static ORDER: Odd<U256> = NistP256::ORDER;

#[cfg(test)]
mod tests {
    use p256::ecdsa::signature::hazmat::PrehashVerifier;
    use p256::ecdsa::{Signature as Verifiable, VerifyingKey};

    use super::*;

    #[test]
    fn der_has_no_padding_too_many_and_none_too_few() {
        let scalars = |r: u8, s: u8| {
            let mut bytes = [0; 64];
            bytes[31] = r;
            bytes[32] = s;
            Scalars::from_slice(&bytes).unwrap()
        };
        assert_eq!(der(&scalars(0x7f, 0x01))[..5], [0x30, 2 + 1 + 2 + 32, 0x02, 1, 0x7f]);
        assert_eq!(der(&scalars(0x80, 0x01))[..6], [0x30, 2 + 2 + 2 + 32, 0x02, 2, 0, 0x80]);
        assert_eq!(der(&scalars(0x01, 0x90))[5..9], [0x02, 33, 0, 0x90]);
    }

    #[test]
    fn g30_a_signature_verifies_and_added_entropy_changes_it() {
        let key = Es256Key::from_secret(&Secret::new([7; 32])).unwrap();
        let PublicKey::Es256 { x, y } = key.public_key() else { panic!("another kind") };
        let point = p256::Sec1Point::from_affine_coordinates(&x.into(), &y.into(), false);
        let verifier = VerifyingKey::from_sec1_point(&point).unwrap();
        let (first, second) = (key.sign(&[1; 32], &[2; 32]), key.sign(&[1; 32], &[3; 32]));
        assert_ne!(first, second);
        for signature in [first, second] {
            let (r, s) = split(&signature);
            verifier.verify_prehash(&[1; 32], &Verifiable::from_scalars(r, s).unwrap()).unwrap();
        }
    }

    #[test]
    fn g30_what_was_prepared_signs_its_own_digest_and_no_other() {
        let key = Es256Key::from_secret(&Secret::new([7; 32])).unwrap();
        let prepared = || key.prepare(&[1; 32], &[2; 32]).unwrap();
        assert_eq!(key.finish(prepared(), &[1; 32]), Some(key.sign(&[1; 32], &[2; 32])));
        for bit in 0..256 {
            let mut digest = [1; 32];
            digest[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.finish(prepared(), &digest), None);
        }
    }

    #[test]
    fn a_zero_scalar_and_one_above_the_order_are_no_keys() {
        assert!(Es256Key::from_secret(&Secret::new([0; 32])).is_none());
        assert!(Es256Key::from_secret(&Secret::new([0xff; 32])).is_none());
    }

    fn split(signature: &[u8]) -> ([u8; 32], [u8; 32]) {
        let number = |at: usize| {
            let length = usize::from(signature[at + 1]);
            let digits = &signature[at + 2..at + 2 + length];
            let digits = digits.strip_prefix(&[0]).unwrap_or(digits);
            let mut scalar = [0; 32];
            scalar[32 - digits.len()..].copy_from_slice(digits);
            (scalar, at + 2 + length)
        };
        let (r, next) = number(2);
        (r, number(next).0)
    }
}
