//! Discoverable credentials: made, found, walked through.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use ciborium::{Value, cbor};
use keywright_common::auth_data::{AuthData, flag};
use keywright_common::status::Status;
use keywright_firmware::authenticator::Start;
use keywright_tests::{CLIENT_DATA_HASH, Parameters, RamFlash, Simulation, User, descriptor, value_at};

const PIN: &str = "1234";
const RP: &str = "example.org";
const MC: u64 = 0x01;
const GA: u64 = 0x02;
const GET_ASSERTION: u8 = 0x02;
const GET_NEXT_ASSERTION: u8 = 0x08;

fn creation(user: u8) -> Parameters {
    let user =
        cbor!({ "id" => Value::Bytes(vec![user]), "name" => format!("user{user}"), "displayName" => "D" });
    Parameters::creation(RP).with(3, user.unwrap()).with(7, cbor!({ "rk" => true }).unwrap())
}

fn discovering() -> Parameters {
    Parameters::default().with(1, RP).with(2, &CLIENT_DATA_HASH[..])
}

fn assertion(key: &mut Simulation) -> Result<Value, Status> {
    key.cbor(GET_ASSERTION, Some(discovering().value()))
}

fn next(key: &mut Simulation) -> Result<Value, Status> {
    key.cbor(GET_NEXT_ASSERTION, None)
}

fn user_id(response: &Value) -> u8 {
    let user = value_at(response, 4).as_map().unwrap();
    assert_eq!(user[0].0, Value::from("id"));
    user[0].1.as_bytes().unwrap()[0]
}

fn has(response: &Value, member: i64) -> bool {
    response.as_map().unwrap().iter().any(|(key, _)| *key == Value::from(member))
}

#[test]
fn a_discoverable_credential_answers_without_a_list_and_names_its_user_by_id_alone() {
    let mut key = Simulation::new();
    let id = creation(1).register(&mut key);
    for request in [discovering(), Parameters::assertion(RP, &[&id])] {
        let response = key.cbor(GET_ASSERTION, Some(request.value())).unwrap();
        assert_eq!(value_at(&response, 1), &descriptor(&id));
        assert_eq!(value_at(&response, 4), &cbor!({ "id" => Value::Bytes(vec![1]) }).unwrap());
        assert!(!has(&response, 5));
    }
    assert_eq!(next(&mut key), Err(Status::NOT_ALLOWED));
}

#[test]
fn names_are_told_to_a_verified_user() {
    let mut key = Simulation::new();
    key.set_pin(2, PIN).unwrap();
    let token = key.permitted_token(2, PIN, MC | GA, Some(RP)).unwrap();
    creation(1).creation_by(2, &token).create(&mut key).unwrap();
    let token = key.permitted_token(2, PIN, GA, Some(RP)).unwrap();
    let request = discovering().assertion_by(2, &token);
    let response = key.cbor(GET_ASSERTION, Some(request.value())).unwrap();
    let user = cbor!({ "id" => Value::Bytes(vec![1]), "name" => "user1", "displayName" => "D" }).unwrap();
    assert_eq!(value_at(&response, 4), &user);
}

#[test]
fn several_accounts_come_newest_first_and_each_once() {
    let mut key = Simulation::new();
    (1..=4).for_each(|user| drop(creation(user).create(&mut key).unwrap()));
    let first = assertion(&mut key).unwrap();
    assert_eq!((user_id(&first), value_at(&first, 5)), (4, &Value::from(4)));
    let touches = key.touches;
    for expected in [3, 2, 1] {
        let response = next(&mut key).unwrap();
        assert_eq!(user_id(&response), expected);
        assert!(!has(&response, 5));
        let auth_data = value_at(&response, 2).as_bytes().unwrap();
        assert_eq!(AuthData::parse(auth_data).unwrap().fixed.flags, flag::UP);
    }
    assert_eq!(next(&mut key), Err(Status::NOT_ALLOWED));
    assert_eq!(next(&mut key), Err(Status::NOT_ALLOWED));
    assert_eq!(key.touches, touches);
}

#[test]
fn an_allow_list_of_several_own_credentials_gives_one_assertion() {
    let mut key = Simulation::new();
    let ids: Vec<_> = (1..=3).map(|user| creation(user).register(&mut key)).collect();
    let list: Vec<&[u8]> = ids.iter().map(|id| &id[..]).collect();
    let response = key.cbor(GET_ASSERTION, Some(Parameters::assertion(RP, &list).value())).unwrap();
    assert_eq!(user_id(&response), 1);
    assert!(!has(&response, 5));
    assert_eq!(next(&mut key), Err(Status::NOT_ALLOWED));
}

#[test]
fn g08_a_walk_belongs_to_the_channel_that_began_it() {
    let mut key = Simulation::new();
    (1..=3).for_each(|user| drop(creation(user).create(&mut key).unwrap()));
    assertion(&mut key).unwrap();
    let other = key.open_channel();
    assert_eq!(key.cbor_bytes_on(other, &[GET_NEXT_ASSERTION]), Err(Status::NOT_ALLOWED));
    assert_eq!(next(&mut key), Err(Status::NOT_ALLOWED), "a foreign step ends the walk");
}

#[test]
fn g08_a_walk_ends_after_30_seconds_and_with_any_other_command() {
    let mut key = Simulation::new();
    (1..=4).for_each(|user| drop(creation(user).create(&mut key).unwrap()));
    assertion(&mut key).unwrap();
    key.advance(29_000);
    next(&mut key).unwrap();
    key.advance(29_000);
    next(&mut key).unwrap();
    key.advance(30_000);
    assert_eq!(next(&mut key), Err(Status::NOT_ALLOWED));
    assertion(&mut key).unwrap();
    key.cbor(0x04, None).unwrap();
    assert_eq!(next(&mut key), Err(Status::NOT_ALLOWED));
    assertion(&mut key).unwrap();
    key.restart(Start::Warm);
    assert_eq!(next(&mut key), Err(Status::NOT_ALLOWED));
}

#[test]
fn the_same_user_replaces_its_credential_and_another_rp_does_not() {
    let mut key = Simulation::new();
    let old = creation(1).register(&mut key);
    let elsewhere = Parameters::creation("example.com").with(7, cbor!({ "rk" => true }).unwrap());
    elsewhere.create(&mut key).unwrap();
    let new = creation(1).register(&mut key);
    assert_eq!(Parameters::assertion(RP, &[&old]).assert(&mut key), Err(Status::NO_CREDENTIALS));
    let response = assertion(&mut key).unwrap();
    assert_eq!(value_at(&response, 1), &descriptor(&new));
    assert!(!has(&response, 5));
}

#[test]
fn a_discoverable_credential_survives_power_cycles_and_one_that_is_not_does_too() {
    let mut key = Simulation::new();
    let kept = creation(1).register(&mut key);
    let derived = Parameters::creation(RP).register(&mut key);
    for start in [Start::PowerUp, Start::Warm] {
        key.restart(start);
        assert_eq!(value_at(&assertion(&mut key).unwrap(), 1), &descriptor(&kept));
        Parameters::assertion(RP, &[&derived]).assert(&mut key).unwrap();
    }
}

#[test]
fn a_pin_is_needed_for_a_discoverable_credential_once_it_is_set() {
    let mut key = Simulation::new();
    key.set_pin(2, PIN).unwrap();
    key.user = User::MustNotBeAsked;
    assert_eq!(creation(1).create(&mut key), Err(Status::PUAT_REQUIRED));
    key.user = User::Touches;
    Parameters::creation(RP).create(&mut key).unwrap();
    let token = key.permitted_token(2, PIN, MC, Some(RP)).unwrap();
    creation(1).creation_by(2, &token).create(&mut key).unwrap();
}

#[test]
fn g09_a_protected_account_is_neither_counted_nor_found_without_verification() {
    let mut key = Simulation::new();
    let protected = |user: u8, level: u8| creation(user).with(6, cbor!({ "credProtect" => level }).unwrap());
    for (user, level) in [(1, 1), (2, 2), (3, 3), (4, 1)] {
        protected(user, level).create(&mut key).unwrap();
    }
    let first = assertion(&mut key).unwrap();
    assert_eq!((user_id(&first), value_at(&first, 5)), (4, &Value::from(2)));
    assert_eq!(user_id(&next(&mut key).unwrap()), 1);
    assert_eq!(next(&mut key), Err(Status::NOT_ALLOWED));
    key.set_pin(1, PIN).unwrap();
    let token = key.permitted_token(1, PIN, GA, Some(RP)).unwrap();
    let request = discovering().assertion_by(1, &token);
    let first = key.cbor(GET_ASSERTION, Some(request.value())).unwrap();
    assert_eq!((user_id(&first), value_at(&first, 5)), (4, &Value::from(4)));
    let rest: Vec<_> = (0..3).map(|_| user_id(&next(&mut key).unwrap())).collect();
    assert_eq!(rest, [3, 2, 1]);
}

#[test]
fn g15_a_refused_or_cancelled_request_leaves_no_record() {
    let mut key = Simulation::new();
    creation(9).register(&mut key);
    for user in [User::Declines, User::Absent] {
        key.user = user;
        assert_eq!(creation(1).create(&mut key), Err(Status::OPERATION_DENIED));
    }
    key.user = User::Touches;
    assert!(!has(&assertion(&mut key).unwrap(), 5));
}

#[test]
fn g15_a_flash_that_cannot_be_written_gives_an_error_and_no_credential() {
    let mut key = Simulation::new();
    creation(1).create(&mut key).unwrap();
    key.flash.wear_out(true);
    assert_eq!(creation(2).create(&mut key), Err(Status::OTHER));
    key.flash.wear_out(false);
    key.restart(Start::PowerUp);
    let response = assertion(&mut key).unwrap();
    assert_eq!(user_id(&response), 1);
    assert!(!has(&response, 5));
}

#[test]
fn a_full_key_says_so_after_a_touch_and_goes_on_serving() {
    let mut key = Simulation::new();
    let mut made = 0_u16;
    let full = loop {
        let [high, low] = made.to_be_bytes();
        let user = cbor!({ "id" => Value::Bytes(vec![high, low]) }).unwrap();
        match creation(0).with(3, user).create(&mut key) {
            Ok(_) => made += 1,
            Err(status) => break status,
        }
    };
    assert_eq!(full, Status::KEY_STORE_FULL);
    assert!(made >= 100, "{made}");
    assert_eq!(value_at(&assertion(&mut key).unwrap(), 5), &Value::from(made));
    assert_eq!(value_at(&key.cbor(0x04, None).unwrap(), 0x14), &Value::from(0));
    key.user = User::Absent;
    assert_eq!(creation(1).create(&mut key), Err(Status::OPERATION_DENIED));
}

#[test]
fn g24_names_that_are_too_long_are_cut_between_characters() {
    let mut key = Simulation::new();
    let long = "é".repeat(40);
    let user =
        cbor!({ "id" => Value::Bytes(vec![7]), "name" => long.clone(), "displayName" => "x".repeat(64) });
    creation(0).with(3, user.unwrap()).create(&mut key).unwrap();
    key.set_pin(2, PIN).unwrap();
    let token = key.permitted_token(2, PIN, GA, Some(RP)).unwrap();
    let response = key.cbor(GET_ASSERTION, Some(discovering().assertion_by(2, &token).value())).unwrap();
    let user = value_at(&response, 4).as_map().unwrap();
    assert_eq!(user[1], (Value::from("name"), Value::from("é".repeat(32))));
    assert_eq!(user[2], (Value::from("displayName"), Value::from("x".repeat(64))));
}

#[test]
fn g28_the_counter_rises_over_credentials_and_restarts() {
    let mut key = Simulation::new();
    let count = |auth_data: &[u8]| AuthData::parse(auth_data).unwrap().fixed.sign_count;
    let mut last = count(&creation(1).create(&mut key).unwrap());
    for round in 0..150 {
        if round % 50 == 0 {
            key.restart(Start::PowerUp);
        }
        let response = assertion(&mut key).unwrap();
        let now = count(value_at(&response, 2).as_bytes().unwrap());
        assert!(now > last);
        last = now;
    }
}

#[test]
fn a_silent_assertion_writes_nothing() {
    let mut key = Simulation::new();
    let id = creation(1).register(&mut key);
    let changes = key.flash.changes();
    let silent = Parameters::assertion(RP, &[&id]).with(5, cbor!({ "up" => false }).unwrap());
    (0..60).for_each(|_| drop(silent.assert(&mut key).unwrap()));
    assert_eq!(key.flash.changes(), changes);
}

#[test]
fn nothing_is_written_before_the_touch() {
    let mut key = Simulation::with(keywright_tests::IDENTITY, RamFlash::default(), Start::PowerUp);
    let id = creation(1).register(&mut key);
    let changes = key.flash.changes();
    key.user = User::Absent;
    assert_eq!(creation(2).create(&mut key), Err(Status::OPERATION_DENIED));
    assert_eq!(assertion(&mut key), Err(Status::OPERATION_DENIED));
    assert_eq!(Parameters::assertion(RP, &[&id]).assert(&mut key), Err(Status::OPERATION_DENIED));
    assert_eq!(key.cbor(0x0b, None), Err(Status::USER_ACTION_TIMEOUT));
    key.restart(Start::PowerUp);
    let changes_at_start = key.flash.changes();
    assert_eq!(key.cbor(0x07, None), Err(Status::USER_ACTION_TIMEOUT));
    assert_eq!(key.flash.changes(), changes_at_start);
    assert!(changes_at_start >= changes);
}

#[test]
fn hmac_secret_is_given_for_each_account_and_differs() {
    let mut key = Simulation::new();
    for user in 1..=2 {
        creation(user).with(6, cbor!({ "hmac-secret" => true }).unwrap()).create(&mut key).unwrap();
    }
    let agreement = keywright_tests::Agreement::new(&mut key, 2);
    let input = Value::Map(vec![(Value::from("hmac-secret"), agreement.salts(&[5; 64]).value())]);
    let first = key.cbor(GET_ASSERTION, Some(discovering().with(4, input).value())).unwrap();
    let second = next(&mut key).unwrap();
    let outputs: Vec<_> = [first, second]
        .iter()
        .map(|response| {
            let auth_data = AuthData::parse(value_at(response, 2).as_bytes().unwrap()).unwrap();
            let outputs: Value = ciborium::from_reader(auth_data.extensions.unwrap()).unwrap();
            agreement.decrypt(outputs.as_map().unwrap()[0].1.as_bytes().unwrap())
        })
        .collect();
    assert_eq!(outputs[0].len(), 64);
    assert_eq!(outputs[0][..32], outputs[0][32..], "equal salts give equal outputs");
    assert_ne!(outputs[0], outputs[1]);
}

#[test]
fn g08_what_a_walk_and_a_token_hold_is_wiped_when_their_time_is_over_and_not_at_the_next_command() {
    let mut key = Simulation::new();
    (1..=2).for_each(|user| drop(creation(user).create(&mut key).unwrap()));
    assert_eq!(key.key.poll_timeout(), None);
    assertion(&mut key).unwrap();
    key.set_pin(2, PIN).unwrap();
    assertion(&mut key).unwrap();
    let walk = key.key.poll_timeout().unwrap();
    assert_eq!((walk - key.now).0, 30_000);
    key.advance(30_000);
    assert_eq!(key.key.poll_timeout(), None);
    key.permitted_token(2, PIN, GA, Some(RP)).unwrap();
    assert_eq!((key.key.poll_timeout().unwrap() - key.now).0, 30_000);
    key.advance(30_000);
    assert_eq!(key.key.poll_timeout(), None);
}
