//! Secrets at rest: XChaCha20-Poly1305, a random nonce before each, bound to what they belong to.

use chacha20poly1305::{
    XChaCha20Poly1305, XNonce,
    aead::{Aead, KeyInit, Payload},
};
use zeroize::Zeroizing;

use crate::random;

/// The key that seals the secrets in the database.
pub(crate) struct Sealer(XChaCha20Poly1305);

impl Sealer {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// Seals `secret` for `owner`: 24 bytes of nonce, the text, 16 bytes of tag.
    pub(crate) fn seal(&self, owner: &str, secret: &[u8]) -> Result<Vec<u8>, getrandom::Error> {
        let nonce = random::<NONCE>()?;
        let payload = Payload { msg: secret, aad: owner.as_bytes() };
        let text = self.0.encrypt(&XNonce::from(nonce), payload);
        // Encryption fails only beyond 256 GiB.
        let text = text.map_err(|_| getrandom::Error::UNEXPECTED)?;
        Ok([nonce.as_slice(), &text].concat())
    }

    /// `None` when this is not what was sealed for `owner` with this key.
    pub(crate) fn open(&self, owner: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, msg) = sealed.split_first_chunk::<NONCE>()?;
        let aad = owner.as_bytes();
        let secret = self.0.decrypt(&XNonce::from(*nonce), Payload { msg, aad }).ok()?;
        Some(Zeroizing::new(secret))
    }
}

const NONCE: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_for_its_owner_under_its_key_only() {
        let sealer = Sealer::new(&[1; 32]);
        let sealed = sealer.seal("device-1", b"seed").unwrap();
        assert_eq!(sealer.open("device-1", &sealed).unwrap().as_slice(), b"seed");
        assert!(sealer.open("device-2", &sealed).is_none());
        assert!(Sealer::new(&[2; 32]).open("device-1", &sealed).is_none());
    }

    #[test]
    fn a_changed_or_cut_secret_does_not_open() {
        let sealer = Sealer::new(&[1; 32]);
        let sealed = sealer.seal("d", b"seed").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(sealer.open("d", &changed).is_none());
            assert!(sealer.open("d", &sealed[..at]).is_none());
        }
    }

    #[test]
    fn sealing_twice_never_gives_the_same_bytes() {
        let sealer = Sealer::new(&[1; 32]);
        assert_ne!(sealer.seal("d", b"seed").unwrap(), sealer.seal("d", b"seed").unwrap());
    }
}
