//! Client data, byte for byte as WebAuthn serialises it (§5.8.1.1).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::Base64Url;

/// What the client says of a ceremony. The relying party reads this form; see [`ClientData::serialise`] for the other way.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientData {
    /// `webauthn.create` or `webauthn.get`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The relying party's challenge.
    pub challenge: Base64Url,
    /// Where the ceremony took place.
    pub origin: String,
    /// Whether that was inside of a page of another origin.
    #[serde(default)]
    pub cross_origin: bool,
}

impl ClientData {
    /// The bytes that are hashed and signed: members in this order, without spaces.
    ///
    /// ```
    /// use keywright_host::webauthn::ClientData;
    ///
    /// assert_eq!(
    ///     ClientData::serialise("webauthn.get", &[1, 2, 3, 4], "https://example.org"),
    ///     r#"{"type":"webauthn.get","challenge":"AQIDBA","origin":"https://example.org","crossOrigin":false}"#,
    /// );
    /// ```
    pub fn serialise(kind: &str, challenge: &[u8], origin: &str) -> String {
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(challenge);
        let [kind, origin] = [kind, origin].map(quoted);
        format!("{{\"type\":{kind},\"challenge\":\"{challenge}\",\"origin\":{origin},\"crossOrigin\":false}}")
    }
}

/// CCDToString: quotes, escapes as WebAuthn writes them, and everything else as it is.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\0'..='\u{1f}' => quoted.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_backslashes_and_control_characters_are_escaped_and_nothing_else() {
        assert_eq!(quoted("a\"b\\c\n\u{7f}/é\u{1f511}"), "\"a\\\"b\\\\c\\u000a\u{7f}/é\u{1f511}\"");
    }

    #[test]
    fn what_is_written_can_be_read() {
        let text = ClientData::serialise("webauthn.create", &[0xff, 0xfe], "https://x.example");
        let data: ClientData = serde_json::from_str(&text).unwrap();
        assert_eq!((data.kind.as_str(), &data.challenge.0[..]), ("webauthn.create", &[0xff, 0xfe][..]));
        assert!(!data.cross_origin);
    }
}
