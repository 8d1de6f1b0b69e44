//! Who the key says it is.

use crate::crypto::Secret;
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

/// How new credentials are attested (WebAuthn §6.5.3), in CTAP2 and in U2F.
///
/// A U2F registration has no form without a certificate. Where there is no batch to speak for the key, the credential
/// signs for itself there too: it comes with a certificate for its own public key, signed by that key, whose name says
/// so. A relying party that verifies it learns what self attestation tells, that the credential's key signed the
/// registration, and nothing that two registrations have in common. A certificate under a key of the device would name
/// the device to every relying party.
#[derive(Clone, Copy, Debug)]
pub enum Attestation {
    /// Basic attestation. CTAP2: `packed` with `x5c`. U2F: the batch's certificate.
    Packed(Batch),
    /// Self attestation. CTAP2: `packed` without `x5c`. U2F: a certificate of the credential for itself.
    PackedSelf,
    /// No attestation. CTAP2: `none`. U2F: a certificate of the credential for itself.
    None,
}

/// What every key of a batch attests with. A batch is large enough that its certificate points to nobody (WebAuthn
/// §14.4.1).
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// The P-256 scalar of the leaf certificate's key.
    pub key: &'static Secret<32>,
    /// X.509 certificates in DER: the leaf, then what leads from it to the root, which is left out.
    pub chain: &'static [&'static [u8]],
}
