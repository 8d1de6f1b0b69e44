//! Ways to a key: what carries reports of 64 bytes in both directions.
//!
//! ```no_run
//! use keywright_host::transport::{self, DeviceAddress};
//!
//! for device in transport::list()? {
//!     println!("{}  {}", device.address, device.product);
//! }
//! let address: DeviceAddress = "udp:127.0.0.1:7609".parse()?;
//! let transport = transport::open(&address)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
pub mod hid;
pub mod memory;
pub mod tcp;
pub mod udp;

use std::io;
use std::time::{Duration, Instant};

use keywright_common::ctaphid::Report;

pub use address::{AddressError, DeviceAddress};

/// A way to one key.
///
/// A transport keeps the order of reports, waits only in [`Transport::receive`], and knows nothing of what reports mean.
pub trait Transport {
    /// Hands a report to the key.
    ///
    /// # Errors
    /// [`TransportError`] if the key is gone or the system refuses.
    fn send(&mut self, report: &Report) -> Result<(), TransportError>;

    /// Waits for a report from the key; `None` if none came within `timeout`, or if a signal ended the wait.
    ///
    /// # Errors
    /// [`TransportError`] if the key is gone or the system refuses.
    fn receive(&mut self, timeout: Duration) -> Result<Option<Report>, TransportError>;

    /// The time by which deadlines are kept. A transport into a simulated world says the time of that world.
    fn now(&self) -> Instant {
        Instant::now()
    }
}

impl<T: Transport + ?Sized> Transport for &mut T {
    fn send(&mut self, report: &Report) -> Result<(), TransportError> {
        (**self).send(report)
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Report>, TransportError> {
        (**self).receive(timeout)
    }

    fn now(&self) -> Instant {
        (**self).now()
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn send(&mut self, report: &Report) -> Result<(), TransportError> {
        (**self).send(report)
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Report>, TransportError> {
        (**self).receive(timeout)
    }

    fn now(&self) -> Instant {
        (**self).now()
    }
}

/// A key that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceDescription {
    /// How to open it.
    pub address: DeviceAddress,
    /// What it calls itself; empty if it says nothing.
    pub product: String,
    /// Who made it, if it says so.
    pub manufacturer: Option<String>,
    /// The USB vendor.
    pub vendor_id: u16,
    /// The USB product.
    pub product_id: u16,
}

/// Every FIDO device that the operating system shows. Keys behind sockets are not listed: nothing announces them.
///
/// # Errors
/// [`TransportError::Hid`] if the system cannot list devices.
pub fn list() -> Result<Vec<DeviceDescription>, TransportError> {
    hid::list()
}

/// Opens the key at `address`.
///
/// # Errors
/// [`TransportError`] that says what to mend.
pub fn open(address: &DeviceAddress) -> Result<Box<dyn Transport>, TransportError> {
    Ok(match address {
        DeviceAddress::Hid(path) => Box::new(hid::Hid::open(path)?),
        DeviceAddress::Udp(address) => Box::new(udp::Udp::connect(*address)?),
        DeviceAddress::Tcp(address) => Box::new(tcp::Tcp::connect(*address)?),
    })
}

/// Why a transport did not carry a report.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The key was unplugged, or the process behind the socket ended.
    #[error("the key is gone: plug it in again, or start it again")]
    Gone,
    /// The user may not open the device.
    #[error(
        "no permission to open {path}: add a udev rule such as \
         KERNEL==\"hidraw*\", SUBSYSTEM==\"hidraw\", ENV{{ID_SECURITY_TOKEN}}==\"1\", TAG+=\"uaccess\" \
         (most systems ship it in the package libfido2 or libu2f-udev), then plug the key in again"
    )]
    NotPermitted {
        /// The device.
        path: String,
    },
    /// There is no such device.
    #[error("there is no device {path}: list the keys to see which are plugged in")]
    NotFound {
        /// The device.
        path: String,
    },
    /// The HID layer refused.
    #[error("the system's HID layer refused: {0}; plug the key in again, or into another port")]
    Hid(String),
    /// The operating system refused.
    #[error("the operating system refused: {0}; check the address, or plug the key in again")]
    System(io::Error),
}

impl From<io::Error> for TransportError {
    /// Errors that mean that nobody is at the other end are [`TransportError::Gone`].
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof => Self::Gone,
            _ => Self::System(error),
        }
    }
}

/// Whether an error only says that nothing came in time, or that a signal ended the wait.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

/// Sockets take a time-out of zero for "for ever"; a millisecond is the least that is asked for.
fn at_least_a_millisecond(timeout: Duration) -> Duration {
    timeout.max(Duration::from_millis(1))
}
