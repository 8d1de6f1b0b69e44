//! Accounts, user names, device names, and the ARNs and serial numbers made of them.

use data_encoding::BASE32_NOPAD;

use crate::{
    error::Error,
    random,
    refusal::{Code, Refusal},
};

/// An account: 12 digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account(String);

impl Account {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.into()))
        } else {
            Err(Error::Account(text.into()))
        }
    }

    /// A random account that does not begin with 0, so that no tool takes it for a shorter number.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let number = u64::from_le_bytes(random()?) % 900_000_000_000 + 100_000_000_000;
        Ok(Self(number.to_string()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn user_arn(&self, user: &str) -> String {
        format!("arn:aws:iam::{}:user/{user}", self.0)
    }

    /// The serial number of an authenticator app.
    pub(crate) fn app_serial(&self, device: &DeviceName) -> String {
        format!("arn:aws:iam::{}:mfa/{}", self.0, device.0)
    }

    /// A new serial number for a FIDO key: the name and 26 base32 characters of 16 random bytes.
    pub(crate) fn key_serial(&self, user: &str, device: &DeviceName) -> Result<String, getrandom::Error> {
        let suffix = BASE32_NOPAD.encode(&random::<16>()?);
        let name = &device.0;
        Ok(format!("arn:aws:iam::{}:u2f/user/{user}/{name}-{suffix}", self.0))
    }
}

/// A user name: 1 to 64 of `[\w+=,.@-]`, ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserName(String);

impl UserName {
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        check(text, 64, "user name").map(|()| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A device name: 1 to 226 of `[\w+=,.@-]`, ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceName(String);

impl DeviceName {
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        check(text, 226, "device name").map(|()| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

fn check(text: &str, longest: usize, what: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if (1..=longest).contains(&text.len()) && text.bytes().all(allowed) {
        return Ok(());
    }
    Err(Refusal::new(
        Code::InvalidInput,
        format!("A {what} is 1 to {longest} characters: letters A-Z and a-z, digits and _+=,.@-"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_a_foreign_letter_space_slash_or_nothing_is_refused() {
        for name in ["", "é", "a b", "a/b", "a:b", "a\n", "٣"] {
            assert_eq!(DeviceName::parse(name).unwrap_err().code, Code::InvalidInput, "{name:?}");
        }
    }

    #[test]
    fn a_name_longer_than_the_limit_is_refused() {
        assert!(DeviceName::parse(&"a".repeat(226)).is_ok());
        assert!(DeviceName::parse(&"a".repeat(227)).is_err());
        assert!(UserName::parse(&"a".repeat(64)).is_ok());
        assert!(UserName::parse(&"a".repeat(65)).is_err());
    }

    #[test]
    fn an_account_that_is_not_twelve_digits_is_refused() {
        for account in ["", "12345678901", "1234567890123", "12345678901a"] {
            assert!(Account::parse(account).is_err(), "{account:?}");
        }
        assert_eq!(Account::random().unwrap().as_str().len(), 12);
    }

    #[test]
    fn the_serial_of_a_key_ends_in_26_base32_characters() {
        let account = Account::parse("123456789012").unwrap();
        let name = DeviceName::parse("blue").unwrap();
        let serial = account.key_serial("ann", &name).unwrap();
        let suffix = serial.strip_prefix("arn:aws:iam::123456789012:u2f/user/ann/blue-").unwrap();
        assert_eq!(suffix.len(), 26);
        assert!(suffix.bytes().all(|byte| byte.is_ascii_uppercase() || (b'2'..=b'7').contains(&byte)));
        assert_ne!(serial, account.key_serial("ann", &name).unwrap());
    }
}
