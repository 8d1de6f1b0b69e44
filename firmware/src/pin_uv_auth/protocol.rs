//! What the two PIN/UV auth protocols (§6.5.6, §6.5.7) compute.

use keywright_common::status::Status;
use rand_core::CryptoRng;

use crate::crypto::{AesCbc, Secret, are_equal, hkdf_sha256, hmac_sha256, sha256};

/// A PIN/UV auth protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// One key for both purposes, an IV of zeros, and a MAC that is cut to 16 bytes.
    One,
    /// Two keys, a random IV, and the whole MAC.
    Two,
}

/// The most that is ever encrypted, two outputs of hmac-secret, behind an IV.
pub(crate) type Ciphertext = heapless::Vec<u8, 80>;

/// What authenticator and platform have agreed on; wiped on drop.
pub(crate) struct SharedSecret {
    protocol: Protocol,
    hmac_key: Secret<32>,
    aes_key: Secret<32>,
}

impl Protocol {
    /// The protocols, the preferred one first.
    pub(crate) const ALL: [Self; 2] = [Self::Two, Self::One];

    /// The number that stands for the protocol in messages.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// The protocol that a request names.
    ///
    /// # Errors
    /// `MISSING_PARAMETER` if it names none, `INVALID_PARAMETER` if it names another one.
    pub(crate) fn requested(number: Option<u64>) -> Result<Self, Status> {
        match number.ok_or(Status::MISSING_PARAMETER)? {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            _ => Err(Status::INVALID_PARAMETER),
        }
    }

    /// verify() (§6.5.4): whether `signature` is the MAC of `message`, whole and in the protocol's length. The comparison
    /// takes the same time whatever it finds.
    pub(crate) fn verify(self, key: &Secret<32>, message: &[&[u8]], signature: &[u8]) -> bool {
        let mac = hmac_sha256(key, message);
        let expected = match self {
            Self::One => mac.expose().get(..ONE_MAC_LENGTH).unwrap_or_default(),
            Self::Two => mac.expose(),
        };
        !expected.is_empty() && are_equal(expected, signature)
    }
}

impl SharedSecret {
    /// The protocol's key derivation, from the x coordinate of the shared point.
    pub(super) fn derive(protocol: Protocol, point: &Secret<32>) -> Self {
        let (hmac_key, aes_key) = match protocol {
            Protocol::One => {
                let key = Secret::new(sha256(&[point.expose()]));
                (key.clone(), key)
            }
            Protocol::Two => (hkdf_sha256(point, b"CTAP2 HMAC key"), hkdf_sha256(point, b"CTAP2 AES key")),
        };
        Self { protocol, hmac_key, aes_key }
    }

    /// verify() with the shared secret as the key.
    pub(crate) fn verify(&self, message: &[&[u8]], signature: &[u8]) -> bool {
        self.protocol.verify(&self.hmac_key, message, signature)
    }

    /// decrypt() (§6.5.4); `None` if `ciphertext` does not hold exactly `N` bytes.
    pub(crate) fn decrypt<const N: usize>(&self, ciphertext: &[u8]) -> Option<Secret<N>> {
        let (iv, body) = match self.protocol {
            Protocol::One => (&[0; IV_LENGTH], ciphertext),
            Protocol::Two => ciphertext.split_first_chunk()?,
        };
        let mut plaintext = Secret::new(body.try_into().ok()?);
        AesCbc(&self.aes_key).decrypt(iv, plaintext.expose_mut()).ok()?;
        Some(plaintext)
    }

    /// The protocol that it was agreed on with.
    pub(crate) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// encrypt() (§6.5.4); `None` if `plaintext` is not whole blocks, or more than two outputs of hmac-secret.
    pub(crate) fn encrypt(&self, plaintext: &[u8], random: &mut impl CryptoRng) -> Option<Ciphertext> {
        let mut iv = [0; IV_LENGTH];
        let mut ciphertext = Ciphertext::new();
        if self.protocol == Protocol::Two {
            random.fill_bytes(&mut iv);
            ciphertext.extend_from_slice(&iv).ok()?;
        }
        let start = ciphertext.len();
        ciphertext.extend_from_slice(plaintext).ok()?;
        AesCbc(&self.aes_key).encrypt(&iv, ciphertext.get_mut(start..)?).ok()?;
        Some(ciphertext)
    }
}

const IV_LENGTH: usize = 16;
const ONE_MAC_LENGTH: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const POINT: [u8; 32] = [0x2a; 32];

    #[test]
    fn g02_a_mac_is_compared_whole_and_in_the_protocols_length_only() {
        let key = Secret::new([5; 32]);
        let mac = hmac_sha256(&key, &[b"message"]);
        for (protocol, length) in [(Protocol::One, 16), (Protocol::Two, 32)] {
            for cut in 0..=32 {
                let accepted = protocol.verify(&key, &[b"mess", b"age"], &mac.expose()[..cut]);
                assert_eq!(accepted, cut == length, "{protocol:?}, {cut} bytes");
            }
            let longer = [mac.expose().as_slice(), &[0]].concat();
            assert!(!protocol.verify(&key, &[b"message"], &longer));
        }
    }

    #[test]
    fn g03_a_mac_with_any_one_bit_changed_is_refused() {
        let key = Secret::new([5; 32]);
        let mac = hmac_sha256(&key, &[b"message"]);
        for (protocol, length) in [(Protocol::One, 16), (Protocol::Two, 32)] {
            for bit in 0..length * 8 {
                let mut changed = mac.expose()[..length].to_vec();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(!protocol.verify(&key, &[b"message"], &changed), "{protocol:?}, bit {bit}");
            }
        }
    }

    #[test]
    fn a_ciphertext_of_any_other_length_is_not_decrypted() {
        for protocol in Protocol::ALL {
            let shared = SharedSecret::derive(protocol, &Secret::new(POINT));
            let overhead = if protocol == Protocol::Two { 16 } else { 0 };
            for length in 0..100 {
                let ciphertext = std::vec![0; length];
                assert_eq!(shared.decrypt::<64>(&ciphertext).is_some(), length == 64 + overhead);
                assert_eq!(shared.decrypt::<16>(&ciphertext).is_some(), length == 16 + overhead);
            }
        }
    }

    #[test]
    fn the_keys_of_protocol_two_are_two_and_not_that_of_protocol_one() {
        let one = SharedSecret::derive(Protocol::One, &Secret::new(POINT));
        let two = SharedSecret::derive(Protocol::Two, &Secret::new(POINT));
        assert!(one.hmac_key == one.aes_key);
        assert!(two.hmac_key != two.aes_key);
        assert!(two.hmac_key != one.hmac_key && two.aes_key != one.aes_key);
    }

    #[test]
    fn protocols_that_are_not_there_are_told_from_none() {
        assert_eq!(Protocol::requested(None), Err(Status::MISSING_PARAMETER));
        for number in [0, 3, 0x0101, u64::MAX] {
            assert_eq!(Protocol::requested(Some(number)), Err(Status::INVALID_PARAMETER));
        }
        for protocol in Protocol::ALL {
            assert_eq!(Protocol::requested(Some(protocol.number().into())), Ok(protocol));
        }
    }
}
