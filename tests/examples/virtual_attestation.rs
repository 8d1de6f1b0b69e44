//! Makes the certificates of the virtual key, which are checked in under `host/emulator/attestation`.
//!
//! The same bytes come out every time: the keys are hashes of sentences, the signatures are those of RFC 6979, and the
//! dates are fixed. Anybody can therefore have the private keys, and that is the point: see the README beside the files.
#![expect(clippy::unwrap_used, reason = "a tool that is run by hand ends where something is wrong")]

use std::path::Path;

use keywright_emulator::attestation::AAGUID;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa,
    Issuer, KeyIdMethod, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SerialNumber,
    SignatureAlgorithm, date_time_ymd,
};
use sha2::{Digest, Sha256};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/emulator/attestation");
    for (name, content) in files() {
        std::fs::write(folder.join(name), content).unwrap();
    }
}

/// The names and contents of the files.
pub(crate) fn files() -> [(&'static str, Vec<u8>); 3] {
    let root_key = Key::new("The key of Keywright's virtual attestation root is public");
    let leaf_key = Key::new("The key of Keywright's virtual attestation batch is public");
    let root = root_params();
    let root_certificate = root.self_signed(&root_key).unwrap();
    let leaf_certificate = leaf_params().signed_by(&leaf_key, &Issuer::new(root, root_key)).unwrap();
    let der = |certificate: Certificate| certificate.der().to_vec();
    [
        ("root.der", der(root_certificate)),
        ("leaf.der", der(leaf_certificate)),
        ("leaf.key", leaf_key.secret.to_bytes().to_vec()),
    ]
}

fn root_params() -> CertificateParams {
    let mut params = params("Keywright Virtual Key Attestation Root (private key is public)", b"root");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// WebAuthn §8.2.1.
fn leaf_params() -> CertificateParams {
    let mut params = params("Keywright Virtual Key (private key is public)", b"leaf");
    params.distinguished_name.push(DnType::OrganizationalUnitName, "Authenticator Attestation");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let octet_string = [&[0x04, 0x10][..], &AAGUID].concat();
    params.custom_extensions = vec![CustomExtension::from_oid_content(ID_FIDO_GEN_CE_AAGUID, octet_string)];
    params
}

fn params(common_name: &str, serial: &[u8]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, "AQ");
    params.distinguished_name.push(DnType::OrganizationName, "Keywright");
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params.serial_number = Some(SerialNumber::from_slice(serial));
    // RFC 5280 §4.2.1.2 leaves the way to the issuer.
    let identifier = Sha256::digest(common_name).iter().take(20).copied().collect();
    params.key_identifier_method = KeyIdMethod::PreSpecified(identifier);
    params
}

/// A private key that everybody has.
struct Key {
    secret: SigningKey,
    point: Vec<u8>,
}

impl Key {
    fn new(sentence: &str) -> Self {
        let secret = SigningKey::from_slice(&Sha256::digest(sentence)).unwrap();
        let point = secret.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        Self { secret, point }
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.point
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: DerSignature = self.secret.sign(message);
        Ok(signature.as_bytes().to_vec())
    }
}

const ID_FIDO_GEN_CE_AAGUID: &[u64] = &[1, 3, 6, 1, 4, 1, 45724, 1, 1, 4];
