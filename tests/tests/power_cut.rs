//! The power is cut at every flash operation of each command, before it, after it, and in the middle of it with any
//! subset of its bits changed: the key that starts then has the old state or the new one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ciborium::{Value, cbor};
use keywright_common::auth_data::AuthData;
use keywright_common::ctaphid::Command;
use keywright_common::status::Status;
use keywright_firmware::authenticator::Start;
use keywright_tests::{
    Agreement, IDENTITY, Parameters, RamFlash, Simulation, TestRandom, authenticate, descriptor, padded,
};
use rand_core::Rng;
use sha2::{Digest, Sha256};

const PIN: &str = "1234";
const NEW_PIN: &str = "98765";
const RP: &str = "example.org";
const MC: u64 = 0x01;
const CM: u64 = 0x04;

/// A key in use, and what must not be lost.
struct Used {
    key: Simulation,
    derived: Vec<u8>,
    kept: Vec<u8>,
}

/// What a key that starts after a cut has.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    has_derived: bool,
    has_kept: bool,
    is_old_pin: bool,
    is_new_pin: bool,
    retries: u8,
    sign_count: Option<u32>,
}

fn used() -> Used {
    let mut key = Simulation::new();
    let derived = Parameters::creation(RP).register(&mut key);
    let kept = discoverable(1).register(&mut key);
    key.set_pin(2, PIN).unwrap();
    key.restart(Start::PowerUp);
    Used { key, derived, kept }
}

fn discoverable(user: u8) -> Parameters {
    let account = cbor!({ "id" => Value::Bytes(vec![user]) }).unwrap();
    Parameters::creation(RP).with(3, account).with(7, cbor!({ "rk" => true }).unwrap())
}

impl Used {
    /// Runs `act` and gives every state that a cut in it could leave on the flash, in order, whole ones marked.
    fn cuts(&mut self, act: impl FnOnce(&mut Self)) -> Vec<Vec<u8>> {
        self.key.flash.record();
        act(self);
        let history = self.key.flash.take_history();
        let mut random = TestRandom(1);
        let mut cuts = vec![history.first().unwrap().clone()];
        for pair in history.windows(2) {
            let [before, after] = pair else { continue };
            cuts.extend((0..TORN).map(|_| torn(before, after, &mut random)));
            cuts.push(after.clone());
        }
        assert!(cuts.len() > 1, "nothing was written");
        cuts
    }

    /// Starts a key on what a cut left.
    fn start(&self, flash: Vec<u8>) -> Found {
        // Other bytes are drawn than at the first start, as a new secret must be another one.
        let (flash, random) = (RamFlash::with_content(flash), TestRandom(99));
        let mut key = Simulation::with_random(IDENTITY, flash, random, Start::PowerUp);
        assert_eq!(key.key.fault(), None);
        let has_derived = Parameters::assertion(RP, &[&self.derived]).assert(&mut key).is_ok();
        let kept = Parameters::assertion(RP, &[&self.kept]).assert(&mut key);
        let retries = key.pin_retries().0;
        let mut accepts = |pin| key.permitted_token(2, pin, MC, None).is_ok();
        let (is_old_pin, is_new_pin) = (accepts(PIN), accepts(NEW_PIN));
        let sign_count = kept.as_ref().ok().map(|auth_data| count(auth_data));
        let found =
            Found { has_derived, has_kept: kept.is_ok(), is_old_pin, is_new_pin, retries, sign_count };
        key.restart(Start::PowerUp);
        discoverable(200).with(3, cbor!({ "id" => Value::Bytes(vec![200]) }).unwrap()).create(&mut key).ok();
        assert_eq!(key.key.fault(), None, "the store goes on");
        found
    }

    fn token(&mut self, permissions: u64) -> Vec<u8> {
        self.key.permitted_token(2, PIN, permissions, None).unwrap()
    }
}

impl Found {
    fn assert_nothing_lost(&self) {
        assert!(self.has_derived && self.has_kept && self.is_old_pin, "{self:?}");
    }
}

fn count(auth_data: &[u8]) -> u32 {
    AuthData::parse(auth_data).unwrap().fixed.sign_count
}

/// `before`, with a random subset of the bits that the operation changes.
fn torn(before: &[u8], after: &[u8], random: &mut TestRandom) -> Vec<u8> {
    let mask = || random.next_u64().to_le_bytes();
    let masks = std::iter::repeat_with(mask).flatten();
    let bytes = before.iter().zip(after).zip(masks);
    bytes.map(|((old, new), mask)| if old == new { *old } else { (old & !mask) | (new & mask) }).collect()
}

#[test]
fn g26_a_registration_that_is_cut_leaves_the_new_credential_or_none_and_all_others() {
    let mut used = used();
    let token = used.token(MC);
    let cuts = used.cuts(|used| drop(discoverable(2).creation_by(2, &token).create(&mut used.key).unwrap()));
    for cut in cuts {
        let found = used.start(cut);
        found.assert_nothing_lost();
        assert_eq!(found.retries, 8);
    }
}

#[test]
fn g26_a_replacement_that_is_cut_leaves_the_old_credential_or_the_new_one_and_never_neither() {
    let mut used = used();
    let token = used.token(MC);
    let mut new = Vec::new();
    let cuts = used.cuts(|used| new = discoverable(1).creation_by(2, &token).register(&mut used.key));
    let both = |cut: Vec<u8>| {
        let mut key = Simulation::with(IDENTITY, RamFlash::with_content(cut), Start::PowerUp);
        [&used.kept, &new].map(|id| Parameters::assertion(RP, &[id]).assert(&mut key).is_ok())
    };
    let states: Vec<_> = cuts.into_iter().map(both).collect();
    assert!(states.iter().all(|[old, new]| old != new), "{states:?}");
    assert_eq!((states.first(), states.last()), (Some(&[true, false]), Some(&[false, true])));
}

#[test]
fn g28_a_counter_that_was_told_is_never_told_again_after_a_cut() {
    let mut used = used();
    let mut told = 0;
    let cuts = used.cuts(|used| {
        for _ in 0..200 {
            let auth_data = Parameters::assertion(RP, &[&used.kept]).assert(&mut used.key).unwrap();
            told = count(&auth_data);
        }
    });
    let last = used.start(cuts.last().unwrap().clone());
    assert!(last.sign_count.unwrap() > told);
    for cut in cuts {
        used.start(cut).assert_nothing_lost();
    }
}

#[test]
fn g26_a_first_pin_that_is_cut_is_set_or_not() {
    let mut key = Simulation::new();
    let derived = Parameters::creation(RP).register(&mut key);
    let kept = discoverable(1).register(&mut key);
    let mut used = Used { key, derived, kept };
    for cut in used.cuts(|used| used.key.set_pin(1, PIN).unwrap()) {
        let found = used.start(cut);
        assert!(found.has_derived && found.has_kept && !found.is_new_pin);
    }
}

#[test]
fn g26_a_pin_change_that_is_cut_leaves_one_pin_and_never_none() {
    let mut used = used();
    let cuts = used.cuts(|used| {
        let agreement = Agreement::new(&mut used.key, 2);
        used.key.client_pin(&agreement.changing(PIN, &padded(NEW_PIN))).unwrap();
    });
    let mut seen = (false, false);
    for cut in cuts {
        let found = used.start(cut);
        assert!(found.has_derived && found.has_kept);
        assert!(found.is_old_pin != found.is_new_pin, "{found:?}");
        assert!((7..=8).contains(&found.retries));
        seen = (seen.0 | found.is_old_pin, seen.1 | found.is_new_pin);
    }
    assert_eq!(seen, (true, true));
}

#[test]
fn g04_a_cut_regains_no_retry_and_a_wrong_pin_is_told_only_when_one_is_spent() {
    let mut used = used();
    let cuts = used.cuts(|used| {
        assert_eq!(used.key.permitted_token(2, NEW_PIN, MC, None).err(), Some(Status::PIN_INVALID));
    });
    let retries: Vec<_> = cuts.into_iter().map(|cut| used.start(cut).retries).collect();
    assert!(retries.is_sorted_by(|earlier, later| earlier >= later), "{retries:?}");
    assert_eq!((retries.first(), retries.last()), (Some(&8), Some(&7)));
}

#[test]
fn g26_a_deletion_that_is_cut_has_happened_or_not_and_takes_nothing_else() {
    let mut used = used();
    let token = used.token(CM);
    let cuts = used.cuts(|used| {
        let parameters = Parameters::default().with(2, descriptor(&used.kept)).value();
        let mut message = vec![6];
        ciborium::into_writer(&parameters, &mut message).unwrap();
        let request = Parameters::default().with(1, 6).with(2, parameters).with(3, 2);
        let request = request.with(4, authenticate(2, &token, &message));
        used.key.cbor(0x0a, Some(request.value())).unwrap();
    });
    let kept: Vec<_> = cuts
        .into_iter()
        .map(|cut| {
            let found = used.start(cut);
            assert!(found.has_derived && found.is_old_pin && found.retries == 8);
            found.has_kept
        })
        .collect();
    assert_eq!((kept.first(), kept.last()), (Some(&true), Some(&false)));
}

#[test]
fn g26_an_update_of_a_user_that_is_cut_keeps_the_credential() {
    let mut used = used();
    let token = used.token(CM);
    let cuts = used.cuts(|used| {
        let user = cbor!({ "id" => Value::Bytes(vec![1]), "name" => "renamed" }).unwrap();
        let parameters = Parameters::default().with(2, descriptor(&used.kept)).with(3, user).value();
        let mut message = vec![7];
        ciborium::into_writer(&parameters, &mut message).unwrap();
        let request = Parameters::default().with(1, 7).with(2, parameters).with(3, 2);
        let request = request.with(4, authenticate(2, &token, &message));
        used.key.cbor(0x0a, Some(request.value())).unwrap();
    });
    cuts.into_iter().for_each(|cut| used.start(cut).assert_nothing_lost());
}

#[test]
fn g04_a_right_pin_that_is_cut_restores_the_retries_or_has_spent_one() {
    let mut used = used();
    assert!(used.key.permitted_token(2, NEW_PIN, MC, None).is_err());
    let cuts = used.cuts(|used| drop(used.token(MC)));
    let retries: Vec<_> = cuts.into_iter().map(|cut| used.start(cut).retries).collect();
    assert!(retries.iter().all(|retries| (6..=8).contains(retries)), "{retries:?}");
    assert_eq!((retries.first(), retries.iter().min(), retries.last()), (Some(&7), Some(&6), Some(&8)));
}

#[test]
fn g28_a_cut_in_u2f_loses_nothing_and_the_counter_only_rises() {
    let mut used = used();
    let application = Sha256::digest(RP);
    // An authentication that enforces presence, with the key handle of CTAP2's credential.
    let length = u8::try_from(65 + used.derived.len()).unwrap();
    let head = [&[0, 2, 3, 0, length][..], &[7; 32], &application, &[length - 65]].concat();
    let apdu = [&head[..], &used.derived].concat();
    let mut told = 0;
    let cuts = used.cuts(|used| {
        for _ in 0..70 {
            let channel = used.key.channel();
            assert_eq!(used.key.transact_on(channel, Command::MSG, &apdu).unwrap(), [0x69, 0x85]);
            used.key.advance(100);
            used.key.key.touch(used.key.now);
            let answer = used.key.transact_on(channel, Command::MSG, &apdu).unwrap();
            told = u32::from_be_bytes(answer[1..5].try_into().unwrap());
        }
    });
    let found: Vec<_> = cuts.into_iter().map(|cut| used.start(cut)).collect();
    found.iter().for_each(Found::assert_nothing_lost);
    let counts: Vec<_> = found.iter().map(|found| found.sign_count.unwrap()).collect();
    assert!(counts.is_sorted() && counts.last() > Some(&told), "{counts:?}, {told} was told");
}

#[test]
fn g01_a_reset_that_is_cut_has_not_begun_or_is_finished_at_the_next_start() {
    let mut used = used();
    let cuts = used.cuts(|used| drop(used.key.cbor(0x07, None).unwrap()));
    let mut is_wiped = false;
    for cut in cuts {
        let found = used.start(cut);
        let is_old = found.has_derived && found.has_kept && found.is_old_pin;
        let is_new = !found.has_derived && !found.has_kept && !found.is_old_pin && found.retries == 8;
        assert!(is_old != is_new, "{found:?}");
        assert!(is_new || !is_wiped, "what was wiped came back: {found:?}");
        is_wiped |= is_new;
    }
    assert!(is_wiped);
}

/// Torn states for each operation.
const TORN: usize = 4;
