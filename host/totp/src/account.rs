//! An account and its codes.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE32_NOPAD, Encoding, Specification};
use zeroize::Zeroizing;

use crate::error::Error;

/// One account of an authenticator app.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    name: String,
    issuer: Option<String>,
    parameters: Parameters,
    secret: Zeroizing<Vec<u8>>,
}

/// How an account's codes are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The hash under the HMAC.
    pub algorithm: Algorithm,
    /// 6 to 8.
    pub digits: u8,
    /// The seconds that a code is shown for, at least 1.
    pub period: u32,
}

/// The hash under the HMAC (RFC 6238 §1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// What nearly every site means.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// A code, and how long it is shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// The digits.
    pub text: Zeroizing<String>,
    /// From 1 to the whole period.
    pub seconds_left: u64,
}

impl Account {
    /// An account whose secret is base32: in any case, with blanks, hyphens and padding as sites show it.
    ///
    /// # Errors
    /// If the secret, the name or a parameter cannot be one.
    pub fn from_base32(name: &str, secret: &str, parameters: Parameters) -> Result<Self, Error> {
        Self::new(name, None, &decoded(secret)?, parameters)
    }

    pub(crate) fn new(
        name: &str,
        issuer: Option<String>,
        secret: &[u8],
        parameters: Parameters,
    ) -> Result<Self, Error> {
        parameters.check()?;
        if secret.is_empty() {
            return Err(Error::Secret("empty"));
        }
        if secret.len() > LONGEST_SECRET {
            return Err(Error::Secret("longer than any is"));
        }
        Ok(Self { name: checked_name(name)?, issuer, parameters, secret: Zeroizing::new(secret.to_vec()) })
    }

    /// The same account under another name.
    ///
    /// # Errors
    /// If the name cannot be one.
    pub fn renamed(self, name: &str) -> Result<Self, Error> {
        Ok(Self { name: checked_name(name)?, ..self })
    }

    /// The name, by which it is found.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who gave the secret, if that is known.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// How its codes are made.
    #[must_use]
    pub const fn parameters(&self) -> Parameters {
        self.parameters
    }

    /// The code at a time in seconds since 1970.
    #[must_use]
    pub fn code(&self, time: u64) -> Code {
        let Parameters { algorithm, digits, period } = self.parameters;
        let totp = totp_rs::Builder::new()
            .with_secret(self.secret.as_slice())
            .with_algorithm(algorithm.into())
            .with_digits(digits)
            .with_step_duration(u64::from(period))
            .build_noncompliant();
        let period = u64::from(period);
        Code { text: Zeroizing::new(totp.generate(time).to_string()), seconds_left: period - time % period }
    }

    /// The secret as base32 without padding.
    pub(crate) fn base32(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE32_NOPAD.encode(&self.secret))
    }
}

impl Parameters {
    fn check(self) -> Result<(), Error> {
        if !(6..=8).contains(&self.digits) {
            return Err(Error::Parameters("a code has 6, 7 or 8 digits: give one of these"));
        }
        if self.period == 0 {
            return Err(Error::Parameters(
                "a code is shown for at least 1 second: give the period in seconds",
            ));
        }
        Ok(())
    }
}

impl Default for Parameters {
    fn default() -> Self {
        Self { algorithm: Algorithm::Sha1, digits: 6, period: 30 }
    }
}

impl Algorithm {
    /// The name, as an `otpauth:` URI has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
        }
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    /// In any case, with or without a hyphen.
    fn from_str(text: &str) -> Result<Self, Error> {
        let name = text.replace('-', "").to_ascii_uppercase();
        [Self::Sha1, Self::Sha256, Self::Sha512]
            .into_iter()
            .find(|algorithm| {
                [algorithm.name(), &format!("HMAC{}", algorithm.name())].contains(&name.as_str())
            })
            .ok_or(Error::Parameters(
                "the algorithm is none of SHA1, SHA256 and SHA512, and so no code of it can be shown",
            ))
    }
}

impl From<Algorithm> for totp_rs::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::SHA1,
            Algorithm::Sha256 => Self::SHA256,
            Algorithm::Sha512 => Self::SHA512,
        }
    }
}

/// Without the secret.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("name", &self.name)
            .field("issuer", &self.issuer)
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

/// Without the code.
impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("seconds_left", &self.seconds_left).finish_non_exhaustive()
    }
}

/// A secret as sites show it.
pub(crate) fn decoded(secret: &str) -> Result<Zeroizing<Vec<u8>>, Error> {
    let text = secret.trim().trim_end_matches('=');
    let bytes = lenient()?.decode(text.as_bytes()).map_err(|_| Error::Secret("not base32"))?;
    Ok(Zeroizing::new(bytes))
}

fn checked_name(name: &str) -> Result<String, Error> {
    // A colon would part issuer and name in the URI.
    let is_one =
        (1..=256).contains(&name.chars().count()) && !name.contains(|c: char| c == ':' || c.is_control());
    if is_one && name.trim() == name { Ok(name.to_owned()) } else { Err(Error::Name) }
}

/// RFC 4648 §6 as people copy it. Some sites leave bits in the last character that no byte has.
fn lenient() -> Result<Encoding, Error> {
    let mut specification = Specification::new();
    specification.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567");
    specification.translate.from.push_str("abcdefghijklmnopqrstuvwxyz");
    specification.translate.to.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    specification.ignore.push_str(" -");
    specification.check_trailing_bits = false;
    specification.encoding().map_err(|_| Error::Secret("not base32"))
}

/// Far longer than the block of any of the hashes.
const LONGEST_SECRET: usize = 1024;

#[cfg(test)]
mod tests;
