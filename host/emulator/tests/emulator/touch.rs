//! Who touches the key.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use keywright_common::ctaphid::{ChannelId, Command};
use keywright_emulator::{Answer, Emulator, Indication, Options, Prompt, Running, Stopped, TouchPolicy};

use crate::wire::{self, Memory, PATIENCE, open, response, transact};

const SELECTION: [u8; 1] = [0x0b];
const OK: (Command, [u8; 1]) = (Command::CBOR, [0]);
const DENIED: (Command, [u8; 1]) = (Command::CBOR, [0x27]);
const CANCELLED: (Command, [u8; 1]) = (Command::CBOR, [0x2d]);

fn start(touch: TouchPolicy) -> (Running, Memory, ChannelId) {
    let running = Emulator::start(Options { touch, ..Options::default() }).unwrap();
    let mut host = running.handle().connect().unwrap();
    let channel = open(&mut host);
    (running, host, channel)
}

fn select(host: &mut Memory, channel: ChannelId) -> (Command, Vec<u8>) {
    transact(host, channel, Command::CBOR, &SELECTION)
}

/// Begins a request and waits until the key says that it wants a touch.
fn begin(host: &mut Memory, channel: ChannelId) {
    wire::send(host, channel, Command::CBOR, &SELECTION);
    assert_eq!(wire::receive(host, channel), (Command::KEEPALIVE, vec![2]));
}

fn is(answer: (Command, Vec<u8>), expected: (Command, [u8; 1])) {
    assert_eq!(answer, (expected.0, expected.1.to_vec()));
}

#[test]
fn auto_touches_every_request_after_the_key_has_said_that_it_waits() {
    let (_running, mut host, channel) = start(TouchPolicy::Auto);
    for _ in 0..20 {
        begin(&mut host, channel);
        is(response(&mut host, channel), OK);
    }
}

#[test]
fn deny_declines_every_request() {
    let (_running, mut host, channel) = start(TouchPolicy::Deny);
    is(select(&mut host, channel), DENIED);
    is(select(&mut host, channel), DENIED);
}

#[test]
fn after_touches_when_the_time_has_passed_and_not_before() {
    let (_running, mut host, channel) = start(TouchPolicy::After(Duration::from_millis(150)));
    let begun = Instant::now();
    is(select(&mut host, channel), OK);
    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[test]
fn after_does_not_touch_the_next_request_too_early() {
    let (_running, mut host, channel) = start(TouchPolicy::After(Duration::from_millis(300)));
    begin(&mut host, channel);
    wire::send(&mut host, channel, Command::CANCEL, &[]);
    is(response(&mut host, channel), CANCELLED);
    let begun = Instant::now();
    is(select(&mut host, channel), OK);
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[test]
fn manual_waits_for_the_hand() {
    let (running, mut host, channel) = start(TouchPolicy::Manual);
    let handle = running.handle();
    begin(&mut host, channel);
    assert_eq!(handle.state().unwrap().indication, Indication::TouchWanted);
    assert!(handle.touch().unwrap());
    is(response(&mut host, channel), OK);
    begin(&mut host, channel);
    assert!(handle.decline().unwrap());
    is(response(&mut host, channel), DENIED);
}

#[test]
fn a_touch_that_nobody_waits_for_does_not_count_for_the_next_request() {
    let (running, mut host, channel) = start(TouchPolicy::Manual);
    assert!(!running.handle().touch().unwrap());
    begin(&mut host, channel);
    wire::send(&mut host, channel, Command::CANCEL, &[]);
    is(response(&mut host, channel), CANCELLED);
}

/// A user who is asked, and answers when the test says so.
fn user() -> (TouchPolicy, Receiver<Prompt>, Sender<Answer>) {
    let (asked, prompts) = channel();
    let (answer, answers) = channel();
    let ask = move |prompt: &Prompt| {
        asked.send(prompt.clone()).unwrap();
        answers.recv().unwrap_or(Answer::Nothing)
    };
    (TouchPolicy::Prompt(Box::new(ask)), prompts, answer)
}

#[test]
fn prompt_asks_the_user_once_for_each_request() {
    let (policy, prompts, answer) = user();
    let (_running, mut host, channel) = start(policy);
    for (said, expected) in [(Answer::Touch, OK), (Answer::Decline, DENIED)] {
        begin(&mut host, channel);
        let prompt = prompts.recv_timeout(PATIENCE).unwrap();
        assert!(prompt.is_wanted());
        answer.send(said).unwrap();
        is(response(&mut host, channel), expected);
        assert!(!prompt.is_wanted());
    }
    assert!(prompts.try_recv().is_err());
}

#[test]
fn an_answer_that_comes_too_late_does_not_touch_the_next_request() {
    let (policy, prompts, answer) = user();
    let (_running, mut host, channel) = start(policy);
    begin(&mut host, channel);
    let first = prompts.recv_timeout(PATIENCE).unwrap();
    wire::send(&mut host, channel, Command::CANCEL, &[]);
    is(response(&mut host, channel), CANCELLED);
    assert!(!first.is_wanted());
    begin(&mut host, channel);
    // The user presses Enter under the first prompt, and then sees the second.
    answer.send(Answer::Touch).unwrap();
    prompts.recv_timeout(PATIENCE).unwrap();
    answer.send(Answer::Decline).unwrap();
    is(response(&mut host, channel), DENIED);
}

#[test]
fn the_words_for_a_policy_are_these_and_no_others() {
    let ask = || Box::new(|_: &Prompt| Answer::Nothing);
    for (words, shown) in [
        ("auto", "Auto"),
        ("deny", "Deny"),
        ("manual", "Manual"),
        ("prompt", "Prompt"),
        ("after=1500", "After(1.5s)"),
    ] {
        assert_eq!(format!("{:?}", TouchPolicy::parse(words, ask()).unwrap()), shown);
    }
    for words in ["", "Auto", "after", "after=", "after=x", "after=-1", "auto "] {
        let error = TouchPolicy::parse(words, ask()).unwrap_err().to_string();
        assert!(error.contains("after=MILLISECONDS"));
    }
}

#[test]
fn unplugging_ends_hosts_in_the_process_and_a_stopped_key_says_so() {
    let (running, host, _) = start(TouchPolicy::Manual);
    let handle = running.handle().clone();
    handle.unplug().unwrap();
    assert!(host.1.recv_timeout(PATIENCE).is_err());
    assert_eq!(handle.state().unwrap().powered_for, None);
    running.stop().unwrap();
    assert_eq!(handle.touch(), Err(Stopped));
    assert_eq!(handle.connect().err(), Some(Stopped));
}

#[test]
fn a_power_cycle_ends_the_request_that_waits() {
    let (running, mut host, channel) = start(TouchPolicy::Manual);
    begin(&mut host, channel);
    assert!(running.handle().power_cycle().unwrap());
    assert!(!running.handle().touch().unwrap());
    wire::assert_no_channel(&mut host, channel);
}

#[test]
fn g08_a_host_that_goes_takes_its_request_with_it_and_no_touch_is_wanted_for_it() {
    let (running, mut gone, channel) = start(TouchPolicy::Manual);
    let handle = running.handle();
    begin(&mut gone, channel);
    drop(gone);
    let begun = Instant::now();
    while handle.state().unwrap().indication != Indication::Idle {
        assert!(begun.elapsed() < PATIENCE, "the key goes on waiting for a host that is gone");
        std::thread::yield_now();
    }
    let mut next = handle.connect().unwrap();
    let channel = open(&mut next);
    begin(&mut next, channel);
    assert!(handle.touch().unwrap());
    is(response(&mut next, channel), OK);
}
