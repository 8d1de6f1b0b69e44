//! pinUvAuthParam in makeCredential and getAssertion, and the life of a pinUvAuthToken.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ciborium::{Value, cbor};
use keywright_common::auth_data::{AuthData, flag};
use keywright_common::status::Status;
use keywright_firmware::authenticator::Start;
use keywright_tests::{CLIENT_DATA_HASH, Parameters, Simulation, User, authenticate};

const PROTOCOLS: [u64; 2] = [1, 2];
const PIN: &str = "1234";
const RP: &str = "example.org";
const MC: u64 = 0x01;
const GA: u64 = 0x02;
const REFUSED: Result<Vec<u8>, Status> = Err(Status::PIN_AUTH_INVALID);

/// A key with a PIN and a credential for `RP`.
fn key_with_credential() -> (Simulation, Vec<u8>) {
    let mut key = Simulation::new();
    key.set_pin(2, PIN).unwrap();
    let id = Parameters::creation(RP).register(&mut key);
    (key, id)
}

fn silent() -> Value {
    cbor!({ "up" => false }).unwrap()
}

fn flags(auth_data: &[u8]) -> u8 {
    AuthData::parse(auth_data).unwrap().fixed.flags
}

/// A silent assertion: it tells whether a token is in use and ends nothing.
fn probe(key: &mut Simulation, id: &[u8], protocol: u64, token: &[u8]) -> Result<u8, Status> {
    let request = Parameters::assertion(RP, &[id]).with(5, silent()).assertion_by(protocol, token);
    request.assert(key).map(|auth_data| flags(&auth_data))
}

#[test]
fn a_token_verifies_the_user_of_one_creation_or_assertion() {
    for protocol in PROTOCOLS {
        let (mut key, id) = key_with_credential();
        let token = key.permitted_token(protocol, PIN, MC | GA, Some(RP)).unwrap();
        let creation = Parameters::creation(RP).creation_by(protocol, &token);
        assert_eq!(flags(&creation.create(&mut key).unwrap()), flag::UP | flag::UV | flag::AT);
        assert_eq!(creation.create(&mut key), REFUSED);

        let token = key.permitted_token(protocol, PIN, MC | GA, Some(RP)).unwrap();
        let assertion = Parameters::assertion(RP, &[&id]).assertion_by(protocol, &token);
        assert_eq!(flags(&assertion.assert(&mut key).unwrap()), flag::UP | flag::UV);
        assert_eq!(assertion.assert(&mut key), REFUSED);
    }
}

#[test]
fn g07_verification_ends_with_any_creation_and_any_assertion_with_presence() {
    for protocol in PROTOCOLS {
        let (mut key, id) = key_with_credential();
        let token = key.permitted_token(protocol, PIN, MC | GA, Some(RP)).unwrap();
        let with_presence = Parameters::assertion(RP, &[&id]);
        for _ in 0..3 {
            assert_eq!(probe(&mut key, &id, protocol, &token), Ok(flag::UV));
        }
        assert_eq!(flags(&with_presence.assert(&mut key).unwrap()), flag::UP);
        assert_eq!(probe(&mut key, &id, protocol, &token), Err(Status::PIN_AUTH_INVALID));

        let token = key.permitted_token(protocol, PIN, MC | GA, Some(RP)).unwrap();
        let auth_data = Parameters::creation("example.com").create(&mut key).unwrap();
        assert_eq!(flags(&auth_data), flag::UP | flag::AT);
        assert_eq!(probe(&mut key, &id, protocol, &token), Err(Status::PIN_AUTH_INVALID));
        let creation = Parameters::creation(RP).creation_by(protocol, &token);
        assert_eq!(creation.create(&mut key), REFUSED);
    }
}

#[test]
fn g07_without_a_parameter_nobody_is_verified() {
    let (mut key, id) = key_with_credential();
    key.permitted_token(2, PIN, MC | GA, Some(RP)).unwrap();
    let auth_data = Parameters::assertion(RP, &[&id]).with(5, silent()).assert(&mut key).unwrap();
    assert_eq!(flags(&auth_data), 0);
    assert_eq!(flags(&Parameters::creation(RP).create(&mut key).unwrap()), flag::UP | flag::AT);
}

#[test]
fn g07_a_verified_user_still_has_to_touch() {
    let (mut key, id) = key_with_credential();
    key.user = User::Absent;
    let token = key.permitted_token(2, PIN, MC | GA, Some(RP)).unwrap();
    let creation = Parameters::creation(RP).creation_by(2, &token);
    assert_eq!(creation.create(&mut key), Err(Status::OPERATION_DENIED));
    key.user = User::Touches;
    let touches = key.touches;
    let assertion = Parameters::assertion(RP, &[&id]).assertion_by(2, &token);
    assert_eq!(flags(&assertion.assert(&mut key).unwrap()), flag::UP | flag::UV);
    assert_eq!(key.touches, touches + 1);
}

#[test]
fn g05_a_token_is_good_for_its_permissions_and_its_relying_party_only() {
    for protocol in PROTOCOLS {
        let (mut key, id) = key_with_credential();
        key.user = User::MustNotBeAsked;
        let creation = |rp_id, token: &[u8]| Parameters::creation(rp_id).creation_by(protocol, token);
        let assertion =
            |rp_id, token: &[u8]| Parameters::assertion(rp_id, &[&id]).assertion_by(protocol, token);

        let token = key.permitted_token(protocol, PIN, GA, Some(RP)).unwrap();
        assert_eq!(creation(RP, &token).create(&mut key), REFUSED);
        assert_eq!(assertion("example.com", &token).assert(&mut key), REFUSED);
        let token = key.permitted_token(protocol, PIN, MC, Some(RP)).unwrap();
        assert_eq!(assertion(RP, &token).assert(&mut key), REFUSED);
        assert_eq!(creation("example.com", &token).create(&mut key), REFUSED);
        assert_eq!(creation("Example.org", &token).create(&mut key), REFUSED);
        // Undefined bits give nothing.
        let token = key.permitted_token(protocol, PIN, 0x80, Some(RP)).unwrap();
        assert_eq!(creation(RP, &token).create(&mut key), REFUSED);
        assert_eq!(assertion(RP, &token).assert(&mut key), REFUSED);
    }
}

#[test]
fn g05_a_token_without_a_relying_party_is_bound_to_the_first_one() {
    for protocol in PROTOCOLS {
        for is_superseded in [false, true] {
            let (mut key, id) = key_with_credential();
            let token = match is_superseded {
                true => key.pin_token(protocol, PIN),
                false => key.permitted_token(protocol, PIN, MC | GA, None),
            };
            let token = token.unwrap();
            assert_eq!(probe(&mut key, &id, protocol, &token), Ok(flag::UV));
            let other = Parameters::creation("example.com").creation_by(protocol, &token);
            assert_eq!(other.create(&mut key), REFUSED);
            let same = Parameters::creation(RP).creation_by(protocol, &token);
            same.create(&mut key).unwrap();
        }
    }
}

#[test]
fn g05_the_first_relying_party_counts_even_if_the_user_declines() {
    let (mut key, _) = key_with_credential();
    let token = key.pin_token(2, PIN).unwrap();
    key.user = User::Declines;
    let first = Parameters::creation("example.com").creation_by(2, &token);
    assert_eq!(first.create(&mut key), Err(Status::OPERATION_DENIED));
    assert_eq!(Parameters::creation(RP).creation_by(2, &token).create(&mut key), REFUSED);
}

#[test]
fn g02_a_parameter_counts_whole_and_under_its_own_protocol_only() {
    for protocol in PROTOCOLS {
        let (mut key, id) = key_with_credential();
        key.user = User::MustNotBeAsked;
        let token = key.pin_token(protocol, PIN).unwrap();
        let right = authenticate(protocol, &token, &CLIENT_DATA_HASH);
        let mut bad: Vec<Vec<u8>> = (1..right.len()).map(|cut| right[..cut].to_vec()).collect();
        bad.push([&right[..], &[0]].concat());
        bad.push(authenticate(3 - protocol, &token, &CLIENT_DATA_HASH));
        bad.push(authenticate(protocol, &token, &[0; 32]));
        bad.push(authenticate(protocol, &[0; 32], &CLIENT_DATA_HASH));
        bad.push(vec![0; right.len()]);
        bad.push(vec![0; 4000]);
        for param in bad {
            let creation = Parameters::creation(RP).with(8, &param[..]).with(9, protocol);
            assert_eq!(creation.create(&mut key), REFUSED, "{param:?}");
            let assertion = Parameters::assertion(RP, &[&id]).with(6, param).with(7, protocol);
            assert_eq!(assertion.assert(&mut key), REFUSED);
        }
        let foreign = Parameters::creation(RP).creation_by(3 - protocol, &token);
        assert_eq!(foreign.create(&mut key), REFUSED);
        assert_eq!(probe(&mut key, &id, protocol, &token), Ok(flag::UV));
    }
}

#[test]
fn a_parameter_needs_a_protocol_that_is_supported() {
    let (mut key, id) = key_with_credential();
    key.user = User::MustNotBeAsked;
    let param = &[0; 32][..];
    let creation = Parameters::creation(RP).with(8, param);
    let assertion = Parameters::assertion(RP, &[&id]).with(6, param);
    assert_eq!(creation.create(&mut key), Err(Status::MISSING_PARAMETER));
    assert_eq!(assertion.assert(&mut key), Err(Status::MISSING_PARAMETER));
    for protocol in [0, 3, 257] {
        assert_eq!(creation.clone().with(9, protocol).create(&mut key), Err(Status::INVALID_PARAMETER));
        assert_eq!(assertion.clone().with(7, protocol).assert(&mut key), Err(Status::INVALID_PARAMETER));
    }
    assert_eq!(creation.with(8, 1).create(&mut key), Err(Status::CBOR_UNEXPECTED_TYPE));
}

#[test]
fn a_parameter_without_a_pin_is_refused() {
    let mut key = Simulation::new();
    key.user = User::MustNotBeAsked;
    for protocol in PROTOCOLS {
        assert_eq!(Parameters::creation(RP).creation_by(protocol, &[0; 32]).create(&mut key), REFUSED);
        assert_eq!(Parameters::assertion(RP, &[b"x"]).assertion_by(protocol, &[]).assert(&mut key), REFUSED);
    }
}

#[test]
fn an_empty_parameter_waits_for_a_touch_before_anything_is_looked_at() {
    let empty = &[][..] as &[u8];
    for (with_pin, status) in [(false, Status::PIN_NOT_SET), (true, Status::PIN_INVALID)] {
        let mut key = Simulation::new();
        if with_pin {
            key.set_pin(1, PIN).unwrap();
        }
        let creation = Parameters::creation(RP).with(8, empty);
        let assertion = Parameters::assertion(RP, &[b"x"]).with(6, empty);
        let creations = [
            creation.clone(),
            creation.clone().with(9, 9),
            creation.clone().with(4, cbor!([{ "alg" => -257, "type" => "public-key" }]).unwrap()),
            creation.clone().with(7, cbor!({ "rk" => true, "up" => false, "uv" => true }).unwrap()),
            creation.clone().with(6, cbor!({ "credProtect" => 9 }).unwrap()),
        ];
        let assertions = [
            assertion.clone(),
            assertion.clone().with(7, 9),
            assertion.clone().with(5, cbor!({ "rk" => true, "uv" => true }).unwrap()),
            assertion.clone().with(5, silent()),
            assertion.clone().with(1, "https://example.org"),
        ];
        for (touches, request) in (1..).zip(creations) {
            assert_eq!(request.create(&mut key), Err(status), "{request:?}");
            assert_eq!(key.touches, touches);
        }
        for (touches, request) in (6..).zip(assertions) {
            assert_eq!(request.assert(&mut key), Err(status), "{request:?}");
            assert_eq!(key.touches, touches);
        }
        for user in [User::Declines, User::Absent] {
            key.user = user;
            assert_eq!(creation.create(&mut key), Err(Status::OPERATION_DENIED));
            assert_eq!(assertion.assert(&mut key), Err(Status::OPERATION_DENIED));
        }
    }
}

#[test]
fn g12_uv_is_ignored_beside_a_parameter_and_invalid_alone() {
    let (mut key, id) = key_with_credential();
    let uv = cbor!({ "uv" => true }).unwrap();
    let creation = Parameters::creation(RP).with(7, uv.clone());
    let assertion = Parameters::assertion(RP, &[&id]).with(5, uv);
    assert_eq!(creation.create(&mut key), Err(Status::INVALID_OPTION));
    assert_eq!(assertion.assert(&mut key), Err(Status::INVALID_OPTION));
    let token = key.permitted_token(2, PIN, MC, Some(RP)).unwrap();
    let auth_data = creation.creation_by(2, &token).create(&mut key).unwrap();
    assert_eq!(flags(&auth_data), flag::UP | flag::UV | flag::AT);
    let token = key.permitted_token(2, PIN, GA, Some(RP)).unwrap();
    let auth_data = assertion.clone().assertion_by(2, &token).assert(&mut key).unwrap();
    assert_eq!(flags(&auth_data), flag::UP | flag::UV);
    // Nor does it stand in for a parameter that is wrong.
    assert_eq!(assertion.assertion_by(2, &[0; 32]).assert(&mut key), REFUSED);
}

#[test]
fn g06_a_token_must_be_used_within_30_seconds() {
    for protocol in PROTOCOLS {
        let (mut key, id) = key_with_credential();
        let token = key.pin_token(protocol, PIN).unwrap();
        key.advance(29_999);
        assert_eq!(probe(&mut key, &id, protocol, &token), Ok(flag::UV));
        let token = key.pin_token(protocol, PIN).unwrap();
        key.advance(30_000);
        assert_eq!(probe(&mut key, &id, protocol, &token), Err(Status::PIN_AUTH_INVALID));
    }
}

#[test]
fn g06_a_parameter_that_is_wrong_is_no_use_of_a_token() {
    let (mut key, id) = key_with_credential();
    let token = key.pin_token(2, PIN).unwrap();
    key.advance(20_000);
    assert_eq!(probe(&mut key, &id, 2, &[0; 32]), Err(Status::PIN_AUTH_INVALID));
    key.advance(10_000);
    assert_eq!(probe(&mut key, &id, 2, &token), Err(Status::PIN_AUTH_INVALID));
}

#[test]
fn g06_a_token_that_is_used_lives_10_minutes_however_often() {
    for protocol in PROTOCOLS {
        let (mut key, id) = key_with_credential();
        let token = key.pin_token(protocol, PIN).unwrap();
        for _ in 0..29 {
            key.advance(20_000);
            assert_eq!(probe(&mut key, &id, protocol, &token), Ok(flag::UV));
        }
        key.advance(19_999);
        assert_eq!(probe(&mut key, &id, protocol, &token), Ok(flag::UV));
        key.advance(1);
        assert_eq!(probe(&mut key, &id, protocol, &token), Err(Status::PIN_AUTH_INVALID));
    }
}

#[test]
fn g06_a_token_ends_with_a_new_pin_a_new_token_and_any_restart() {
    for protocol in PROTOCOLS {
        let (mut key, id) = key_with_credential();
        let ends: [fn(&mut Simulation); 5] = [
            |key| key.change_pin(1, PIN, PIN).unwrap(),
            |key| drop(key.pin_token(1, PIN).unwrap()),
            |key| drop(key.permitted_token(2, PIN, MC, None).unwrap()),
            |key| key.restart(Start::Warm),
            |key| key.restart(Start::PowerUp),
        ];
        for (number, end) in ends.iter().enumerate() {
            let token = key.pin_token(protocol, PIN).unwrap();
            assert_eq!(probe(&mut key, &id, protocol, &token), Ok(flag::UV));
            end(&mut key);
            let answer = probe(&mut key, &id, protocol, &token);
            assert_eq!(answer, Err(Status::PIN_AUTH_INVALID), "end {number}");
        }
    }
}

#[test]
fn a_wrong_pin_leaves_the_token_that_there_is() {
    let (mut key, id) = key_with_credential();
    let token = key.pin_token(2, PIN).unwrap();
    assert_eq!(key.pin_token(2, "4321"), Err(Status::PIN_INVALID));
    assert_eq!(key.change_pin(1, "4321", "5678"), Err(Status::PIN_INVALID));
    assert_eq!(probe(&mut key, &id, 2, &token), Ok(flag::UV));
}

#[test]
fn tokens_are_never_the_same() {
    let (mut key, _) = key_with_credential();
    let mut tokens: Vec<_> = (0..20).map(|n| key.pin_token(1 + n % 2, PIN).unwrap()).collect();
    tokens.sort_unstable();
    tokens.dedup();
    assert_eq!(tokens.len(), 20);
}
