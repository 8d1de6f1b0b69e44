//! authenticatorMakeCredential (§6.1).

use super::member::{client_data_hash, mandatory, optional, required};
use super::{Credentials, Options, PUBLIC_KEY};
use crate::cbor::{Item, Items, Map};
use crate::cose::Algorithm;
use crate::status::Status;

/// The request.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// 0x01: SHA-256 of the client data.
    pub client_data_hash: &'a [u8; 32],
    /// 0x02: the relying party.
    pub rp: RpEntity<'a>,
    /// 0x03: the account.
    pub user: UserEntity<'a>,
    /// 0x04: the algorithms that the relying party takes, best first.
    pub algorithms: Algorithms<'a>,
    /// 0x05: credentials that must not be on this authenticator.
    pub exclude_list: Option<Credentials<'a>>,
    /// 0x06: extension inputs.
    pub extensions: Option<Map<'a>>,
    /// 0x07: options.
    pub options: Options,
    /// 0x08: authenticates the client data hash with a pinUvAuthToken.
    pub pin_uv_auth_param: Option<&'a [u8]>,
    /// 0x09: the PIN/UV auth protocol.
    pub pin_uv_auth_protocol: Option<u64>,
    /// 0x0A: enterprise attestation.
    pub enterprise_attestation: Option<u64>,
    /// 0x0B: attestation formats that the relying party prefers, best first; checked to be text.
    pub attestation_formats_preference: Option<Items<'a>>,
}

/// A relying party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpEntity<'a> {
    /// The RP ID.
    pub id: &'a str,
    /// A name to show.
    pub name: Option<&'a str>,
}

/// An account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserEntity<'a> {
    /// The user handle, 1 to 64 bytes.
    pub id: &'a [u8],
    /// The account's name.
    pub name: Option<&'a str>,
    /// The person's name.
    pub display_name: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// Reads the parameters behind the command byte.
    ///
    /// # Errors
    /// The status that §8 and §6.1.2 name for what is wrong.
    pub fn parse(parameters: &'a [u8]) -> Result<Self, Status> {
        let map = Item::parse(parameters)?.map()?;
        let request = Self {
            client_data_hash: client_data_hash(map.get(0x01))?,
            rp: mandatory(map.get(0x02), RpEntity::read)?,
            user: mandatory(map.get(0x03), UserEntity::read)?,
            algorithms: mandatory(map.get(0x04), Algorithms::read)?,
            exclude_list: optional(map.get(0x05), Credentials::read)?,
            extensions: optional(map.get(0x06), Item::map)?,
            options: Options::read(map.get(0x07))?,
            pin_uv_auth_param: optional(map.get(0x08), Item::bytes)?,
            pin_uv_auth_protocol: optional(map.get(0x09), Item::unsigned)?,
            enterprise_attestation: optional(map.get(0x0a), Item::unsigned)?,
            attestation_formats_preference: optional(map.get(0x0b), text_items)?,
        };
        Ok(request)
    }
}

impl<'a> RpEntity<'a> {
    pub(super) fn read(item: Item<'a>) -> Result<Self, Status> {
        let map = item.map()?;
        Ok(Self {
            id: required(map.get_text("id"), Item::text)?,
            name: optional(map.get_text("name"), Item::text)?,
        })
    }
}

impl<'a> UserEntity<'a> {
    /// Reads the entity; shared with credential management's updateUserInformation.
    ///
    /// # Errors
    /// `CBOR_UNEXPECTED_TYPE` if `id` is absent or a member has another type, `INVALID_LENGTH` if `id` is empty or
    /// longer than 64 bytes (WebAuthn §5.4.3).
    pub fn read(item: Item<'a>) -> Result<Self, Status> {
        let map = item.map()?;
        let id = required(map.get_text("id"), Item::bytes)?;
        if id.is_empty() || id.len() > MAX_USER_ID {
            return Err(Status::INVALID_LENGTH);
        }
        Ok(Self {
            id,
            name: optional(map.get_text("name"), Item::text)?,
            display_name: optional(map.get_text("displayName"), Item::text)?,
        })
    }
}

/// `pubKeyCredParams`, checked whole and read one at a time.
#[derive(Clone, Copy, Debug)]
pub struct Algorithms<'a>(Items<'a>);

impl<'a> Algorithms<'a> {
    fn read(item: Item<'a>) -> Result<Self, Status> {
        let items = item.array()?;
        for parameter in items {
            algorithm(parameter.map()?)?;
        }
        Ok(Self(items))
    }

    /// The algorithms of type `public-key`; identifiers outside the range of 32 bits are passed over.
    pub fn iter(&self) -> impl Iterator<Item = Algorithm> + use<'a> {
        self.0.filter_map(|item| algorithm(item.map().ok()?).ok().flatten())
    }
}

/// §6.1.2 step 3.1: without `type` or `alg` the element is invalid; with a wrong type it is of an unexpected type.
fn algorithm(map: Map<'_>) -> Result<Option<Algorithm>, Status> {
    let member = |name| map.get_text(name).ok_or(Status::INVALID_CBOR);
    let identifier = member("alg")?.integer()?;
    let kind = member("type")?.text()?;
    Ok(i32::try_from(identifier).ok().filter(|_| kind == PUBLIC_KEY).map(Algorithm))
}

fn text_items(item: Item<'_>) -> Result<Items<'_>, Status> {
    let items = item.array()?;
    for format in items {
        format.text()?;
    }
    Ok(items)
}

const MAX_USER_ID: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor::Encoder;

    fn parse(build: impl FnOnce(&mut Encoder<'_>)) -> Result<(), Status> {
        let mut buffer = [0; 512];
        let mut encoder = Encoder::new(&mut buffer);
        build(&mut encoder);
        Request::parse(encoder.written()).map(|_| ())
    }

    fn head(e: &mut Encoder<'_>, count: usize) {
        e.map(count).unwrap().integer(1).unwrap().bytes(&[0; 32]).unwrap();
        e.integer(2).unwrap().map(1).unwrap().text("id").unwrap().text("example.org").unwrap();
        e.integer(3).unwrap().map(1).unwrap().text("id").unwrap().bytes(&[1]).unwrap();
    }

    #[test]
    fn a_parameter_that_is_absent_is_missing() {
        assert_eq!(parse(|e| head(e, 3)), Err(Status::MISSING_PARAMETER));
        assert_eq!(parse(|e| drop(e.map(0))), Err(Status::MISSING_PARAMETER));
    }

    #[test]
    fn an_algorithm_without_type_or_alg_is_invalid_and_of_a_wrong_type_unexpected() {
        let with = |build: fn(&mut Encoder<'_>)| {
            parse(|e| {
                head(e, 4);
                e.integer(4).unwrap().array(1).unwrap();
                build(e);
            })
        };
        let full = |e: &mut Encoder<'_>| {
            e.map(2).unwrap().text("alg").unwrap().integer(-7).unwrap();
            e.text("type").unwrap().text("public-key").unwrap();
        };
        assert_eq!(with(full), Ok(()));
        assert_eq!(
            with(|e| drop(e.map(1).unwrap().text("alg").unwrap().integer(-7))),
            Err(Status::INVALID_CBOR)
        );
        assert_eq!(
            with(|e| drop(e.map(1).unwrap().text("type").unwrap().text("x"))),
            Err(Status::INVALID_CBOR)
        );
        assert_eq!(
            with(|e| drop(e.map(1).unwrap().text("alg").unwrap().text("ES256"))),
            Err(Status::CBOR_UNEXPECTED_TYPE)
        );
    }

    #[test]
    fn an_entity_without_its_id_is_of_an_unexpected_type() {
        let result = parse(|e| {
            e.map(2).unwrap().integer(1).unwrap().bytes(&[0; 32]).unwrap();
            e.integer(2).unwrap().map(1).unwrap().text("name").unwrap().text("x").unwrap();
        });
        assert_eq!(result, Err(Status::CBOR_UNEXPECTED_TYPE));
    }

    #[test]
    fn a_client_data_hash_of_31_bytes_has_an_invalid_length() {
        let result = parse(|e| drop(e.map(1).unwrap().integer(1).unwrap().bytes(&[0; 31])));
        assert_eq!(result, Err(Status::INVALID_LENGTH));
    }
}
