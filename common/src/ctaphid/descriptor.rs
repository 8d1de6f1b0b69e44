//! What makes a HID device a security key.

/// The HID report descriptor (§11.2.8.1): 64 bytes in either direction, without report numbers.
///
/// Word for word as the specification has it. Size and count of the second report could be left out, as they stay what they were
/// (HID 1.11 §6.2.2.7), and `usbd-hid` leaves them out; but python-fido2 takes a device with such a descriptor for none of its own.
#[rustfmt::skip]
pub const REPORT_DESCRIPTOR: [u8; 34] = [
    0x06, 0xd0, 0xf1, // usage page: FIDO alliance
    0x09, 0x01,       // usage: CTAPHID
    0xa1, 0x01,       // collection: application
    0x09, 0x20,       //   usage: data in
    0x15, 0x00,       //   logical minimum: 0
    0x26, 0xff, 0x00, //   logical maximum: 255
    0x75, 0x08,       //   report size: 8 bits
    0x95, 0x40,       //   report count: 64
    0x81, 0x02,       //   input: data, variable, absolute
    0x09, 0x21,       //   usage: data out
    0x15, 0x00,       //   logical minimum: 0
    0x26, 0xff, 0x00, //   logical maximum: 255
    0x75, 0x08,       //   report size: 8 bits
    0x95, 0x40,       //   report count: 64
    0x91, 0x02,       //   output: data, variable, absolute
    0xc0,             // end of the collection
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::vec::Vec;

    use super::*;
    use crate::ctaphid::REPORT_SIZE;

    /// A main item, and the items that stand before it since the last one.
    type Main = (u8, BTreeMap<u8, u32>);

    /// The main items of the descriptor (HID 1.11 §6.2.2): tag and type, and data.
    fn main_items() -> Vec<Main> {
        let mut bytes = REPORT_DESCRIPTOR.as_slice();
        let (mut found, mut before) = (Vec::new(), BTreeMap::new());
        while let Some((&head, rest)) = bytes.split_first() {
            let (data, rest) = rest.split_at([0, 1, 2, 4][usize::from(head & 3)]);
            let value = data.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
            match head & 0x0c {
                0 => found.push((head & 0xfc, core::mem::take(&mut before))),
                _ => drop(before.insert(head & 0xfc, value)),
            }
            bytes = rest;
        }
        found
    }

    const USAGE_PAGE: u8 = 0x04;
    const USAGE: u8 = 0x08;
    const SIZE: u8 = 0x74;
    const COUNT: u8 = 0x94;

    #[test]
    fn the_collection_is_the_one_that_hosts_look_for() {
        let items = main_items();
        let (tag, before) = &items[0];
        assert_eq!((*tag, before[&USAGE_PAGE], before[&USAGE]), (0xa0, 0xf1d0, 0x01));
        assert_eq!(items.last().unwrap().0, 0xc0);
    }

    #[test]
    fn there_is_one_report_in_either_direction_and_each_says_its_own_size() {
        let items = main_items();
        for ((tag, before), (expected, usage)) in items[1..3].iter().zip([(0x80, 0x20), (0x90, 0x21)]) {
            assert_eq!((*tag, before[&USAGE]), (expected, usage));
            assert_eq!(before[&SIZE], 8);
            assert_eq!(before[&COUNT] as usize, REPORT_SIZE);
        }
        assert_eq!(items.len(), 4);
    }

    #[test]
    fn reports_have_no_numbers() {
        assert!(main_items().iter().all(|(_, before)| !before.contains_key(&0x84)));
    }
}
