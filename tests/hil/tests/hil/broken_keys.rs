//! Each scenario fails with a key that does what it is there to find.

use keywright_common::ctaphid::{Command, ErrorCode};
use keywright_common::status::Status;
use keywright_emulator::TouchPolicy;
use keywright_hil::{Report, Selection, Verdict, run};

use crate::bench::Bench;
use crate::bench::spoil::{Fault, Mail};

fn play(name: &str, bench: &Bench, fault: Option<Fault>) -> Report {
    let selection = Selection { names: vec![name.to_owned()], may_wipe: true, with_slow: false };
    run(&mut bench.rig_with(fault), &selection).unwrap()
}

/// Fails unless the scenario fails, for a reason that holds these words.
fn fails(name: &str, why: &str, report: &Report) {
    let played = report.played.iter().find(|played| played.scenario.name == name).unwrap();
    match &played.verdict {
        Verdict::Failed(words) if words.contains(why) => assert!(!report.is_well()),
        verdict => panic!("{name} must fail because `{why}`: {verdict:?}"),
    }
}

#[track_caller]
fn is_found(name: &str, why: &str, answer: fn(&Mail, &mut Mail)) {
    fails(name, why, &play(name, &Bench::new(), Some(Fault::answering(answer))));
}

/// In the place of one status of CTAP2, another.
fn status<const FROM: u8, const TO: u8>(_: &Mail, answer: &mut Mail) {
    if answer.command == Command::CBOR && answer.payload.first() == Some(&FROM) {
        answer.payload[0] = TO;
    }
}

/// In the place of an error, what was asked for.
fn echo<const CODE: u8>(request: &Mail, answer: &mut Mail) {
    if answer.command == Command::ERROR && answer.payload == [CODE] {
        *answer = Mail { command: Command::PING, payload: request.payload.clone() };
    }
}

fn other_bit_at_the_end(command: Command, answer: &mut Mail, from_the_end: usize) {
    if answer.command == command && answer.payload.len() > 60 {
        let at = answer.payload.len() - from_the_end;
        answer.payload[at] ^= 1;
    }
}

#[test]
fn a_key_that_opens_another_channel_in_place_of_the_own_is_found() {
    is_found("ctaphid/init", "INIT on a channel keeps the channel", |request, answer| {
        if request.payload == b"in place" {
            answer.payload[8] ^= 1;
        }
    });
}

#[test]
fn a_key_that_loses_a_byte_is_found() {
    is_found("ctaphid/ping", "PING must echo", |_, answer| other_bit_at_the_end(Command::PING, answer, 1));
}

#[test]
fn a_key_that_serves_channels_that_were_not_opened_is_found() {
    is_found("ctaphid/channels", "must be refused", echo::<{ ErrorCode::INVALID_CHANNEL.0 }>);
}

#[test]
fn a_key_that_takes_what_is_no_message_is_found() {
    is_found("ctaphid/packets", "an unknown command must be refused", echo::<{ ErrorCode::INVALID_CMD.0 }>);
    is_found("ctaphid/packets", "65535 bytes must be refused", echo::<{ ErrorCode::INVALID_LEN.0 }>);
    is_found("ctaphid/packets", "out of order must be refused", echo::<{ ErrorCode::INVALID_SEQ.0 }>);
}

#[test]
fn a_key_that_finishes_messages_by_itself_is_found() {
    is_found("ctaphid/unfinished", "must be refused", echo::<{ ErrorCode::MSG_TIMEOUT.0 }>);
}

#[test]
fn a_key_that_mixes_channels_up_is_found() {
    is_found("ctaphid/busy", "must be refused", echo::<{ ErrorCode::CHANNEL_BUSY.0 }>);
    is_found("ctaphid/lock", "must be refused", echo::<{ ErrorCode::CHANNEL_BUSY.0 }>);
}

#[test]
fn a_get_info_that_is_not_canonical_is_found() {
    is_found("info/members", "canonical", |request, answer| {
        if request.payload == [4] {
            answer.payload.push(0);
        }
    });
}

#[test]
fn a_signature_that_does_not_verify_is_found() {
    for name in ["credentials/es256", "credentials/eddsa", "credentials/silent", "hmac-secret/salts"] {
        is_found(name, "signature", |request, answer| {
            if request.payload.first() == Some(&0x02) {
                other_bit_at_the_end(Command::CBOR, answer, 1);
            }
        });
    }
    is_found("credentials/es256", "the attestation", |request, answer| {
        if request.payload.first() == Some(&0x01) {
            other_bit_at_the_end(Command::CBOR, answer, 1);
        }
    });
}

#[test]
fn a_credential_that_is_not_found_is_told_from_other_refusals() {
    is_found("credentials/allow", "NO_CREDENTIALS", status::<0x2e, 0x27>);
    is_found("credProtect/levels", "NO_CREDENTIALS", |request, answer| {
        if request.payload.windows(7).any(|name| name == b"protect") {
            status::<0x2e, 0x27>(request, answer);
        }
    });
    is_found("credentials/exclude", "CREDENTIAL_EXCLUDED", status::<0x19, 0x27>);
}

#[test]
fn a_key_that_takes_what_it_must_refuse_is_found() {
    let ok = Status::OK.0;
    assert_eq!(ok, 0);
    is_found("credentials/unknown", "the key's answer makes no sense", status::<0x26, 0>);
    is_found("malformed/cbor", "must be refused", status::<0x14, 0>);
    is_found("malformed/cbor", "must be refused", status::<0x12, 0>);
    is_found("malformed/types", "must be refused", status::<0x11, 0>);
    is_found("malformed/canonical", "without a touch", status::<0x12, 0>);
    is_found("pin/policy", "three characters must be refused", status::<0x37, 0>);
    is_found("pin/set", "setPIN where there is a PIN must be refused", status::<0x33, 0>);
    is_found("pin/required", "the key's answer makes no sense", status::<0x36, 0>);
    is_found("pin/tokens", "the key's answer makes no sense", status::<0x33, 0>);
    is_found("discoverable/accounts", "after the last must be refused", status::<0x30, 0>);
}

#[test]
fn a_pin_whose_tries_are_not_counted_is_found() {
    is_found("pin/wrong", "must cost a try", |request, answer| {
        if request.payload.first() == Some(&0x06)
            && answer.payload.len() > 2
            && answer.payload[1..4] == [0xa1, 3, 7]
        {
            answer.payload[3] = 8;
        }
    });
    is_found("pin/wrong", "rather than PIN_AUTH_BLOCKED", status::<0x34, 0x31>);
    is_found("pin/change", "PIN_INVALID", status::<0x31, 0x27>);
}

#[test]
fn a_token_that_is_not_the_keys_is_found() {
    is_found("pin/protocols", "the proof of the PIN", |request, answer| {
        // Its answer to getPinToken: a status, and a map of one byte string.
        if request.payload.first() == Some(&0x06) && answer.payload.starts_with(&[0, 0xa1, 2]) {
            *answer.payload.last_mut().unwrap() ^= 1;
        }
    });
}

#[test]
fn credentials_that_are_counted_wrongly_are_found() {
    is_found("discoverable/management", "must be counted", |request, answer| {
        if request.payload.starts_with(&[0x0a, 0xa3, 1, 1]) {
            answer.payload[3] = 0;
        }
    });
}

#[test]
fn a_selection_that_the_key_declines_is_found() {
    is_found("presence/selection", "declined", |request, answer| {
        if request.payload == [0x0b] && answer.payload == [0] {
            answer.payload = vec![0x27];
        }
    });
}

#[test]
fn a_cancellation_that_is_answered_otherwise_is_found() {
    is_found("presence/cancel", "KEEPALIVE_CANCEL", status::<0x2d, 0x27>);
}

#[test]
fn a_key_that_needs_no_touch_is_found() {
    let report = play("presence/cancel", &Bench::touched(TouchPolicy::Auto), None);
    fails("presence/cancel", "must wait for the touch", &report);
}

#[test]
fn a_reset_that_leaves_everything_is_found() {
    // A key that takes a touch for a reset and keeps what it has.
    let keeps = Fault {
        request: |request| {
            if request.command == Command::CBOR && request.payload == [0x07] {
                request.payload = vec![0x0b];
            }
        },
        answer: |_, _| {},
    };
    fails(
        "reset/before",
        "a credential of before a reset must not sign",
        &play("pin/set", &Bench::new(), Some(keeps)),
    );
}

#[test]
fn a_reset_that_needs_no_touch_is_found() {
    is_found("reset/presence", "without a touch", status::<0x2d, 0>);
}

#[test]
fn u2f_that_is_wrong_is_found() {
    is_found("u2f/register", "signature", |request, answer| {
        if request.payload.get(1) == Some(&0x02) {
            other_bit_at_the_end(Command::MSG, answer, 3);
        }
    });
    is_found("u2f/register", "the attestation", |request, answer| {
        if request.payload.get(1) == Some(&0x01) {
            other_bit_at_the_end(Command::MSG, answer, 3);
        }
    });
    is_found("u2f/presence", "without a touch", |_, answer| {
        if answer.payload == [0x69, 0x85] {
            answer.payload = vec![0x90, 0];
        }
    });
    is_found("u2f/refusals", "must be refused", |_, answer| {
        if answer.payload == [0x6d, 0] {
            answer.payload = vec![0x90, 0];
        }
    });
}
