//! The loop that every board runs.
//!
//! Two tasks on two executors. [`transport`] has the higher priority: USB, the device end of CTAPHID, button and light,
//! each of them done within microseconds. [`authenticator`] runs in the time that is left: it computes for hundreds of
//! milliseconds, and is interrupted for every report. Between them stands the [`mailbox`].
//!
//! | room | what is in it |
//! |---|---|
//! | [`usb`] | the descriptors |
//! | [`transport`] | reports in and out, and when what is due |
//! | [`mailbox`] | one request one way, its progress the other way |
//! | [`authenticator`] | requests, touches and their times, to the authenticator |
//! | [`button`] | edges from levels |
//! | [`light`] | what each state looks like |
#![cfg_attr(not(test), no_std)]

pub mod authenticator;
pub mod button;
pub mod light;
pub mod mailbox;
pub mod transport;
pub mod usb;

use keywright_common::ctaphid::MAX_MESSAGE;
use keywright_common::time::Instant;
use keywright_firmware::ctaphid::DeviceVersion;
use keywright_firmware::identity::{Attestation, Identity};

/// A message that lives as long as the board runs: one for the request, one for the response.
pub type Buffer = &'static mut keywright_common::ctaphid::Message;

/// The identity of a board: all keys of one kind of board share it.
pub const fn identity(aaguid: [u8; 16]) -> Identity {
    Identity {
        aaguid,
        firmware_version: u32::from_be_bytes([0, VERSION.major, VERSION.minor, VERSION.build]),
        device_version: VERSION,
        max_message: MAX_MESSAGE,
        attestation: Attestation::PackedSelf,
    }
}

/// The version of this firmware: in getInfo, in the CTAPHID INIT response and in the USB descriptor.
pub const VERSION: DeviceVersion = DeviceVersion {
    major: number(env!("CARGO_PKG_VERSION_MAJOR")),
    minor: number(env!("CARGO_PKG_VERSION_MINOR")),
    build: number(env!("CARGO_PKG_VERSION_PATCH")),
};

/// Milliseconds since the board started.
pub fn now() -> Instant {
    Instant::from_millis(embassy_time::Instant::now().as_millis())
}

/// The same point on the board's own clock.
fn at(instant: Instant) -> embassy_time::Instant {
    embassy_time::Instant::from_millis(instant.as_millis())
}

/// A decimal number, at build time.
const fn number(digits: &str) -> u8 {
    let mut value = 0_u8;
    let mut rest = digits.as_bytes();
    while let [digit, tail @ ..] = rest {
        value = value.wrapping_mul(10).wrapping_add(digit.wrapping_sub(b'0'));
        rest = tail;
    }
    value
}
