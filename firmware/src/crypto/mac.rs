//! HMAC-SHA-256 (RFC 2104) and HKDF-SHA-256 (RFC 5869).

use hkdf::Hkdf;
use hmac::Mac as _;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroize as _;

use super::Secret;
use super::seal::keyed;

/// HMAC-SHA-256 over the parts, one after the other.
pub(crate) fn hmac_sha256(key: &Secret<32>, parts: &[&[u8]]) -> Secret<32> {
    let mut mac = keyed(key.expose());
    parts.iter().for_each(|part| mac.update(part));
    Secret::new(mac.finalize().into_bytes().into())
}

/// HKDF-SHA-256 with a salt of 32 zero bytes, which is what CTAP uses wherever it uses HKDF (§6.5.7).
pub(crate) fn hkdf_sha256(input: &Secret<32>, info: &[u8]) -> Secret<32> {
    let (mut pseudorandom_key, hkdf) = Hkdf::<Sha256>::extract(Some(&[0; 32]), input.expose());
    pseudorandom_key.zeroize();
    let mut output = Secret::new([0; 32]);
    // One block of output is never too long.
    let _ = hkdf.expand(info, &mut output.0);
    output
}

/// Whether two byte strings are equal, in a time that depends on their lengths only.
pub(crate) fn are_equal(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use super::super::vectors::hex;
    use super::*;

    #[test]
    fn hmac_is_that_of_rfc_4231() {
        // Test case 1 has a key of 20 bytes; HMAC fills a key up with zeros, so 32 bytes of it are the same key.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let mac = hmac_sha256(&Secret::new(key), &[b"Hi", b" ", b"There"]);
        assert_eq!(*mac.expose(), hex("b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    }

    #[test]
    fn hkdf_extracts_and_expands_with_hmac_as_rfc_5869_writes_it() {
        let input = Secret::new([0x0b; 32]);
        let pseudorandom_key = hmac_sha256(&Secret::new([0; 32]), &[input.expose()]);
        let expected = hmac_sha256(&pseudorandom_key, &[b"CTAP2 AES key", &[1]]);
        assert_eq!(hkdf_sha256(&input, b"CTAP2 AES key"), expected);
        assert_ne!(hkdf_sha256(&input, b"CTAP2 HMAC key"), expected);
    }

    #[test]
    fn byte_strings_of_other_lengths_are_not_equal() {
        assert!(are_equal(b"ab", b"ab"));
        for other in [&b"abc"[..], b"a", b"", b"aa"] {
            assert!(!are_equal(b"ab", other));
        }
    }
}
