//! Programs that ask for credentials through the browser: OAuth's authorisation code (RFC 6749 §4.1) with PKCE (RFC 7636),
//! answered on a loopback port (RFC 8252 §7.3).
//!
//! Requests and codes are in memory, each good once and for a short time. A code is bound to the program, to where it was
//! sent, and to the challenge.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use data_encoding::BASE32_NOPAD;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use url::form_urlencoded;

use crate::{login::Proven, random, refusal::Refusal};

/// What a program asks the browser to bring, as it stands in the address.
#[derive(Deserialize)]
pub(crate) struct Asked {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    state: String,
    code_challenge: String,
    code_challenge_method: String,
}

/// A request that may be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) client: &'static Client,
    redirect_uri: String,
    state: String,
    challenge: String,
}

/// A program that may ask. None of them has a secret: PKCE ties the answer to whoever asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Client {
    id: &'static str,
    /// What people type to run it.
    pub(crate) command: &'static str,
    /// Whether it shows the check code.
    pub(crate) shows_check: bool,
}

/// What a program brings to have its code turned into credentials.
pub(crate) struct Redemption<'a> {
    pub(crate) code: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) verifier: &'a str,
}

/// What was asked and what was granted, until it is used or too old.
#[derive(Default)]
pub(crate) struct Authorizations(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    asked: HashMap<Key, (Authorization, i64)>,
    granted: HashMap<Key, (Authorization, Proven, i64)>,
}

/// SHA-256 of an id or code, which are kept nowhere else.
type Key = [u8; 32];

impl Asked {
    /// Refuses what is not of the form that a program of this machine gives, before anything is sent anywhere.
    pub(crate) fn check(self) -> Result<Authorization, Refusal> {
        let Self { response_type, client_id, redirect_uri, state, code_challenge, code_challenge_method } =
            self;
        let wrong = |what: &str| Err(Refusal::invalid(format!("{what} Start the program's login anew.")));
        let Some(client) = CLIENTS.iter().find(|client| client.id == client_id) else {
            return wrong("client_id names no program that may ask.");
        };
        if !is_loopback(&redirect_uri) {
            return wrong("redirect_uri is not http://127.0.0.1:PORT/oauth/callback.");
        }
        if response_type != "code" {
            return wrong("response_type is not code.");
        }
        // RFC 7636's name for it, and that of `aws login`. `plain` would not keep a code from whoever sees the address.
        if !["S256", "SHA-256"].contains(&code_challenge_method.as_str()) {
            return wrong("code_challenge_method is not S256.");
        }
        if !is_challenge(&code_challenge) {
            return wrong("code_challenge is not the base64url of a SHA-256.");
        }
        if !(1..=MOST_STATE).contains(&state.len()) || !state.bytes().all(|byte| byte.is_ascii_graphic()) {
            return wrong("state is not 1 to 512 visible characters.");
        }
        Ok(Authorization { client, redirect_uri, state, challenge: code_challenge })
    }
}

impl Client {
    /// Its `client_id`.
    pub(crate) const fn id(&self) -> &'static str {
        self.id
    }
}

impl Authorization {
    /// The callback, as it was asked for.
    pub(crate) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The program's callback with a code.
    pub(crate) fn granted(&self, code: &str) -> String {
        self.callback("code", code)
    }

    /// The program's callback, told no (§4.1.2.1).
    pub(crate) fn denied(&self) -> String {
        self.callback("error", "access_denied")
    }

    /// Where the program listens: `http://127.0.0.1:PORT`.
    pub(crate) fn origin(&self) -> &str {
        self.redirect_uri.strip_suffix(CALLBACK).unwrap_or_default()
    }

    /// Eight characters that the program shows too, so that nobody grants another's request.
    pub(crate) fn check_code(&self) -> String {
        let text = BASE32_NOPAD.encode(&Sha256::digest(&self.challenge));
        format!("{}-{}", text.get(..4).unwrap_or_default(), text.get(4..8).unwrap_or_default())
    }

    fn callback(&self, name: &str, value: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(name, value).append_pair("state", &self.state);
        format!("{}?{}", self.redirect_uri, query.finish())
    }

    /// Whether a redemption is the one that this was asked for.
    fn is_redeemed_by(&self, redemption: &Redemption<'_>) -> bool {
        let Redemption { client_id, redirect_uri, verifier, .. } = redemption;
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        let is_answer = bool::from(challenge.as_bytes().ct_eq(self.challenge.as_bytes()));
        self.client.id == *client_id
            && self.redirect_uri == *redirect_uri
            && is_verifier(verifier)
            && is_answer
    }
}

impl Authorizations {
    /// Keeps what was asked; the answer is the id that the browser keeps.
    pub(crate) fn ask(&self, authorization: Authorization, now: i64) -> Result<String, Refusal> {
        let id = BASE64_URL_SAFE_NO_PAD.encode(random::<32>()?);
        let mut kept = self.kept(now);
        // Nobody has to sign in to ask. Were the newest refused, whoever asks often would keep everybody else from it.
        if kept.asked.len() >= MOST_ASKED {
            let oldest = kept.asked.iter().min_by_key(|(_, (_, expires))| *expires).map(|(id, _)| *id);
            oldest.and_then(|id| kept.asked.remove(&id));
        }
        kept.asked.insert(key(&id), (authorization, now.saturating_add(ANSWERED_WITHIN)));
        Ok(id)
    }

    /// What was asked under an id, while it is open.
    pub(crate) fn find(&self, id: &str, now: i64) -> Option<Authorization> {
        self.kept(now).asked.get(&key(id)).map(|(authorization, _)| authorization.clone())
    }

    /// Ends what was asked under an id.
    pub(crate) fn take(&self, id: &str, now: i64) -> Option<Authorization> {
        self.kept(now).asked.remove(&key(id)).map(|(authorization, _)| authorization)
    }

    /// A code for what was asked, which is kept nowhere else.
    pub(crate) fn grant(
        &self,
        authorization: Authorization,
        proven: Proven,
        now: i64,
    ) -> Result<String, Refusal> {
        let code = BASE64_URL_SAFE_NO_PAD.encode(random::<32>()?);
        let expires = now.saturating_add(REDEEMED_WITHIN);
        self.kept(now).granted.insert(key(&code), (authorization, proven, expires));
        Ok(code)
    }

    /// Who granted a code. It is used up by any attempt, right or wrong.
    pub(crate) fn redeem(&self, redemption: &Redemption<'_>, now: i64) -> Option<Proven> {
        let (authorization, proven, _) = self.kept(now).granted.remove(&key(redemption.code))?;
        authorization.is_redeemed_by(redemption).then_some(proven)
    }

    /// What is kept, without what is too old.
    fn kept(&self, now: i64) -> MutexGuard<'_, Kept> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.asked.retain(|_, (_, expires)| now < *expires);
        kept.granted.retain(|_, (_, _, expires)| now < *expires);
        kept
    }
}

fn key(id: &str) -> Key {
    Sha256::digest(id).into()
}

/// RFC 8252 §7.3: the loopback address by number, since a name may resolve elsewhere; any port; and the one path.
fn is_loopback(uri: &str) -> bool {
    let rest = uri.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix(CALLBACK));
    rest.is_some_and(|port| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && !port.starts_with('0')
            && port.parse::<u16>().is_ok_and(|port| port != 0)
    })
}

fn is_challenge(text: &str) -> bool {
    BASE64_URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// RFC 7636 §4.1.
fn is_verifier(text: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(is_unreserved)
}

static CLIENTS: [Client; 2] = [
    Client { id: "keywright", command: "keywright iam login --browser", shows_check: true },
    Client { id: "arn:aws:signin:::devtools/same-device", command: "aws login", shows_check: false },
];
const CALLBACK: &str = "/oauth/callback";
const MOST_STATE: usize = 512;
/// Far more than people start at once.
const MOST_ASKED: usize = 256;
/// Ten minutes to sign in and decide.
const ANSWERED_WITHIN: i64 = 600;
/// A minute: the browser brings the code at once.
const REDEEMED_WITHIN: i64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_loopback_address_by_number_with_a_port_and_the_one_path_is_answered_to() {
        assert!(is_loopback("http://127.0.0.1:1/oauth/callback"));
        assert!(is_loopback("http://127.0.0.1:65535/oauth/callback"));
        for uri in [
            "http://127.0.0.1/oauth/callback",
            "http://127.0.0.1:0/oauth/callback",
            "http://127.0.0.1:65536/oauth/callback",
            "http://127.0.0.1:080/oauth/callback",
            "http://127.0.0.1:+1/oauth/callback",
            "http://127.0.0.1:80@evil.example/oauth/callback",
            "http://127.0.0.1:80.evil.example/oauth/callback",
            "http://127.0.0.1:80/oauth/callback?x=1",
            "http://127.0.0.1:80/oauth/callback/",
            "http://127.0.0.1:80/x/oauth/callback",
            "https://127.0.0.1:80/oauth/callback",
            "http://localhost:80/oauth/callback",
            "http://[::1]:80/oauth/callback",
            "http://127.0.0.2:80/oauth/callback",
            "http://evil.example:80/oauth/callback",
            "HTTP://127.0.0.1:80/oauth/callback",
            " http://127.0.0.1:80/oauth/callback",
            "",
        ] {
            assert!(!is_loopback(uri), "{uri}");
        }
    }

    #[test]
    fn a_verifier_is_43_to_128_unreserved_characters() {
        assert!(is_verifier(&"a".repeat(43)) && is_verifier(&"~".repeat(128)));
        for text in ["a".repeat(42), "a".repeat(129), format!("{} ", "a".repeat(43)), "é".repeat(30)] {
            assert!(!is_verifier(&text), "{text}");
        }
    }

    #[test]
    fn a_challenge_is_the_base64url_of_32_bytes() {
        assert!(is_challenge("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        for text in
            ["", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-c"]
        {
            assert!(!is_challenge(text), "{text}");
        }
    }
}
