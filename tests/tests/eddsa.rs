//! EdDSA credentials: made, attested, used.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use ciborium::{Value, cbor};
use ed25519_dalek::{Signature, VerifyingKey};
use keywright_common::auth_data::AuthData;
use keywright_common::cbor::Item;
use keywright_common::cose::PublicKey;
use keywright_common::status::Status;
use keywright_tests::{Simulation, User, map, value_at};

const CLIENT_DATA_HASH: [u8; 32] = [0x5a; 32];
const MAKE_CREDENTIAL: u8 = 1;
const GET_ASSERTION: u8 = 2;
const GET_INFO: u8 = 4;

fn creation(algorithms: &[i32]) -> Value {
    let algorithms = algorithms.iter().map(|alg| cbor!({ "alg" => *alg, "type" => "public-key" }).unwrap());
    map([
        (1, Value::from(&CLIENT_DATA_HASH[..])),
        (2, cbor!({ "id" => "example.org" }).unwrap()),
        (3, cbor!({ "id" => Value::Bytes(vec![1, 2]), "name" => "ada" }).unwrap()),
        (4, Value::Array(algorithms.collect())),
    ])
}

fn assertion(id: &[u8]) -> Value {
    let list = cbor!([{ "id" => Value::from(id), "type" => "public-key" }]).unwrap();
    map([(1, Value::from("example.org")), (2, Value::from(&CLIENT_DATA_HASH[..])), (3, list)])
}

fn public_key(auth_data: &[u8]) -> PublicKey {
    let credential = AuthData::parse(auth_data).unwrap().attested_credential.unwrap();
    PublicKey::decode(Item::parse(credential.public_key).unwrap().map().unwrap()).unwrap()
}

fn verifier(auth_data: &[u8]) -> VerifyingKey {
    let PublicKey::EdDsa { x } = public_key(auth_data) else { panic!("another kind") };
    VerifyingKey::from_bytes(&x).unwrap()
}

fn assert_signed(verifier: &VerifyingKey, auth_data: &[u8], signature: &Value) {
    let signature = Signature::from_slice(signature.as_bytes().unwrap()).unwrap();
    verifier.verify_strict(&[auth_data, &CLIENT_DATA_HASH].concat(), &signature).unwrap();
}

#[test]
fn an_eddsa_credential_attests_itself_and_signs_what_was_asked() {
    let mut key = Simulation::new();
    let created = key.cbor(MAKE_CREDENTIAL, Some(creation(&[-8]))).unwrap();
    let auth_data = value_at(&created, 2).as_bytes().unwrap();
    let verifier = verifier(auth_data);
    let statement = value_at(&created, 3).as_map().unwrap();
    assert_eq!(statement[0], (Value::from("alg"), Value::from(-8)));
    assert_signed(&verifier, auth_data, &statement[1].1);

    let id = AuthData::parse(auth_data).unwrap().attested_credential.unwrap().credential_id;
    for _ in 0..3 {
        let response = key.cbor(GET_ASSERTION, Some(assertion(id))).unwrap();
        assert_signed(&verifier, value_at(&response, 2).as_bytes().unwrap(), value_at(&response, 3));
    }
}

#[test]
fn the_public_key_is_an_okp_key_in_canonical_form() {
    let mut key = Simulation::new();
    let created = key.cbor(MAKE_CREDENTIAL, Some(creation(&[-8]))).unwrap();
    let auth_data = value_at(&created, 2).as_bytes().unwrap();
    let encoded = AuthData::parse(auth_data).unwrap().attested_credential.unwrap().public_key;
    // { 1: 1 (OKP), 3: -8 (EdDSA), -1: 6 (Ed25519), -2: 32 bytes }
    assert_eq!(encoded[..10], [0xa4, 0x01, 0x01, 0x03, 0x27, 0x20, 0x06, 0x21, 0x58, 0x20]);
    assert_eq!(encoded.len(), 42);
}

#[test]
fn the_first_algorithm_of_the_request_that_is_supported_is_taken() {
    let mut key = Simulation::new();
    let mut made = |algorithms: &[i32]| {
        let created = key.cbor(MAKE_CREDENTIAL, Some(creation(algorithms))).unwrap();
        public_key(value_at(&created, 2).as_bytes().unwrap()).algorithm().0
    };
    assert_eq!(made(&[-257, -8, -7]), -8);
    assert_eq!(made(&[-7, -8]), -7);
}

#[test]
fn fully_specified_and_other_algorithms_are_not_taken_for_eddsa() {
    let mut key = Simulation::new();
    key.user = User::MustNotBeAsked;
    // -19 is Ed25519 and -9 ESP256, both fully specified (RFC 9864); -53 is Ed448.
    for algorithms in [&[-19][..], &[-9, -19], &[-53], &[8]] {
        let answer = key.cbor(MAKE_CREDENTIAL, Some(creation(algorithms)));
        assert_eq!(answer, Err(Status::UNSUPPORTED_ALGORITHM), "{algorithms:?}");
    }
}

#[test]
fn get_info_names_both_algorithms() {
    let mut key = Simulation::new();
    let info = key.cbor(GET_INFO, None).unwrap();
    let named = |alg: i32| cbor!({ "alg" => alg, "type" => "public-key" }).unwrap();
    assert_eq!(value_at(&info, 0x0a), &Value::Array(vec![named(-7), named(-8)]));
}
