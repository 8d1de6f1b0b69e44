//! What is inside a credential id.
//!
//! An id is `tag || iv || ciphertext`: the sealed secret and policy of one credential, bound to the hash of its RP ID.
//! The tag comes first, so that a foreign id in a long list costs one MAC, and only a match is decrypted. Nothing of a
//! credential's policy can be changed without the device secret, and ids look random (G14).

use keywright_common::cose::{Algorithm, PublicKey};
use keywright_common::ctap2::extensions::CredProtect;
use rand_core::CryptoRng;

use crate::crypto::seal::{OVERHEAD, SealingKey};
use crate::crypto::{EdDsaKey, Es256Key, Prepared, Secret, Signature, hmac_sha256, sha256};
use crate::store::{CredentialId, DeviceSecret};

/// Bytes of a credential id.
pub(crate) const CREDENTIAL_ID_LENGTH: usize = OVERHEAD + CONTENT_LENGTH;

/// The key under which credential ids are sealed.
pub(crate) struct CredentialKey(SealingKey);

/// What one credential is: enough to sign with it.
pub(crate) struct CredentialSource {
    /// The algorithm of its key.
    pub(crate) algorithm: Algorithm,
    /// What its use is tied to.
    pub(crate) policy: Policy,
    secret: Secret<32>,
}

/// What the use of a credential is tied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    /// The credential counts only as long as the store holds a record of it.
    pub(crate) discoverable: bool,
    /// credProtect (§12.1).
    pub(crate) cred_protect: CredProtect,
}

/// A private key, of whatever algorithm.
pub(crate) enum SigningKey {
    /// ES256.
    Es256(Es256Key),
    /// EdDSA.
    EdDsa(EdDsaKey),
}

impl CredentialKey {
    /// Derives the key from the device secret.
    pub(crate) fn new(secret: &DeviceSecret) -> Self {
        Self(SealingKey::derive(secret.expose(), b"credential id"))
    }
}

impl CredentialSource {
    /// The algorithms that a credential can have, best first.
    pub(crate) const ALGORITHMS: [Algorithm; 2] = [Algorithm::ES256, Algorithm::EDDSA];

    /// Draws a new credential.
    pub(crate) fn generate(algorithm: Algorithm, policy: Policy, random: &mut impl CryptoRng) -> Self {
        let secret = match algorithm {
            Algorithm::EDDSA => Secret::random(random),
            _ => Es256Key::random_secret(random),
        };
        Self { algorithm, policy, secret }
    }

    /// Seals the credential for one relying party.
    pub(crate) fn wrap(
        &self,
        key: &CredentialKey,
        rp_id_hash: &[u8; 32],
        random: &mut impl CryptoRng,
    ) -> Option<CredentialId> {
        let mut iv = [0; 16];
        random.fill_bytes(&mut iv);
        let mut id = CredentialId::new();
        id.resize_default(CREDENTIAL_ID_LENGTH).ok()?;
        let written = key.0.seal(&[rp_id_hash], iv, &*self.content()?, &mut id).ok()?;
        (written == CREDENTIAL_ID_LENGTH).then_some(id)
    }

    /// Opens an id; `None` if this key did not make it for this relying party.
    pub(crate) fn unwrap(key: &CredentialKey, rp_id_hash: &[u8; 32], id: &[u8]) -> Option<Self> {
        if id.len() != CREDENTIAL_ID_LENGTH {
            return None;
        }
        let verified = key.0.verify(&[rp_id_hash], id).ok()?;
        let mut content = zeroize::Zeroizing::new([0; CONTENT_LENGTH]);
        verified.open(&mut *content).ok()?;
        let [VERSION, algorithm, policy, secret @ ..] = &*content else { return None };
        let secret = Secret::new(*secret);
        Some(Self { algorithm: algorithm_of(*algorithm)?, policy: Policy::from_byte(*policy)?, secret })
    }

    /// The private key.
    pub(crate) fn signing_key(&self) -> Option<SigningKey> {
        match self.algorithm {
            Algorithm::ES256 => Es256Key::from_secret(&self.secret).map(SigningKey::Es256),
            Algorithm::EDDSA => Some(SigningKey::EdDsa(EdDsaKey::from_secret(&self.secret))),
            _ => None,
        }
    }

    /// hmac-secret's CredRandomWithUV or CredRandomWithoutUV (§12.7). Every credential has both, whether or not they were
    /// asked for when it was made; they are not stored but derived.
    pub(crate) fn cred_random(&self, is_user_verified: bool) -> Secret<32> {
        let label: &[u8] = if is_user_verified { b"CredRandomWithUV" } else { b"CredRandomWithoutUV" };
        hmac_sha256(&self.secret, &[label])
    }

    fn content(&self) -> Option<zeroize::Zeroizing<[u8; CONTENT_LENGTH]>> {
        let mut content = zeroize::Zeroizing::new([0; CONTENT_LENGTH]);
        let [version, algorithm, policy, secret @ ..] = &mut *content;
        *version = VERSION;
        *algorithm = code_of(self.algorithm)?;
        *policy = self.policy.to_byte();
        *secret = *self.secret.expose();
        Some(content)
    }
}

impl SigningKey {
    /// The key's algorithm.
    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Es256(_) => Algorithm::ES256,
            Self::EdDsa(_) => Algorithm::EDDSA,
        }
    }

    /// The public key; computed anew at each call.
    pub(crate) fn public_key(&self) -> PublicKey {
        match self {
            Self::Es256(key) => key.public_key(),
            Self::EdDsa(key) => key.public_key(),
        }
    }

    /// Signs `parts`, one after the other.
    pub(crate) fn sign(&self, parts: &[&[u8]], random: &mut impl CryptoRng) -> Signature {
        let entropy = Secret::random(random);
        match self {
            Self::Es256(key) => key.sign(&sha256(parts), entropy.expose()),
            Self::EdDsa(key) => key.sign(parts, entropy.expose()),
        }
    }

    /// Does what takes long of signing `parts`, where that can be done ahead: EdDSA's nonce is a hash of everything.
    pub(crate) fn prepare(&self, parts: &[&[u8]], random: &mut impl CryptoRng) -> Option<Prepared> {
        match self {
            Self::Es256(key) => key.prepare(&sha256(parts), Secret::random(random).expose()),
            Self::EdDsa(_) => None,
        }
    }

    /// Signs `parts` with what was prepared for them; if nothing was, or for others, from the start.
    pub(crate) fn finish(
        &self,
        prepared: Option<Prepared>,
        parts: &[&[u8]],
        random: &mut impl CryptoRng,
    ) -> Signature {
        let finished = match self {
            Self::Es256(key) => prepared.and_then(|prepared| key.finish(prepared, &sha256(parts))),
            Self::EdDsa(_) => None,
        };
        finished.unwrap_or_else(|| self.sign(parts, random))
    }
}

impl Policy {
    const DISCOVERABLE: u8 = 0x80;
    const CRED_PROTECT: u8 = 0x03;

    /// §12.1: whether a request may learn of the credential. `is_named`: the platform has named its id.
    pub(crate) const fn shows(self, is_user_verified: bool, is_named: bool) -> bool {
        match self.cred_protect {
            CredProtect::UserVerificationOptional => true,
            CredProtect::UserVerificationOptionalWithCredentialIdList => is_user_verified || is_named,
            CredProtect::UserVerificationRequired => is_user_verified,
        }
    }

    fn to_byte(self) -> u8 {
        let discoverable = if self.discoverable { Self::DISCOVERABLE } else { 0 };
        discoverable | self.cred_protect.level()
    }

    /// `None` for a byte that [`Policy::to_byte`] does not give: an unknown bit is never passed over.
    fn from_byte(byte: u8) -> Option<Self> {
        let cred_protect = CredProtect::from_level((byte & Self::CRED_PROTECT).into()).ok()?;
        let policy = Self { discoverable: byte & Self::DISCOVERABLE != 0, cred_protect };
        (policy.to_byte() == byte).then_some(policy)
    }
}

fn code_of(algorithm: Algorithm) -> Option<u8> {
    CODES.iter().find(|(_, known)| *known == algorithm).map(|(code, _)| *code)
}

fn algorithm_of(code: u8) -> Option<Algorithm> {
    CODES.iter().find(|(known, _)| *known == code).map(|(_, algorithm)| *algorithm)
}

const VERSION: u8 = 1;
const CONTENT_LENGTH: usize = 35;
/// Algorithms as credential ids name them; part of the format.
const CODES: [(u8, Algorithm); 2] = [(1, Algorithm::ES256), (2, Algorithm::EDDSA)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_survives_the_way_there_and_back_and_no_other_byte_is_one() {
        let policies: std::vec::Vec<_> = (0..=u8::MAX).filter_map(Policy::from_byte).collect();
        assert_eq!(policies.len(), 6);
        assert!(policies.iter().all(|policy| Policy::from_byte(policy.to_byte()) == Some(*policy)));
        assert_eq!(Policy::from_byte(0), None);
        assert_eq!(Policy::from_byte(0x41), None);
    }

    #[test]
    fn cred_protect_hides_from_those_who_are_not_verified() {
        let shows = |cred_protect| {
            let policy = Policy { discoverable: false, cred_protect };
            [(false, false), (false, true), (true, false), (true, true)]
                .map(|(verified, named)| policy.shows(verified, named))
        };
        assert_eq!(shows(CredProtect::UserVerificationOptional), [true; 4]);
        let with_list = CredProtect::UserVerificationOptionalWithCredentialIdList;
        assert_eq!(shows(with_list), [false, true, true, true]);
        assert_eq!(shows(CredProtect::UserVerificationRequired), [false, false, true, true]);
    }
}
