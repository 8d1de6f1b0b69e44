use std::cell::Cell;
use std::rc::Rc;

use keywright_common::ctaphid::{ChannelId, Report};

use super::*;
use crate::testing::{Script, reports};

const OWN: ChannelId = ChannelId(3);

#[derive(Default)]
struct Listener {
    touches: usize,
    cancel_at: Option<usize>,
    looks: Cell<usize>,
}

impl Interaction for Listener {
    fn touch_needed(&mut self) {
        self.touches += 1;
    }

    fn is_cancelled(&mut self) -> bool {
        self.looks.set(self.looks.get() + 1);
        self.cancel_at.is_some_and(|at| self.looks.get() > at)
    }
}

/// A CTAP2 key that sends keepalives, and is touched after `keepalives` of them if `status` says so.
fn ctap2(keepalives: usize, status: Option<u8>) -> Authenticator<Script> {
    let mut script = Script::new(OWN, 0x04);
    script.answer_cbor(&[0, 0xa1, 1, 0x81, 0x68, b'F', b'I', b'D', b'O', b'_', b'2', b'_', b'1']);
    script.answer_slowly(reports(OWN, Command::KEEPALIVE, &[2]).repeat(keepalives), REST / 4);
    script.then(status.map_or_else(Vec::new, |status| reports(OWN, Command::CBOR, &[status])));
    script.on_cancel(reports(OWN, Command::CBOR, &[0x2d]));
    Authenticator::open(script).unwrap()
}

/// A U2F key that is touched at the `polls`-th question.
fn u2f(polls: usize) -> (Authenticator<Script>, Rc<Cell<usize>>) {
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    let script = Script::responding(0, move |_, _| {
        count.set(count.get() + 1);
        if count.get() < polls { vec![0x69, 0x85] } else { vec![0x90, 0] }
    });
    (Authenticator::open(script).unwrap(), asked)
}

fn cancels(key: &mut Authenticator<Script>) -> usize {
    let is_cancel = |report: &&Report| report[4] == 0x91;
    key.channel_mut().transport_mut().sent().iter().filter(is_cancel).count()
}

#[test]
fn the_first_touched_wins_and_the_others_are_cancelled_and_fit_for_use() {
    let mut keys = [ctap2(600, None), ctap2(5, Some(0)), ctap2(600, None)];
    let mut user = Listener::default();
    assert_eq!(choose(&mut keys, &mut user).unwrap(), 1);
    assert_eq!(user.touches, 1, "the user is told once");
    assert_eq!(keys.each_mut().map(cancels), [1, 0, 1]);
    assert!(keys.iter_mut().all(|key| !key.channel_mut().is_waiting()));
}

#[test]
fn a_u2f_key_and_a_ctap2_key_race_by_the_same_rules() {
    let (legacy, asked) = u2f(3);
    let mut keys = [ctap2(600, None), legacy];
    assert_eq!(choose(&mut keys, &mut Listener::default()).unwrap(), 1);
    assert_eq!(asked.get(), 3);
    assert_eq!(cancels(&mut keys[0]), 1);
    let (legacy, _) = u2f(usize::MAX);
    let mut keys = [legacy, ctap2(4, Some(0))];
    assert_eq!(choose(&mut keys, &mut Listener::default()).unwrap(), 1);
}

#[test]
fn a_key_that_fails_leaves_the_race_to_the_others() {
    let mut gone = ctap2(600, None);
    gone.channel_mut().transport_mut().unplug();
    let mut keys = [gone, ctap2(1, Some(0x2f)), ctap2(9, Some(0))];
    assert_eq!(choose(&mut keys, &mut Listener::default()).unwrap(), 2);
}

#[test]
fn when_no_key_is_left_the_last_one_says_why() {
    let mut gone = ctap2(600, None);
    gone.channel_mut().transport_mut().unplug();
    let mut keys = [gone, ctap2(3, Some(0x2f))];
    let error = choose(&mut keys, &mut Listener::default()).unwrap_err();
    assert_eq!(error.status(), Some(Status::USER_ACTION_TIMEOUT));
}

#[test]
fn a_user_who_cancels_cancels_every_key() {
    let (legacy, _) = u2f(usize::MAX);
    let mut keys = [ctap2(600, None), legacy, ctap2(600, None)];
    let mut user = Listener { cancel_at: Some(20), ..Listener::default() };
    assert!(matches!(choose(&mut keys, &mut user), Err(ClientError::Cancelled)));
    assert_eq!(keys.each_mut().map(cancels), [1, 0, 1]);
}

#[test]
fn one_key_is_not_asked_and_none_is_an_error() {
    let mut keys = [ctap2(600, None)];
    let before = keys[0].channel_mut().transport_mut().sent().len();
    assert_eq!(choose(&mut keys, &mut Listener::default()).unwrap(), 0);
    assert_eq!(keys[0].channel_mut().transport_mut().sent().len(), before);
    let mut none: [Authenticator<Script>; 0] = [];
    assert!(matches!(choose(&mut none, &mut Listener::default()), Err(ClientError::NoKey)));
}
