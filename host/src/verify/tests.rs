//! Responses that are right but for one thing. The certificates are from `testdata/make_certificates.py`.

use ciborium::cbor;
use keywright_common::auth_data::flag;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use proptest::prelude::*;

use super::*;
use crate::cbor;
use crate::testing::reference::cose;
use crate::webauthn::{AssertionResponse, AttestationResponse, Base64Url, ExtensionResults};

const EXPECTED: Expected<'static> = Expected {
    challenge: b"challenge",
    origin: "https://example.org",
    rp_id: "example.org",
    require_user_verification: false,
};

fn credential_key() -> SigningKey {
    SigningKey::from_slice(&[9; 32]).unwrap()
}

fn attestation_key() -> SigningKey {
    SigningKey::from_slice(&[0x21; 32]).unwrap()
}

fn sign(key: &SigningKey, message: &[u8]) -> Value {
    let signature: DerSignature = key.sign(message);
    Value::from(signature.as_bytes())
}

fn auth_data(flags: u8) -> Vec<u8> {
    let fixed = [&sha256(b"example.org")[..], &[flags], &[0, 0, 0, 4]].concat();
    if flags & flag::AT == 0 {
        return fixed;
    }
    [&fixed[..], &[0x11; 16], &[0, 2, 8, 8], &cose(&credential_key())].concat()
}

fn client_data(kind: &str) -> String {
    ClientData::serialise(kind, EXPECTED.challenge, EXPECTED.origin)
}

fn response(format: &str, statement: Value, auth_data: &[u8]) -> RegistrationResponse {
    let object = cbor::text_map([
        ("fmt", Some(Value::from(format))),
        ("attStmt", Some(statement)),
        ("authData", Some(cbor::bytes(auth_data))),
    ]);
    RegistrationResponse {
        id: Base64Url(vec![8, 8]),
        raw_id: Base64Url(vec![8, 8]),
        kind: "public-key".to_owned(),
        response: AttestationResponse {
            client_data_json: Base64Url(client_data("webauthn.create").into_bytes()),
            authenticator_data: None,
            transports: Vec::new(),
            public_key: None,
            public_key_algorithm: None,
            attestation_object: Base64Url(cbor::encode(object)),
        },
        authenticator_attachment: None,
        client_extension_results: ExtensionResults::default(),
    }
}

fn unattested() -> RegistrationResponse {
    response("none", Value::Map(Vec::new()), &auth_data(flag::UP | flag::AT))
}

/// A `packed` statement with a certificate.
fn packed(certificate: &[u8]) -> Result<AttestationKind, VerifyError> {
    let auth_data = auth_data(flag::UP | flag::AT);
    let signed = [&auth_data[..], &sha256(client_data("webauthn.create").as_bytes())].concat();
    let signature = sign(&attestation_key(), &signed);
    let x5c = Value::Array(vec![cbor::bytes(certificate)]);
    let statement = cbor!({ "alg" => -7, "sig" => signature, "x5c" => x5c }).unwrap();
    registration(&response("packed", statement, &auth_data), &EXPECTED)
        .map(|credential| credential.attestation)
}

fn assertion_response(flags: u8) -> AuthenticationResponse {
    let auth_data = auth_data(flags);
    let client_data = client_data("webauthn.get");
    let signed = [&auth_data[..], &sha256(client_data.as_bytes())].concat();
    let signature: DerSignature = credential_key().sign(&signed);
    AuthenticationResponse {
        id: Base64Url(vec![8, 8]),
        raw_id: Base64Url(vec![8, 8]),
        kind: "public-key".to_owned(),
        response: AssertionResponse {
            client_data_json: Base64Url(client_data.into_bytes()),
            authenticator_data: Base64Url(auth_data),
            signature: Base64Url(signature.as_bytes().to_vec()),
            user_handle: None,
        },
        authenticator_attachment: None,
        client_extension_results: ExtensionResults::default(),
    }
}

fn check(response: &AuthenticationResponse, last_count: u32) -> Result<VerifiedAssertion, VerifyError> {
    assertion(response, &EXPECTED, &[8, 8], &cose(&credential_key()), last_count)
}

#[test]
fn a_registration_that_is_right_in_everything_is_accepted() {
    let credential = registration(&unattested(), &EXPECTED).unwrap();
    assert_eq!((credential.sign_count, credential.attestation), (4, AttestationKind::None));
}

#[test]
fn each_thing_that_is_wrong_in_client_data_has_its_name() {
    let changed = |from: &str, to: &str| {
        let mut response = unattested();
        let text = client_data("webauthn.create").replace(from, to);
        response.response.client_data_json = Base64Url(text.into_bytes());
        registration(&response, &EXPECTED)
    };
    assert_eq!(changed("{", "["), Err(VerifyError::ClientData));
    assert_eq!(changed("webauthn.create", "webauthn.get"), Err(VerifyError::Ceremony));
    assert_eq!(changed("Y2hhbGxlbmdl", "Y2hhbGxlbmdm"), Err(VerifyError::Challenge));
    assert_eq!(changed("https://", "http://"), Err(VerifyError::Origin));
    assert_eq!(changed("\"crossOrigin\":false", "\"crossOrigin\":true"), Err(VerifyError::Origin));
}

#[test]
fn each_thing_that_is_wrong_in_authenticator_data_has_its_name() {
    let judge = |auth_data: &[u8], expected: &Expected<'_>| {
        registration(&response("none", Value::Map(Vec::new()), auth_data), expected)
    };
    let strict = Expected { require_user_verification: true, ..EXPECTED };
    let elsewhere = Expected { rp_id: "example.com", ..EXPECTED };
    let good = auth_data(flag::UP | flag::AT);
    assert_eq!(judge(&good, &strict), Err(VerifyError::UserVerification));
    assert_eq!(judge(&good, &elsewhere), Err(VerifyError::RpId));
    assert_eq!(judge(&auth_data(flag::AT), &EXPECTED), Err(VerifyError::UserPresence));
    assert_eq!(judge(&auth_data(flag::UP), &EXPECTED), Err(VerifyError::Malformed));
    assert_eq!(judge(&good[..good.len() - 1], &EXPECTED), Err(VerifyError::Malformed));
    let mut other_id = unattested();
    other_id.raw_id = Base64Url(vec![8, 9]);
    assert_eq!(registration(&other_id, &EXPECTED), Err(VerifyError::CredentialId));
}

#[test]
fn a_certificate_of_the_same_model_attests() {
    let leaf = include_bytes!("../../testdata/leaf.der");
    assert_eq!(packed(leaf), Ok(AttestationKind::Packed { x5c: vec![leaf.to_vec()] }));
    assert!(packed(include_bytes!("../../testdata/leaf-without-aaguid.der")).is_ok());
}

#[test]
fn a_certificate_that_breaks_a_rule_does_not_attest() {
    let other_model = include_bytes!("../../testdata/leaf-of-another-model.der");
    assert_eq!(packed(other_model), Err(VerifyError::Aaguid));
    let other_curve = include_bytes!("../../testdata/leaf-on-p384.der");
    assert_eq!(packed(other_curve), Err(VerifyError::Algorithm));
    for certificate in [
        &include_bytes!("../../testdata/leaf-with-a-critical-aaguid.der")[..],
        include_bytes!("../../testdata/leaf-of-another-unit.der"),
        include_bytes!("../../testdata/authority.der"),
        b"no certificate",
        b"",
    ] {
        assert_eq!(packed(certificate), Err(VerifyError::Statement));
    }
}

#[test]
fn a_statement_that_is_not_signed_by_its_key_does_not_attest() {
    let auth_data = auth_data(flag::UP | flag::AT);
    let hash = sha256(client_data("webauthn.create").as_bytes());
    let judge = |statement: Value, format: &str| {
        registration(&response(format, statement, &auth_data), &EXPECTED).err()
    };
    let signature = sign(&credential_key(), &[&auth_data[..], &hash].concat());
    let leaf = Value::Array(vec![cbor::bytes(include_bytes!("../../testdata/leaf.der"))]);
    let full = cbor!({ "alg" => -7, "sig" => signature.clone(), "x5c" => leaf.clone() }).unwrap();
    assert_eq!(judge(full, "packed"), Some(VerifyError::Signature), "the credential's key, not the leaf's");
    let full = cbor!({ "sig" => signature.clone(), "x5c" => leaf.clone() }).unwrap();
    assert_eq!(judge(full, "fido-u2f"), Some(VerifyError::Signature), "another message");
    let own = sign(&attestation_key(), &[&auth_data[..], &hash].concat());
    assert_eq!(judge(cbor!({ "alg" => -7, "sig" => own }).unwrap(), "packed"), Some(VerifyError::Signature));
    let other = cbor!({ "alg" => -8, "sig" => signature.clone() }).unwrap();
    assert_eq!(judge(other, "packed"), Some(VerifyError::Statement));
    let two = Value::Array([leaf.as_array().unwrap().clone(), leaf.as_array().unwrap().clone()].concat());
    let two = cbor!({ "sig" => signature.clone(), "x5c" => two }).unwrap();
    assert_eq!(judge(two, "fido-u2f"), Some(VerifyError::Statement));
    assert_eq!(judge(cbor!({ "sig" => signature }).unwrap(), "none"), Some(VerifyError::Statement));
    assert_eq!(judge(cbor!({}).unwrap(), "packed"), Some(VerifyError::Statement));
    assert_eq!(judge(cbor!({}).unwrap(), "tpm"), Some(VerifyError::Format));
}

#[test]
fn an_assertion_that_is_right_in_everything_is_accepted_and_its_counter_rises() {
    let response = assertion_response(flag::UP | flag::UV);
    assert_eq!(check(&response, 3), Ok(VerifiedAssertion { sign_count: 4, user_verified: true }));
    assert_eq!(check(&response, 4), Err(VerifyError::Counter));
    assert_eq!(check(&response, 5), Err(VerifyError::Counter));
}

#[test]
fn an_assertion_that_was_changed_or_is_anothers_is_refused() {
    let good = assertion_response(flag::UP);
    let mut changed = good.clone();
    changed.response.authenticator_data.0[36] = 200;
    assert_eq!(check(&changed, 0), Err(VerifyError::Signature));
    let mut changed = good.clone();
    changed.response.signature.0.pop();
    assert_eq!(check(&changed, 0), Err(VerifyError::Signature));
    let key = cose(&attestation_key());
    assert_eq!(assertion(&good, &EXPECTED, &[8, 8], &key, 0), Err(VerifyError::Signature));
    assert_eq!(assertion(&good, &EXPECTED, &[8, 9], &key, 0), Err(VerifyError::CredentialId));
    assert_eq!(check(&assertion_response(0), 0), Err(VerifyError::UserPresence));
}

#[test]
fn an_ed25519_signature_is_verified_and_a_changed_one_refused() {
    use ed25519_dalek::Signer as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[4; 32]);
    let x = key.verifying_key().to_bytes();
    let cose = cbor!({ 1 => 1, 3 => -8, -1 => 6, -2 => Value::Bytes(x.to_vec()) }).unwrap();
    let public = PublicKey::parse(&cbor::encode(cose)).unwrap();
    assert_eq!(public, PublicKey::EdDsa { x });
    let signature = key.sign(b"message").to_bytes();
    assert_eq!(public.verify(b"message", &signature), Ok(()));
    assert_eq!(public.verify(b"massage", &signature), Err(VerifyError::Signature));
    assert_eq!(public.verify(b"message", &signature[..63]), Err(VerifyError::Signature));
    assert_eq!(public.to_spki().unwrap().len(), 44);
}

#[test]
fn g37_a_public_key_of_another_algorithm_is_read_but_not_verified_with() {
    let rsa =
        cbor!({ 1 => 3, 3 => -257, -1 => Value::Bytes(vec![1; 256]), -2 => Value::Bytes(vec![1, 0, 1]) });
    let key = PublicKey::parse(&cbor::encode(rsa.unwrap())).unwrap();
    assert_eq!((key.algorithm(), key.to_spki()), (-257, None));
    assert_eq!(key.verify(b"", b""), Err(VerifyError::Algorithm));
    let off_curve = PublicKey::Es256 { x: [1; 32], y: [1; 32] };
    assert_eq!(off_curve.verify(b"", b""), Err(VerifyError::Malformed));
    let short = cbor!({ 1 => 2, 3 => -7, -1 => 1, -2 => Value::Bytes(vec![1; 31]) }).unwrap();
    assert_eq!(PublicKey::parse(&cbor::encode(short)), None);
}

proptest! {
    #[test]
    fn no_bytes_make_the_verifiers_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = PublicKey::parse(&bytes);
        let mut response = unattested();
        response.response.attestation_object = Base64Url(bytes.clone());
        prop_assert!(registration(&response, &EXPECTED).is_err());
        prop_assert!(packed(&bytes).is_err());
    }

    #[test]
    fn no_change_of_a_certificate_makes_the_verifiers_panic(at in 0_usize..483, byte in any::<u8>()) {
        let mut leaf = include_bytes!("../../testdata/leaf.der").to_vec();
        leaf[at] = byte;
        let _ = packed(&leaf);
    }
}
