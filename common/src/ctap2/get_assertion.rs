//! authenticatorGetAssertion (§6.2).

use super::member::{client_data_hash, mandatory, optional};
use super::{Credentials, Options};
use crate::cbor::{Item, Map};
use crate::status::Status;

/// The request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// 0x01: the RP ID.
    pub rp_id: &'a str,
    /// 0x02: SHA-256 of the client data.
    pub client_data_hash: &'a [u8; 32],
    /// 0x03: the credentials that may answer; absent: discoverable ones.
    pub allow_list: Option<Credentials<'a>>,
    /// 0x04: extension inputs.
    pub extensions: Option<Map<'a>>,
    /// 0x05: options.
    pub options: Options,
    /// 0x06: authenticates the client data hash with a pinUvAuthToken.
    pub pin_uv_auth_param: Option<&'a [u8]>,
    /// 0x07: the PIN/UV auth protocol.
    pub pin_uv_auth_protocol: Option<u64>,
}

impl<'a> Request<'a> {
    /// Reads the parameters behind the command byte. An empty `allowList` counts as absent.
    ///
    /// # Errors
    /// The status that §8 and §6.2.2 name for what is wrong.
    pub fn parse(parameters: &'a [u8]) -> Result<Self, Status> {
        let map = Item::parse(parameters)?.map()?;
        Ok(Self {
            rp_id: mandatory(map.get(0x01), Item::text)?,
            client_data_hash: client_data_hash(map.get(0x02))?,
            allow_list: optional(map.get(0x03), Credentials::read)?.filter(|list| list.count() > 0),
            extensions: optional(map.get(0x04), Item::map)?,
            options: Options::read(map.get(0x05))?,
            pin_uv_auth_param: optional(map.get(0x06), Item::bytes)?,
            pin_uv_auth_protocol: optional(map.get(0x07), Item::unsigned)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_its_parameters_is_refused() {
        assert_eq!(Request::parse(&[0xa0]).err(), Some(Status::MISSING_PARAMETER));
        assert_eq!(Request::parse(&[0x01]).err(), Some(Status::CBOR_UNEXPECTED_TYPE));
        assert_eq!(Request::parse(&[]).err(), Some(Status::INVALID_CBOR));
    }
}
