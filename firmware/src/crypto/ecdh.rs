//! ECDH on P-256 (NIST SP 800-56A §5.7.1.2).

use keywright_common::cose::PublicKey;
use p256::elliptic_curve::sec1::FromSec1Point as _;
use p256::{NonZeroScalar, Sec1Point};
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Es256Key, Secret};

/// A key pair for key agreement. The public half is kept, because it is asked for more often than the pair is made.
pub(crate) struct KeyAgreementKey {
    scalar: NonZeroScalar,
    public: PublicKey,
}

impl KeyAgreementKey {
    /// Draws a pair.
    pub(crate) fn random(random: &mut impl CryptoRng) -> Self {
        loop {
            if let Some(key) = Self::from_secret(&Es256Key::random_secret(random)) {
                return key;
            }
        }
    }

    /// The pair of this scalar; `None` if it is zero or not below the order.
    fn from_secret(secret: &Secret<32>) -> Option<Self> {
        let scalar = NonZeroScalar::from_repr((*secret.expose()).into()).into_option()?;
        let (x, y) = super::es256::coordinates(&scalar);
        Some(Self { scalar, public: PublicKey::EcdhEsHkdf256 { x, y } })
    }

    /// The public half.
    pub(crate) const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The x coordinate of the shared point; `None` if `peer` is not a key for key agreement or not on the curve,
    /// which is found out before anything is computed with it.
    pub(crate) fn agree(&self, peer: &PublicKey) -> Option<Secret<32>> {
        let PublicKey::EcdhEsHkdf256 { x, y } = peer else { return None };
        let point = Sec1Point::from_affine_coordinates(x.into(), y.into(), false);
        let peer = p256::PublicKey::from_sec1_point(&point).into_option()?;
        let shared = p256::ecdh::diffie_hellman(&self.scalar, peer.as_affine());
        Some(Secret::new((*shared.raw_secret_bytes()).into()))
    }
}

impl Drop for KeyAgreementKey {
    fn drop(&mut self) {
        self.scalar.zeroize();
    }
}

impl ZeroizeOnDrop for KeyAgreementKey {}

#[cfg(test)]
mod tests {
    use super::super::vectors::hex;
    use super::*;

    fn peer(x: &str, y: &str) -> PublicKey {
        PublicKey::EcdhEsHkdf256 { x: hex(x), y: hex(y) }
    }

    /// NIST CAVP, ECC CDH primitive, P-256, count 0.
    const SCALAR: &str = "7d7dc5f71eb29ddaf80d6214632eeae03d9058af1fb6d22ed80badb62bc1a534";
    const PEER_X: &str = "700c48f77f56584c5cc632ca65640db91b6bacce3a4df6b42ce7cc838833d287";
    const PEER_Y: &str = "db71e509e3fd9b060ddb20ba5c51dcc5948d46fbf640dfe0441782cab85fa4ac";
    const SHARED: &str = "46fc62106420ff012e54a434fbdd2d25ccc5852060561e68040dd7778997bd7b";

    #[test]
    fn the_vector_of_nist_holds() {
        let key = KeyAgreementKey::from_secret(&Secret::new(hex(SCALAR))).unwrap();
        let PublicKey::EcdhEsHkdf256 { x, .. } = *key.public_key() else { panic!("another kind") };
        assert_eq!(x, hex("ead218590119e8876b29146ff89ca61770c4edbbf97d38ce385ed281d8a6b230"));
        assert_eq!(key.agree(&peer(PEER_X, PEER_Y)).unwrap(), Secret::new(hex(SHARED)));
    }

    #[test]
    fn a_point_off_the_curve_or_a_key_of_another_kind_is_refused() {
        let key = KeyAgreementKey::from_secret(&Secret::new(hex(SCALAR))).unwrap();
        let (x, y) = (hex(PEER_X), hex(PEER_Y));
        let mut off: [u8; 32] = y;
        off[31] ^= 1;
        let kinds = [
            PublicKey::EcdhEsHkdf256 { x, y: off },
            PublicKey::EcdhEsHkdf256 { x: [0; 32], y: [0; 32] },
            PublicKey::EcdhEsHkdf256 { x: [0xff; 32], y },
            PublicKey::Es256 { x, y },
            PublicKey::EdDsa { x },
        ];
        for kind in kinds {
            assert!(key.agree(&kind).is_none(), "{kind:?}");
        }
    }
}
