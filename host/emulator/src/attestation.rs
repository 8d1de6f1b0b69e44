//! Who the virtual key says it is: its AAGUID, and a batch key that is public and gives no assurance.
//!
//! The files are in `attestation/`, with a README that says what they are worth.

use keywright_firmware::crypto::Secret;
use keywright_firmware::identity::{Attestation, Batch};

/// The AAGUID of every virtual key, drawn at random once: `dd69d6e3-cd4e-43b1-80f2-88a53fa9a995`, a version 4 UUID. It
/// says "a Keywright key that is a program", and nothing about which one (G20). A board has another one.
pub const AAGUID: [u8; 16] = 0xdd69_d6e3_cd4e_43b1_80f2_88a5_3fa9_a995_u128.to_be_bytes();

/// Basic attestation with the batch key, which anybody can sign with.
pub const ATTESTATION: Attestation = Attestation::Packed(Batch { key: &KEY, chain: CHAIN });

/// The certificates that go with an attestation, in DER: the leaf alone, which the root has signed.
pub const CHAIN: &[&[u8]] = &[include_bytes!("../attestation/leaf.der")];

/// The root, in DER: what a relying party would have to trust, and must not outside of a test.
pub const ROOT: &[u8] = include_bytes!("../attestation/root.der");

static KEY: Secret<32> = Secret::new(*include_bytes!("../attestation/leaf.key"));
