//! `otpauth:` URIs, as Google's "Key Uri Format" has them. They are read here and not by the `url` crate, which keeps copies of the
//! secret that are not wiped.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

use crate::account::{Account, Parameters, decoded};
use crate::error::Error;

impl Account {
    /// The account of an `otpauth:` URI; `name` in the place of the name that the URI has, if one is given.
    ///
    /// # Errors
    /// If it is none of a TOTP account, or what it says cannot be.
    pub fn from_uri(uri: &str, name: Option<&str>) -> Result<Self, Error> {
        let (label, query) = parts(uri.trim())?;
        let mut found = Query::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            found.take(key, value)?;
        }
        let label = text(label, "its label")?;
        let (label_issuer, label_name) = match label.split_once(':') {
            Some((issuer, name)) => (Some(issuer.trim()), name.trim()),
            None => (None, label.trim()),
        };
        // Where the two differ, the parameter is the stronger one.
        let issuer =
            found.issuer.or_else(|| label_issuer.map(str::to_owned)).filter(|issuer| !issuer.is_empty());
        let secret = found.secret.ok_or_else(|| Error::Uri("it has no secret".to_owned()))?;
        Self::new(name.unwrap_or(label_name), issuer, &decoded(&secret)?, found.parameters)
    }

    /// The `otpauth:` URI, which holds the secret.
    #[must_use]
    pub fn uri(&self) -> Zeroizing<String> {
        let (secret, parameters) = (self.base32(), self.parameters());
        let (name, issuer) = (encoded(self.name()), self.issuer().map(encoded));
        // With room from the start, so that growing leaves no copy behind.
        let mut uri = Zeroizing::new(String::with_capacity(
            128 + secret.len() + 6 * name.len() + 12 * issuer.as_ref().map_or(0, String::len),
        ));
        let label = issuer.as_ref().map(|issuer| format!("{issuer}:")).unwrap_or_default();
        // Writing to a string cannot fail.
        let _ = write!(uri, "otpauth://totp/{label}{name}?secret={}", secret.as_str());
        if let Some(issuer) = issuer {
            let _ = write!(uri, "&issuer={issuer}");
        }
        let usual = Parameters::default();
        if parameters.algorithm != usual.algorithm {
            let _ = write!(uri, "&algorithm={}", parameters.algorithm.name());
        }
        if parameters.digits != usual.digits {
            let _ = write!(uri, "&digits={}", parameters.digits);
        }
        if parameters.period != usual.period {
            let _ = write!(uri, "&period={}", parameters.period);
        }
        uri
    }
}

/// What the query of a URI has said so far.
#[derive(Default)]
struct Query {
    secret: Option<Zeroizing<String>>,
    issuer: Option<String>,
    parameters: Parameters,
}

impl Query {
    fn take(&mut self, key: &str, value: &str) -> Result<(), Error> {
        let number = |what: &str| Error::Uri(format!("its {what} is no number that can be one"));
        match key {
            "secret" if self.secret.is_some() => return Err(Error::Uri("it has two secrets".to_owned())),
            "secret" => self.secret = Some(text(value, "its secret")?),
            "issuer" => self.issuer = Some(text(&value.replace('+', " "), "its issuer")?.to_string()),
            "algorithm" => self.parameters.algorithm = value.parse()?,
            "digits" => self.parameters.digits = value.parse().map_err(|_| number("digits"))?,
            "period" => self.parameters.period = value.parse().map_err(|_| number("period"))?,
            // Pictures, colours and the like.
            _ => {}
        }
        Ok(())
    }
}

/// Whether a text claims to be a URI and no base32.
#[must_use]
pub fn is_uri(text: &str) -> bool {
    text.contains("://")
}

/// The label and the query, as they are written.
fn parts(uri: &str) -> Result<(&str, &str), Error> {
    let wrong = |words: &str| Error::Uri(words.to_owned());
    let (scheme, rest) = uri.split_once("://").ok_or_else(|| wrong("it begins with no otpauth://"))?;
    match scheme.to_ascii_lowercase().as_str() {
        "otpauth" => {}
        "otpauth-migration" => {
            return Err(wrong(
                "it is an export of many accounts of Google Authenticator; show the account's own QR code",
            ));
        }
        _ => return Err(wrong("it begins with no otpauth://")),
    }
    let (kind, rest) = rest.split_once('/').ok_or_else(|| wrong("it names no account"))?;
    if kind.eq_ignore_ascii_case("hotp") {
        return Err(wrong("it counts (HOTP) and does not go by the clock, which is not supported"));
    }
    if !kind.eq_ignore_ascii_case("totp") {
        return Err(wrong("its type is not totp"));
    }
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    rest.split_once('?').ok_or_else(|| wrong("it has no secret"))
}

fn text(encoded: &str, what: &str) -> Result<Zeroizing<String>, Error> {
    let wrong = || Error::Uri(format!("{what} is no UTF-8 text"));
    let mut bytes = Zeroizing::new(Vec::with_capacity(encoded.len()));
    bytes.extend(percent_decode_str(encoded));
    Ok(Zeroizing::new(std::str::from_utf8(&bytes).map_err(|_| wrong())?.to_owned()))
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// All but the unreserved characters of RFC 3986, and `@`, which labels have.
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');
