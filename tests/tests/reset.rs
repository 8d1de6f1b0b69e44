//! Reset: only by somebody who has just plugged the key in, and whole.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ciborium::{Value, cbor};
use keywright_common::status::Status;
use keywright_firmware::authenticator::Start;
use keywright_tests::{IDENTITY, Parameters, RamFlash, Simulation, User, value_at};

const PIN: &str = "1234";
const RP: &str = "example.org";
const RESET: u8 = 0x07;

fn used_key() -> (Simulation, Vec<u8>, Vec<u8>) {
    let mut key = Simulation::new();
    let derived = Parameters::creation(RP).register(&mut key);
    let kept = Parameters::creation(RP).with(7, cbor!({ "rk" => true }).unwrap()).register(&mut key);
    key.set_pin(2, PIN).unwrap();
    key.restart(Start::PowerUp);
    (key, derived, kept)
}

fn discovering() -> Parameters {
    Parameters::assertion(RP, &[]).without(3)
}

#[test]
fn g01_a_reset_within_10_seconds_of_power_up_wipes_everything_after_a_touch() {
    let (mut key, derived, kept) = used_key();
    let token = key.permitted_token(2, PIN, 0x04, None).unwrap();
    key.advance(9_000);
    let touches = key.touches;
    assert_eq!(key.cbor(RESET, None), Ok(Value::Null));
    assert_eq!(key.touches, touches + 1);
    assert_eq!(Parameters::assertion(RP, &[&derived, &kept]).assert(&mut key), Err(Status::NO_CREDENTIALS));
    assert_eq!(discovering().assert(&mut key), Err(Status::NO_CREDENTIALS));
    assert_eq!(key.permitted_token(2, PIN, 0x01, None).err(), Some(Status::PIN_NOT_SET));
    let metadata = Parameters::default().with(1, 1).with(3, 2);
    let metadata = metadata.with(4, keywright_tests::authenticate(2, &token, &[1]));
    assert_eq!(key.cbor(0x0a, Some(metadata.value())), Err(Status::PIN_AUTH_INVALID));
    key.restart(Start::PowerUp);
    assert_eq!(Parameters::assertion(RP, &[&derived, &kept]).assert(&mut key), Err(Status::NO_CREDENTIALS));
    Parameters::creation(RP).register(&mut key);
}

#[test]
fn g01_after_10_seconds_and_after_a_warm_restart_it_is_not_allowed() {
    let (mut key, derived, _) = used_key();
    key.user = User::MustNotBeAsked;
    key.advance(10_001);
    assert_eq!(key.cbor(RESET, None), Err(Status::NOT_ALLOWED));
    key.restart(Start::Warm);
    assert_eq!(key.cbor(RESET, None), Err(Status::NOT_ALLOWED));
    key.user = User::Touches;
    Parameters::assertion(RP, &[&derived]).assert(&mut key).unwrap();
}

#[test]
fn g01_without_a_touch_nothing_is_wiped() {
    let (mut key, derived, _) = used_key();
    key.user = User::Declines;
    assert_eq!(key.cbor(RESET, None), Err(Status::OPERATION_DENIED));
    key.user = User::Absent;
    assert_eq!(key.cbor(RESET, None), Err(Status::USER_ACTION_TIMEOUT));
    key.user = User::Touches;
    Parameters::assertion(RP, &[&derived]).assert(&mut key).unwrap();
    assert_eq!(key.pin_retries(), (8, false));
    assert!(key.permitted_token(2, PIN, 0x01, None).is_ok());
}

#[test]
fn g01_a_corrupt_store_serves_nothing_but_a_reset_which_mends_it() {
    let (key, derived, _) = used_key();
    let mut content = key.flash.content();
    // Every copy of what makes a page a page.
    content.chunks_mut(4096).for_each(|page| page[20..140].fill(0x55));
    let mut key = Simulation::with(IDENTITY, RamFlash::with_content(content), Start::PowerUp);
    assert!(key.key.fault().is_some());
    let info = key.cbor(0x04, None).unwrap();
    let options = value_at(&info, 4).as_map().unwrap();
    assert!(options.contains(&(Value::from("clientPin"), Value::from(true))), "unknown counts as set");
    assert_eq!(Parameters::creation(RP).create(&mut key), Err(Status::OTHER));
    assert_eq!(Parameters::assertion(RP, &[&derived]).assert(&mut key), Err(Status::OTHER));
    assert_eq!(key.set_pin(2, PIN), Err(Status::OTHER));
    assert_eq!(key.cbor(RESET, None), Ok(Value::Null));
    assert_eq!(key.key.fault(), None);
    Parameters::creation(RP).register(&mut key);
    key.restart(Start::PowerUp);
    assert_eq!(key.key.fault(), None);
    assert_eq!(Parameters::assertion(RP, &[&derived]).assert(&mut key), Err(Status::NO_CREDENTIALS));
}

#[test]
fn g28_after_a_reset_nothing_of_the_old_key_is_on_the_flash() {
    let (mut key, ..) = used_key();
    let before = key.flash.content();
    key.cbor(RESET, None).unwrap();
    let after = key.flash.content();
    let kept = before.windows(32).filter(|part| part.iter().any(|byte| !matches!(byte, 0 | 0xff)));
    let after: std::collections::HashSet<_> = after.windows(32).collect();
    assert_eq!(
        kept.filter(
            |part| part.iter().filter(|b| **b == 0xff || **b == 0).count() < 8 && after.contains(part)
        )
        .count(),
        0
    );
}

#[test]
fn a_cancel_during_the_wait_ends_it_and_wipes_nothing() {
    let (mut key, derived, _) = used_key();
    let channel = key.channel();
    key.send(channel, keywright_common::ctaphid::Command::CBOR, &[RESET]);
    key.send(channel, keywright_common::ctaphid::Command::CANCEL, &[]);
    let mut statuses = Vec::new();
    while let Some(report) = key.key.poll_transmit() {
        statuses.push((report[4], report[7]));
    }
    assert_eq!(statuses.last(), Some(&(0x90, Status::KEEPALIVE_CANCEL.0)));
    Parameters::assertion(RP, &[&derived]).assert(&mut key).unwrap();
}
