//! What the key is to a USB host, whichever way it gets there: uhid or USB/IP.

use keywright_common::ctaphid::Report;
use usbd_hid::descriptor::{CtapReport, SerializedDescriptor};

/// The vendor: pid.codes, whose first products are for trying things out.
pub(crate) const VENDOR: u16 = 0x1209;
/// The product: pid.codes' first test id.
pub(crate) const PRODUCT: u16 = 0x0001;
/// The version of the device, in binary coded decimals.
pub(crate) const DEVICE_VERSION: u16 = 0x0001;
/// The manufacturer's name.
pub(crate) const MANUFACTURER_NAME: &str = "Keywright";
/// The product's name.
pub(crate) const PRODUCT_NAME: &str = "Keywright virtual key";
/// The serial number, which is the same for every key: two keys shall not be told apart by it.
pub(crate) const SERIAL_NUMBER: &str = "0";

/// The HID report descriptor: 64 bytes in either direction, without report numbers (§11.2.8.1).
pub(crate) fn report_descriptor() -> &'static [u8] {
    CtapReport::desc()
}

/// The report in the bytes that a host sent: 64 of them, or 65 of which the first is the report number 0, as
/// programs write it to hidraw and uhid passes it on. `None` for anything else.
pub(crate) fn output_report(bytes: &[u8]) -> Option<Report> {
    let report = match bytes {
        [0, report @ ..] if bytes.len() == size_of::<Report>() + 1 => report,
        report => report,
    };
    report.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One item of a report descriptor (HID 1.11 §6.2.2.2): its tag and type, and its data.
    fn items(mut bytes: &[u8]) -> Vec<(u8, u32)> {
        let mut items = Vec::new();
        while let Some((&head, rest)) = bytes.split_first() {
            let (data, rest) = rest.split_at([0, 1, 2, 4][usize::from(head & 3)]);
            items.push((head & 0xfc, data.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))));
            bytes = rest;
        }
        items
    }

    /// The value of the last item of a kind before each main item of another kind.
    fn before(main: u8, kind: u8) -> Vec<u32> {
        let items = items(report_descriptor());
        let main_items = items.iter().enumerate().filter(|(_, (tag, _))| *tag == main);
        main_items
            .map(|(at, _)| items[..at].iter().rev().find(|(tag, _)| *tag == kind).expect("an item").1)
            .collect()
    }

    #[test]
    fn the_descriptor_is_the_one_of_the_specification() {
        const COLLECTION: u8 = 0xa0;
        const INPUT: u8 = 0x80;
        const OUTPUT: u8 = 0x90;
        assert_eq!(before(COLLECTION, 0x04), [0xf1d0], "usage page FIDO alliance");
        assert_eq!(before(COLLECTION, 0x08), [0x01], "usage CTAPHID");
        for (main, usage) in [(INPUT, 0x20), (OUTPUT, 0x21)] {
            assert_eq!(before(main, 0x08), [usage]);
            assert_eq!(before(main, 0x74), [8], "report size in bits");
            assert_eq!(before(main, 0x94), [64], "report count");
            assert_eq!(before(main, 0x14), [0], "logical minimum");
            assert_eq!(before(main, 0x24), [255], "logical maximum");
        }
    }

    #[test]
    fn the_descriptor_has_no_report_numbers_and_no_feature_reports() {
        let tags: Vec<_> = items(report_descriptor()).into_iter().map(|(tag, _)| tag).collect();
        assert!(!tags.contains(&0x84), "report id");
        assert!(!tags.contains(&0xb0), "feature");
    }

    #[test]
    fn a_report_comes_with_or_without_its_number() {
        let mut numbered = [7; 65];
        numbered[0] = 0;
        assert_eq!(output_report(&[7; 64]), Some([7; 64]));
        assert_eq!(output_report(&numbered), Some([7; 64]));
    }

    #[test]
    fn a_report_that_begins_with_zero_keeps_its_zero() {
        assert_eq!(output_report(&[0; 64]), Some([0; 64]));
    }

    #[test]
    fn another_report_number_or_length_is_no_report() {
        assert_eq!(output_report(&[1; 65]), None);
        for length in [0, 1, 63, 66, 128, 4096] {
            assert_eq!(output_report(&vec![0; length]), None, "{length}");
        }
    }
}
