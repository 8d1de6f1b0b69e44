//! HMAC_DRBG with SHA-256 (SP 800-90A §10.1.2).

use core::convert::Infallible;

use hmac::{Hmac, KeyInit, Mac};
use rand_core::{TryCryptoRng, TryRng};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The generator: its state is one-way, so that what it gave before cannot be computed from a state that was seen.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Generator {
    key: [u8; 32],
    value: [u8; 32],
    /// Requests since the last seed.
    requests: u32,
}

impl Generator {
    /// A generator from entropy and what tells this chip from others (§10.1.2.3). Any number of parts; at least one of
    /// them must be a seed of full entropy.
    pub fn new(parts: &[&[u8]]) -> Self {
        let mut generator = Self { key: [0; 32], value: [1; 32], requests: 0 };
        generator.update(parts);
        generator
    }

    /// Mixes in fresh entropy (§10.1.2.4). What was there before stays as good as it was.
    pub fn reseed(&mut self, parts: &[&[u8]]) {
        self.update(parts);
        self.requests = 0;
    }

    /// How many requests the last seed has served.
    pub const fn requests(&self) -> u32 {
        self.requests
    }

    /// HMAC_DRBG_Update (§10.1.2.2).
    fn update(&mut self, parts: &[&[u8]]) {
        let rounds: &[u8] = if parts.iter().any(|part| !part.is_empty()) { &[0, 1] } else { &[0] };
        for round in rounds {
            let mut mac = self.mac();
            mac.update(&self.value);
            mac.update(&[*round]);
            parts.iter().for_each(|part| mac.update(part));
            self.key = mac.finalize().into_bytes().into();
            self.step();
        }
    }

    fn step(&mut self) {
        let mut mac = self.mac();
        mac.update(&self.value);
        self.value = mac.finalize().into_bytes().into();
    }

    fn mac(&self) -> Hmac<Sha256> {
        // The key is a whole block short: no length of it is refused, and `new` is for exactly a block.
        Hmac::new(&padded(&self.key).into())
    }
}

impl TryRng for Generator {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// HMAC_DRBG_Generate (§10.1.2.5).
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(32) {
            self.step();
            chunk.iter_mut().zip(self.value).for_each(|(to, from)| *to = from);
        }
        self.update(&[]);
        self.requests = self.requests.saturating_add(1);
        Ok(())
    }
}

impl TryCryptoRng for Generator {}

/// HMAC fills a short key with zeros (RFC 2104 §2).
fn padded(key: &[u8; 32]) -> [u8; 64] {
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    block
}

#[cfg(test)]
mod tests {
    use rand_core::Rng;
    use sha2::Digest;

    use super::*;

    fn hex(text: &str) -> [u8; 32] {
        core::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    }

    /// RFC 6979 §3.2 is this generator, seeded with a private key and a digest: the nonces of its appendix A.2.5 are
    /// known answers. A digest is reduced by the order first, which these are below already.
    #[test]
    fn the_nonces_of_rfc_6979_come_out() {
        let key = hex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721");
        for (message, nonce) in [
            ("sample", "A6E3C57DD01ABE90086538398355DD4C3B17AA873382B0F24D6129493D8AAD60"),
            ("test", "D16B6AE827F17175E040871A1C7EC3500192C4C92677336EC2537ACAEE0008E0"),
        ] {
            let digest: [u8; 32] = Sha256::digest(message).into();
            let mut generator = Generator::new(&[&key, &digest]);
            let mut first = [0; 32];
            generator.fill_bytes(&mut first);
            assert_eq!(first, hex(nonce), "{message}");
        }
    }

    #[test]
    fn two_requests_never_give_the_same() {
        let mut generator = Generator::new(&[&[1; 32]]);
        let (first, second) = (generator.next_u64(), generator.next_u64());
        assert_ne!(first, second);
        assert_eq!(generator.requests(), 2);
    }

    #[test]
    fn a_request_of_any_length_is_filled() {
        for length in [1, 31, 32, 33, 64, 100] {
            let mut bytes = std::vec![0; length];
            Generator::new(&[&[1; 32]]).fill_bytes(&mut bytes);
            let mut again = std::vec![0; length];
            Generator::new(&[&[1; 32]]).fill_bytes(&mut again);
            assert_eq!(bytes, again);
            assert!(
                bytes
                    .chunks(32)
                    .all(|chunk| length < 4 || chunk.iter().any(|byte| *byte != 0) || chunk.len() < 4)
            );
        }
    }

    #[test]
    fn every_part_of_a_seed_counts_and_so_does_the_state_before_a_reseed() {
        let first = |parts: &[&[u8]], again: Option<&[u8]>| {
            let mut generator = Generator::new(parts);
            again.iter().for_each(|part| generator.reseed(&[part]));
            generator.next_u64()
        };
        let outputs = [
            first(&[&[1; 32], &[2; 32]], None),
            first(&[&[1; 32], &[3; 32]], None),
            first(&[&[4; 32], &[2; 32]], None),
            first(&[&[1; 32], &[2; 32]], Some(&[5; 32])),
            first(&[&[4; 32], &[2; 32]], Some(&[5; 32])),
        ];
        for (at, output) in outputs.iter().enumerate() {
            assert!(!outputs[..at].contains(output));
        }
    }
}
