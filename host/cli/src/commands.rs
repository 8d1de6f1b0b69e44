//! The commands, one file each.

pub(crate) mod authenticate;
pub(crate) mod credentials;
#[cfg(all(feature = "emulator", feature = "iam", unix))]
pub(crate) mod demo;
pub(crate) mod doctor;
#[cfg(all(feature = "emulator", unix))]
pub(crate) mod emulate;
#[cfg(all(feature = "iam", unix))]
pub(crate) mod iam;
pub(crate) mod info;
pub(crate) mod list;
pub(crate) mod pin;
pub(crate) mod register;
pub(crate) mod reset;
pub(crate) mod select;
#[cfg(all(feature = "totp", unix))]
pub(crate) mod totp;
pub(crate) mod wink;

use std::fmt;

use serde::Serialize;

/// The answer of a command that has nothing to tell but that it was done.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    /// The key.
    pub(crate) device: String,
    /// What was done: stable words.
    pub(crate) done: &'static str,
    /// The same for a person.
    #[serde(skip)]
    pub(crate) words: String,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// The name of a COSE algorithm identifier; `None` for one that is not known here.
pub(crate) const fn algorithm_name(identifier: i64) -> Option<&'static str> {
    Some(match identifier {
        -7 => "ES256",
        -8 => "EdDSA",
        -9 => "ESP256",
        -19 => "Ed25519",
        -35 => "ES384",
        -36 => "ES512",
        -37 => "PS256",
        -47 => "ES256K",
        -48 => "ML-DSA-44",
        -49 => "ML-DSA-65",
        -50 => "ML-DSA-87",
        -51 => "ESP384",
        -52 => "ESP512",
        -53 => "Ed448",
        -257 => "RS256",
        _ => return None,
    })
}

/// The model's identifier as a UUID.
pub(crate) fn uuid(aaguid: &[u8; 16]) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(*aaguid));
    let (time, rest) = hex.split_at(8);
    let (middle, rest) = rest.split_at(4);
    let (version, rest) = rest.split_at(4);
    let (clock, node) = rest.split_at(4);
    format!("{time}-{middle}-{version}-{clock}-{node}")
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn a_models_identifier_is_written_as_a_uuid() {
        let aaguid = 0x0069_d6e3_cd4e_43b1_80f2_88a5_3fa9_a995_u128.to_be_bytes();
        assert_eq!(uuid(&aaguid), "0069d6e3-cd4e-43b1-80f2-88a53fa9a995");
        assert_eq!(uuid(&[0; 16]), "00000000-0000-0000-0000-000000000000");
    }
}
