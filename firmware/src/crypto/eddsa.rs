//! EdDSA on Ed25519 (RFC 8032).

use ed25519_dalek::hazmat::{ExpandedSecretKey, raw_sign_byupdate};
use ed25519_dalek::{SigningKey, VerifyingKey};
use keywright_common::cose::PublicKey;
use sha2::{Digest as _, Sha512};

use super::{Secret, Signature};

/// A private key: the seed alone. What its crate keeps beside it, the public point, is eight times as large.
pub(crate) struct EdDsaKey(Secret<32>);

impl EdDsaKey {
    /// The key with this seed; every seed is one.
    pub(crate) fn from_secret(secret: &Secret<32>) -> Self {
        Self(secret.clone())
    }

    /// The public key.
    pub(crate) fn public_key(&self) -> PublicKey {
        PublicKey::EdDsa { x: SigningKey::from_bytes(self.0.expose()).verifying_key().to_bytes() }
    }

    /// Signs `parts`, one after the other.
    ///
    /// Deviates: RFC 8032 makes the nonce of a secret prefix and the message alone; here `entropy` is hashed into the
    /// prefix. It stays a secret if the entropy fails, and a fault in one of two signatures over the same message gives
    /// nothing to compare. Nobody who verifies can tell.
    pub(crate) fn sign(&self, parts: &[&[u8]], entropy: &[u8; 32]) -> Signature {
        let mut expanded = ExpandedSecretKey::from(self.0.expose());
        let hash = Sha512::new().chain_update(expanded.hash_prefix).chain_update(entropy).finalize();
        let mut hash = zeroize::Zeroizing::new(<[u8; 64]>::from(hash));
        expanded.hash_prefix.iter_mut().zip(hash.iter_mut()).for_each(|(to, from)| *to = *from);
        // The public key must be that of the scalar: one that is stored or handed in could be another and give it away.
        let verifying_key = VerifyingKey::from(&expanded);
        let update = |hash: &mut Sha512| {
            parts.iter().for_each(|part| hash.update(part));
            Ok(())
        };
        // It fails only where the closure does.
        let signature = raw_sign_byupdate::<Sha512, _>(&expanded, update, &verifying_key);
        signature
            .ok()
            .and_then(|signature| Signature::from_slice(&signature.to_bytes()).ok())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::Signature as Verifiable;

    use super::*;

    #[test]
    fn the_public_key_of_a_seed_is_that_of_rfc_8032() {
        // §7.1, test 1.
        let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let expected = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(EdDsaKey::from_secret(&Secret::new(seed)).public_key(), PublicKey::EdDsa { x: expected });
    }

    #[test]
    fn a_signature_verifies_strictly_and_added_entropy_changes_it() {
        let key = EdDsaKey::from_secret(&Secret::new([7; 32]));
        let PublicKey::EdDsa { x } = key.public_key() else { panic!("another kind") };
        let verifier = VerifyingKey::from_bytes(&x).unwrap();
        let sign = |entropy| key.sign(&[b"two ", b"parts"], &[entropy; 32]);
        assert_ne!(sign(1), sign(2));
        assert_eq!(sign(1), sign(1));
        for signature in [sign(1), sign(2)] {
            let mut bytes: [u8; 64] = signature.as_slice().try_into().unwrap();
            verifier.verify_strict(b"two parts", &Verifiable::from_bytes(&bytes)).unwrap();
            assert!(verifier.verify_strict(b"two part", &Verifiable::from_bytes(&bytes)).is_err());
            bytes[0] ^= 1;
            assert!(verifier.verify_strict(b"two parts", &Verifiable::from_bytes(&bytes)).is_err());
        }
    }

    fn hex(text: &str) -> [u8; 32] {
        core::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }
}
