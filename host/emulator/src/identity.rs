//! Who the virtual key says it is.

use keywright_firmware::ctaphid::DeviceVersion;
use keywright_firmware::identity::{Attestation as Statement, Identity};

use crate::attestation::{AAGUID, ATTESTATION};

/// How the virtual key attests its credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attestation {
    /// `packed`, signed by the credential's own key.
    #[default]
    PackedSelf,
    /// `packed`, signed by the batch key of the virtual key, whose private part is public.
    Basic,
    /// `none`.
    None,
}

/// The identity of the virtual key in this version; messages of `max_message` bytes reach it whole.
pub(crate) fn identity(attestation: Attestation, max_message: usize) -> Identity {
    let [major, minor, build] =
        [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")]
            .map(|part| part.parse().unwrap_or(u8::MAX));
    Identity {
        aaguid: AAGUID,
        firmware_version: u32::from_be_bytes([0, major, minor, build]),
        device_version: DeviceVersion { major, minor, build },
        max_message,
        attestation: match attestation {
            Attestation::PackedSelf => Statement::PackedSelf,
            Attestation::Basic => ATTESTATION,
            Attestation::None => Statement::None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_crates_version_fits_and_is_told() {
        let DeviceVersion { major, minor, build } = identity(Attestation::None, 1024).device_version;
        assert_eq!(format!("{major}.{minor}.{build}"), env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn g20_the_aaguid_is_a_random_uuid_and_the_same_for_every_key() {
        assert_eq!((AAGUID[6] >> 4, AAGUID[8] >> 6), (4, 2), "version and variant of a random UUID");
        assert_eq!(identity(Attestation::PackedSelf, 1024).aaguid, identity(Attestation::None, 2048).aaguid);
    }
}
