//! CBOR at the host's end: requests in CTAP2's canonical form, answers read tolerantly.

use ciborium::Value;

/// The value's bytes in CTAP2's canonical form (§8): the keys of every map are sorted.
pub(crate) fn encode(mut value: Value) -> Vec<u8> {
    sort(&mut value);
    to_bytes(&value)
}

/// A map of integer keys, without the members that are `None`.
pub(crate) fn map<const N: usize>(members: [(i64, Option<Value>); N]) -> Value {
    Value::Map(members.into_iter().filter_map(|(key, value)| Some((Value::from(key), value?))).collect())
}

/// A map of text keys, without the members that are `None`.
pub(crate) fn text_map<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    Value::Map(members.into_iter().filter_map(|(key, value)| Some((Value::from(key), value?))).collect())
}

/// A byte string.
pub(crate) fn bytes(bytes: &[u8]) -> Value {
    Value::Bytes(bytes.to_vec())
}

/// The members of an answer. What is not asked for is left alone; what has another type counts as absent.
#[derive(Debug, Default)]
pub(crate) struct Members(Vec<(Value, Value)>);

impl Members {
    /// Reads a map; bytes behind it are ignored. `None` if there is none. No bytes at all are an empty map.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() {
            return Some(Self::default());
        }
        Self::from_value(ciborium::from_reader(bytes).ok()?)
    }

    pub(crate) fn from_value(value: Value) -> Option<Self> {
        value.into_map().ok().map(Self)
    }

    pub(crate) fn take(&mut self, key: impl Into<Value>) -> Option<Value> {
        let key = key.into();
        let at = self.0.iter().position(|(found, _)| *found == key)?;
        Some(self.0.swap_remove(at).1)
    }

    pub(crate) fn bytes(&mut self, key: impl Into<Value>) -> Option<Vec<u8>> {
        self.take(key)?.into_bytes().ok()
    }

    pub(crate) fn text(&mut self, key: impl Into<Value>) -> Option<String> {
        self.take(key)?.into_text().ok()
    }

    pub(crate) fn boolean(&mut self, key: impl Into<Value>) -> Option<bool> {
        self.take(key)?.into_bool().ok()
    }

    pub(crate) fn integer(&mut self, key: impl Into<Value>) -> Option<i128> {
        self.take(key)?.as_integer().map(i128::from)
    }

    pub(crate) fn unsigned<U: TryFrom<i128>>(&mut self, key: impl Into<Value>) -> Option<U> {
        self.integer(key)?.try_into().ok()
    }

    pub(crate) fn members(&mut self, key: impl Into<Value>) -> Option<Self> {
        Self::from_value(self.take(key)?)
    }

    /// The elements of an array that `read` can make something of.
    pub(crate) fn list<T>(
        &mut self,
        key: impl Into<Value>,
        read: impl FnMut(Value) -> Option<T>,
    ) -> Option<Vec<T>> {
        let items = self.take(key)?.into_array().ok()?;
        Some(items.into_iter().filter_map(read).collect())
    }

    /// Whether there is nothing left to take.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What has not been taken.
    pub(crate) fn rest(self) -> Vec<(Value, Value)> {
        self.0
    }
}

fn sort(value: &mut Value) {
    match value {
        Value::Map(members) => {
            members.iter_mut().for_each(|(_, value)| sort(value));
            members.sort_by_cached_key(|(key, _)| rank(key));
        }
        Value::Array(items) => items.iter_mut().for_each(sort),
        _ => {}
    }
}

/// §8: the lower major type first, then the shorter key, then the lower bytes.
fn rank(key: &Value) -> (u8, usize, Vec<u8>) {
    let bytes = to_bytes(key);
    (bytes.first().map_or(0, |head| head >> 5), bytes.len(), bytes)
}

fn to_bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a vector does not fail, and a `Value` has no shape that cannot be written.
    let _ = ciborium::into_writer(value, &mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use ciborium::cbor;
    use keywright_common::cbor::Item;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn maps_are_sorted_as_the_specification_wants_it() {
        let value =
            cbor!({ "up" => true, "type" => 1, "id" => 2, 0x0a => 3, -1 => { "b" => 1, "a" => 2 } }).unwrap();
        let bytes = encode(value);
        assert!(Item::parse(&bytes).is_ok(), "{bytes:02x?}");
        let plain = encode(cbor!({ "aa" => 1, "b" => 2, 100 => 3, 9 => 4, -1 => 5 }).unwrap());
        assert_eq!(plain, [0xa5, 9, 4, 0x18, 100, 3, 0x20, 5, 0x61, b'b', 2, 0x62, b'a', b'a', 1]);
    }

    #[test]
    fn members_of_another_type_count_as_absent_and_bytes_behind_are_ignored() {
        let mut bytes = encode(cbor!({ 1 => "text", 2 => [1, "a", 2] }).unwrap());
        bytes.extend([0xff, 0]);
        let mut members = Members::parse(&bytes).unwrap();
        assert_eq!(members.bytes(1), None);
        assert_eq!(members.list(2, |item| item.into_text().ok()), Some(vec!["a".to_owned()]));
        assert_eq!(members.integer(3), None);
        assert_eq!(Members::parse(&[0x80]).map(|_| ()), None);
        assert_eq!(Members::parse(&[0xa1, 1]).map(|_| ()), None);
        assert!(Members::parse(&[]).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Members::parse(&bytes);
        }
    }
}
