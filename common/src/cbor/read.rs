//! The reader.

use core::cmp::Ordering;

use super::MAX_DEPTH;
use crate::status::Status;

/// One item of a checked message: its exact encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'a>(&'a [u8]);

/// The bytes are not one item of CTAP2 canonical CBOR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// A value has another CBOR type than its place in the message calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnexpectedType;

/// An integer of major type 0 or 1; covers the whole range of both.
pub type Integer = i128;

/// A map key: CTAP uses integers and text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key<'a> {
    /// An integer key.
    Integer(Integer),
    /// A text key.
    Text(&'a str),
}

impl<'a> Item<'a> {
    /// Checks that `bytes` are exactly one canonical item.
    ///
    /// # Errors
    /// [`Malformed`] for anything that §8 does not allow, trailing bytes included.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let (item, rest) = Self::parse_prefix(bytes)?;
        if rest.is_empty() { Ok(item) } else { Err(Malformed) }
    }

    /// Checks that `bytes` begin with one canonical item; gives it and what is behind it.
    ///
    /// # Errors
    /// [`Malformed`] for anything that §8 does not allow.
    pub fn parse_prefix(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let rest = check(bytes, 0)?;
        let length = bytes.len().saturating_sub(rest.len());
        bytes.get(..length).map(|item| (Self(item), rest)).ok_or(Malformed)
    }

    /// The item's encoding.
    pub const fn encoded(self) -> &'a [u8] {
        self.0
    }

    /// An unsigned integer.
    ///
    /// # Errors
    /// [`UnexpectedType`] if it is something else.
    pub fn unsigned(self) -> Result<u64, UnexpectedType> {
        match self.head() {
            (Major::Unsigned, value, _) => Ok(value),
            _ => Err(UnexpectedType),
        }
    }

    /// An integer of either sign.
    ///
    /// # Errors
    /// [`UnexpectedType`] if it is something else.
    pub fn integer(self) -> Result<Integer, UnexpectedType> {
        match self.head() {
            (Major::Unsigned, value, _) => Ok(Integer::from(value)),
            (Major::Negative, value, _) => Ok(-1 - Integer::from(value)),
            _ => Err(UnexpectedType),
        }
    }

    /// A byte string.
    ///
    /// # Errors
    /// [`UnexpectedType`] if it is something else.
    pub fn bytes(self) -> Result<&'a [u8], UnexpectedType> {
        match self.head() {
            (Major::Bytes, _, body) => Ok(body),
            _ => Err(UnexpectedType),
        }
    }

    /// A text string.
    ///
    /// # Errors
    /// [`UnexpectedType`] if it is something else.
    pub fn text(self) -> Result<&'a str, UnexpectedType> {
        match self.head() {
            (Major::Text, _, body) => core::str::from_utf8(body).map_err(|_| UnexpectedType),
            _ => Err(UnexpectedType),
        }
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// [`UnexpectedType`] if it is something else.
    pub fn boolean(self) -> Result<bool, UnexpectedType> {
        match self.0 {
            [FALSE] => Ok(false),
            [TRUE] => Ok(true),
            _ => Err(UnexpectedType),
        }
    }

    /// The items of an array.
    ///
    /// # Errors
    /// [`UnexpectedType`] if it is something else.
    pub fn array(self) -> Result<Items<'a>, UnexpectedType> {
        match self.head() {
            (Major::Array, count, body) => Ok(Items { left: count, rest: body }),
            _ => Err(UnexpectedType),
        }
    }

    /// A map.
    ///
    /// # Errors
    /// [`UnexpectedType`] if it is something else.
    pub fn map(self) -> Result<Map<'a>, UnexpectedType> {
        match self.head() {
            (Major::Map, count, body) => Ok(Map { count, body }),
            _ => Err(UnexpectedType),
        }
    }

    /// The item as a map key; `None` if it is neither an integer nor text.
    fn key(self) -> Option<Key<'a>> {
        self.integer().map(Key::Integer).or_else(|UnexpectedType| self.text().map(Key::Text)).ok()
    }

    fn head(self) -> (Major, u64, &'a [u8]) {
        match split_head(self.0) {
            Ok((head, body)) => (head.major, head.argument, body),
            Err(Malformed) => (Major::Simple, 0, &[]),
        }
    }
}

/// The items of an array, in order.
#[derive(Clone, Copy, Debug)]
pub struct Items<'a> {
    left: u64,
    rest: &'a [u8],
}

impl Items<'_> {
    /// How many items are left.
    pub const fn count_left(&self) -> u64 {
        self.left
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (item, rest) = split_checked(self.rest)?;
        self.rest = rest;
        Some(item)
    }
}

/// A map of a checked message.
#[derive(Clone, Copy, Debug)]
pub struct Map<'a> {
    count: u64,
    body: &'a [u8],
}

impl<'a> Map<'a> {
    /// The value behind an integer key.
    pub fn get(&self, key: i64) -> Option<Item<'a>> {
        self.find(Key::Integer(Integer::from(key)))
    }

    /// The value behind a text key.
    pub fn get_text(&self, key: &str) -> Option<Item<'a>> {
        self.find(Key::Text(key))
    }

    /// Keys and values in canonical order.
    pub const fn entries(&self) -> MapEntries<'a> {
        MapEntries { left: self.count, rest: self.body }
    }

    /// How many entries there are.
    pub const fn count(&self) -> u64 {
        self.count
    }

    fn find(&self, wanted: Key<'_>) -> Option<Item<'a>> {
        self.entries().find(|(key, _)| key.key() == Some(wanted)).map(|(_, value)| value)
    }
}

/// Keys and values of a map, in canonical order.
#[derive(Clone, Copy, Debug)]
pub struct MapEntries<'a> {
    left: u64,
    rest: &'a [u8],
}

impl<'a> Iterator for MapEntries<'a> {
    type Item = (Item<'a>, Item<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let (key, rest) = split_checked(self.rest)?;
        let (value, rest) = split_checked(rest)?;
        self.rest = rest;
        Some((key, value))
    }
}

impl From<Malformed> for Status {
    fn from(_: Malformed) -> Self {
        Self::INVALID_CBOR
    }
}

impl From<UnexpectedType> for Status {
    fn from(_: UnexpectedType) -> Self {
        Self::CBOR_UNEXPECTED_TYPE
    }
}

/// The major types that CTAP2 uses (RFC 8949 §3.1); tags are not allowed (§8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Major {
    Unsigned,
    Negative,
    Bytes,
    Text,
    Array,
    Map,
    Simple,
}

struct Head {
    major: Major,
    argument: u64,
}

/// Reads the head of an item; for strings the rest begins with the content and may go on behind it.
fn split_head(bytes: &[u8]) -> Result<(Head, &[u8]), Malformed> {
    let (&initial, rest) = bytes.split_first().ok_or(Malformed)?;
    let major = match initial >> 5 {
        0 => Major::Unsigned,
        1 => Major::Negative,
        2 => Major::Bytes,
        3 => Major::Text,
        4 => Major::Array,
        5 => Major::Map,
        7 => Major::Simple,
        _ => return Err(Malformed),
    };
    let (argument, rest) = argument(initial & 0x1f, major, rest)?;
    Ok((Head { major, argument }, rest))
}

fn argument(additional: u8, major: Major, rest: &[u8]) -> Result<(u64, &[u8]), Malformed> {
    let (value, rest, smallest) = match additional {
        0..24 => return Ok((u64::from(additional), rest)),
        24 => rest.split_first().map(|(&byte, rest)| (u64::from(byte), rest, 24)),
        25 => rest.split_first_chunk().map(|(&b, rest)| (u64::from(u16::from_be_bytes(b)), rest, U8_RANGE)),
        26 => rest.split_first_chunk().map(|(&b, rest)| (u64::from(u32::from_be_bytes(b)), rest, U16_RANGE)),
        27 => rest.split_first_chunk().map(|(&b, rest)| (u64::from_be_bytes(b), rest, U32_RANGE)),
        _ => None,
    }
    .ok_or(Malformed)?;
    // Floats keep their width; the one-byte simple values below 32 do not exist (RFC 8949 §3.3).
    let is_shortest = if major == Major::Simple { additional != 24 } else { value >= smallest };
    if is_shortest { Ok((value, rest)) } else { Err(Malformed) }
}

/// Checks one item and gives what is behind it. `depth` counts the maps and arrays around it.
fn check(bytes: &[u8], depth: usize) -> Result<&[u8], Malformed> {
    let (head, rest) = split_head(bytes)?;
    match head.major {
        Major::Unsigned | Major::Negative => Ok(rest),
        Major::Bytes => split_content(rest, head.argument).map(|(_, rest)| rest),
        Major::Text => {
            let (content, rest) = split_content(rest, head.argument)?;
            core::str::from_utf8(content).map_err(|_| Malformed)?;
            Ok(rest)
        }
        Major::Array => check_array(rest, head.argument, inside(depth)?),
        Major::Map => check_map(rest, head.argument, inside(depth)?),
        Major::Simple => check_simple(bytes, rest),
    }
}

fn inside(depth: usize) -> Result<usize, Malformed> {
    if depth < MAX_DEPTH { Ok(depth.saturating_add(1)) } else { Err(Malformed) }
}

fn check_array(mut rest: &[u8], count: u64, depth: usize) -> Result<&[u8], Malformed> {
    for _ in 0..count {
        rest = check(rest, depth)?;
    }
    Ok(rest)
}

fn check_map(mut rest: &[u8], count: u64, depth: usize) -> Result<&[u8], Malformed> {
    let mut previous: &[u8] = &[];
    for _ in 0..count {
        let behind_key = check(rest, depth)?;
        let key = rest.get(..rest.len().saturating_sub(behind_key.len())).ok_or(Malformed)?;
        // §8: by major type, then the shorter first, then bytewise; on shortest heads that is bytewise order.
        if previous.cmp(key) != Ordering::Less {
            return Err(Malformed);
        }
        previous = key;
        rest = check(behind_key, depth)?;
    }
    Ok(rest)
}

fn check_simple<'a>(bytes: &[u8], rest: &'a [u8]) -> Result<&'a [u8], Malformed> {
    match bytes.first() {
        Some(&(FALSE | TRUE | NULL | UNDEFINED | FLOAT_16 | FLOAT_32 | FLOAT_64)) => Ok(rest),
        _ => Err(Malformed),
    }
}

fn split_content(rest: &[u8], length: u64) -> Result<(&[u8], &[u8]), Malformed> {
    usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length)).ok_or(Malformed)
}

/// Splits one item off bytes that [`check`] has passed already.
fn split_checked(bytes: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let rest = skip(bytes)?;
    Some((Item(bytes.get(..bytes.len().checked_sub(rest.len())?)?), rest))
}

fn skip(bytes: &[u8]) -> Option<&[u8]> {
    let (head, mut rest) = split_head(bytes).ok()?;
    let inner = match head.major {
        Major::Unsigned | Major::Negative | Major::Simple => 0,
        Major::Bytes | Major::Text => return split_content(rest, head.argument).ok().map(|(_, rest)| rest),
        Major::Array => head.argument,
        Major::Map => head.argument.checked_mul(2)?,
    };
    for _ in 0..inner {
        rest = skip(rest)?;
    }
    Some(rest)
}

const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;
const UNDEFINED: u8 = 0xf7;
const FLOAT_16: u8 = 0xf9;
const FLOAT_32: u8 = 0xfa;
const FLOAT_64: u8 = 0xfb;
const U8_RANGE: u64 = 1 << 8;
const U16_RANGE: u64 = 1 << 16;
const U32_RANGE: u64 = 1 << 32;

#[cfg(test)]
mod tests;
