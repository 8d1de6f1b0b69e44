//! The scenarios against the key of this project, which fails none of them.

use std::sync::atomic::Ordering;

use ciborium::{Value, cbor};
use keywright_common::ctaphid::Command;
use keywright_emulator::Indication;
use keywright_hil::{Effect, Selection, Verdict, run};
use keywright_host::ctap2::Client;
use keywright_host::ctaphid::Channel;
use keywright_host::pin_uv_auth::Pin;
use keywright_host::transport::{self, Transport};

use crate::bench::Bench;
use crate::bench::spoil::Fault;

#[test]
fn our_own_key_passes_every_scenario_and_is_left_empty() {
    let bench = Bench::new();
    let selection = Selection { may_wipe: true, ..Selection::default() };
    let report = run(&mut bench.rig(), &selection).unwrap();
    println!("{}", report.table());
    assert!(report.is_well(), "{}", report.table());
    let remarks: Vec<_> = report.played.iter().flat_map(|played| &played.remarks).collect();
    assert_eq!(remarks, Vec::<&String>::new());
    for played in &report.played {
        let is_slow = played.verdict == Verdict::Skipped("it takes its time: --slow".to_owned());
        assert_eq!(is_slow, played.scenario.is_slow, "{}", played.line());
    }
}

#[test]
fn without_consent_nothing_on_the_key_changes() {
    let bench = Bench::new();
    let pin = Pin::new("a PIN of mine").unwrap();
    open(&bench).set_pin(&pin).unwrap();
    let before = open(&bench).info().clone();
    let report = run(&mut bench.rig().with_pin(pin.clone()), &Selection::default()).unwrap();
    assert!(report.is_well(), "{}", report.table());
    assert_eq!(report.left, None);
    let wiping = report.played.iter().filter(|played| played.scenario.effect == Effect::Wipes);
    assert!(wiping.clone().count() > 10);
    for played in wiping {
        assert!(
            matches!(&played.verdict, Verdict::Skipped(why) if why.contains("--wipe")),
            "{}",
            played.line()
        );
    }
    let mut key = open(&bench);
    assert_eq!(key.info(), &before);
    assert_eq!(key.pin_retries().unwrap().retries, 8);
    key.pin_token(&pin).unwrap();
}

#[test]
fn a_run_that_is_ended_says_what_is_left_and_leaves_the_key_usable() {
    let bench = Bench::new();
    let selection = Selection { names: vec!["pin".to_owned()], may_wipe: true, with_slow: false };
    // Before reset/after: one reset, and three scenarios of seven.
    bench.patience.store(4, Ordering::SeqCst);
    let report = run(&mut bench.rig(), &selection).unwrap();
    assert!(report.is_interrupted && !report.is_well());
    assert!(report.played.len() < 7, "{}", report.table());
    let left = report.left.clone().unwrap();
    assert!(left.contains("keywright reset"), "{left}");
    let pin = left.split('`').nth(1).unwrap();
    open(&bench).pin_token(&Pin::new(pin).unwrap()).unwrap();
    let document = report.table();
    assert!(document.contains("ended before its end"), "{document}");
}

#[test]
fn a_run_that_is_ended_while_the_key_waits_does_not_leave_it_waiting() {
    let bench = Bench::new();
    let selection =
        Selection { names: vec!["presence/timeout".to_owned()], with_slow: true, ..Selection::default() };
    // Ended as soon as it is said that the key is not to be touched: the request is under way then.
    bench.patience.store(1, Ordering::SeqCst);
    let report = run(&mut bench.rig(), &selection).unwrap();
    assert!(report.is_interrupted && report.played.is_empty(), "{}", report.table());
    assert_eq!(bench.running.handle().state().unwrap().indication, Indication::Idle);
}

#[test]
fn a_key_of_u2f_is_played_what_it_can_and_told_what_it_lacks() {
    let bench = Bench::new();
    let fault = Fault::answering(|_, answer| {
        if answer.command == Command::INIT {
            answer.payload[16] = 0;
        }
    });
    let report = run(&mut bench.rig_with(Some(fault)), &Selection::default()).unwrap();
    assert!(report.is_well(), "{}", report.table());
    for played in &report.played {
        let subject = played.scenario.name.split('/').next().unwrap();
        let is_played = matches!(subject, "u2f" | "ctaphid") && played.scenario.name != "ctaphid/wink";
        assert_eq!(played.verdict == Verdict::Passed, is_played, "{}", played.line());
    }
    let wink = report.played.iter().find(|played| played.scenario.name == "ctaphid/wink").unwrap();
    assert_eq!(wink.verdict, Verdict::Skipped("the key does not offer WINK".to_owned()));
}

#[test]
fn a_key_that_lacks_everything_optional_is_played_what_is_left() {
    let bench = Bench::new();
    let fault = Fault::answering(|request, answer| {
        if request.payload == [4] {
            answer.payload = vec![0];
            let info =
                cbor!({ 1 => ["FIDO_2_0"], 3 => Value::Bytes(vec![1; 16]), 4 => {"up" => true} }).unwrap();
            ciborium::into_writer(&info, &mut answer.payload).unwrap();
        }
    });
    let selection = Selection { may_wipe: true, ..Selection::default() };
    let report = run(&mut bench.rig_with(Some(fault)), &selection).unwrap();
    assert!(report.is_well(), "{}", report.table());
    let skipped = |name: &str| {
        let played = report.played.iter().find(|played| played.scenario.name == name).unwrap();
        matches!(&played.verdict, Verdict::Skipped(why) if why.starts_with("the key does not offer"))
    };
    for name in
        ["pin/set", "discoverable/accounts", "discoverable/management", "hmac-secret/salts", "u2f/register"]
    {
        assert!(skipped(name), "{name}");
    }
    for name in ["credentials/es256", "info/members", "malformed/cbor"] {
        assert!(!skipped(name), "{name}");
    }
    assert!(skipped("credentials/eddsa"));
}

#[test]
fn a_key_that_wants_its_pin_for_everything_says_how_to_give_it() {
    let bench = Bench::new();
    open(&bench).set_pin(&Pin::new("a PIN of mine").unwrap()).unwrap();
    let fault = Fault::answering(|request, answer| {
        // As keys of CTAP 2.0 have it: no makeCredUvNotRqd.
        if request.payload == [4] {
            let mut info: Value = ciborium::from_reader(&answer.payload[1..]).unwrap();
            let members = info.as_map_mut().unwrap();
            let options = members.iter_mut().find(|(key, _)| *key == Value::from(4)).unwrap();
            options.1.as_map_mut().unwrap().retain(|(name, _)| name.as_text() != Some("makeCredUvNotRqd"));
            answer.payload.truncate(1);
            ciborium::into_writer(&info, &mut answer.payload).unwrap();
        }
    });
    let selection = Selection { names: vec!["credentials".to_owned()], ..Selection::default() };
    let report = run(&mut bench.rig_with(Some(fault)), &selection).unwrap();
    assert!(report.is_well(), "{}", report.table());
    assert!(report.table().contains("--pin-env"), "{}", report.table());
    let mut rig = bench.rig_with(Some(fault)).with_pin(Pin::new("a PIN of mine").unwrap());
    let report = run(&mut rig, &selection).unwrap();
    assert!(report.is_well() && !report.table().contains("--pin-env"), "{}", report.table());
}

fn open(bench: &Bench) -> Client<Box<dyn Transport>> {
    Client::open(Channel::open(transport::open(&bench.address()).unwrap()).unwrap()).unwrap()
}
