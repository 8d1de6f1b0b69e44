//! authenticatorCredentialManagement (§6.8), and its preview form with the same request.

use super::make_credential::UserEntity;
use super::member::{descriptor_id, mandatory, optional};
use crate::cbor::{Item, Map};
use crate::status::Status;

/// A subcommand. Open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subcommand(pub u8);

impl Subcommand {
    /// How many credentials there are, and how many more can be.
    pub const GET_CREDS_METADATA: Self = Self(0x01);
    /// The first relying party.
    pub const ENUMERATE_RPS_BEGIN: Self = Self(0x02);
    /// The next relying party.
    pub const ENUMERATE_RPS_GET_NEXT_RP: Self = Self(0x03);
    /// A relying party's first credential.
    pub const ENUMERATE_CREDENTIALS_BEGIN: Self = Self(0x04);
    /// The relying party's next credential.
    pub const ENUMERATE_CREDENTIALS_GET_NEXT_CREDENTIAL: Self = Self(0x05);
    /// Deletes a credential.
    pub const DELETE_CREDENTIAL: Self = Self(0x06);
    /// Replaces the user of a credential.
    pub const UPDATE_USER_INFORMATION: Self = Self(0x07);
}

/// The request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// 0x01: the subcommand.
    pub subcommand: Subcommand,
    /// 0x02: its parameters.
    pub parameters: Option<Parameters<'a>>,
    /// 0x03: the PIN/UV auth protocol.
    pub pin_uv_auth_protocol: Option<u64>,
    /// 0x04: authenticates subcommand and parameters with a pinUvAuthToken.
    pub pin_uv_auth_param: Option<&'a [u8]>,
}

/// `subCommandParams`.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// The bytes that `pinUvAuthParam` covers.
    pub encoded: &'a [u8],
    map: Map<'a>,
}

impl<'a> Request<'a> {
    /// Reads the parameters behind the command byte.
    ///
    /// # Errors
    /// The status that §8 names for what is wrong; `INVALID_SUBCOMMAND` for a subcommand above 255.
    pub fn parse(parameters: &'a [u8]) -> Result<Self, Status> {
        let map = Item::parse(parameters)?.map()?;
        let subcommand = mandatory(map.get(0x01), Item::unsigned)?;
        Ok(Self {
            subcommand: Subcommand(u8::try_from(subcommand).map_err(|_| Status::INVALID_SUBCOMMAND)?),
            parameters: optional(map.get(0x02), Parameters::read)?,
            pin_uv_auth_protocol: optional(map.get(0x03), Item::unsigned)?,
            pin_uv_auth_param: optional(map.get(0x04), Item::bytes)?,
        })
    }

    /// The bytes of the parameters as `pinUvAuthParam` covers them: none if there are no parameters.
    pub fn encoded_parameters(&self) -> &'a [u8] {
        self.parameters.map(|parameters| parameters.encoded).unwrap_or_default()
    }

    /// 0x01 of the parameters: the hash of an RP ID.
    ///
    /// # Errors
    /// `MISSING_PARAMETER` if it is absent, `CBOR_UNEXPECTED_TYPE` if it is no byte string, `INVALID_LENGTH` if it is not
    /// 32 bytes.
    pub fn rp_id_hash(&self) -> Result<&'a [u8; 32], Status> {
        mandatory(self.parameter(0x01), Item::bytes)?.try_into().map_err(|_| Status::INVALID_LENGTH)
    }

    /// 0x02 of the parameters: the id of a credential. One of another type than `public-key` is no credential of ours.
    ///
    /// # Errors
    /// `MISSING_PARAMETER` if it is absent, `CBOR_UNEXPECTED_TYPE` if it is no credential descriptor, `NO_CREDENTIALS` if
    /// it is of another type.
    pub fn credential_id(&self) -> Result<&'a [u8], Status> {
        descriptor_id(mandatory(self.parameter(0x02), Item::map)?)?.ok_or(Status::NO_CREDENTIALS)
    }

    /// 0x03 of the parameters: a user.
    ///
    /// # Errors
    /// `MISSING_PARAMETER` if it is absent, else as [`UserEntity::read`].
    pub fn user(&self) -> Result<UserEntity<'a>, Status> {
        mandatory(self.parameter(0x03), UserEntity::read)
    }

    fn parameter(&self, key: i64) -> Option<Item<'a>> {
        self.parameters.and_then(|parameters| parameters.map.get(key))
    }
}

impl<'a> Parameters<'a> {
    fn read(item: Item<'a>) -> Result<Self, Status> {
        Ok(Self { encoded: item.encoded(), map: item.map()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_keep_the_bytes_that_the_pin_uv_auth_param_covers() {
        let request = Request::parse(&[0xa2, 0x01, 0x04, 0x02, 0xa1, 0x01, 0x41, 0x00]).unwrap();
        assert_eq!(request.subcommand, Subcommand::ENUMERATE_CREDENTIALS_BEGIN);
        assert_eq!(request.encoded_parameters(), [0xa1, 0x01, 0x41, 0x00]);
        assert_eq!(request.rp_id_hash(), Err(Status::INVALID_LENGTH));
    }

    #[test]
    fn what_is_absent_or_of_a_wrong_type_is_told_apart() {
        assert_eq!(Request::parse(&[0xa0]).err(), Some(Status::MISSING_PARAMETER));
        assert_eq!(Request::parse(&[0xa1, 0x01, 0x20]).err(), Some(Status::CBOR_UNEXPECTED_TYPE));
        assert_eq!(Request::parse(&[0xa1, 0x01, 0x19, 0x01, 0x00]).err(), Some(Status::INVALID_SUBCOMMAND));
        assert_eq!(Request::parse(&[0xa2, 0x01, 0x01, 0x02, 0x00]).err(), Some(Status::CBOR_UNEXPECTED_TYPE));
        let bare = Request::parse(&[0xa1, 0x01, 0x06]).unwrap();
        assert_eq!(bare.encoded_parameters(), []);
        assert_eq!(bare.rp_id_hash(), Err(Status::MISSING_PARAMETER));
        assert_eq!(bare.credential_id(), Err(Status::MISSING_PARAMETER));
        assert_eq!(bare.user().err(), Some(Status::MISSING_PARAMETER));
    }

    #[test]
    fn a_descriptor_of_another_type_names_no_credential() {
        let bytes = [0xa2, 0x01, 0x06, 0x02, 0xa1, 0x02, 0xa2, 0x62, b'i', b'd', 0x41, 7];
        let tail = [0x64, b't', b'y', b'p', b'e', 0x61, b'x'];
        let request = [&bytes[..], &tail].concat();
        assert_eq!(Request::parse(&request).unwrap().credential_id(), Err(Status::NO_CREDENTIALS));
    }
}
