//! The key of a file, and what it is made from.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::error::Error;

/// What the key of a file comes from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Protection {
    /// The file with `.key` behind its name.
    KeyFile,
    /// A passphrase.
    Argon2id(Work),
}

/// How much work a passphrase is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Work {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    #[serde(with = "base64")]
    salt: Vec<u8>,
    /// Tells a wrong passphrase from a damaged file. Guesses are no cheaper with it than with what is sealed.
    #[serde(with = "base64")]
    check: Vec<u8>,
}

/// 32 bytes that seal.
pub(super) struct Key(Zeroizing<[u8; KEY]>);

/// Whether a passphrase can protect anything.
///
/// # Errors
/// [`Error::WeakPassphrase`].
pub fn check_passphrase(passphrase: &str) -> Result<(), Error> {
    if (8..=1024).contains(&passphrase.chars().count()) { Ok(()) } else { Err(Error::WeakPassphrase) }
}

impl Protection {
    /// A new protection, and its key.
    pub(super) fn by_passphrase(passphrase: &str) -> Result<(Self, Key), Error> {
        check_passphrase(passphrase)?;
        let salt = random::<SALT>()?.to_vec();
        let mut work = Work { memory_kib: 64 * 1024, passes: 3, lanes: 1, salt, check: Vec::new() };
        let (key, check) = work.derive(passphrase)?;
        work.check = check.to_vec();
        Ok((Self::Argon2id(work), key))
    }
}

impl Work {
    /// What somebody else wrote must not take all memory, or for ever.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_usual = (8 * 1024..=1024 * 1024).contains(&self.memory_kib)
            && (1..=16).contains(&self.passes)
            && (1..=16).contains(&self.lanes)
            && (8..=64).contains(&self.salt.len());
        if is_usual { Ok(()) } else { Err("its key would take more work than any has, or less") }
    }

    /// The key, if the passphrase is right.
    pub(super) fn key(&self, passphrase: &str) -> Result<Option<Key>, Error> {
        let (key, check) = self.derive(passphrase)?;
        Ok(bool::from(check.as_slice().ct_eq(&self.check)).then_some(key))
    }

    /// 64 bytes are one output of BLAKE2b: neither half tells of the other.
    fn derive(&self, passphrase: &str) -> Result<(Key, Zeroizing<[u8; KEY]>), Error> {
        let mut both = Zeroizing::new([0; 2 * KEY]);
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(2 * KEY));
        let argon2 = params.map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params));
        let done = argon2.and_then(|argon2| {
            argon2.hash_password_into(passphrase.as_bytes(), &self.salt, both.as_mut_slice())
        });
        // The parameters were checked, and so was the length of the passphrase: there is nothing else.
        done.map_err(|_| Error::WeakPassphrase)?;
        let (mut key, mut check) = (Zeroizing::new([0; KEY]), Zeroizing::new([0; KEY]));
        let (first, second) = both.split_at(KEY);
        key.copy_from_slice(first);
        check.copy_from_slice(second);
        Ok((Key(key), check))
    }
}

impl Key {
    pub(super) fn random() -> Result<Self, Error> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    pub(super) fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; KEY] = bytes.try_into().ok()?;
        Some(Self(Zeroizing::new(*bytes)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// A random nonce, and what is sealed.
    pub(super) fn seal(&self, protection: &Protection, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce = random::<NONCE>()?;
        let payload = Payload { msg: plain, aad: &bound(protection) };
        // Encryption fails only beyond 256 GiB.
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        Ok([nonce.as_slice(), &sealed.map_err(|_| getrandom::Error::UNEXPECTED)?].concat())
    }

    /// `None` if this is not what was sealed with this key under this protection.
    pub(super) fn open(&self, protection: &Protection, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, msg) = sealed.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg, aad: &bound(protection) };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

/// What is authenticated beside the accounts: the version, and how the key is made.
fn bound(protection: &Protection) -> Vec<u8> {
    serde_json::to_vec(&(super::VERSION, protection)).unwrap_or_default()
}

fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Bytes as base64 text.
pub(super) mod base64 {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        BASE64_STANDARD.decode(String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

const KEY: usize = 32;
const NONCE: usize = 24;
const SALT: usize = 16;
