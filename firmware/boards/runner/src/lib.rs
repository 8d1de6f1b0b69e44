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
///
/// `KEYWRIGHT_VERSION` takes its place when the image is built: the tests flash a newer image over an older one.
pub const VERSION: DeviceVersion = version(match option_env!("KEYWRIGHT_VERSION") {
    Some(version) => version,
    None => env!("CARGO_PKG_VERSION"),
});

/// Milliseconds since the board started.
pub fn now() -> Instant {
    Instant::from_millis(embassy_time::Instant::now().as_millis())
}

/// The same point on the board's own clock.
fn at(instant: Instant) -> embassy_time::Instant {
    embassy_time::Instant::from_millis(instant.as_millis())
}

/// Three decimal numbers with points between them, at build time.
const fn version(text: &str) -> DeviceVersion {
    let mut version = DeviceVersion { major: 0, minor: 0, build: 0 };
    let mut rest = text.as_bytes();
    while let [character, tail @ ..] = rest {
        if *character == b'.' {
            version = DeviceVersion { major: version.minor, minor: version.build, build: 0 };
        } else {
            version.build = version.build.wrapping_mul(10).wrapping_add(character.wrapping_sub(b'0'));
        }
        rest = tail;
    }
    version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_number_by_number() {
        assert_eq!(version("1.20.3"), DeviceVersion { major: 1, minor: 20, build: 3 });
        assert_eq!(version(env!("CARGO_PKG_VERSION")), VERSION);
    }
}
