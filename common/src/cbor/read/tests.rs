use proptest::prelude::*;

use super::*;
use crate::cbor::Encoder;

fn parse(bytes: &[u8]) -> Result<Item<'_>, Malformed> {
    Item::parse(bytes)
}

#[test]
fn a_map_gives_its_values_by_key() {
    let item = parse(&[0xa3, 0x01, 0x18, 0x2a, 0x02, 0x41, 0xff, 0x61, b'a', 0xf5]).unwrap();
    let map = item.map().unwrap();
    assert_eq!(map.get(1).unwrap().unsigned(), Ok(42));
    assert_eq!(map.get(2).unwrap().bytes(), Ok(&[0xff][..]));
    assert_eq!(map.get_text("a").unwrap().boolean(), Ok(true));
    assert!(map.get(3).is_none());
}

#[test]
fn a_value_of_another_type_is_told_apart_from_a_malformed_one() {
    let item = parse(&[0x01]).unwrap();
    assert_eq!(item.text(), Err(UnexpectedType));
    assert_eq!(item.map().err(), Some(UnexpectedType));
    assert_eq!(Status::from(UnexpectedType), Status::CBOR_UNEXPECTED_TYPE);
    assert_eq!(Status::from(Malformed), Status::INVALID_CBOR);
}

#[test]
fn g22_heads_that_are_not_the_shortest_are_refused() {
    for bytes in [
        &[0x18, 0x17][..],
        &[0x19, 0x00, 0xff],
        &[0x1a, 0x00, 0x00, 0xff, 0xff],
        &[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        &[0x58, 0x01, 0x00],
        &[0x78, 0x01, b'a'],
        &[0x98, 0x00],
        &[0xb8, 0x00],
    ] {
        assert_eq!(parse(bytes), Err(Malformed), "{bytes:02x?}");
    }
}

#[test]
fn g22_keys_out_of_order_or_twice_are_refused() {
    for bytes in [
        &[0xa2, 0x02, 0x00, 0x01, 0x00][..],
        &[0xa2, 0x01, 0x00, 0x01, 0x00],
        &[0xa2, 0x61, b'a', 0x00, 0x01, 0x00],
        &[0xa2, 0x62, b'a', b'a', 0x00, 0x61, b'b', 0x00],
        &[0xa2, 0x20, 0x00, 0x03, 0x00],
    ] {
        assert_eq!(parse(bytes), Err(Malformed), "{bytes:02x?}");
    }
    assert!(parse(&[0xa3, 0x01, 0, 0x20, 0, 0x61, b'a', 0]).is_ok());
}

#[test]
fn g22_indefinite_lengths_tags_and_odd_simple_values_are_refused() {
    for bytes in [
        &[0x9f, 0xff][..],
        &[0xbf, 0xff],
        &[0x5f, 0x41, 0x00, 0xff],
        &[0xc0, 0x00],
        &[0xd8, 0x20, 0x00],
        &[0xe0],
        &[0xf8, 0x14],
        &[0xf8, 0xff],
        &[0xff],
        &[0x1c],
    ] {
        assert_eq!(parse(bytes), Err(Malformed), "{bytes:02x?}");
    }
}

#[test]
fn g22_depth_is_at_most_four() {
    assert!(parse(&[0x81, 0x81, 0x81, 0x81, 0x00]).is_ok());
    assert_eq!(parse(&[0x81, 0x81, 0x81, 0x81, 0x80]), Err(Malformed));
    assert_eq!(parse(&[0xa1, 0x01, 0x81, 0xa1, 0x01, 0x81, 0xa0]), Err(Malformed));
}

#[test]
fn g22_huge_lengths_end_at_once() {
    for major in [0x5b, 0x7b, 0x9b, 0xbb] {
        let bytes = [major, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(parse(&bytes), Err(Malformed));
    }
    assert_eq!(parse(&[0x5a, 0xff, 0xff, 0xff, 0xff, 0x00]), Err(Malformed));
}

#[test]
fn g22_invalid_utf8_and_trailing_bytes_are_refused() {
    assert_eq!(parse(&[0x62, 0xc3, 0x28]), Err(Malformed));
    assert_eq!(parse(&[0x00, 0x00]), Err(Malformed));
    assert_eq!(parse(&[]), Err(Malformed));
    assert_eq!(Item::parse_prefix(&[0x00, 0x07]).unwrap().1, &[0x07]);
}

#[test]
fn integers_cover_both_64_bit_ranges() {
    let low = [0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    assert_eq!(parse(&low).unwrap().integer(), Ok(-1 - i128::from(u64::MAX)));
    assert_eq!(parse(&[0x20]).unwrap().integer(), Ok(-1));
    assert_eq!(parse(&[0x20]).unwrap().unsigned(), Err(UnexpectedType));
}

fn value() -> impl Strategy<Value = ciborium::Value> {
    use ciborium::Value;
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::from),
        "[a-z]{0,30}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 40, 6, |inner| proptest::collection::vec(inner, 0..6).prop_map(Value::Array))
}

proptest! {
    #[test]
    fn what_another_encoder_writes_is_read(value in value()) {
        let mut bytes = std::vec::Vec::new();
        ciborium::into_writer(&value, &mut bytes).unwrap();
        prop_assert_eq!(parse(&bytes).unwrap().encoded(), &bytes[..]);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_what_is_accepted_can_be_walked(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(item) = parse(&bytes) {
            walk(item);
        }
    }

    #[test]
    fn what_the_encoder_writes_is_canonical(number in any::<i64>(), bytes in proptest::collection::vec(any::<u8>(), 0..300), text in ".{0,80}") {
        let mut buffer = [0; 1024];
        let mut encoder = Encoder::new(&mut buffer);
        encoder.array(4).unwrap().integer(number).unwrap().bytes(&bytes).unwrap().text(&text).unwrap().boolean(true).unwrap();
        let mut items = parse(encoder.written()).unwrap().array().unwrap();
        prop_assert_eq!(items.next().unwrap().integer(), Ok(Integer::from(number)));
        prop_assert_eq!(items.next().unwrap().bytes(), Ok(&bytes[..]));
        prop_assert_eq!(items.next().unwrap().text(), Ok(&text[..]));
        prop_assert_eq!(items.next().unwrap().boolean(), Ok(true));
        prop_assert!(items.next().is_none());
    }
}

fn walk(item: Item<'_>) {
    if let Ok(items) = item.array() {
        items.for_each(walk);
    } else if let Ok(map) = item.map() {
        assert_eq!(map.entries().count() as u64, map.count());
        map.entries().for_each(|(_, value)| walk(value));
    }
}
