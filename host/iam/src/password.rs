//! Passwords: argon2id, the same work whether the user exists or not.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

use crate::{random, refusal::Refusal};

/// Hashes and verifies passwords. Each call takes tens of milliseconds and 19 MiB.
pub(crate) struct Passwords {
    argon2: Argon2<'static>,
    /// The hash of a password that nobody knows, verified when there is no such user.
    nobody: String,
}

impl Passwords {
    pub(crate) fn new() -> Result<Self, argon2::password_hash::Error> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let unknown = random::<32>().map_err(|_| argon2::password_hash::Error::Internal)?;
        let nobody = argon2.hash_password(&unknown)?.to_string();
        Ok(Self { argon2, nobody })
    }

    /// The PHC string to store.
    pub(crate) fn hash(&self, password: &str) -> Result<String, argon2::password_hash::Error> {
        Ok(self.argon2.hash_password(password.as_bytes())?.to_string())
    }

    /// Whether `password` is the one of `stored`; `None` stands for an unknown user and is never right.
    pub(crate) fn verify(&self, password: &str, stored: Option<&str>) -> bool {
        let Ok(hash) = PasswordHash::new(stored.unwrap_or(&self.nobody)) else {
            return false;
        };
        let right = self.argon2.verify_password(password.as_bytes(), &hash);
        right.is_ok() && stored.is_some()
    }
}

/// A password that the server hands out: 26 base32 characters, 130 bits.
pub(crate) fn generate() -> Result<String, getrandom::Error> {
    Ok(data_encoding::BASE32_NOPAD.encode(&random::<16>()?).to_ascii_lowercase())
}

/// A password that a user may have: 8 to 128 characters, as AWS's default policy has it.
pub(crate) fn check(password: &str) -> Result<(), Refusal> {
    if (8..=128).contains(&password.chars().count()) {
        Ok(())
    } else {
        Err(Refusal::invalid("A password is 8 to 128 characters."))
    }
}

/// At least what OWASP's Password Storage Cheat Sheet asks: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_of_a_known_user_is_right() {
        let passwords = Passwords::new().unwrap();
        let stored = passwords.hash("right password").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.verify("right password", Some(&stored)));
        assert!(!passwords.verify("wrong password", Some(&stored)));
        assert!(!passwords.verify("", Some(&stored)));
        assert!(!passwords.verify("right password", None));
        assert!(!passwords.verify("right password", Some("not a hash")));
    }

    #[test]
    fn a_short_or_endless_password_is_refused() {
        assert!(check("1234567").is_err());
        assert!(check("12345678").is_ok());
        assert!(check(&"x".repeat(129)).is_err());
    }
}
