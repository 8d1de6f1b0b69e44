//! Credentials that are not discoverable: made, excluded, used.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use ciborium::Value;
use ciborium::cbor;
use keywright_common::auth_data::{AuthData, flag};
use keywright_common::cbor::Item;
use keywright_common::cose::PublicKey;
use keywright_common::ctaphid::Command;
use keywright_common::status::Status;
use keywright_common::time::Millis;
use keywright_firmware::authenticator::{Start, Touch};
use keywright_firmware::identity::Identity;
use keywright_firmware::key::Indication;
use keywright_tests::{IDENTITY, RamFlash, Simulation, User, map, value_at};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{DerSignature, VerifyingKey};
use sha2::{Digest, Sha256};

const CLIENT_DATA_HASH: [u8; 32] = [0x5a; 32];
const GET_INFO: u8 = 4;
const MAKE_CREDENTIAL: u8 = 1;
const GET_ASSERTION: u8 = 2;

fn creation(rp_id: &str) -> Vec<(Value, Value)> {
    let request = map([
        (1, Value::from(&CLIENT_DATA_HASH[..])),
        (2, cbor!({ "id" => rp_id }).unwrap()),
        (3, cbor!({ "id" => Value::Bytes(vec![1, 2]), "name" => "ada" }).unwrap()),
        (4, cbor!([{ "alg" => -7, "type" => "public-key" }]).unwrap()),
    ]);
    request.into_map().unwrap()
}

fn descriptor(id: &[u8]) -> Value {
    cbor!({ "id" => Value::from(id), "type" => "public-key" }).unwrap()
}

fn register(key: &mut Simulation, rp_id: &str) -> (Vec<u8>, Vec<u8>) {
    let response = key.cbor(MAKE_CREDENTIAL, Some(Value::Map(creation(rp_id)))).unwrap();
    let auth_data = value_at(&response, 2).as_bytes().unwrap().clone();
    let id = AuthData::parse(&auth_data).unwrap().attested_credential.unwrap().credential_id.to_vec();
    (id, auth_data)
}

fn assertion(rp_id: &str, ids: &[&[u8]]) -> Value {
    let list = ids.iter().map(|id| descriptor(id)).collect();
    map([(1, Value::from(rp_id)), (2, Value::from(&CLIENT_DATA_HASH[..])), (3, Value::Array(list))])
}

fn assert_signed(auth_data_of_creation: &[u8], signed: &[u8], signature: &[u8]) {
    let data = AuthData::parse(auth_data_of_creation).unwrap();
    let key = Item::parse(data.attested_credential.unwrap().public_key).unwrap();
    let PublicKey::Es256 { x, y } = PublicKey::decode(key.map().unwrap()).unwrap() else {
        panic!("another kind")
    };
    let point = p256::Sec1Point::from_affine_coordinates(&x.into(), &y.into(), false);
    let message = [signed, &CLIENT_DATA_HASH].concat();
    let signature = DerSignature::from_bytes(signature).unwrap();
    VerifyingKey::from_sec1_point(&point).unwrap().verify(&message, &signature).unwrap();
}

#[test]
fn a_credential_is_made_with_a_touch_and_attests_itself() {
    let mut key = Simulation::new();
    let response = key.cbor(MAKE_CREDENTIAL, Some(Value::Map(creation("example.org")))).unwrap();
    assert_eq!(key.touches, 1);
    assert_eq!(value_at(&response, 1), &Value::from("packed"));
    let auth_data = value_at(&response, 2).as_bytes().unwrap();
    let parsed = AuthData::parse(auth_data).unwrap();
    assert_eq!(parsed.fixed.rp_id_hash[..], Sha256::digest("example.org")[..]);
    assert_eq!(parsed.fixed.flags, flag::UP | flag::AT);
    assert_eq!(parsed.attested_credential.unwrap().aaguid, IDENTITY.aaguid);
    let statement = value_at(&response, 3).as_map().unwrap();
    assert_eq!(statement[0], (Value::from("alg"), Value::from(-7)));
    assert_signed(auth_data, auth_data, statement[1].1.as_bytes().unwrap());
}

#[test]
fn an_assertion_is_signed_with_the_key_of_the_registration_and_the_counter_rises() {
    let mut key = Simulation::new();
    let (id, created) = register(&mut key, "example.org");
    let mut last = AuthData::parse(&created).unwrap().fixed.sign_count;
    for _ in 0..3 {
        let response = key.cbor(GET_ASSERTION, Some(assertion("example.org", &[b"foreign", &id]))).unwrap();
        let auth_data = value_at(&response, 2).as_bytes().unwrap();
        assert_signed(&created, auth_data, value_at(&response, 3).as_bytes().unwrap());
        assert_eq!(value_at(&response, 1), &descriptor(&id));
        let count = AuthData::parse(auth_data).unwrap().fixed.sign_count;
        assert!(count > last);
        last = count;
    }
    assert_eq!(key.touches, 4);
}

#[test]
fn g14_an_id_counts_for_its_relying_party_and_unchanged_only() {
    let mut key = Simulation::new();
    let (id, _) = register(&mut key, "example.org");
    let answer =
        |key: &mut Simulation, rp_id, id: &[u8]| key.cbor(GET_ASSERTION, Some(assertion(rp_id, &[id])));
    assert_eq!(answer(&mut key, "example.com", &id), Err(Status::NO_CREDENTIALS));
    for at in 0..id.len() {
        let mut changed = id.clone();
        changed[at] ^= 1;
        assert_eq!(answer(&mut key, "example.org", &changed), Err(Status::NO_CREDENTIALS), "byte {at}");
    }
    assert_eq!(answer(&mut key, "example.org", &id[1..]), Err(Status::NO_CREDENTIALS));
    assert_eq!(answer(&mut key, "example.org", &[]), Err(Status::NO_CREDENTIALS));
}

#[test]
fn g09_neither_an_excluded_nor_an_unknown_credential_is_told_without_a_touch() {
    let mut key = Simulation::new();
    let (id, _) = register(&mut key, "example.org");
    let mut excluding = creation("example.org");
    excluding.push((Value::from(5), Value::Array(vec![descriptor(b"foreign"), descriptor(&id)])));
    let touches = key.touches;
    assert_eq!(
        key.cbor(MAKE_CREDENTIAL, Some(Value::Map(excluding.clone()))),
        Err(Status::CREDENTIAL_EXCLUDED)
    );
    assert_eq!(key.cbor(GET_ASSERTION, Some(assertion("example.org", &[b"x"]))), Err(Status::NO_CREDENTIALS));
    assert_eq!(key.touches, touches + 2);
    key.user = User::Absent;
    assert_eq!(key.cbor(MAKE_CREDENTIAL, Some(Value::Map(excluding))), Err(Status::OPERATION_DENIED));
    assert_eq!(
        key.cbor(GET_ASSERTION, Some(assertion("example.org", &[b"x"]))),
        Err(Status::OPERATION_DENIED)
    );
}

#[test]
fn a_silent_assertion_needs_no_touch_and_does_not_claim_one() {
    let mut key = Simulation::new();
    let (id, _) = register(&mut key, "example.org");
    key.user = User::MustNotBeAsked;
    let mut request = assertion("example.org", &[&id]).into_map().unwrap();
    request.push((Value::from(5), cbor!({ "up" => false }).unwrap()));
    let response = key.cbor(GET_ASSERTION, Some(Value::Map(request))).unwrap();
    assert_eq!(AuthData::parse(value_at(&response, 2).as_bytes().unwrap()).unwrap().fixed.flags, 0);
}

#[test]
fn a_credential_of_a_relying_party_with_a_scheme_is_used() {
    // pam_u2f calls itself pam://HOST, and an AppID is a URL.
    for rp_id in ["pam://lab", "https://u2f.aws.amazon.com/app-id.json"] {
        let mut key = Simulation::new();
        let (id, _) = register(&mut key, rp_id);
        assert!(key.cbor(GET_ASSERTION, Some(assertion(rp_id, &[&id]))).is_ok(), "{rp_id}");
    }
}

#[test]
fn g09_an_unknown_credential_of_pam_is_not_told_without_a_touch() {
    let mut key = Simulation::new();
    key.user = User::Absent;
    let answer = key.cbor(GET_ASSERTION, Some(assertion("pam://lab", &[b"x"])));
    assert_eq!(answer, Err(Status::OPERATION_DENIED));
}

#[test]
fn an_app_id_in_place_of_an_rp_id_is_answered_at_once() {
    let mut key = Simulation::new();
    key.user = User::MustNotBeAsked;
    let request = assertion("https://u2f.aws.amazon.com/app-id.json", &[b"x"]);
    assert_eq!(key.cbor(GET_ASSERTION, Some(request)), Err(Status::NO_CREDENTIALS));
}

#[test]
fn a_user_who_declines_or_is_absent_ends_the_request_and_the_next_one_works() {
    let mut key = Simulation::new();
    for user in [User::Declines, User::Absent] {
        key.user = user;
        let answer = key.cbor(MAKE_CREDENTIAL, Some(Value::Map(creation("example.org"))));
        assert_eq!(answer, Err(Status::OPERATION_DENIED));
    }
    assert!(key.keepalives.iter().filter(|status| **status == 2).count() >= 300);
    key.user = User::Touches;
    register(&mut key, "example.org");
}

#[test]
fn a_touch_before_the_request_does_not_count_for_it() {
    let mut key = Simulation::new();
    key.key.touch(key.now);
    key.user = User::Absent;
    let answer = key.cbor(MAKE_CREDENTIAL, Some(Value::Map(creation("example.org"))));
    assert_eq!(answer, Err(Status::OPERATION_DENIED));
}

#[test]
fn a_touch_after_the_time_of_the_request_does_not_count_for_it() {
    let mut key = Simulation::new();
    let channel = key.channel();
    let mut payload = vec![MAKE_CREDENTIAL];
    ciborium::into_writer(&Value::Map(creation("example.org")), &mut payload).unwrap();
    key.send(channel, Command::CBOR, &payload);
    let wanted = Indication::TouchWanted(Touch::Press);
    key.key.touch(key.now + Millis(30_000));
    assert_eq!(key.key.indication(), wanted, "the time is over, though the key has not been told yet");
    key.key.touch(key.now + Millis(29_999));
    assert_ne!(key.key.indication(), wanted);
}

#[test]
fn options_and_algorithms_are_refused_as_the_specification_says() {
    let mut key = Simulation::new();
    key.user = User::MustNotBeAsked;
    let mut with = |member: i64, value: Value| {
        let mut request = creation("example.org");
        request.retain(|(key, _)| *key != Value::from(member));
        request.push((Value::from(member), value));
        request.sort_by_key(|(key, _)| key.as_integer());
        key.cbor(MAKE_CREDENTIAL, Some(Value::Map(request)))
    };
    assert_eq!(with(7, cbor!({ "up" => false }).unwrap()), Err(Status::INVALID_OPTION));
    assert_eq!(with(7, cbor!({ "uv" => true }).unwrap()), Err(Status::INVALID_OPTION));
    assert_eq!(with(7, cbor!({ "uv" => 1 }).unwrap()), Err(Status::CBOR_UNEXPECTED_TYPE));
    assert_eq!(with(10, Value::from(1)), Err(Status::INVALID_PARAMETER));
    let foreign = cbor!([{ "alg" => -257, "type" => "public-key" }, { "alg" => -7, "type" => "other" }]);
    assert_eq!(with(4, foreign.unwrap()), Err(Status::UNSUPPORTED_ALGORITHM));
    assert_eq!(with(4, cbor!([]).unwrap()), Err(Status::UNSUPPORTED_ALGORITHM));
}

#[test]
fn an_unknown_command_and_broken_parameters_are_refused_and_the_next_request_works() {
    let mut key = Simulation::new();
    assert_eq!(key.cbor(0x7e, None), Err(Status::INVALID_COMMAND));
    assert_eq!(key.cbor(MAKE_CREDENTIAL, None), Err(Status::INVALID_CBOR));
    assert_eq!(key.cbor(MAKE_CREDENTIAL, Some(Value::from(1))), Err(Status::CBOR_UNEXPECTED_TYPE));
    assert_eq!(key.cbor(GET_ASSERTION, Some(map([]))), Err(Status::MISSING_PARAMETER));
    register(&mut key, "example.org");
}

#[test]
fn a_list_as_long_as_the_key_says_fits_the_longest_message_that_it_says() {
    for max_message in [1024, 1768, 7609] {
        let identity = Identity { max_message, ..IDENTITY };
        let mut key = Simulation::with(identity, RamFlash::default(), Start::PowerUp);
        let (id, _) = register(&mut key, "example.org");
        let info = key.cbor(GET_INFO, None).unwrap();
        assert_eq!(value_at(&info, 5), &Value::from(max_message as u64));
        let count = value_at(&info, 7).as_integer().and_then(|count| usize::try_from(count).ok()).unwrap();
        assert!(count > 0);
        let mut request = Vec::new();
        let rp_id = "x".repeat(253);
        ciborium::into_writer(&assertion(&rp_id, &vec![id.as_slice(); count]), &mut request).unwrap();
        assert!(request.len() < max_message, "{count} ids take {} bytes", request.len());
    }
}

#[test]
fn selection_waits_for_a_touch() {
    let mut key = Simulation::new();
    assert_eq!(key.cbor(0x0b, None), Ok(Value::Null));
    assert_eq!(key.touches, 1);
    key.user = User::Declines;
    assert_eq!(key.cbor(0x0b, None), Err(Status::OPERATION_DENIED));
    key.user = User::Absent;
    assert_eq!(key.cbor(0x0b, None), Err(Status::USER_ACTION_TIMEOUT));
}
