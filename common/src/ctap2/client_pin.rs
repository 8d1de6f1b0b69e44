//! authenticatorClientPIN (§6.5).

use super::member::{mandatory, optional};
use crate::cbor::{Item, Map};
use crate::status::Status;

/// The request. Which members a subcommand needs, and what they may be, is for the subcommand to say.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// 0x01: the PIN/UV auth protocol.
    pub pin_uv_auth_protocol: Option<u64>,
    /// 0x02: the subcommand.
    pub subcommand: Subcommand,
    /// 0x03: the platform's key agreement key, a COSE_Key that has not been looked at.
    pub key_agreement: Option<Map<'a>>,
    /// 0x04: authenticates the members that are encrypted.
    pub pin_uv_auth_param: Option<&'a [u8]>,
    /// 0x05: the new PIN, padded and encrypted.
    pub new_pin_enc: Option<&'a [u8]>,
    /// 0x06: the first half of the PIN's SHA-256, encrypted.
    pub pin_hash_enc: Option<&'a [u8]>,
    /// 0x09: what the token shall be good for.
    pub permissions: Option<Permissions>,
    /// 0x0A: the RP ID that the token shall be good for.
    pub rp_id: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// Reads the parameters behind the command byte.
    ///
    /// # Errors
    /// The status that §8 names for what is wrong; `MISSING_PARAMETER` without a subcommand.
    pub fn parse(parameters: &'a [u8]) -> Result<Self, Status> {
        let map = Item::parse(parameters)?.map()?;
        Ok(Self {
            pin_uv_auth_protocol: optional(map.get(0x01), Item::unsigned)?,
            subcommand: Subcommand(mandatory(map.get(0x02), Item::unsigned)?),
            key_agreement: optional(map.get(0x03), Item::map)?,
            pin_uv_auth_param: optional(map.get(0x04), Item::bytes)?,
            new_pin_enc: optional(map.get(0x05), Item::bytes)?,
            pin_hash_enc: optional(map.get(0x06), Item::bytes)?,
            permissions: optional(map.get(0x09), Item::unsigned)?.map(Permissions),
            rp_id: optional(map.get(0x0a), Item::text)?,
        })
    }
}

/// A subcommand (§6.5.5). Open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subcommand(pub u64);

impl Subcommand {
    /// getPINRetries.
    pub const GET_PIN_RETRIES: Self = Self(0x01);
    /// getKeyAgreement.
    pub const GET_KEY_AGREEMENT: Self = Self(0x02);
    /// setPIN.
    pub const SET_PIN: Self = Self(0x03);
    /// changePIN.
    pub const CHANGE_PIN: Self = Self(0x04);
    /// getPinToken; superseded.
    pub const GET_PIN_TOKEN: Self = Self(0x05);
    /// getPinUvAuthTokenUsingUvWithPermissions.
    pub const GET_PIN_UV_AUTH_TOKEN_USING_UV_WITH_PERMISSIONS: Self = Self(0x06);
    /// getUVRetries.
    pub const GET_UV_RETRIES: Self = Self(0x07);
    /// getPinUvAuthTokenUsingPinWithPermissions.
    pub const GET_PIN_UV_AUTH_TOKEN_USING_PIN_WITH_PERMISSIONS: Self = Self(0x09);
}

/// A set of a pinUvAuthToken's permissions (§6.5.5.7). Open: bits that are not named here survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permissions(pub u64);

impl Permissions {
    /// None at all.
    pub const NONE: Self = Self(0);
    /// MakeCredential.
    pub const MC: Self = Self(0x01);
    /// GetAssertion.
    pub const GA: Self = Self(0x02);
    /// Credential Management.
    pub const CM: Self = Self(0x04);
    /// Bio Enrollment.
    pub const BE: Self = Self(0x08);
    /// Large Blob Write.
    pub const LBW: Self = Self(0x10);
    /// Authenticator Configuration.
    pub const ACFG: Self = Self(0x20);
    /// Persistent Credential Management Read Only.
    pub const PCMR: Self = Self(0x40);

    /// Every permission that the specification defines.
    pub const DEFINED: Self = Self(0x7f);

    /// The permissions of both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The permissions that are in both sets.
    #[must_use]
    pub const fn within(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether every permission of `other` is in this set.
    pub const fn contain(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// PIN retries of a new PIN (§6.5.5.2: at most 8).
pub const MAX_PIN_RETRIES: u8 = 8;
/// How many PINs in a row may be wrong before the key must be plugged in again (§6.5.5.6).
pub const MAX_CONSECUTIVE_MISMATCHES: u8 = 3;
/// The shortest PIN in Unicode code points (§6.5.1).
pub const MIN_PIN_CODE_POINTS: u8 = 4;
/// The longest PIN in bytes of UTF-8 (§6.5.1).
pub const MAX_PIN_BYTES: usize = 63;
/// The length to which a new PIN is padded with zeros before it is encrypted (§6.5.5.5).
pub const PADDED_PIN_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_a_subcommand_lacks_a_parameter() {
        assert_eq!(Request::parse(&[0xa0]).err(), Some(Status::MISSING_PARAMETER));
        assert_eq!(Request::parse(&[0xa1, 1, 2]).err(), Some(Status::MISSING_PARAMETER));
    }

    #[test]
    fn a_member_of_another_type_is_refused() {
        for member in [1, 2, 3, 4, 5, 6, 9, 10] {
            // A member that is `false`, with a subcommand beside it.
            let bytes = match member {
                1 => &[0xa2, 1, 0xf4, 2, 1][..],
                2 => &[0xa1, 2, 0xf4][..],
                3 => &[0xa2, 2, 1, 3, 0xf4],
                4 => &[0xa2, 2, 1, 4, 0xf4],
                5 => &[0xa2, 2, 1, 5, 0xf4],
                6 => &[0xa2, 2, 1, 6, 0xf4],
                9 => &[0xa2, 2, 1, 9, 0xf4],
                _ => &[0xa2, 2, 1, 10, 0xf4],
            };
            assert_eq!(Request::parse(bytes).err(), Some(Status::CBOR_UNEXPECTED_TYPE), "member {member}");
        }
    }

    #[test]
    fn unknown_members_and_subcommands_are_let_through() {
        let request = Request::parse(&[0xa3, 2, 0x18, 0xff, 7, 0xf4, 0x18, 0x63, 0]).unwrap();
        assert_eq!(request.subcommand, Subcommand(0xff));
    }

    #[test]
    fn broken_cbor_is_told_from_another_type() {
        for bytes in [&[][..], &[0xa1, 2], &[0xa2, 2, 1, 1, 1], &[0xa2, 2, 1, 2, 1], &[0xa1, 2, 1, 0]] {
            assert_eq!(Request::parse(bytes).err(), Some(Status::INVALID_CBOR));
        }
        assert_eq!(Request::parse(&[0x80]).err(), Some(Status::CBOR_UNEXPECTED_TYPE));
    }

    #[test]
    fn permissions_are_sets() {
        let both = Permissions::MC.with(Permissions::GA);
        assert!(both.contain(Permissions::GA) && both.contain(Permissions::NONE));
        assert!(!both.contain(Permissions::CM.with(Permissions::GA)));
        assert_eq!(Permissions(0xff83).within(Permissions::DEFINED), both);
    }
}
