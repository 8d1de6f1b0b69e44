//! Attestation: the certificates of the virtual key, and what each setting does in CTAP2 and in U2F.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use ciborium::{Value, cbor};
use keywright_common::auth_data::AuthData;
use keywright_common::ctaphid::Command;
use keywright_common::status::Status;
use keywright_common::u2f::{RegisterResponse, StatusWord, split_status};
use keywright_emulator::attestation::{AAGUID, ATTESTATION, CHAIN, ROOT};
use keywright_firmware::authenticator::Start;
use keywright_firmware::crypto::Secret;
use keywright_firmware::identity::{Attestation, Batch, Identity};
use keywright_tests::{IDENTITY, RamFlash, Simulation, TestRandom, map, value_at};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{DerSignature, VerifyingKey};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::asn1_rs::{Oid, oid};
use x509_parser::prelude::FromDer;
use x509_parser::x509::{X509Name, X509Version};

#[path = "../examples/virtual_attestation.rs"]
#[expect(dead_code, reason = "the tool's `main` writes the files, which a test must not")]
mod tool;

const HASH: [u8; 32] = [0x5a; 32];
const APPLICATION: [u8; 32] = [0x33; 32];

fn parse(der: &[u8]) -> X509Certificate<'_> {
    let (rest, certificate) = X509Certificate::from_der(der).unwrap();
    assert!(rest.is_empty());
    certificate
}

fn key_of(certificate: &X509Certificate<'_>) -> VerifyingKey {
    VerifyingKey::from_sec1_bytes(&certificate.public_key().subject_public_key.data).unwrap()
}

fn verifies(key: &VerifyingKey, message: &[u8], signature: &[u8]) -> bool {
    key.verify(message, &DerSignature::from_bytes(signature).unwrap()).is_ok()
}

fn is_signed_by(certificate: &X509Certificate<'_>, key: &VerifyingKey) -> bool {
    assert_eq!(certificate.signature_algorithm.algorithm, oid!(1.2.840.10045.4.3.2), "ecdsa-with-SHA256");
    assert_eq!(certificate.signature_algorithm, certificate.tbs_certificate.signature);
    verifies(key, certificate.tbs_certificate.as_ref(), &certificate.signature_value.data)
}

/// The only value of a kind in a name.
fn only<'a>(name: &'a X509Name<'_>, kind: &Oid<'_>) -> &'a str {
    let values: Vec<_> = name.iter_attributes().filter(|attribute| attribute.attr_type() == kind).collect();
    assert_eq!(values.len(), 1);
    values[0].as_str().unwrap()
}

#[test]
fn the_files_are_those_that_the_tool_makes() {
    let [root, leaf, key] = tool::files();
    assert_eq!((root.0, &root.1[..]), ("root.der", ROOT));
    assert_eq!((leaf.0, &leaf.1[..]), ("leaf.der", CHAIN[0]));
    let Attestation::Packed(batch) = ATTESTATION else { panic!("another kind") };
    assert_eq!((key.0, &key.1[..]), ("leaf.key", &batch.key.expose()[..]));
}

#[test]
fn the_chain_leads_from_the_leaf_to_a_root_that_is_not_in_it() {
    assert_eq!(CHAIN.len(), 1);
    let (leaf, root) = (parse(CHAIN[0]), parse(ROOT));
    assert!(is_signed_by(&leaf, &key_of(&root)));
    assert!(is_signed_by(&root, &key_of(&root)));
    assert!(!is_signed_by(&leaf, &key_of(&leaf)));
    assert_eq!(leaf.issuer(), root.subject());
    assert_eq!(root.issuer(), root.subject());
    let constraints = root.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    assert!(root.key_usage().unwrap().unwrap().value.key_cert_sign());
}

#[test]
fn both_certificates_hold_from_2025_to_the_end_of_2049() {
    for der in [CHAIN[0], ROOT] {
        let validity = parse(der).validity().clone();
        assert_eq!(validity.not_before.to_datetime().to_string(), "2025-01-01 0:00:00.0 +00:00:00");
        assert_eq!(validity.not_after.to_datetime().to_string(), "2049-12-31 0:00:00.0 +00:00:00");
    }
}

#[test]
fn the_leaf_meets_the_certificate_requirements_of_webauthn() {
    // WebAuthn §8.2.1.
    let leaf = parse(CHAIN[0]);
    assert_eq!(leaf.version(), X509Version::V3);
    let country = only(leaf.subject(), &oid!(2.5.4.6));
    assert!(country.len() == 2 && country.chars().all(|c| c.is_ascii_uppercase()));
    assert_eq!(only(leaf.subject(), &oid!(2.5.4.10)), "Keywright");
    assert_eq!(only(leaf.subject(), &oid!(2.5.4.11)), "Authenticator Attestation");
    assert!(only(leaf.subject(), &oid!(2.5.4.3)).contains("private key is public"));
    assert!(!leaf.basic_constraints().unwrap().unwrap().value.ca);
    let extension = leaf.get_extension_unique(&oid!(1.3.6.1.4.1.45724.1.1.4)).unwrap().unwrap();
    assert!(!extension.critical);
    assert!(matches!(extension.parsed_extension(), ParsedExtension::UnsupportedExtension { .. }));
    assert_eq!(extension.value, [&[0x04, 0x10][..], &AAGUID].concat(), "an OCTET STRING in an OCTET STRING");
}

#[test]
fn the_root_says_that_its_key_is_public() {
    assert!(only(parse(ROOT).subject(), &oid!(2.5.4.3)).contains("private key is public"));
}

fn key_with(attestation: Attestation) -> Simulation {
    seeded(7, attestation)
}

/// Another seed is another key.
fn seeded(seed: u64, attestation: Attestation) -> Simulation {
    let identity = Identity { aaguid: AAGUID, attestation, ..IDENTITY };
    Simulation::with_random(identity, RamFlash::default(), TestRandom(seed), Start::PowerUp)
}

fn create(key: &mut Simulation, algorithm: i32) -> Result<Value, Status> {
    let request = map([
        (1, Value::from(&HASH[..])),
        (2, cbor!({ "id" => "example.org" }).unwrap()),
        (3, cbor!({ "id" => Value::Bytes(vec![1]), "name" => "ada" }).unwrap()),
        (4, cbor!([{ "alg" => algorithm, "type" => "public-key" }]).unwrap()),
    ]);
    key.cbor(1, Some(request))
}

/// Registers through U2F: the response's data.
fn register(key: &mut Simulation) -> Result<Vec<u8>, StatusWord> {
    let apdu = [&[0, 1, 0, 0, 0, 0, 64][..], &HASH, &APPLICATION, &[0, 0]].concat();
    let channel = key.channel();
    let mut ask = || key.transact_on(channel, Command::MSG, &apdu).unwrap();
    assert_eq!(ask(), StatusWord::CONDITIONS_NOT_SATISFIED.to_bytes());
    key.key.touch(key.now);
    let response = key.transact_on(channel, Command::MSG, &apdu).unwrap();
    let (data, word) = split_status(&response).unwrap();
    if word == StatusWord::NO_ERROR { Ok(data.to_vec()) } else { Err(word) }
}

/// What a registration signs.
fn signed_by(response: &RegisterResponse<'_>) -> Vec<u8> {
    [&[0][..], &APPLICATION, &HASH, response.key_handle, response.public_key].concat()
}

#[test]
fn with_a_batch_a_credential_of_either_algorithm_is_attested_by_the_leaf() {
    let mut key = key_with(ATTESTATION);
    let leaf = key_of(&parse(CHAIN[0]));
    for algorithm in [-7, -8] {
        let response = create(&mut key, algorithm).unwrap();
        assert_eq!(value_at(&response, 1), &Value::from("packed"));
        let auth_data = value_at(&response, 2).as_bytes().unwrap();
        assert_eq!(AuthData::parse(auth_data).unwrap().attested_credential.unwrap().aaguid, AAGUID);
        let statement = value_at(&response, 3).as_map().unwrap();
        assert_eq!(statement[0], (Value::from("alg"), Value::from(-7)));
        let signature = statement[1].1.as_bytes().unwrap();
        assert!(verifies(&leaf, &[auth_data, &HASH[..]].concat(), signature));
        assert!(!verifies(&leaf, auth_data, signature));
        let chain = Value::Array(CHAIN.iter().map(|der| Value::from(*der)).collect());
        assert_eq!(statement[2], (Value::from("x5c"), chain));
    }
}

#[test]
fn with_a_batch_a_u2f_registration_carries_the_leaf_and_is_signed_by_it() {
    let data = register(&mut key_with(ATTESTATION)).unwrap();
    let response = RegisterResponse::parse(&data).unwrap();
    assert_eq!(response.certificate, CHAIN[0]);
    assert!(verifies(&key_of(&parse(CHAIN[0])), &signed_by(&response), response.signature));
    let own = VerifyingKey::from_sec1_bytes(response.public_key).unwrap();
    assert!(!verifies(&own, &signed_by(&response), response.signature));
}

#[test]
fn without_a_batch_a_u2f_credential_issues_a_certificate_to_itself() {
    for attestation in [Attestation::PackedSelf, Attestation::None] {
        let mut key = key_with(attestation);
        for _ in 0..20 {
            let data = register(&mut key).unwrap();
            let response = RegisterResponse::parse(&data).unwrap();
            let certificate = parse(response.certificate);
            let own = VerifyingKey::from_sec1_bytes(response.public_key).unwrap();
            assert_eq!(key_of(&certificate), own);
            assert!(is_signed_by(&certificate, &own));
            assert!(verifies(&own, &signed_by(&response), response.signature));
            assert_eq!(certificate.version(), X509Version::V1);
            assert_eq!(certificate.subject().to_string(), "CN=Keywright self attestation");
            assert_eq!(certificate.issuer(), certificate.subject());
            assert_eq!(certificate.validity().not_after.to_datetime().year(), 9999);
            assert!(certificate.raw_serial()[0] < 0x80 && certificate.raw_serial()[0] != 0);
        }
    }
}

#[test]
fn g20_two_self_issued_certificates_differ_in_serial_number_key_and_signature_and_share_nothing_else() {
    let mut key = key_with(Attestation::None);
    let data = [register(&mut key).unwrap(), register(&mut key).unwrap()];
    let [first, second] = data.each_ref().map(|data| RegisterResponse::parse(data).unwrap());
    let mut other = seeded(8, Attestation::PackedSelf);
    let third = register(&mut other).unwrap();
    let third = RegisterResponse::parse(&third).unwrap();
    let blinded = |certificate: &[u8]| {
        // Behind Certificate's and TBSCertificate's heads (4 and 3 bytes) and that of the serial number (2).
        let mut bytes = certificate[4..4 + 236].to_vec();
        bytes[5..21].fill(0);
        bytes[172..].fill(0);
        bytes
    };
    assert_ne!(first.certificate, second.certificate);
    assert_ne!(parse(first.certificate).raw_serial(), parse(second.certificate).raw_serial());
    assert_eq!(blinded(first.certificate), blinded(second.certificate));
    assert_eq!(blinded(first.certificate), blinded(third.certificate), "whatever key they come from");
}

#[test]
fn without_attestation_the_statement_is_empty() {
    let response = create(&mut key_with(Attestation::None), -7).unwrap();
    assert_eq!(value_at(&response, 1), &Value::from("none"));
    assert_eq!(value_at(&response, 3), &map([]));
}

#[test]
fn self_attestation_carries_no_certificate() {
    let response = create(&mut key_with(Attestation::PackedSelf), -7).unwrap();
    assert_eq!(value_at(&response, 1), &Value::from("packed"));
    assert_eq!(value_at(&response, 3).as_map().unwrap().len(), 2);
}

#[test]
fn a_batch_without_a_key_or_a_certificate_attests_nothing() {
    static ZERO: Secret<32> = Secret::new([0; 32]);
    let mut key = key_with(Attestation::Packed(Batch { key: &ZERO, chain: CHAIN }));
    assert_eq!(create(&mut key, -7), Err(Status::OTHER));
    assert_eq!(register(&mut key), Err(StatusWord::NO_PRECISE_DIAGNOSIS));
    let Attestation::Packed(batch) = ATTESTATION else { panic!("another kind") };
    let mut key = key_with(Attestation::Packed(Batch { chain: &[], ..batch }));
    assert_eq!(create(&mut key, -7), Err(Status::OTHER));
    assert_eq!(register(&mut key), Err(StatusWord::NO_PRECISE_DIAGNOSIS));
}
