//! Credential management: looked at, changed, and kept from those who may not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ciborium::{Value, cbor};
use keywright_common::auth_data::AuthData;
use keywright_common::status::Status;
use keywright_tests::{Parameters, Simulation, User, authenticate, descriptor, value_at};
use sha2::{Digest, Sha256};

const PIN: &str = "1234";
const MC: u64 = 0x01;
const GA: u64 = 0x02;
const CM: u64 = 0x04;
const COMMANDS: [u8; 2] = [0x0a, 0x41];

struct Managed {
    key: Simulation,
    token: Vec<u8>,
    ids: Vec<Vec<u8>>,
}

/// A key with a PIN, two accounts at one relying party, one at another, and a token for management.
fn managed() -> Managed {
    let mut key = Simulation::new();
    let ids =
        [("a.example", 1), ("a.example", 2), ("b.example", 3)].map(|(rp, user)| register(&mut key, rp, user));
    key.set_pin(2, PIN).unwrap();
    let token = key.permitted_token(2, PIN, CM, None).unwrap();
    key.user = User::MustNotBeAsked;
    Managed { key, token, ids: ids.to_vec() }
}

fn register(key: &mut Simulation, rp: &str, user: u8) -> Vec<u8> {
    let account = cbor!({ "id" => Value::Bytes(vec![user]), "name" => format!("user{user}") }).unwrap();
    Parameters::creation(rp).with(3, account).with(7, cbor!({ "rk" => true }).unwrap()).register(key)
}

fn hash(rp: &str) -> Vec<u8> {
    Sha256::digest(rp).to_vec()
}

fn request(subcommand: u8, parameters: Option<&Parameters>, token: &[u8]) -> Parameters {
    let mut message = vec![subcommand];
    let mut request = Parameters::default().with(1, subcommand).with(3, 2);
    if let Some(parameters) = parameters {
        ciborium::into_writer(&parameters.value(), &mut message).unwrap();
        request = request.with(2, parameters.value());
    }
    request.with(4, authenticate(2, token, &message))
}

impl Managed {
    fn run(&mut self, subcommand: u8, parameters: Option<&Parameters>) -> Result<Value, Status> {
        let request = request(subcommand, parameters, &self.token);
        self.key.cbor(COMMANDS[0], Some(request.value()))
    }

    fn next(&mut self, subcommand: u8) -> Result<Value, Status> {
        self.key.cbor(COMMANDS[0], Some(Parameters::default().with(1, subcommand).value()))
    }

    fn counts(&mut self) -> (Value, Value) {
        let response = self.run(1, None).unwrap();
        (value_at(&response, 1).clone(), value_at(&response, 2).clone())
    }
}

fn of_rp(rp: &str) -> Parameters {
    Parameters::default().with(1, hash(rp))
}

fn of_credential(id: &[u8]) -> Parameters {
    Parameters::default().with(2, descriptor(id))
}

#[test]
fn metadata_counts_what_there_is_and_what_fits() {
    let mut managed = managed();
    let (existing, before) = managed.counts();
    assert_eq!(existing, Value::from(3));
    managed.run(6, Some(&of_credential(&managed.ids[0].clone()))).unwrap();
    let (existing, after) = managed.counts();
    assert_eq!(existing, Value::from(2));
    assert!(before.as_integer().unwrap() >= Value::from(50).as_integer().unwrap());
    assert!(after.as_integer() >= before.as_integer());
}

#[test]
fn relying_parties_are_enumerated_once_each() {
    let mut managed = managed();
    let first = managed.run(2, None).unwrap();
    assert_eq!(value_at(&first, 5), &Value::from(2));
    assert_eq!(value_at(&first, 3), &cbor!({ "id" => "b.example" }).unwrap());
    assert_eq!(value_at(&first, 4), &Value::from(hash("b.example")));
    let second = managed.next(3).unwrap();
    assert_eq!(value_at(&second, 3), &cbor!({ "id" => "a.example" }).unwrap());
    assert_eq!(managed.next(3), Err(Status::NOT_ALLOWED));
}

#[test]
fn credentials_are_enumerated_with_all_that_is_known_of_them() {
    let mut managed = managed();
    let first = managed.run(4, Some(&of_rp("a.example"))).unwrap();
    assert_eq!(value_at(&first, 9), &Value::from(2));
    assert_eq!(value_at(&first, 6), &cbor!({ "id" => Value::Bytes(vec![2]), "name" => "user2" }).unwrap());
    assert_eq!(value_at(&first, 7), &descriptor(&managed.ids[1]));
    assert_eq!(value_at(&first, 10), &Value::from(1));
    assert_eq!(value_at(&first, 8).as_map().unwrap().len(), 5);
    let second = managed.next(5).unwrap();
    assert_eq!(value_at(&second, 7), &descriptor(&managed.ids[0]));
    assert_eq!(managed.next(5), Err(Status::NOT_ALLOWED));
    assert_eq!(managed.run(4, Some(&of_rp("c.example"))), Err(Status::NO_CREDENTIALS));
}

#[test]
fn the_public_key_that_is_told_is_that_of_the_registration() {
    for algorithm in [-7, -8] {
        let mut key = Simulation::new();
        let params = cbor!([{ "alg" => algorithm, "type" => "public-key" }]).unwrap();
        let creation = Parameters::creation("a.example").with(4, params);
        let auth_data = creation.with(7, cbor!({ "rk" => true }).unwrap()).create(&mut key).unwrap();
        let parsed = AuthData::parse(&auth_data).unwrap();
        let expected: Value = ciborium::from_reader(parsed.attested_credential.unwrap().public_key).unwrap();
        key.set_pin(2, PIN).unwrap();
        let token = key.permitted_token(2, PIN, CM, None).unwrap();
        let begin = request(4, Some(&of_rp("a.example")), &token);
        let response = key.cbor(COMMANDS[0], Some(begin.value())).unwrap();
        assert_eq!(value_at(&response, 8), &expected);
    }
}

#[test]
fn the_two_enumerations_do_not_disturb_each_other() {
    let mut managed = managed();
    managed.run(2, None).unwrap();
    managed.run(4, Some(&of_rp("a.example"))).unwrap();
    managed.next(3).unwrap();
    managed.next(5).unwrap();
}

#[test]
fn g08_an_enumeration_ends_with_time_a_foreign_channel_and_other_commands() {
    let mut managed = managed();
    for (begin, next) in [(2, 3), (4, 5)] {
        let parameters = (begin == 4).then(|| of_rp("a.example"));
        managed.token = managed.key.permitted_token(2, PIN, CM, None).unwrap();
        managed.run(begin, parameters.as_ref()).unwrap();
        managed.key.advance(30_000);
        assert_eq!(managed.next(next), Err(Status::NOT_ALLOWED));
        managed.run(begin, parameters.as_ref()).unwrap();
        let other = managed.key.open_channel();
        assert_eq!(managed.key.cbor_bytes_on(other, &[0x0a, 0xa1, 0x01, next]), Err(Status::NOT_ALLOWED));
        managed.run(begin, parameters.as_ref()).unwrap();
        managed.key.cbor(0x04, None).unwrap();
        assert_eq!(managed.next(next), Err(Status::NOT_ALLOWED));
        managed.run(begin, parameters.as_ref()).unwrap();
        managed.counts();
        assert_eq!(managed.next(next), Err(Status::NOT_ALLOWED));
        assert_eq!(managed.next(next), Err(Status::NOT_ALLOWED));
    }
}

#[test]
fn a_deleted_credential_is_gone_for_every_command() {
    let mut managed = managed();
    let id = managed.ids[0].clone();
    managed.run(6, Some(&of_credential(&id))).unwrap();
    assert_eq!(managed.run(6, Some(&of_credential(&id))), Err(Status::NO_CREDENTIALS));
    managed.key.user = User::Touches;
    let key = &mut managed.key;
    assert_eq!(Parameters::assertion("a.example", &[&id]).assert(key), Err(Status::NO_CREDENTIALS));
    Parameters::assertion("a.example", &[&managed.ids[1]]).assert(key).unwrap();
    Parameters::creation("a.example").excluding(&[&id]).create(key).unwrap();
}

#[test]
fn an_updated_user_is_told_and_keeps_its_place_and_its_id() {
    let mut managed = managed();
    let id = managed.ids[0].clone();
    let update = |user: Value| of_credential(&id).with(3, user);
    let renamed = cbor!({ "id" => Value::Bytes(vec![1]), "displayName" => "Ada" }).unwrap();
    managed.run(7, Some(&update(renamed.clone()))).unwrap();
    managed.run(4, Some(&of_rp("a.example"))).unwrap();
    assert_eq!(value_at(&managed.next(5).unwrap(), 6), &renamed);
    let foreign = cbor!({ "id" => Value::Bytes(vec![9]), "name" => "eve" }).unwrap();
    assert_eq!(managed.run(7, Some(&update(foreign))), Err(Status::INVALID_PARAMETER));
    let unknown = of_credential(b"unknown").with(3, renamed);
    assert_eq!(managed.run(7, Some(&unknown)), Err(Status::NO_CREDENTIALS));
}

#[test]
fn what_is_missing_or_unknown_is_told_apart() {
    let mut managed = managed();
    for subcommand in [1, 2] {
        assert_eq!(managed.next(subcommand), Err(Status::PUAT_REQUIRED));
    }
    for subcommand in [4, 6, 7] {
        assert_eq!(managed.run(subcommand, None), Err(Status::MISSING_PARAMETER));
    }
    for subcommand in [0, 8, 255] {
        assert_eq!(managed.run(subcommand, None), Err(Status::INVALID_SUBCOMMAND));
    }
    let metadata = || request(1, None, &managed.token);
    let answers = [metadata().without(3), metadata().with(3, 3), Parameters::default()]
        .map(|request| managed.key.cbor(COMMANDS[0], Some(request.value())));
    let expected = [Status::MISSING_PARAMETER, Status::INVALID_PARAMETER, Status::MISSING_PARAMETER];
    assert_eq!(answers, expected.map(Err));
    let short = Parameters::default().with(1, vec![0; 31]);
    assert_eq!(managed.run(4, Some(&short)), Err(Status::INVALID_LENGTH));
}

#[test]
fn g02_a_wrong_param_of_any_length_is_refused() {
    let mut managed = managed();
    let right = request(1, None, &managed.token);
    let param = authenticate(2, &managed.token, &[1]);
    let longer = [&param[..], &[0]].concat();
    for wrong in [&[][..], &param[..16], &param[..31], &longer, &[0; 32]] {
        let answer = managed.key.cbor(COMMANDS[0], Some(right.clone().with(4, wrong).value()));
        assert_eq!(answer, Err(Status::PIN_AUTH_INVALID));
    }
    let of_another = right.with(4, authenticate(2, &managed.token, &[2]));
    assert_eq!(managed.key.cbor(COMMANDS[0], Some(of_another.value())), Err(Status::PIN_AUTH_INVALID));
}

#[test]
fn g05_a_token_manages_with_its_permission_and_its_relying_party_only() {
    let mut managed = managed();
    let legacy = managed.key.pin_token(2, PIN).unwrap();
    managed.token = legacy;
    assert_eq!(managed.run(1, None), Err(Status::PIN_AUTH_INVALID));
    managed.token = managed.key.permitted_token(2, PIN, MC | GA, None).unwrap();
    assert_eq!(managed.run(2, None), Err(Status::PIN_AUTH_INVALID));
    managed.token = managed.key.permitted_token(2, PIN, CM, Some("a.example")).unwrap();
    for subcommand in [1, 2] {
        assert_eq!(managed.run(subcommand, None), Err(Status::PIN_AUTH_INVALID));
    }
    assert_eq!(managed.run(4, Some(&of_rp("b.example"))), Err(Status::PIN_AUTH_INVALID));
    assert_eq!(managed.run(6, Some(&of_credential(&managed.ids[2].clone()))), Err(Status::PIN_AUTH_INVALID));
    assert_eq!(managed.run(6, Some(&of_credential(b"unknown"))), Err(Status::PIN_AUTH_INVALID));
    managed.run(4, Some(&of_rp("a.example"))).unwrap();
    managed.run(6, Some(&of_credential(&managed.ids[0].clone()))).unwrap();
}

#[test]
fn g20_nothing_is_deleted_without_a_token_and_a_next_step_takes_none() {
    let mut managed = managed();
    let parameters = of_credential(&managed.ids[0]);
    let bare = Parameters::default().with(1, 6).with(2, parameters.value());
    assert_eq!(managed.key.cbor(COMMANDS[0], Some(bare.value())), Err(Status::PUAT_REQUIRED));
    assert_eq!(managed.counts().0, Value::from(3));
}

#[test]
fn the_preview_command_is_the_same_command() {
    for command in COMMANDS {
        let mut managed = managed();
        let request = request(2, None, &managed.token);
        let response = managed.key.cbor(command, Some(request.value())).unwrap();
        assert_eq!(value_at(&response, 5), &Value::from(2));
    }
}

#[test]
fn a_key_without_credentials_has_none_to_enumerate() {
    let mut key = Simulation::new();
    key.set_pin(2, PIN).unwrap();
    let token = key.permitted_token(2, PIN, CM, None).unwrap();
    let mut managed = Managed { key, token, ids: Vec::new() };
    assert_eq!(managed.run(2, None), Err(Status::NO_CREDENTIALS));
    assert_eq!(managed.run(4, Some(&of_rp("a.example"))), Err(Status::NO_CREDENTIALS));
    assert_eq!(managed.counts().0, Value::from(0));
    assert_eq!(managed.next(3), Err(Status::NOT_ALLOWED));
}
