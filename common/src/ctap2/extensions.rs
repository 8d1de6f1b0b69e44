//! Extension inputs (§12): what the `extensions` map of a request may hold. Unknown extensions are ignored (§6.1.2 step 15).

use super::member::{mandatory, optional};
use crate::cbor::{Item, Map};
use crate::status::Status;

/// The inputs of authenticatorMakeCredential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CreationInputs {
    /// credProtect (§12.1).
    pub cred_protect: Option<CredProtect>,
    /// hmac-secret (§12.7): the platform asks whether the credential will have a secret.
    pub hmac_secret: bool,
}

impl CreationInputs {
    /// Reads the member `extensions`.
    ///
    /// # Errors
    /// `CBOR_UNEXPECTED_TYPE` for an input of another type, `INVALID_OPTION` for a level that credProtect does not have.
    pub fn read(extensions: Option<Map<'_>>) -> Result<Self, Status> {
        let Some(map) = extensions else { return Ok(Self::default()) };
        let level = optional(map.get_text(CRED_PROTECT), Item::unsigned)?;
        Ok(Self {
            cred_protect: level.map(CredProtect::from_level).transpose()?,
            hmac_secret: optional(map.get_text(HMAC_SECRET), Item::boolean)? == Some(true),
        })
    }
}

/// credProtect's policies, by their levels (§12.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum CredProtect {
    /// As if there were no such extension.
    #[default]
    UserVerificationOptional = 1,
    /// Without verification the credential must be named by its id.
    UserVerificationOptionalWithCredentialIdList = 2,
    /// Without verification the credential is not there.
    UserVerificationRequired = 3,
}

impl CredProtect {
    /// The policy of a level.
    ///
    /// # Errors
    /// `INVALID_OPTION` for any but 1 to 3: §12.1 defines no other level and names no code, and an unknown level must not
    /// become a weaker one.
    pub const fn from_level(level: u64) -> Result<Self, Status> {
        match level {
            1 => Ok(Self::UserVerificationOptional),
            2 => Ok(Self::UserVerificationOptionalWithCredentialIdList),
            3 => Ok(Self::UserVerificationRequired),
            _ => Err(Status::INVALID_OPTION),
        }
    }

    /// The level, 1 to 3.
    pub const fn level(self) -> u8 {
        self as u8
    }
}

/// The inputs of authenticatorGetAssertion.
#[derive(Clone, Copy, Debug, Default)]
pub struct AssertionInputs<'a> {
    /// hmac-secret (§12.7).
    pub hmac_secret: Option<HmacSecret<'a>>,
}

impl<'a> AssertionInputs<'a> {
    /// Reads the member `extensions`.
    ///
    /// # Errors
    /// `CBOR_UNEXPECTED_TYPE` for an input of another type, `MISSING_PARAMETER` if hmac-secret lacks a member.
    pub fn read(extensions: Option<Map<'a>>) -> Result<Self, Status> {
        let Some(map) = extensions else { return Ok(Self::default()) };
        Ok(Self { hmac_secret: optional(map.get_text(HMAC_SECRET), HmacSecret::read)? })
    }
}

/// hmac-secret's input to an assertion: one or two salts, encrypted and authenticated.
#[derive(Clone, Copy, Debug)]
pub struct HmacSecret<'a> {
    /// 0x01: the platform's key agreement key, a COSE_Key that has not been looked at.
    pub key_agreement: Map<'a>,
    /// 0x02: one salt of 32 bytes or two, encrypted.
    pub salt_enc: &'a [u8],
    /// 0x03: authenticates `salt_enc`.
    pub salt_auth: &'a [u8],
    /// 0x04: the PIN/UV auth protocol; absent: protocol 1.
    pub pin_uv_auth_protocol: Option<u64>,
}

impl<'a> HmacSecret<'a> {
    fn read(item: Item<'a>) -> Result<Self, Status> {
        let map = item.map()?;
        Ok(Self {
            key_agreement: mandatory(map.get(0x01), Item::map)?,
            salt_enc: mandatory(map.get(0x02), Item::bytes)?,
            salt_auth: mandatory(map.get(0x03), Item::bytes)?,
            pin_uv_auth_protocol: optional(map.get(0x04), Item::unsigned)?,
        })
    }
}

/// The identifier of credProtect.
pub const CRED_PROTECT: &str = "credProtect";
/// The identifier of hmac-secret.
pub const HMAC_SECRET: &str = "hmac-secret";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::{Encoder, Full};

    fn encoded<'b>(
        buffer: &'b mut [u8],
        build: impl FnOnce(&mut Encoder<'_>) -> Result<(), Full>,
    ) -> Map<'b> {
        let mut encoder = Encoder::new(buffer);
        build(&mut encoder).unwrap();
        let length = encoder.len();
        Item::parse(&buffer[..length]).unwrap().map().unwrap()
    }

    #[test]
    fn inputs_are_read_and_unknown_extensions_ignored() {
        let mut buffer = [0; 64];
        let map = encoded(&mut buffer, |e| {
            e.map(3)?.text("uvm")?.integer(1)?.text("credProtect")?.integer(2)?;
            e.text("hmac-secret")?.boolean(true)?;
            Ok(())
        });
        let level = CredProtect::UserVerificationOptionalWithCredentialIdList;
        let inputs = CreationInputs { cred_protect: Some(level), hmac_secret: true };
        assert_eq!(CreationInputs::read(Some(map)), Ok(inputs));
        assert_eq!(CreationInputs::read(None), Ok(CreationInputs::default()));
    }

    #[test]
    fn a_level_that_is_not_defined_is_refused() {
        for level in [0, 4, 0x0100_0000_0000_0001, u64::MAX] {
            let mut buffer = [0; 64];
            let map = encoded(&mut buffer, |e| {
                e.map(1)?.text("credProtect")?.integer(level)?;
                Ok(())
            });
            assert_eq!(CreationInputs::read(Some(map)), Err(Status::INVALID_OPTION), "{level}");
        }
    }

    #[test]
    fn an_input_of_another_type_is_refused() {
        let mut buffer = [0; 64];
        for name in ["credProtect", "hmac-secret"] {
            let map = encoded(&mut buffer, |e| {
                e.map(1)?.text(name)?.text("x")?;
                Ok(())
            });
            assert_eq!(CreationInputs::read(Some(map)), Err(Status::CBOR_UNEXPECTED_TYPE));
        }
        let map = encoded(&mut buffer, |e| {
            e.map(1)?.text("hmac-secret")?.boolean(true)?;
            Ok(())
        });
        assert_eq!(AssertionInputs::read(Some(map)).err(), Some(Status::CBOR_UNEXPECTED_TYPE));
    }

    #[test]
    fn an_hmac_secret_without_one_of_its_members_lacks_a_parameter() {
        for absent in [1, 2, 3] {
            let mut buffer = [0; 64];
            let map = encoded(&mut buffer, |e| {
                e.map(1)?.text("hmac-secret")?.map(2)?;
                if absent != 1 {
                    e.integer(1)?.map(0)?;
                }
                for member in [2, 3].into_iter().filter(|member| *member != absent) {
                    e.integer(member)?.bytes(&[0; 8])?;
                }
                Ok(())
            });
            assert_eq!(AssertionInputs::read(Some(map)).err(), Some(Status::MISSING_PARAMETER), "{absent}");
        }
    }
}
