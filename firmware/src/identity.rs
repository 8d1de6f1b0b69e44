//! Who the key says it is.

use crate::ctaphid::DeviceVersion;

/// What a form of the key is made with; the same for every key of that form.
#[derive(Clone, Copy, Debug)]
pub struct Identity {
    /// The authenticator's model, which stands in authenticator data and getInfo.
    pub aaguid: [u8; 16],
    /// `firmwareVersion` of getInfo; rises with every release.
    pub firmware_version: u32,
    /// The version of the CTAPHID INIT response.
    pub device_version: DeviceVersion,
    /// `maxMsgSize` of getInfo: the longest message, in bytes, that the way to this form of the key carries. From 1024 to
    /// [`MAX_MESSAGE`](keywright_common::ctaphid::MAX_MESSAGE); a longer one that arrives is not refused.
    pub max_message: usize,
    /// How new credentials are attested.
    pub attestation: Attestation,
}

/// The attestation statement of new credentials (WebAuthn §8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attestation {
    /// `packed`, signed with the credential's own key.
    PackedSelf,
    /// `none`.
    None,
}
