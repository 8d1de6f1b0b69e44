//! The descriptors of the key on USB (USB 2.0 §9.6, HID 1.11 §6.2): a full-speed device with one HID interface and two
//! interrupt endpoints that are polled every millisecond.

use keywright_common::ctaphid::REPORT_DESCRIPTOR;

use super::super::hid;

/// The number of the endpoint that reports for the host come from; its address has the direction bit as well.
pub(crate) const ENDPOINT_IN: u32 = 1;
/// The number of the endpoint that reports of the host go to.
pub(crate) const ENDPOINT_OUT: u32 = 1;
/// The value that chooses the only configuration.
pub(crate) const CONFIGURATION: u8 = 1;

/// Types of descriptors.
pub(crate) mod kind {
    pub(crate) const DEVICE: u8 = 1;
    pub(crate) const CONFIGURATION: u8 = 2;
    pub(crate) const STRING: u8 = 3;
    pub(crate) const INTERFACE: u8 = 4;
    pub(crate) const ENDPOINT: u8 = 5;
    pub(crate) const HID: u8 = 0x21;
    pub(crate) const REPORT: u8 = 0x22;
}

/// The device descriptor.
pub(crate) fn device() -> Vec<u8> {
    let mut bytes = vec![18, kind::DEVICE];
    bytes.extend(USB_2_0.to_le_bytes());
    // Class, subclass and protocol stand in the interface.
    bytes.extend([0, 0, 0, CONTROL_PACKET]);
    bytes.extend(hid::VENDOR.to_le_bytes());
    bytes.extend(hid::PRODUCT.to_le_bytes());
    bytes.extend(hid::DEVICE_VERSION.to_le_bytes());
    bytes.extend([MANUFACTURER, PRODUCT, SERIAL, 1]);
    bytes
}

/// The configuration descriptor and everything under it.
pub(crate) fn configuration() -> Vec<u8> {
    let below = [
        vec![9, kind::INTERFACE, 0, 0, 2, HID_CLASS, 0, 0, 0],
        hid_class(),
        endpoint(ENDPOINT_OUT, 0),
        endpoint(ENDPOINT_IN, 0x80),
    ]
    .concat();
    let mut bytes = vec![9, kind::CONFIGURATION];
    bytes.extend(length_of(9 + below.len()).to_le_bytes());
    bytes.extend([1, CONFIGURATION, 0, BUS_POWERED, HUNDRED_MILLIAMPERES]);
    bytes.extend(below);
    bytes
}

/// The HID descriptor.
pub(crate) fn hid_class() -> Vec<u8> {
    let mut bytes = vec![9, kind::HID];
    bytes.extend(HID_1_11.to_le_bytes());
    bytes.extend([0, 1, kind::REPORT]);
    bytes.extend(length_of(REPORT_DESCRIPTOR.len()).to_le_bytes());
    bytes
}

/// The string of an index; index 0 lists the languages.
pub(crate) fn string(index: u8) -> Option<Vec<u8>> {
    let text = match index {
        0 => return Some([vec![4, kind::STRING], ENGLISH.to_le_bytes().to_vec()].concat()),
        MANUFACTURER => hid::MANUFACTURER_NAME,
        PRODUCT => hid::PRODUCT_NAME,
        SERIAL => hid::SERIAL_NUMBER,
        _ => return None,
    };
    let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = u8::try_from(units.len() + 2).ok()?;
    Some([vec![length, kind::STRING], units].concat())
}

fn endpoint(number: u32, direction: u8) -> Vec<u8> {
    let [.., number] = number.to_be_bytes();
    let mut bytes = vec![7, kind::ENDPOINT, number | direction, INTERRUPT];
    bytes.extend(PACKET.to_le_bytes());
    bytes.push(ONE_MILLISECOND);
    bytes
}

/// A length that the descriptors' own fields can hold, as all of these are.
fn length_of(bytes: usize) -> u16 {
    u16::try_from(bytes).unwrap_or(u16::MAX)
}

const USB_2_0: u16 = 0x0200;
const HID_1_11: u16 = 0x0111;
const HID_CLASS: u8 = 3;
const INTERRUPT: u8 = 3;
const ONE_MILLISECOND: u8 = 1;
const PACKET: u16 = 64;
const CONTROL_PACKET: u8 = 64;
const BUS_POWERED: u8 = 0x80;
const HUNDRED_MILLIAMPERES: u8 = 50;
/// English (United States), the language of the strings.
const ENGLISH: u16 = 0x0409;
const MANUFACTURER: u8 = 1;
const PRODUCT: u8 = 2;
const SERIAL: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_device_descriptor_names_the_projects_own_number() {
        let bytes = device();
        assert_eq!(bytes.len(), usize::from(bytes[0]));
        assert_eq!(bytes[8..12], [0x09, 0x12, 0x01, 0x00]);
    }

    #[test]
    fn the_configuration_is_as_long_as_it_says_and_so_is_each_descriptor_in_it() {
        let bytes = configuration();
        assert_eq!(usize::from(u16::from_le_bytes([bytes[2], bytes[3]])), bytes.len());
        let mut rest = bytes.as_slice();
        let mut kinds = Vec::new();
        while let [length, kind, ..] = *rest {
            kinds.push(kind);
            rest = &rest[usize::from(length)..];
        }
        assert!(rest.is_empty());
        assert_eq!(kinds, [2, 4, 0x21, 5, 5]);
    }

    #[test]
    fn both_endpoints_carry_reports_every_millisecond() {
        let bytes = configuration();
        assert_eq!(bytes[bytes.len() - 14..], [7, 5, 0x01, 3, 64, 0, 1, 7, 5, 0x81, 3, 64, 0, 1]);
    }

    #[test]
    fn every_string_that_the_device_names_is_there_and_no_other() {
        let device = device();
        for index in &device[14..17] {
            let string = string(*index).unwrap();
            assert_eq!(usize::from(string[0]), string.len());
        }
        assert_eq!(string(1).unwrap()[2..6], [b'K', 0, b'e', 0]);
        assert!((4..=255).all(|index| string(index).is_none()));
    }
}
