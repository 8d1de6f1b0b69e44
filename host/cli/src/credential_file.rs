//! The file that `register` writes: the public part of a credential, and the counter that was last seen.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use keywright_host::verify::PublicKey;
use keywright_host::webauthn::Base64Url;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind};
use crate::replace::Replacement;

/// What is in the file. Members that this version does not know are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CredentialFile {
    /// The form of the file.
    pub(crate) version: u64,
    /// The relying party.
    pub(crate) rp_id: String,
    /// The account.
    pub(crate) user: FileUser,
    /// The credential's id.
    pub(crate) id: Base64Url,
    /// The public key, a COSE_Key.
    pub(crate) public_key: Base64Url,
    /// The signature counter that was last seen.
    pub(crate) sign_count: u32,
    /// Members of later versions, or somebody's own.
    #[serde(flatten)]
    pub(crate) others: serde_json::Map<String, serde_json::Value>,
}

/// The account of a credential.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FileUser {
    /// The user handle.
    pub(crate) id: Base64Url,
    /// The account's name.
    pub(crate) name: String,
}

impl CredentialFile {
    /// Reads the file.
    ///
    /// # Errors
    /// [`Kind::Usage`] if it is no such file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let shown = path.display();
        let bytes = fs::read(path).map_err(|error| {
            Failure::usage(format!("{shown}: {error}; name a file that `keywright register` wrote"))
        })?;
        let file: Self = serde_json::from_slice(&bytes).map_err(|error| {
            Failure::usage(format!("{shown} is no file that `keywright register` wrote: {error}"))
        })?;
        if file.version != VERSION {
            return Err(Failure::usage(format!(
                "{shown} has version {} and this program knows version {VERSION}: use a newer keywright",
                file.version
            )));
        }
        match PublicKey::parse(&file.public_key.0) {
            Some(PublicKey::Es256 { .. } | PublicKey::EdDsa { .. }) => Ok(file),
            _ => Err(Failure::usage(format!(
                "{shown}: its public_key is none that can be verified with: register anew"
            ))),
        }
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// If it cannot be written, or with `is_new` if something stands there.
    pub(crate) fn write(&self, replacement: Replacement, is_new: bool) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|error| Failure::new(Kind::Other, error.to_string()))?;
        text.push('\n');
        replacement.commit(text.as_bytes(), is_new)
    }
}

/// A credential's id on the command line: base64url, with or without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CredentialId(pub(crate) Vec<u8>);

impl FromStr for CredentialId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).unwrap_or_default();
        if bytes.is_empty() {
            return Err("a credential's id is base64url text, as `keywright credentials list` shows it");
        }
        Ok(Self(bytes))
    }
}

/// Bytes as base64url.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// The form that this version writes.
pub(crate) const VERSION: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_shown_and_nothing_else_is() {
        let id = CredentialId(vec![0xfb, 0xff, 0, 1]);
        assert_eq!(Shown(&id.0).to_string().parse(), Ok(id.clone()));
        assert_eq!("-_8AAQ==".parse(), Ok(id));
        for text in ["", "====", "a", "a b c", "+/8AAQ", "é"] {
            assert!(text.parse::<CredentialId>().is_err(), "{text}");
        }
    }
}
