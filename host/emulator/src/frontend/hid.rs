//! What the key is to a USB host, whichever way it gets there: uhid or USB/IP.

use keywright_common::ctaphid::Report;

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
    use std::collections::BTreeMap;

    use keywright_common::ctaphid::REPORT_DESCRIPTOR;
    use usbd_hid::descriptor::{CtapReport, SerializedDescriptor};

    use super::*;

    /// The main items of a report descriptor, each with all that is in force there (HID 1.11 §6.2.2).
    fn meaning(mut bytes: &[u8]) -> Vec<(u8, u32, BTreeMap<u8, u32>)> {
        const GLOBAL: u8 = 0x04;
        let mut items = Vec::new();
        let mut in_force = BTreeMap::new();
        while let Some((&head, rest)) = bytes.split_first() {
            let (data, rest) = rest.split_at([0, 1, 2, 4][usize::from(head & 3)]);
            let value = data.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
            if head & 0x0c == 0 {
                items.push((head & 0xfc, value, in_force.clone()));
                in_force.retain(|tag, _| tag & 0x0c == GLOBAL);
            } else {
                in_force.insert(head & 0xfc, value);
            }
            bytes = rest;
        }
        items
    }

    #[test]
    fn the_report_descriptor_means_what_usbd_hid_says_of_a_key() {
        let items = meaning(&REPORT_DESCRIPTOR);
        assert_eq!(items, meaning(CtapReport::desc()));
        assert_eq!(items.len(), 4);
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
