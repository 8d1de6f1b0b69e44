//! Members that several requests share.

use crate::cbor::{Item, Items, Map};
use crate::status::Status;

/// Reads an optional member with one of [`Item`]'s typed readers.
pub(super) fn optional<'a, T, E>(
    item: Option<Item<'a>>,
    read: impl FnOnce(Item<'a>) -> Result<T, E>,
) -> Result<Option<T>, Status>
where
    Status: From<E>,
{
    Ok(item.map(read).transpose()?)
}

/// Reads a mandatory top-level parameter.
pub(super) fn mandatory<'a, T, E>(
    item: Option<Item<'a>>,
    read: impl FnOnce(Item<'a>) -> Result<T, E>,
) -> Result<T, Status>
where
    Status: From<E>,
{
    Ok(read(item.ok_or(Status::MISSING_PARAMETER)?)?)
}

/// Reads a required member of an entity or descriptor; its absence is a type error of the entity (§8).
pub(super) fn required<'a, T, E>(
    item: Option<Item<'a>>,
    read: impl FnOnce(Item<'a>) -> Result<T, E>,
) -> Result<T, Status>
where
    Status: From<E>,
{
    Ok(read(item.ok_or(Status::CBOR_UNEXPECTED_TYPE)?)?)
}

/// A client data hash: 32 bytes (WebAuthn §6.3.2 step 1).
pub(super) fn client_data_hash(item: Option<Item<'_>>) -> Result<&[u8; 32], Status> {
    mandatory(item, Item::bytes)?.try_into().map_err(|_| Status::INVALID_LENGTH)
}

/// The `options` map. Options that are not known are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// A discoverable credential.
    pub rk: Option<bool>,
    /// User presence.
    pub up: Option<bool>,
    /// Built-in user verification.
    pub uv: Option<bool>,
}

impl Options {
    pub(super) fn read(item: Option<Item<'_>>) -> Result<Self, Status> {
        let Some(map) = optional(item, Item::map)? else { return Ok(Self::default()) };
        let option = |name| optional(map.get_text(name), Item::boolean);
        Ok(Self { rk: option("rk")?, up: option("up")?, uv: option("uv")? })
    }
}

/// A list of credential descriptors, checked whole and read one at a time: no list is too long.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a>(Items<'a>);

impl<'a> Credentials<'a> {
    /// Checks every descriptor.
    pub(super) fn read(item: Item<'a>) -> Result<Self, Status> {
        let items = item.array()?;
        for descriptor in items {
            descriptor_id(descriptor.map()?)?;
        }
        Ok(Self(items))
    }

    /// How many descriptors the list has, of whatever type.
    pub const fn count(&self) -> u64 {
        self.0.count_left()
    }

    /// The ids of the descriptors of type `public-key`; others are passed over.
    pub fn ids(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.0.filter_map(|item| descriptor_id(item.map().ok()?).ok().flatten())
    }
}

/// The id of a descriptor of type `public-key`, `None` for another type.
pub(super) fn descriptor_id(map: Map<'_>) -> Result<Option<&[u8]>, Status> {
    let id = required(map.get_text("id"), Item::bytes)?;
    let kind = required(map.get_text("type"), Item::text)?;
    Ok((kind == super::PUBLIC_KEY).then_some(id))
}
