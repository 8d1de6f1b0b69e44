//! authenticatorClientPIN: PINs are set, changed and guessed, in both protocols.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ciborium::{Value, cbor};
use keywright_common::status::Status;
use keywright_firmware::authenticator::Start;
use keywright_tests::{Agreement, Parameters, Simulation, cose_key, padded, pin_hash, value_at};

const PROTOCOLS: [u64; 2] = [1, 2];
const PIN: &str = "1234";
const MC: u64 = 0x01;
const GA: u64 = 0x02;

fn key_with_pin() -> Simulation {
    let mut key = Simulation::new();
    key.set_pin(2, PIN).unwrap();
    key
}

fn subcommand(number: u64) -> Parameters {
    Parameters::default().with(2, number)
}

fn get_info(key: &mut Simulation) -> Value {
    key.cbor(0x04, None).unwrap()
}

fn says_client_pin(key: &mut Simulation) -> Value {
    let info = get_info(key);
    let options = value_at(&info, 4).as_map().unwrap().clone();
    options.into_iter().find(|(name, _)| name.as_text() == Some("clientPin")).unwrap().1
}

fn off_the_curve() -> Value {
    cose_key(&[1; 32], &[1; 32])
}

#[test]
fn get_info_tells_what_can_be_done_with_a_pin() {
    let mut key = Simulation::new();
    let info = get_info(&mut key);
    assert_eq!(value_at(&info, 2), &cbor!(["credProtect", "hmac-secret"]).unwrap());
    assert_eq!(value_at(&info, 6), &cbor!([2, 1]).unwrap());
    assert_eq!(value_at(&info, 0x0d), &Value::from(4));
    let mut options = cbor!({
        "rk" => true, "up" => true, "plat" => false, "credMgmt" => true, "clientPin" => false,
        "pinUvAuthToken" => true, "makeCredUvNotRqd" => true
    });
    assert_eq!(value_at(&info, 4), options.as_mut().unwrap());
    key.set_pin(2, PIN).unwrap();
    assert_eq!(says_client_pin(&mut key), Value::from(true));
}

#[test]
fn retries_are_at_their_maximum_without_a_pin() {
    let mut key = Simulation::new();
    assert_eq!(key.client_pin(&subcommand(1)).unwrap(), cbor!({ 3 => 8 }).unwrap());
    assert_eq!(key.client_pin(&subcommand(1).with(1, 9)).unwrap(), cbor!({ 3 => 8 }).unwrap());
}

#[test]
fn a_pin_that_was_set_gives_tokens_and_outlives_every_restart() {
    for protocol in PROTOCOLS {
        let mut key = Simulation::new();
        key.set_pin(protocol, PIN).unwrap();
        for start in [Start::Warm, Start::PowerUp] {
            key.restart(start);
            assert_eq!(key.pin_token(protocol, PIN).unwrap().len(), 32);
            assert_eq!(key.permitted_token(protocol, PIN, MC, Some("example.org")).unwrap().len(), 32);
        }
        assert_eq!(key.pin_retries(), (8, false));
    }
}

#[test]
fn a_pin_and_its_hash_are_not_to_be_found_on_flash() {
    let key = key_with_pin();
    let content = key.flash.content();
    let holds = |needle: &[u8]| content.windows(needle.len()).any(|window| window == needle);
    assert!(content.iter().any(|byte| *byte != 0xff));
    assert!(!holds(PIN.as_bytes()));
    assert!(!holds(&pin_hash(PIN)[..8]));
}

#[test]
fn a_pin_is_set_once_and_the_second_time_nothing_is_computed() {
    for protocol in PROTOCOLS {
        let mut key = key_with_pin();
        assert_eq!(key.set_pin(protocol, "other"), Err(Status::PIN_AUTH_INVALID));
        let agreement = Agreement::new(&mut key, protocol);
        let invalid = agreement.setting(&padded("other")).with(3, off_the_curve());
        assert_eq!(key.client_pin(&invalid), Err(Status::PIN_AUTH_INVALID));
        key.pin_token(protocol, PIN).unwrap();
    }
}

#[test]
fn a_parameter_that_is_absent_is_missing_and_a_foreign_protocol_is_invalid() {
    for protocol in PROTOCOLS {
        for with_pin in [false, true] {
            let mut key = if with_pin { key_with_pin() } else { Simulation::new() };
            let agreement = Agreement::new(&mut key, protocol);
            let requests = [
                (agreement.setting(&padded(PIN)), &[1, 3, 4, 5][..]),
                (agreement.changing(PIN, &padded("5678")), &[1, 3, 4, 5, 6]),
                (agreement.pin_token(PIN), &[1, 3, 6]),
                (agreement.permitted_token(PIN, MC, None), &[1, 3, 6, 9]),
                (subcommand(2), &[1]),
            ];
            for (request, members) in requests {
                for member in members {
                    let request = request.clone().without(*member);
                    assert_eq!(key.client_pin(&request), Err(Status::MISSING_PARAMETER), "{request:?}");
                }
                for foreign in [0, 3, 0x0102] {
                    let request = request.clone().with(1, foreign);
                    assert_eq!(key.client_pin(&request), Err(Status::INVALID_PARAMETER), "{request:?}");
                }
            }
        }
    }
}

#[test]
fn unknown_subcommands_and_those_for_built_in_verification_are_refused() {
    let mut key = key_with_pin();
    for number in [0, 6, 7, 8, 10, 0x40, 0x0101] {
        assert_eq!(key.client_pin(&subcommand(number).with(1, 2)), Err(Status::INVALID_SUBCOMMAND));
    }
    assert_eq!(key.client_pin(&Parameters::default().with(1, 2)), Err(Status::MISSING_PARAMETER));
    assert_eq!(key.client_pin(&Parameters::default().with(2, "1")), Err(Status::CBOR_UNEXPECTED_TYPE));
}

#[test]
fn without_a_pin_nothing_can_be_had_for_one() {
    for protocol in PROTOCOLS {
        let mut key = Simulation::new();
        assert_eq!(key.change_pin(protocol, PIN, "5678"), Err(Status::PIN_NOT_SET));
        assert_eq!(key.pin_token(protocol, PIN), Err(Status::PIN_NOT_SET));
        assert_eq!(key.permitted_token(protocol, PIN, MC, None), Err(Status::PIN_NOT_SET));
        assert_eq!(key.pin_retries(), (8, false));
    }
}

#[test]
fn a_key_agreement_key_that_is_no_point_is_refused_before_anything_else() {
    for protocol in PROTOCOLS {
        let mut fresh = Simulation::new();
        let mut key = key_with_pin();
        let x = Value::from(&[1; 32][..]);
        let keys = [
            (off_the_curve(), Status::INVALID_PARAMETER),
            (cose_key(&[0; 32], &[0; 32]), Status::INVALID_PARAMETER),
            (cose_key(&[0xff; 32], &[0xff; 32]), Status::INVALID_PARAMETER),
            (cose_key(&[1; 31], &[1; 32]), Status::INVALID_PARAMETER),
            (cose_key(&[], &[]), Status::INVALID_PARAMETER),
            (cbor!({}).unwrap(), Status::INVALID_PARAMETER),
            (cbor!({ 1 => 2, 3 => -25, -1 => 1, -2 => x }).unwrap(), Status::INVALID_PARAMETER),
            (cbor!({ 1 => 2, 3 => -7, -1 => 1, -2 => x, -3 => x }).unwrap(), Status::INVALID_PARAMETER),
            (cbor!({ 1 => 2, 3 => -25, -1 => 2, -2 => x, -3 => x }).unwrap(), Status::INVALID_PARAMETER),
            (cbor!({ 1 => 2, 3 => -25, -1 => 1, -2 => 1, -3 => 1 }).unwrap(), Status::CBOR_UNEXPECTED_TYPE),
            (Value::from(1), Status::CBOR_UNEXPECTED_TYPE),
        ];
        for (public_key, status) in keys {
            let set = Agreement::new(&mut fresh, protocol).setting(&padded(PIN));
            assert_eq!(fresh.client_pin(&set.with(3, public_key.clone())), Err(status));
            let agreement = Agreement::new(&mut key, protocol);
            let others = [
                agreement.changing(PIN, &padded("5678")),
                agreement.pin_token(PIN),
                agreement.permitted_token(PIN, MC, None),
            ];
            for request in others {
                let request = request.with(3, public_key.clone());
                assert_eq!(key.client_pin(&request), Err(status), "{request:?}");
            }
        }
        assert_eq!(key.pin_retries(), (8, false));
        assert_eq!(says_client_pin(&mut fresh), Value::from(false));
    }
}

#[test]
fn g02_pins_are_set_and_changed_only_with_a_whole_parameter() {
    for protocol in PROTOCOLS {
        let mut fresh = Simulation::new();
        let mut key = key_with_pin();
        let set = Agreement::new(&mut fresh, protocol).setting(&padded("5678"));
        let change = Agreement::new(&mut key, protocol).changing(PIN, &padded("5678"));
        for (key, request) in [(&mut fresh, set), (&mut key, change)] {
            let value = request.value();
            let right = value_at(&value, 4).as_bytes().unwrap();
            let mut bad: Vec<Vec<u8>> = (0..right.len()).map(|cut| right[..cut].to_vec()).collect();
            bad.push([&right[..], &[0]].concat());
            bad.push(vec![0; right.len()]);
            for at in 0..right.len() {
                let mut changed = right.clone();
                changed[at] ^= 0x80;
                bad.push(changed);
            }
            for param in bad {
                let request = request.clone().with(4, param);
                assert_eq!(key.client_pin(&request), Err(Status::PIN_AUTH_INVALID), "{request:?}");
            }
            assert_eq!(key.pin_retries(), (8, false));
        }
        assert_eq!(says_client_pin(&mut fresh), Value::from(false));
        key.pin_token(protocol, PIN).unwrap();
    }
}

#[test]
fn g24_a_pin_against_the_policy_is_refused_and_padding_has_one_length() {
    for protocol in PROTOCOLS {
        let mut fresh = Simulation::new();
        let mut key = key_with_pin();
        let against_policy =
            [padded(""), padded("123"), padded("äöü"), padded("𝄞𝄞𝄞"), [b'x'; 64], [0xff; 64]];
        for pin in against_policy {
            let set = Agreement::new(&mut fresh, protocol).setting(&pin);
            assert_eq!(fresh.client_pin(&set), Err(Status::PIN_POLICY_VIOLATION));
            let change = Agreement::new(&mut key, protocol).changing(PIN, &pin);
            assert_eq!(key.client_pin(&change), Err(Status::PIN_POLICY_VIOLATION));
        }
        for length in [0, 16, 32, 48, 80, 128, 1024] {
            let pin = vec![b'1'; length];
            let set = Agreement::new(&mut fresh, protocol).setting(&pin);
            assert_eq!(fresh.client_pin(&set), Err(Status::INVALID_PARAMETER), "{length}");
            let change = Agreement::new(&mut key, protocol).changing(PIN, &pin);
            assert_eq!(key.client_pin(&change), Err(Status::INVALID_PARAMETER), "{length}");
        }
        assert_eq!(says_client_pin(&mut fresh), Value::from(false));
        assert_eq!(key.pin_retries(), (8, false));
        key.pin_token(protocol, PIN).unwrap();
    }
}

#[test]
fn the_shortest_and_the_longest_pin_and_one_of_many_scripts_are_accepted() {
    let longest = "x".repeat(63);
    for protocol in PROTOCOLS {
        let mut key = Simulation::new();
        key.set_pin(protocol, "äß€𝄞").unwrap();
        for (old, new) in [("äß€𝄞", &*longest), (&*longest, "0000"), ("0000", " \0 \u{7f}!")] {
            key.change_pin(protocol, old, new).unwrap();
            assert_eq!(key.pin_token(protocol, old), Err(Status::PIN_INVALID));
            key.pin_token(protocol, new).unwrap();
        }
    }
}

#[test]
fn a_wrong_pin_cannot_be_changed_and_counts() {
    for protocol in PROTOCOLS {
        let mut key = key_with_pin();
        assert_eq!(key.change_pin(protocol, "4321", "5678"), Err(Status::PIN_INVALID));
        assert_eq!(key.pin_retries(), (7, false));
        assert_eq!(key.pin_token(protocol, "5678"), Err(Status::PIN_INVALID));
        assert_eq!(key.change_pin(protocol, "4321", "12"), Err(Status::PIN_AUTH_BLOCKED));
        assert_eq!(key.change_pin(protocol, PIN, "5678"), Err(Status::PIN_AUTH_BLOCKED));
        assert_eq!(key.pin_retries(), (5, true));
    }
}

#[test]
fn g04_three_misses_block_until_power_up_and_a_warm_restart_does_not_end_that() {
    for protocol in PROTOCOLS {
        let mut key = key_with_pin();
        for (status, left) in
            [(Status::PIN_INVALID, 7), (Status::PIN_INVALID, 6), (Status::PIN_AUTH_BLOCKED, 5)]
        {
            assert_eq!(key.pin_token(protocol, "4321"), Err(status));
            assert_eq!(key.pin_retries(), (left, left == 5));
        }
        for start in [None, Some(Start::Warm), Some(Start::Warm)] {
            start.into_iter().for_each(|start| key.restart(start));
            for pin in [PIN, "4321"] {
                assert_eq!(key.pin_token(protocol, pin), Err(Status::PIN_AUTH_BLOCKED));
                assert_eq!(key.permitted_token(protocol, pin, GA, None), Err(Status::PIN_AUTH_BLOCKED));
            }
            assert_eq!(key.pin_retries(), (5, true));
        }
        key.restart(Start::PowerUp);
        assert_eq!(key.pin_retries(), (5, false));
        assert_eq!(key.pin_token(protocol, "4321"), Err(Status::PIN_INVALID));
        key.pin_token(protocol, PIN).unwrap();
        assert_eq!(key.pin_retries(), (8, false));
    }
}

#[test]
fn g04_misses_are_counted_across_warm_restarts_and_a_right_pin_ends_the_row() {
    let mut key = key_with_pin();
    for status in [Status::PIN_INVALID, Status::PIN_INVALID, Status::PIN_AUTH_BLOCKED] {
        key.restart(Start::Warm);
        assert_eq!(key.pin_token(2, "4321"), Err(status));
    }
    key.restart(Start::PowerUp);
    for _ in 0..4 {
        for _ in 0..2 {
            assert_eq!(key.pin_token(1, "4321"), Err(Status::PIN_INVALID));
        }
        key.pin_token(2, PIN).unwrap();
    }
    assert_eq!(key.pin_retries(), (8, false));
}

#[test]
fn g04_eight_misses_block_the_pin_for_good() {
    for protocol in PROTOCOLS {
        let mut key = key_with_pin();
        let misses = [
            Status::PIN_INVALID,
            Status::PIN_INVALID,
            Status::PIN_AUTH_BLOCKED,
            Status::PIN_INVALID,
            Status::PIN_INVALID,
            Status::PIN_AUTH_BLOCKED,
            Status::PIN_INVALID,
            Status::PIN_BLOCKED,
        ];
        for (spent, status) in (1..).zip(misses) {
            assert_eq!(key.pin_token(protocol, "4321"), Err(status), "miss {spent}");
            assert_eq!(key.pin_retries().0, 8 - spent);
            if status == Status::PIN_AUTH_BLOCKED {
                key.restart(Start::PowerUp);
            }
        }
        for start in [Start::Warm, Start::PowerUp] {
            assert_eq!(key.pin_token(protocol, PIN), Err(Status::PIN_BLOCKED));
            assert_eq!(key.permitted_token(protocol, PIN, MC, None), Err(Status::PIN_BLOCKED));
            assert_eq!(key.change_pin(protocol, PIN, "5678"), Err(Status::PIN_BLOCKED));
            assert_eq!(key.set_pin(protocol, "5678"), Err(Status::PIN_AUTH_INVALID));
            assert_eq!(key.pin_retries(), (0, false));
            key.restart(start);
        }
    }
}

#[test]
fn g04_pin_retry_is_spent_before_the_comparison() {
    // Where nothing can be written, a right PIN and a wrong one must look alike.
    for protocol in PROTOCOLS {
        let mut key = key_with_pin();
        key.flash.wear_out(true);
        for pin in [PIN, "4321"] {
            assert_eq!(key.pin_token(protocol, pin), Err(Status::OTHER));
            assert_eq!(key.change_pin(protocol, pin, "5678"), Err(Status::OTHER));
        }
    }
}

#[test]
fn g04_a_miss_renews_the_key_agreement_key_of_its_protocol() {
    for protocol in PROTOCOLS {
        let mut key = key_with_pin();
        let keys = |key: &mut Simulation| {
            PROTOCOLS.map(|protocol| key.client_pin(&subcommand(2).with(1, protocol)).unwrap())
        };
        let before = keys(&mut key);
        assert_ne!(before[0], before[1]);
        key.pin_token(protocol, PIN).unwrap();
        assert_eq!(keys(&mut key), before);
        let stale = Agreement::new(&mut key, protocol);
        assert_eq!(key.client_pin(&stale.pin_token("4321")), Err(Status::PIN_INVALID));
        let after = keys(&mut key);
        for (index, other) in (0..).zip(PROTOCOLS) {
            assert_eq!(before[index] == after[index], other != protocol);
        }
        assert_eq!(key.client_pin(&stale.pin_token(PIN)), Err(Status::PIN_INVALID));
        key.pin_token(protocol, PIN).unwrap();
        key.restart(Start::Warm);
        assert_ne!(keys(&mut key), after);
    }
}

#[test]
fn g04_a_malformed_request_spends_nothing() {
    for protocol in PROTOCOLS {
        let mut key = key_with_pin();
        assert_eq!(key.pin_token(protocol, "4321"), Err(Status::PIN_INVALID));
        let agreement = Agreement::new(&mut key, protocol);
        for length in [0, 1, 15, 17, 31, 33, 48, 64] {
            if agreement.encrypt(&[0; 16]).len() == length {
                continue;
            }
            let broken = vec![0; length];
            let token = agreement.pin_token("4321").with(6, &broken[..]);
            assert_eq!(key.client_pin(&token), Err(Status::INVALID_PARAMETER), "{length}");
            let token = agreement.permitted_token("4321", MC, None).with(6, &broken[..]);
            assert_eq!(key.client_pin(&token), Err(Status::INVALID_PARAMETER), "{length}");
            let new_pin_enc = agreement.encrypt(&padded("5678"));
            let change = agreement.changing("4321", &padded("5678")).with(6, &broken[..]);
            let change = change.with(4, agreement.authenticate(&[&new_pin_enc[..], &broken].concat()));
            assert_eq!(key.client_pin(&change), Err(Status::INVALID_PARAMETER), "{length}");
        }
        let short = agreement.changing("4321", &[b'1'; 48]);
        assert_eq!(key.client_pin(&short), Err(Status::INVALID_PARAMETER));
        assert_eq!(
            key.client_pin(&agreement.pin_token("4321").with(6, 1)),
            Err(Status::CBOR_UNEXPECTED_TYPE)
        );
        assert_eq!(key.pin_retries(), (7, false));
        key.client_pin(&agreement.pin_token(PIN)).unwrap();
    }
}

#[test]
fn g36_a_wrong_pin_is_answered_alike_however_near_it_is() {
    for protocol in PROTOCOLS {
        for wrong_bit in [0, 63, 127] {
            let mut key = key_with_pin();
            let agreement = Agreement::new(&mut key, protocol);
            let mut hash = pin_hash(PIN);
            hash[wrong_bit / 8] ^= 1 << (wrong_bit % 8);
            let request = agreement.pin_token(PIN).with(6, agreement.encrypt(&hash));
            assert_eq!(key.client_pin(&request), Err(Status::PIN_INVALID), "bit {wrong_bit}");
            assert_eq!(key.pin_retries(), (7, false));
        }
    }
}

#[test]
fn the_superseded_subcommand_takes_no_permissions_and_the_other_one_needs_some() {
    for protocol in PROTOCOLS {
        let mut key = key_with_pin();
        let agreement = Agreement::new(&mut key, protocol);
        let old = agreement.pin_token("4321");
        assert_eq!(key.client_pin(&old.clone().with(9, MC)), Err(Status::INVALID_PARAMETER));
        assert_eq!(key.client_pin(&old.with(10, "example.org")), Err(Status::INVALID_PARAMETER));
        let none = agreement.permitted_token("4321", 0, Some("example.org"));
        assert_eq!(key.client_pin(&none), Err(Status::INVALID_PARAMETER));
        assert_eq!(key.pin_retries(), (8, false));
    }
}

#[test]
fn g05_a_permission_whose_feature_is_absent_is_refused_and_undefined_bits_are_ignored() {
    for protocol in PROTOCOLS {
        let mut key = key_with_pin();
        for absent in [0x08, 0x10, 0x20, 0x40, 0x08 | MC, 0x7f, 0xff] {
            let answer = key.permitted_token(protocol, "4321", absent, None);
            assert_eq!(answer, Err(Status::UNAUTHORIZED_PERMISSION), "{absent:#x}");
        }
        assert_eq!(key.pin_retries(), (8, false));
        for with_undefined in [MC | 0x80, GA | 0x8000_0000_0000_0000] {
            key.permitted_token(protocol, PIN, with_undefined, None).unwrap();
        }
    }
}
