//! Attestation statements (WebAuthn §8): packed, fido-u2f and none.

use ciborium::Value;
use p256::ecdsa::VerifyingKey;
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::{ObjectIdentifier, OctetString};
use x509_cert::ext::pkix::BasicConstraints;

use super::public_key::verify_es256;
use super::{PublicKey, VerifyError, certificates};
use crate::auth_data::AuthData;
use crate::cbor::Members;

/// How a key was attested (WebAuthn §6.5.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttestationKind {
    /// Not at all.
    None,
    /// `packed`, by the credential's own key.
    PackedSelf,
    /// `packed`, by a certificate's key.
    Packed {
        /// The certificates, DER, the leaf first. They were not followed to a root.
        x5c: Vec<Vec<u8>>,
    },
    /// `fido-u2f`.
    FidoU2f {
        /// The certificate, DER. It was not followed to a root.
        certificate: Vec<u8>,
    },
}

/// Verifies an attestation statement over authenticator data and the hash of client data.
///
/// # Errors
/// [`VerifyError::Format`] for another format, else the rule that does not hold.
pub fn verify_statement(
    format: &str,
    statement: Value,
    auth_data: &[u8],
    data: &AuthData,
    client_data_hash: &[u8; 32],
) -> Result<AttestationKind, VerifyError> {
    let mut statement = Members::from_value(statement).ok_or(VerifyError::Statement)?;
    match format {
        "none" if statement.is_empty() => Ok(AttestationKind::None),
        "none" => Err(VerifyError::Statement),
        "packed" => packed(&mut statement, auth_data, data, client_data_hash),
        "fido-u2f" => fido_u2f(&mut statement, data, client_data_hash),
        _ => Err(VerifyError::Format),
    }
}

/// §8.2.
fn packed(
    statement: &mut Members,
    auth_data: &[u8],
    data: &AuthData,
    client_data_hash: &[u8; 32],
) -> Result<AttestationKind, VerifyError> {
    let credential = data.attested_credential.as_ref().ok_or(VerifyError::Malformed)?;
    let algorithm: i64 = statement.unsigned("alg").ok_or(VerifyError::Statement)?;
    let signature = statement.bytes("sig").ok_or(VerifyError::Statement)?;
    let signed = [auth_data, client_data_hash].concat();
    let Some(x5c) = certificates(statement) else {
        let key = PublicKey::parse(&credential.public_key).ok_or(VerifyError::Malformed)?;
        if key.algorithm() != algorithm {
            return Err(VerifyError::Statement);
        }
        key.verify(&signed, &signature)?;
        return Ok(AttestationKind::PackedSelf);
    };
    if algorithm != ES256 {
        return Err(VerifyError::Algorithm);
    }
    let leaf = leaf(&x5c)?;
    verify_es256(&leaf_key(&leaf)?, &signed, &signature)?;
    check_leaf(&leaf, &credential.aaguid)?;
    Ok(AttestationKind::Packed { x5c })
}

/// §8.6.
fn fido_u2f(
    statement: &mut Members,
    data: &AuthData,
    client_data_hash: &[u8; 32],
) -> Result<AttestationKind, VerifyError> {
    let credential = data.attested_credential.as_ref().ok_or(VerifyError::Malformed)?;
    let signature = statement.bytes("sig").ok_or(VerifyError::Statement)?;
    let x5c = certificates(statement).ok_or(VerifyError::Statement)?;
    let [certificate] = x5c.as_slice() else { return Err(VerifyError::Statement) };
    let Some(PublicKey::Es256 { x, y }) = PublicKey::parse(&credential.public_key) else {
        return Err(VerifyError::Algorithm);
    };
    let signed = [&[0][..], &data.rp_id_hash, client_data_hash, &credential.id, &[4], &x, &y].concat();
    verify_es256(&leaf_key(&leaf(&x5c)?)?, &signed, &signature)?;
    Ok(AttestationKind::FidoU2f { certificate: certificate.clone() })
}

fn leaf(x5c: &[Vec<u8>]) -> Result<Certificate, VerifyError> {
    let first = x5c.first().ok_or(VerifyError::Statement)?;
    Certificate::from_der(first).map_err(|_| VerifyError::Statement)
}

fn leaf_key(leaf: &Certificate) -> Result<VerifyingKey, VerifyError> {
    let info = leaf.tbs_certificate().subject_public_key_info();
    let curve =
        info.algorithm.parameters.as_ref().and_then(|curve| curve.decode_as::<ObjectIdentifier>().ok());
    if info.algorithm.oid != EC_PUBLIC_KEY || curve != Some(P256) {
        return Err(VerifyError::Algorithm);
    }
    let point = info.subject_public_key.as_bytes().ok_or(VerifyError::Statement)?;
    VerifyingKey::from_sec1_bytes(point).map_err(|_| VerifyError::Statement)
}

/// §8.2.1: version 3, the organisational unit, no authority, and the model where the certificate names one.
fn check_leaf(leaf: &Certificate, aaguid: &[u8; 16]) -> Result<(), VerifyError> {
    let body = leaf.tbs_certificate();
    if body.version() != Version::V3 || !names_unit(leaf) {
        return Err(VerifyError::Statement);
    }
    // Given with both values that the specification lets stand: absent stands for no authority too.
    let constraints = body.get_extension::<BasicConstraints>().map_err(|_| VerifyError::Statement)?;
    if constraints.is_some_and(|(_, constraints)| constraints.ca) {
        return Err(VerifyError::Statement);
    }
    let extensions = body.extensions().map(Vec::as_slice).unwrap_or_default();
    let Some(extension) = extensions.iter().find(|extension| extension.extn_id == AAGUID_EXTENSION) else {
        return Ok(());
    };
    let model = OctetString::from_der(extension.extn_value.as_bytes()).map_err(|_| VerifyError::Statement)?;
    if extension.critical {
        return Err(VerifyError::Statement);
    }
    if model.as_bytes() == aaguid { Ok(()) } else { Err(VerifyError::Aaguid) }
}

/// Whether the subject has the organisational unit `Authenticator Attestation`, in either string type.
fn names_unit(leaf: &Certificate) -> bool {
    let subject = leaf.tbs_certificate().subject();
    subject.iter().any(|attribute| {
        attribute.oid == ORGANIZATIONAL_UNIT && attribute.value.value() == b"Authenticator Attestation"
    })
}

const ES256: i64 = -7;
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ORGANIZATIONAL_UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");
/// id-fido-gen-ce-aaguid.
const AAGUID_EXTENSION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.45724.1.1.4");
