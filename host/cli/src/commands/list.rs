//! `keywright list`.

use std::fmt;

use keywright_host::transport::{self, DeviceDescription};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::{Foreign, Output};

/// Lists the keys that are plugged in. None is no failure.
///
/// # Errors
/// If the system cannot list them.
pub(crate) fn run(output: &Output) -> Result<(), Failure> {
    let devices: Vec<_> = transport::list()?.into_iter().map(Found::from).collect();
    output.answer(&List { devices })
}

#[derive(Serialize)]
struct List {
    devices: Vec<Found>,
}

#[derive(Serialize)]
struct Found {
    device: String,
    product: String,
    manufacturer: Option<String>,
    vendor_id: u16,
    product_id: u16,
}

impl From<DeviceDescription> for Found {
    fn from(description: DeviceDescription) -> Self {
        let DeviceDescription { address, product, manufacturer, vendor_id, product_id } = description;
        Self { device: address.to_string(), product, manufacturer, vendor_id, product_id }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.devices.is_empty() {
            return f.write_str(
                "No key is plugged in. Keys behind sockets are not listed: name one with --device.",
            );
        }
        for Found { device, product, manufacturer, vendor_id, product_id } in &self.devices {
            let product = if product.is_empty() { "a key without a name" } else { product };
            write!(f, "{}  {}", Foreign(device), Foreign(product))?;
            if let Some(manufacturer) = manufacturer {
                write!(f, ", by {}", Foreign(manufacturer))?;
            }
            writeln!(f, " ({vendor_id:04x}:{product_id:04x})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use keywright_host::transport::DeviceAddress;

    use super::*;

    #[test]
    fn a_key_is_one_line_with_its_address_first() {
        let description = DeviceDescription {
            address: DeviceAddress::Hid("/dev/hidraw3".into()),
            product: "Key\n".into(),
            manufacturer: Some("Somebody".into()),
            vendor_id: 0x1050,
            product_id: 0x7,
        };
        let list = List { devices: vec![description.into()] };
        assert_eq!(list.to_string(), "hid:/dev/hidraw3  Key\u{fffd}, by Somebody (1050:0007)\n");
        assert_eq!(serde_json::to_value(&list).unwrap()["devices"][0]["device"], "hid:/dev/hidraw3");
    }
}
