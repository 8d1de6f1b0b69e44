//! Signature Version 4, as AWS publishes it ("Create a signed AWS API request").

pub(crate) mod signing;

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{
    refusal::{Code, Refusal},
    timestamp,
};

/// A request as it came, with what a signature covers.
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path as it was sent.
    pub(crate) path: String,
    /// The query as it was sent, without the question mark.
    pub(crate) query: String,
    /// Names in lower case; values in the order in which they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What the Authorization header of a request claims.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) access_key_id: String,
    pub(crate) session_token: Option<String>,
    /// `iam` or `sts`.
    pub(crate) service: String,
    scope: String,
    date: String,
    region: String,
    signed_headers: Vec<String>,
    signature: String,
    /// When it was signed: `20260131T123456Z`.
    time: String,
}

impl Request {
    /// The value of a header; several of one name are joined by commas.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> =
            self.headers.iter().filter(|(found, _)| found == name).map(|(_, v)| trimmed(v)).collect();
        (!values.is_empty()).then(|| values.join(","))
    }
}

impl Claim {
    /// Reads the claim of a request.
    pub(crate) fn read(request: &Request) -> Result<Self, Refusal> {
        let Some(authorization) = request.header("authorization") else {
            let text =
                "Request is missing Authentication Token: sign it with an access key (SigV4, in the header).";
            return Err(Refusal::new(Code::MissingAuthenticationToken, text));
        };
        let fields = authorization.strip_prefix("AWS4-HMAC-SHA256 ");
        let fields = fields
            .ok_or_else(|| incomplete("Authorization header requires the algorithm AWS4-HMAC-SHA256."))?;
        let fields: BTreeMap<_, _> =
            fields.split(',').filter_map(|field| field.trim().split_once('=')).collect();
        let field = |name: &str| {
            let text = || incomplete(&format!("Authorization header requires '{name}' parameter."));
            fields.get(name).copied().filter(|value| !value.is_empty()).ok_or_else(text)
        };
        let (credential, signed) = (field("Credential")?, field("SignedHeaders")?);
        let signature = field("Signature")?.to_owned();
        let (access_key_id, scope) = credential.split_once('/').ok_or_else(bad_scope)?;
        let parts: Vec<_> = scope.split('/').collect();
        let [date, region, service, "aws4_request"] = parts.as_slice() else { return Err(bad_scope()) };
        let text = "Authorization header requires existence of an 'X-Amz-Date' header.";
        let time = request.header("x-amz-date").ok_or_else(|| incomplete(text))?;
        let claim = Self {
            access_key_id: access_key_id.into(),
            session_token: request.header("x-amz-security-token"),
            service: (*service).into(),
            scope: scope.into(),
            date: (*date).into(),
            region: (*region).into(),
            signed_headers: signed.split(';').map(str::to_owned).collect(),
            signature,
            time,
        };
        claim.require_signed(request)?;
        Ok(claim)
    }

    /// Refuses a signature that is older or newer than a quarter of an hour.
    pub(crate) fn check_time(&self, now: i64) -> Result<(), Refusal> {
        let text = "Date must be in ISO-8601 'basic format': X-Amz-Date is like 20260131T123456Z.";
        let signed = timestamp::parse_basic(&self.time).ok_or_else(|| incomplete(text))?;
        if !self.time.starts_with(&self.date) || self.date.len() != 8 {
            return Err(mismatch(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.",
            ));
        }
        let (early, late) = (now.saturating_sub(SKEW), now.saturating_add(SKEW));
        let at = timestamp::basic;
        if signed < early {
            let text = format!(
                "Signature expired: {} is now earlier than {} ({} - 15 min.)",
                self.time,
                at(early),
                at(now)
            );
            return Err(mismatch(&text));
        }
        if signed > late {
            let text = format!(
                "Signature not yet current: {} is still later than {} ({} + 15 min.)",
                self.time,
                at(late),
                at(now)
            );
            return Err(mismatch(&text));
        }
        Ok(())
    }

    /// Refuses a request that was not signed with this secret.
    pub(crate) fn verify(&self, request: &Request, secret: &str) -> Result<(), Refusal> {
        let payload = hex(&Sha256::digest(&request.body));
        let told = request.header("x-amz-content-sha256");
        let expected = self.signature_of(&canonical(request, &self.signed_headers, &payload), secret);
        let same = bool::from(expected.as_bytes().ct_eq(self.signature.as_bytes()));
        if same && told.is_none_or(|told| told == payload) {
            return Ok(());
        }
        Err(mismatch(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details.",
        ))
    }

    fn signature_of(&self, canonical: &str, secret: &str) -> String {
        let to_sign =
            format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", self.time, self.scope, hex(&Sha256::digest(canonical)));
        let first = Zeroizing::new(format!("AWS4{secret}"));
        let parts = [self.date.as_str(), &self.region, &self.service, "aws4_request"];
        let start = Zeroizing::new(first.as_bytes().to_vec());
        let key = parts.into_iter().fold(start, |key, part| mac(&key, part));
        hex(&mac(&key, &to_sign))
    }

    /// What decides who asks for what must be under the signature: the host, and every header of AWS's own.
    fn require_signed(&self, request: &Request) -> Result<(), Refusal> {
        if !self.signed_headers.is_sorted() {
            return Err(mismatch("SignedHeaders must be in alphabetical order."));
        }
        let own =
            request.headers.iter().map(|(name, _)| name.as_str()).filter(|name| name.starts_with("x-amz-"));
        for name in own.chain(["host"]) {
            if !self.signed_headers.iter().any(|signed| signed == name) {
                return Err(mismatch(&format!("'{name}' must be a signed header in the AWS Authorization.")));
            }
        }
        Ok(())
    }
}

/// The canonical request: what is hashed and signed.
fn canonical(request: &Request, signed_headers: &[String], payload: &str) -> String {
    let headers: String = signed_headers
        .iter()
        .map(|name| format!("{name}:{}\n", request.header(name).unwrap_or_default()))
        .collect();
    let (method, path, query) = (&request.method, &request.path, canonical_query(&request.query));
    format!("{method}\n{path}\n{query}\n{headers}\n{}\n{payload}", signed_headers.join(";"))
}

/// Each name and value encoded anew, sorted by name and then by value.
fn canonical_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<_> = pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (encoded(&decoded(name)), encoded(&decoded(value))))
        .collect();
    pairs.sort();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Percent-encoding as SigV4 has it: all but the unreserved characters of RFC 3986.
fn encoded(bytes: &[u8]) -> String {
    let encode = |byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(*byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    bytes.iter().map(encode).collect()
}

fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits =
            after.get(..2).filter(|_| *first == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    bytes
}

/// Without spaces around it, and with one for each row of them within.
fn trimmed(value: &str) -> String {
    value.split([' ', '\t']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

fn mac(key: &[u8], text: &str) -> Zeroizing<Vec<u8>> {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Zeroizing::default() };
    mac.update(text.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn incomplete(text: &str) -> Refusal {
    Refusal::new(Code::IncompleteSignature, text)
}

fn bad_scope() -> Refusal {
    incomplete(
        "Credential must have exactly 5 slash-delimited elements: KEY/YYYYMMDD/REGION/SERVICE/aws4_request.",
    )
}

fn mismatch(text: &str) -> Refusal {
    Refusal::new(Code::SignatureDoesNotMatch, text)
}

/// Seconds that a client's clock may be off.
const SKEW: i64 = 15 * 60;

#[cfg(test)]
mod tests;
