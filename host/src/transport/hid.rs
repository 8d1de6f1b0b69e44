//! A key that the operating system shows as a HID device.

use std::ffi::CString;
use std::io;
use std::time::Duration;

use hidapi::{HidApi, HidDevice, HidError};
use keywright_common::ctaphid::{REPORT_SIZE, Report};

use super::{DeviceAddress, DeviceDescription, Transport, TransportError};

/// An open HID device.
///
/// ```no_run
/// use std::time::Duration;
///
/// use keywright_host::transport::{Transport, hid::Hid};
///
/// let mut key = Hid::open("/dev/hidraw0")?;
/// key.send(&[0; 64])?;
/// let answer = key.receive(Duration::from_millis(100))?;
/// # Ok::<(), keywright_host::transport::TransportError>(())
/// ```
pub struct Hid {
    device: HidDevice,
    // The library is shut down when the last of these is dropped, which some platforms do not forgive an open device.
    _api: HidApi,
}

/// Every HID device whose usage is that of FIDO (§11.2.8.1: usage page 0xF1D0, usage 1).
///
/// # Errors
/// [`TransportError::Hid`] if the system cannot list devices.
pub fn list() -> Result<Vec<DeviceDescription>, TransportError> {
    let api = HidApi::new().map_err(refused)?;
    let mut found: Vec<_> = api
        .device_list()
        .filter(|device| device.usage_page() == FIDO_USAGE_PAGE && device.usage() == FIDO_USAGE)
        .map(|device| DeviceDescription {
            address: DeviceAddress::Hid(device.path().to_string_lossy().into_owned()),
            product: device.product_string().unwrap_or_default().to_owned(),
            manufacturer: device.manufacturer_string().filter(|name| !name.is_empty()).map(str::to_owned),
            vendor_id: device.vendor_id(),
            product_id: device.product_id(),
        })
        .collect();
    found.sort_by_key(|device| device.address.to_string());
    Ok(found)
}

impl Hid {
    /// Opens the device at `path`.
    ///
    /// # Errors
    /// [`TransportError::NotPermitted`] and [`TransportError::NotFound`] where the system tells these apart, else
    /// [`TransportError::Hid`].
    pub fn open(path: &str) -> Result<Self, TransportError> {
        let not_found = || TransportError::NotFound { path: path.to_owned() };
        let c_path = CString::new(path).map_err(|_| not_found())?;
        let api = HidApi::new().map_err(refused)?;
        match api.open_path(&c_path) {
            Ok(device) => Ok(Self { device, _api: api }),
            // The library folds every reason into one text; on Unix the file itself says which it was.
            Err(error) => Err(match reason(path) {
                Some(io::ErrorKind::PermissionDenied) => {
                    TransportError::NotPermitted { path: path.to_owned() }
                }
                Some(io::ErrorKind::NotFound) => not_found(),
                _ => refused(error),
            }),
        }
    }
}

impl Transport for Hid {
    fn send(&mut self, report: &Report) -> Result<(), TransportError> {
        // Report id 0 stands for "there are no report ids", and is not sent.
        let mut framed = [0; REPORT_SIZE + 1];
        framed.iter_mut().skip(1).zip(report).for_each(|(to, from)| *to = *from);
        self.device.write(&framed).map(drop).map_err(broken)
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Report>, TransportError> {
        let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
        let mut report = [0; REPORT_SIZE];
        match self.device.read_timeout(&mut report, millis) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(report)),
            Err(HidError::IoError { error }) if super::is_timeout(&error) => Ok(None),
            Err(error) => Err(broken(error)),
        }
    }
}

#[cfg(unix)]
fn reason(path: &str) -> Option<io::ErrorKind> {
    std::fs::OpenOptions::new().read(true).write(true).open(path).err().map(|error| error.kind())
}

#[cfg(not(unix))]
fn reason(_path: &str) -> Option<io::ErrorKind> {
    None
}

fn refused(error: HidError) -> TransportError {
    match error {
        HidError::IoError { error } => TransportError::System(error),
        error => TransportError::Hid(error.to_string()),
    }
}

/// What a device that was open says when it no longer answers: it was unplugged, whichever words the platform has.
fn broken(error: HidError) -> TransportError {
    match error {
        HidError::IoError { error } if error.raw_os_error().is_some_and(|code| UNPLUGGED.contains(&code)) => {
            TransportError::Gone
        }
        HidError::HidApiError { .. } | HidError::HidApiErrorEmpty => TransportError::Gone,
        error => refused(error),
    }
}

const FIDO_USAGE_PAGE: u16 = 0xf1d0;
const FIDO_USAGE: u16 = 0x01;
/// EIO, ENXIO, ENODEV, EPIPE: the same numbers on Linux and macOS.
const UNPLUGGED: [i32; 4] = [5, 6, 19, 32];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_said_not_to_be_there() {
        for path in ["/dev/there-is-no-such-device", "/dev/a\0b"] {
            let error = Hid::open(path).err().unwrap();
            assert!(matches!(error, TransportError::NotFound { .. }), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_no_hid_device_is_refused() {
        let error = Hid::open("/dev/null").err().unwrap();
        assert!(matches!(error, TransportError::Hid(_)), "{error}");
    }

    #[test]
    fn an_unplugged_device_is_gone_in_whatever_words() {
        for code in UNPLUGGED {
            let error = HidError::IoError { error: io::Error::from_raw_os_error(code) };
            assert!(matches!(broken(error), TransportError::Gone));
        }
        let poll = HidError::HidApiError { message: "unexpected poll error (device disconnected)".into() };
        assert!(matches!(broken(poll), TransportError::Gone));
        let other = HidError::IoError { error: io::Error::from_raw_os_error(12) };
        assert!(matches!(broken(other), TransportError::System(_)));
    }

    #[test]
    fn what_is_said_of_a_missing_permission_says_how_to_mend_it() {
        let error = TransportError::NotPermitted { path: "/dev/hidraw0".into() };
        assert!(error.to_string().contains("ENV{ID_SECURITY_TOKEN}==\"1\", TAG+=\"uaccess\""), "{error}");
    }
}
