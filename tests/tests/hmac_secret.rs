//! hmac-secret: secrets that a credential makes of salts, in both protocols.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ciborium::{Value, cbor};
use keywright_common::auth_data::{AuthData, flag};
use keywright_common::cbor::Item;
use keywright_common::status::Status;
use keywright_firmware::authenticator::Start;
use keywright_tests::{Agreement, Parameters, Simulation, User, authenticate, cose_key};

const PROTOCOLS: [u64; 2] = [1, 2];
const PIN: &str = "1234";
const RP: &str = "example.org";
const GA: u64 = 0x02;
const SALT_1: [u8; 32] = [0x11; 32];
const SALT_2: [u8; 32] = [0x22; 32];

fn extension(input: impl Into<Value>) -> Value {
    Value::Map(vec![(Value::from("hmac-secret"), input.into())])
}

fn key_with_credential() -> (Simulation, Vec<u8>) {
    let mut key = Simulation::new();
    key.set_pin(2, PIN).unwrap();
    let id = Parameters::creation(RP).with(6, extension(true)).register(&mut key);
    (key, id)
}

fn asking(id: &[u8], input: &Parameters) -> Parameters {
    Parameters::assertion(RP, &[id]).with(4, extension(input.value()))
}

/// What the platform makes of an assertion.
fn secrets(agreement: &Agreement, auth_data: &[u8]) -> Vec<u8> {
    let parsed = AuthData::parse(auth_data).unwrap();
    let outputs = Item::parse(parsed.extensions.unwrap()).unwrap().map().unwrap();
    assert_eq!(outputs.count(), 1);
    agreement.decrypt(outputs.get_text("hmac-secret").unwrap().bytes().unwrap())
}

fn derive(key: &mut Simulation, protocol: u64, id: &[u8], salts: &[u8]) -> Vec<u8> {
    let agreement = Agreement::new(key, protocol);
    let auth_data = asking(id, &agreement.salts(salts)).assert(key).unwrap();
    assert_eq!(AuthData::parse(&auth_data).unwrap().fixed.flags, flag::UP | flag::ED);
    secrets(&agreement, &auth_data)
}

fn derive_verified(key: &mut Simulation, protocol: u64, id: &[u8], salts: &[u8]) -> Vec<u8> {
    let token = key.permitted_token(protocol, PIN, GA, Some(RP)).unwrap();
    let agreement = Agreement::new(key, protocol);
    let request = asking(id, &agreement.salts(salts)).assertion_by(protocol, &token);
    let auth_data = request.assert(key).unwrap();
    assert_eq!(AuthData::parse(&auth_data).unwrap().fixed.flags, flag::UP | flag::UV | flag::ED);
    secrets(&agreement, &auth_data)
}

#[test]
fn a_creation_confirms_what_was_asked_for() {
    let mut key = Simulation::new();
    let mut outputs = |extensions: Value| {
        let auth_data = Parameters::creation(RP).with(6, extensions).create(&mut key).unwrap();
        AuthData::parse(&auth_data).unwrap().extensions.map(<[u8]>::to_vec)
    };
    let encoded = |value: Value| {
        let mut bytes = Vec::new();
        ciborium::into_writer(&value, &mut bytes).unwrap();
        Some(bytes)
    };
    assert_eq!(outputs(extension(true)), encoded(extension(true)));
    let both = cbor!({ "credProtect" => 2, "hmac-secret" => true }).unwrap();
    assert_eq!(outputs(both.clone()), encoded(both));
    assert_eq!(outputs(extension(false)), None);
    let wrong = Parameters::creation(RP).with(6, extension(1));
    assert_eq!(wrong.create(&mut key), Err(Status::CBOR_UNEXPECTED_TYPE));
}

#[test]
fn secrets_depend_on_salt_and_credential_and_on_nothing_else() {
    let (mut key, id) = key_with_credential();
    let other = Parameters::creation(RP).with(6, extension(true)).register(&mut key);
    let one = derive(&mut key, 1, &id, &SALT_1);
    assert_eq!(one.len(), 32);
    let two = derive(&mut key, 1, &id, &SALT_2);
    assert_ne!(one, two);
    assert_ne!(one, derive(&mut key, 1, &other, &SALT_1));
    for protocol in PROTOCOLS {
        assert_eq!(derive(&mut key, protocol, &id, &SALT_1), one);
        let both = [&SALT_2[..], &SALT_1].concat();
        assert_eq!(derive(&mut key, protocol, &id, &both), [&two[..], &one].concat());
        key.restart(Start::PowerUp);
    }
}

#[test]
fn g13_a_verified_user_has_another_secret() {
    let (mut key, id) = key_with_credential();
    let plain = derive(&mut key, 2, &id, &SALT_1);
    let verified = derive_verified(&mut key, 2, &id, &SALT_1);
    assert_ne!(plain, verified);
    assert_eq!(derive_verified(&mut key, 1, &id, &SALT_1), verified);
    assert_eq!(derive(&mut key, 1, &id, &SALT_1), plain);
}

#[test]
fn a_secret_is_not_the_salt_under_anything_that_the_platform_knows() {
    let (mut key, id) = key_with_credential();
    let secret = derive(&mut key, 2, &id, &SALT_1);
    for known in [&id[..], &[0; 32], RP.as_bytes()] {
        assert_ne!(secret, authenticate(2, known, &SALT_1));
    }
}

#[test]
fn g13_without_presence_there_is_no_secret() {
    let (mut key, id) = key_with_credential();
    key.user = User::MustNotBeAsked;
    for protocol in PROTOCOLS {
        let agreement = Agreement::new(&mut key, protocol);
        let silent = asking(&id, &agreement.salts(&SALT_1)).with(5, cbor!({ "up" => false }).unwrap());
        assert_eq!(silent.assert(&mut key), Err(Status::UNSUPPORTED_OPTION));
    }
}

#[test]
fn members_that_are_absent_or_of_another_type_are_told_without_a_touch() {
    let (mut key, id) = key_with_credential();
    key.user = User::MustNotBeAsked;
    let input = Agreement::new(&mut key, 2).salts(&SALT_1);
    for member in [1, 2, 3] {
        let absent = asking(&id, &input.clone().without(member));
        assert_eq!(absent.assert(&mut key), Err(Status::MISSING_PARAMETER), "member {member}");
        let wrong = asking(&id, &input.clone().with(member, "x"));
        assert_eq!(wrong.assert(&mut key), Err(Status::CBOR_UNEXPECTED_TYPE), "member {member}");
    }
    for protocol in [0, 3] {
        let foreign = asking(&id, &input.clone().with(4, protocol));
        assert_eq!(foreign.assert(&mut key), Err(Status::INVALID_PARAMETER));
    }
    let creation_input = Parameters::assertion(RP, &[&id]).with(4, extension(true));
    assert_eq!(creation_input.assert(&mut key), Err(Status::CBOR_UNEXPECTED_TYPE));
}

#[test]
fn without_a_protocol_the_first_one_is_meant() {
    let (mut key, id) = key_with_credential();
    let agreement = Agreement::new(&mut key, 1);
    let auth_data = asking(&id, &agreement.salts(&SALT_1).without(4)).assert(&mut key).unwrap();
    assert_eq!(secrets(&agreement, &auth_data), derive(&mut key, 2, &id, &SALT_1));
    let input = Agreement::new(&mut key, 2).salts(&SALT_1).without(4);
    assert_eq!(asking(&id, &input).assert(&mut key), Err(Status::PIN_AUTH_INVALID));
}

#[test]
fn a_key_that_is_not_on_the_curve_is_refused() {
    let (mut key, id) = key_with_credential();
    for protocol in PROTOCOLS {
        let input = Agreement::new(&mut key, protocol).salts(&SALT_1);
        for public_key in [cose_key(&[1; 32], &[1; 32]), cose_key(&[0; 32], &[0; 32]), cbor!({}).unwrap()] {
            let request = asking(&id, &input.clone().with(1, public_key));
            assert_eq!(request.assert(&mut key), Err(Status::INVALID_PARAMETER));
        }
    }
}

#[test]
fn g13_salts_are_authenticated_whole_and_before_they_are_decrypted() {
    let (mut key, id) = key_with_credential();
    for protocol in PROTOCOLS {
        let agreement = Agreement::new(&mut key, protocol);
        let salt_enc = agreement.encrypt(&SALT_1);
        let right = agreement.authenticate(&salt_enc);
        let mut bad: Vec<Vec<u8>> = (0..right.len()).map(|cut| right[..cut].to_vec()).collect();
        bad.push([&right[..], &[0]].concat());
        bad.push(authenticate(3 - protocol, &[0; 32], &salt_enc));
        for at in 0..right.len() {
            let mut changed = right.clone();
            changed[at] ^= 1;
            bad.push(changed);
        }
        for salt_auth in bad {
            let request = asking(&id, &agreement.salts(&SALT_1).with(3, salt_auth));
            assert_eq!(request.assert(&mut key), Err(Status::PIN_AUTH_INVALID));
        }
        // A length that is wrong does not show as long as the authentication is.
        for length in [0, 15, 48, 96] {
            let request = asking(&id, &agreement.salts(&SALT_1).with(2, vec![0; length]));
            assert_eq!(request.assert(&mut key), Err(Status::PIN_AUTH_INVALID), "{length}");
        }
    }
}

#[test]
fn g13_salts_are_32_or_64_bytes_exactly() {
    let (mut key, id) = key_with_credential();
    for protocol in PROTOCOLS {
        let agreement = Agreement::new(&mut key, protocol);
        for length in [0, 16, 48, 80, 96, 128] {
            let request = asking(&id, &agreement.salts(&vec![7; length]));
            assert_eq!(request.assert(&mut key), Err(Status::INVALID_PARAMETER), "{length}");
        }
        for length in [0, 1, 15, 17, 31, 33, 63, 65, 79, 81] {
            let salt_enc = vec![7; length];
            let input = agreement.salts(&SALT_1).with(3, agreement.authenticate(&salt_enc)).with(2, salt_enc);
            assert_eq!(asking(&id, &input).assert(&mut key), Err(Status::INVALID_PARAMETER), "{length}");
        }
    }
}

#[test]
fn salts_that_are_refused_end_the_verification_that_was_given_for_them() {
    let (mut key, id) = key_with_credential();
    let token = key.permitted_token(2, PIN, GA, Some(RP)).unwrap();
    let input = Agreement::new(&mut key, 2).salts(&SALT_1).with(3, vec![0; 32]);
    let request = asking(&id, &input).assertion_by(2, &token);
    assert_eq!(request.assert(&mut key), Err(Status::PIN_AUTH_INVALID));
    let again = Parameters::assertion(RP, &[&id]).assertion_by(2, &token);
    assert_eq!(again.assert(&mut key), Err(Status::PIN_AUTH_INVALID));
}
