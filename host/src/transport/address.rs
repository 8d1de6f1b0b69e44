//! Where a key is.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Where a key is, as it is written on a command line.
///
/// ```
/// use keywright_host::transport::DeviceAddress;
///
/// let address: DeviceAddress = "hid:/dev/hidraw0".parse()?;
/// assert_eq!(address, DeviceAddress::Hid("/dev/hidraw0".into()));
/// assert_eq!(address.to_string(), "hid:/dev/hidraw0");
/// assert!("serial:/dev/ttyS0".parse::<DeviceAddress>().is_err());
/// # Ok::<(), keywright_host::transport::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DeviceAddress {
    /// `hid:PATH`: a HID device, by the path that [`list`](super::list) gives.
    Hid(String),
    /// `udp:ADDRESS:PORT`: datagrams of 64 bytes.
    Udp(SocketAddr),
    /// `tcp:ADDRESS:PORT`: a stream of 64-byte frames.
    Tcp(SocketAddr),
}

/// Why a text is no address of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing stands before a colon that is known.
    #[error("`{0}` is no address of a key: write hid:PATH, udp:ADDRESS:PORT or tcp:ADDRESS:PORT")]
    Scheme(String),
    /// The path is empty.
    #[error("`hid:` needs a path behind it, such as hid:/dev/hidraw0")]
    EmptyPath,
    /// What follows is no IP address with a port.
    #[error("`{0}` is no IP address with a port: write it as 127.0.0.1:7609 or [::1]:7609")]
    Socket(String),
}

impl FromStr for DeviceAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let socket = |rest: &str| rest.parse().map_err(|_| AddressError::Socket(rest.to_owned()));
        match text.split_once(':') {
            Some(("hid", "")) => Err(AddressError::EmptyPath),
            Some(("hid", path)) => Ok(Self::Hid(path.to_owned())),
            Some(("udp", rest)) => socket(rest).map(Self::Udp),
            Some(("tcp", rest)) => socket(rest).map(Self::Tcp),
            _ => Err(AddressError::Scheme(text.to_owned())),
        }
    }
}

impl fmt::Display for DeviceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hid(path) => write!(f, "hid:{path}"),
            Self::Udp(address) => write!(f, "udp:{address}"),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_survives_the_way_there_and_back() {
        for text in ["hid:/dev/hidraw3", "hid:a:b", "udp:127.0.0.1:7609", "tcp:[::1]:1"] {
            assert_eq!(text.parse::<DeviceAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_told_with_what_would_be_one() {
        let error = |text: &str| text.parse::<DeviceAddress>().unwrap_err();
        assert_eq!(error("hid:"), AddressError::EmptyPath);
        assert_eq!(error("/dev/hidraw0"), AddressError::Scheme("/dev/hidraw0".into()));
        assert_eq!(error("HID:/dev/hidraw0"), AddressError::Scheme("HID:/dev/hidraw0".into()));
        assert_eq!(error(""), AddressError::Scheme(String::new()));
        assert_eq!(error("udp:localhost"), AddressError::Socket("localhost".into()));
        assert_eq!(error("tcp:127.0.0.1"), AddressError::Socket("127.0.0.1".into()));
        assert!(error("usb:1").to_string().contains("hid:PATH"));
    }
}
