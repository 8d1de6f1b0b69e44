//! Authenticated sealing: AES-256 in counter mode under HMAC-SHA-256, encrypt then MAC.
//!
//! A sealed message is `tag[32] || iv[16] || ciphertext`. The tag stands first and covers everything else and the
//! context, so that a foreign message costs one MAC and nothing of it is ever decrypted.

use aes::Aes256;
use aes::cipher::{Block, BlockCipherEncrypt as _, KeyInit as _};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

/// A key to seal under: the schedule of the MAC key, made once, and the encryption key. Wiped on drop.
///
/// A check costs the compressions of the message itself plus one: the schedule is not made again.
#[derive(Clone)]
pub struct SealingKey {
    /// Its hash states wipe themselves when dropped (feature `zeroize` of `sha2`).
    mac: Hmac<Sha256>,
    encryption: Zeroizing<[u8; 32]>,
}

/// What sealing and opening refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// The output cannot hold the result: a fault of the caller, nothing was written.
    OutputTooSmall,
    /// The message is shorter than tag and IV, or was not sealed under this key and context. Nothing was decrypted.
    NotAuthentic,
}

/// A sealed message whose tag was found right. Only such a one can be opened.
pub struct Verified<'a> {
    key: &'a SealingKey,
    iv: [u8; 16],
    ciphertext: &'a [u8],
}

impl SealingKey {
    /// Derives the key of a purpose from a secret: both halves are `HMAC-SHA-256(secret, n || label)`.
    ///
    /// `label` names the purpose; two labels give unrelated keys.
    #[must_use]
    pub fn derive(secret: &[u8; 32], label: &[u8]) -> Self {
        let half = |number: u8| -> Zeroizing<[u8; 32]> {
            let mac = keyed(secret).chain_update([number]).chain_update(label);
            Zeroizing::new(mac.finalize().into_bytes().into())
        };
        Self { mac: keyed(&half(1)), encryption: half(2) }
    }

    /// Seals `plaintext` into the first bytes of `out` and returns how many: [`OVERHEAD`] more than the plaintext.
    ///
    /// `context` is bound but not stored; each part of it is hashed with its length. The same `iv` must never be used for
    /// another plaintext under the same key: take a random one or [`SealingKey::synthetic_iv`].
    ///
    /// # Errors
    ///
    /// [`SealError::OutputTooSmall`].
    pub fn seal(
        &self,
        context: &[&[u8]],
        iv: [u8; 16],
        plaintext: &[u8],
        out: &mut [u8],
    ) -> Result<usize, SealError> {
        let length = plaintext.len().saturating_add(OVERHEAD);
        let out = out.get_mut(..length).ok_or(SealError::OutputTooSmall)?;
        let (tag, rest) = out.split_at_mut_checked(TAG).ok_or(SealError::OutputTooSmall)?;
        let (iv_out, ciphertext) = rest.split_at_mut_checked(IV).ok_or(SealError::OutputTooSmall)?;
        iv_out.copy_from_slice(&iv);
        ciphertext.copy_from_slice(plaintext);
        self.apply_keystream(iv, ciphertext);
        tag.copy_from_slice(&self.mac(Domain::Tag, context, &[&iv, ciphertext]));
        Ok(length)
    }

    /// Checks the tag of `sealed` in constant time. Nothing is decrypted yet.
    ///
    /// # Errors
    ///
    /// [`SealError::NotAuthentic`].
    pub fn verify<'a>(&'a self, context: &[&[u8]], sealed: &'a [u8]) -> Result<Verified<'a>, SealError> {
        let (tag, rest) = sealed.split_first_chunk::<TAG>().ok_or(SealError::NotAuthentic)?;
        let (iv, ciphertext) = rest.split_first_chunk::<IV>().ok_or(SealError::NotAuthentic)?;
        let expected = self.mac(Domain::Tag, context, &[iv, ciphertext]);
        if bool::from(expected.ct_eq(tag)) {
            Ok(Verified { key: self, iv: *iv, ciphertext })
        } else {
            Err(SealError::NotAuthentic)
        }
    }

    /// An IV that is a keyed hash of context and plaintext, for a caller that has no randomness at hand.
    ///
    /// It repeats only for the same plaintext in the same context, and then so does the whole message: who reads it
    /// learns that the two are equal, and nothing else. A rolled-back state cannot make it collide.
    #[must_use]
    pub fn synthetic_iv(&self, context: &[&[u8]], plaintext: &[u8]) -> [u8; 16] {
        let hash = self.mac(Domain::SyntheticIv, context, &[plaintext]);
        let mut iv = [0; IV];
        iv.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
        iv
    }

    /// A keyed hash of the parts: equal for equal parts, and without the key it says nothing about them.
    #[must_use]
    pub fn fingerprint(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.mac(Domain::Fingerprint, parts, &[])
    }

    fn mac(&self, domain: Domain, context: &[&[u8]], rest: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(&[domain as u8]);
        mac.update(&length(context.len()));
        for part in context {
            mac.update(&length(part.len()));
            mac.update(part);
        }
        // Of the rest only the last part varies in length, so the message is still read in one way only.
        rest.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    /// Counter mode: block n is the encryption of the IV as a big-endian number plus n.
    fn apply_keystream(&self, iv: [u8; 16], data: &mut [u8]) {
        let cipher = Aes256::new((&*self.encryption).into());
        let mut counter = u128::from_be_bytes(iv);
        for chunk in data.chunks_mut(16) {
            let mut block = Block::<Aes256>::from(counter.to_be_bytes());
            cipher.encrypt_block(&mut block);
            chunk.iter_mut().zip(&block).for_each(|(byte, key)| *byte ^= key);
            block.zeroize();
            counter = counter.wrapping_add(1);
        }
    }
}

impl Verified<'_> {
    /// How many bytes the plaintext has.
    #[must_use]
    pub fn plaintext_len(&self) -> usize {
        self.ciphertext.len()
    }

    /// Decrypts into the first bytes of `out` and returns how many.
    ///
    /// # Errors
    ///
    /// [`SealError::OutputTooSmall`].
    pub fn open(&self, out: &mut [u8]) -> Result<usize, SealError> {
        let out = out.get_mut(..self.ciphertext.len()).ok_or(SealError::OutputTooSmall)?;
        out.copy_from_slice(self.ciphertext);
        self.key.apply_keystream(self.iv, out);
        Ok(out.len())
    }
}

/// How many bytes a sealed message is longer than its plaintext.
pub const OVERHEAD: usize = TAG + IV;

/// What a MAC is made for: no value of one use is ever a value of another.
#[derive(Clone, Copy)]
#[repr(u8)]
enum Domain {
    Tag = 0,
    SyntheticIv = 1,
    Fingerprint = 2,
}

/// HMAC-SHA-256 under a key of 32 bytes.
pub(super) fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // A block of the key and zeros: what HMAC makes of a key of this length, without its error for other lengths.
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::new((&*block).into())
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

const TAG: usize = 32;
const IV: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SealingKey {
        SealingKey::derive(&[7; 32], b"test")
    }

    fn sealed(plaintext: &[u8]) -> std::vec::Vec<u8> {
        let mut out = [0; 256];
        let length = key().seal(&[b"rp", b"1"], [3; 16], plaintext, &mut out).unwrap();
        out[..length].to_vec()
    }

    #[test]
    fn what_was_sealed_is_opened() {
        for length in [0, 1, 15, 16, 17, 100] {
            let plaintext = std::vec![0x5a; length];
            let message = sealed(&plaintext);
            assert_eq!(message.len(), length + OVERHEAD);
            let mut out = [0; 256];
            let key = key();
            let verified = key.verify(&[b"rp", b"1"], &message).unwrap();
            assert_eq!(verified.plaintext_len(), length);
            assert_eq!(verified.open(&mut out), Ok(length));
            assert_eq!(out[..length], plaintext);
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let message = sealed(b"a key that matters");
        for bit in 0..message.len() * 8 {
            let mut bad = message.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(key().verify(&[b"rp", b"1"], &bad).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn another_context_key_or_length_is_refused() {
        let message = sealed(b"x");
        for context in [&[&b"rp"[..], b"2"][..], &[b"rp1"], &[b"r", b"p1"], &[b"rp", b"1", b""], &[]] {
            assert!(key().verify(context, &message).is_err());
        }
        assert!(SealingKey::derive(&[7; 32], b"other").verify(&[b"rp", b"1"], &message).is_err());
        assert!(SealingKey::derive(&[8; 32], b"test").verify(&[b"rp", b"1"], &message).is_err());
        for length in 0..message.len() {
            assert!(key().verify(&[b"rp", b"1"], &message[..length]).is_err());
        }
    }

    #[test]
    fn an_output_that_is_too_small_is_left_alone() {
        let mut out = [0; OVERHEAD + 3];
        assert_eq!(key().seal(&[], [0; 16], b"four", &mut out), Err(SealError::OutputTooSmall));
        assert_eq!(out, [0; OVERHEAD + 3]);
        let (message, key) = (sealed(b"four"), key());
        let verified = key.verify(&[b"rp", b"1"], &message).unwrap();
        assert_eq!(verified.open(&mut [0; 3]), Err(SealError::OutputTooSmall));
    }

    #[test]
    fn the_keystream_is_aes_256_ctr() {
        // NIST SP 800-38A, F.5.5.
        let mut key = key();
        *key.encryption = hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        let mut data: [u8; 32] = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
        key.apply_keystream(hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"), &mut data);
        assert_eq!(data, hex("601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"));
    }

    #[test]
    fn a_synthetic_iv_depends_on_key_context_and_plaintext() {
        let iv = key().synthetic_iv(&[b"a"], b"b");
        assert_eq!(iv, key().synthetic_iv(&[b"a"], b"b"));
        assert_ne!(iv, key().synthetic_iv(&[b"a"], b"c"));
        assert_ne!(iv, key().synthetic_iv(&[b"b"], b"b"));
        assert_ne!(iv[..], key().fingerprint(&[b"a", b"b"])[..16]);
    }

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        core::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
    }
}
