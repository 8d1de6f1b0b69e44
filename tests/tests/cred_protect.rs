//! credProtect: credentials that show only to a verified user.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ciborium::{Value, cbor};
use keywright_common::auth_data::{AuthData, flag};
use keywright_common::cbor::Item;
use keywright_common::status::Status;
use keywright_tests::{Parameters, Simulation, User};

const PIN: &str = "1234";
const RP: &str = "example.org";
const MC: u64 = 0x01;
const GA: u64 = 0x02;

fn key_with_pin() -> Simulation {
    let mut key = Simulation::new();
    key.set_pin(2, PIN).unwrap();
    key
}

fn protected(level: impl Into<Value>) -> Parameters {
    Parameters::creation(RP).with(6, Value::Map(vec![(Value::from("credProtect"), level.into())]))
}

fn verified_assertion(key: &mut Simulation, id: &[u8]) -> Result<Vec<u8>, Status> {
    let token = key.permitted_token(2, PIN, GA, Some(RP)).unwrap();
    Parameters::assertion(RP, &[id]).assertion_by(2, &token).assert(key)
}

#[test]
fn the_level_is_told_where_it_was_asked_for() {
    let mut key = Simulation::new();
    for level in 1..=3 {
        let auth_data = protected(level).create(&mut key).unwrap();
        let parsed = AuthData::parse(&auth_data).unwrap();
        assert_eq!(parsed.fixed.flags, flag::UP | flag::AT | flag::ED);
        let outputs = Item::parse(parsed.extensions.unwrap()).unwrap().map().unwrap();
        assert_eq!(outputs.count(), 1);
        assert_eq!(outputs.get_text("credProtect").unwrap().integer(), Ok(level));
    }
    for extensions in [cbor!({}), cbor!({ "unknown" => 1 })] {
        let auth_data = Parameters::creation(RP).with(6, extensions.unwrap()).create(&mut key).unwrap();
        assert_eq!(AuthData::parse(&auth_data).unwrap().fixed.flags, flag::UP | flag::AT);
    }
}

#[test]
fn a_level_that_is_not_defined_is_refused_without_a_touch() {
    let mut key = Simulation::new();
    key.user = User::MustNotBeAsked;
    for level in [0, 4, 255, 257] {
        assert_eq!(protected(level).create(&mut key), Err(Status::INVALID_OPTION));
    }
    for value in [Value::from(-1), Value::from("1"), Value::from(true)] {
        assert_eq!(protected(value).create(&mut key), Err(Status::CBOR_UNEXPECTED_TYPE));
    }
    assert_eq!(Parameters::creation(RP).with(6, 1).create(&mut key), Err(Status::CBOR_UNEXPECTED_TYPE));
}

#[test]
fn g09_level_3_shows_to_a_verified_user_only() {
    let mut key = key_with_pin();
    let id = protected(3).register(&mut key);
    let touches = key.touches;
    assert_eq!(Parameters::assertion(RP, &[&id]).assert(&mut key), Err(Status::NO_CREDENTIALS));
    assert_eq!(key.touches, touches + 1);
    key.user = User::Absent;
    assert_eq!(Parameters::assertion(RP, &[&id]).assert(&mut key), Err(Status::OPERATION_DENIED));
    key.user = User::MustNotBeAsked;
    let silent = Parameters::assertion(RP, &[&id]).with(5, cbor!({ "up" => false }).unwrap());
    assert_eq!(silent.assert(&mut key), Err(Status::NO_CREDENTIALS));
    key.user = User::Touches;
    let auth_data = verified_assertion(&mut key, &id).unwrap();
    assert_eq!(AuthData::parse(&auth_data).unwrap().fixed.flags, flag::UP | flag::UV);
}

#[test]
fn g09_level_3_is_not_given_away_by_an_exclude_list() {
    let mut key = key_with_pin();
    let id = protected(3).register(&mut key);
    let excluding = Parameters::creation(RP).excluding(&[b"foreign", &id]);
    excluding.create(&mut key).unwrap();
    let touches = key.touches;
    let token = key.permitted_token(2, PIN, MC, Some(RP)).unwrap();
    let verified = excluding.creation_by(2, &token);
    assert_eq!(verified.create(&mut key), Err(Status::CREDENTIAL_EXCLUDED));
    assert_eq!(key.touches, touches + 1);
    key.user = User::Absent;
    assert_eq!(verified.create(&mut key), Err(Status::OPERATION_DENIED));
}

#[test]
fn g09_a_hidden_credential_makes_way_for_the_next_one_of_the_list() {
    let mut key = key_with_pin();
    let (hidden, open) = (protected(3).register(&mut key), protected(1).register(&mut key));
    let response = key.cbor(2, Some(Parameters::assertion(RP, &[&hidden, &open]).value())).unwrap();
    assert_eq!(keywright_tests::value_at(&response, 1), &keywright_tests::descriptor(&open));
}

#[test]
fn levels_1_and_2_show_to_whoever_names_the_credential() {
    let mut key = key_with_pin();
    for level in [1, 2] {
        let id = protected(level).register(&mut key);
        Parameters::assertion(RP, &[&id]).assert(&mut key).unwrap();
        verified_assertion(&mut key, &id).unwrap();
        let excluding = Parameters::creation(RP).excluding(&[&id]);
        assert_eq!(excluding.create(&mut key), Err(Status::CREDENTIAL_EXCLUDED));
    }
}
