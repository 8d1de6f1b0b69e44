//! The control socket.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use keywright_common::ctaphid::Command;
use keywright_emulator::{Emulator, Error, Options, Running, TouchPolicy};
use serde_json::{Value, json};

use crate::folder::Folder;
use crate::wire::{self, PATIENCE, open, response};

fn start(path: &Path) -> Result<Running, Error> {
    let options =
        Options { touch: TouchPolicy::Manual, control: Some(path.to_path_buf()), ..Options::default() };
    Emulator::start(options)
}

struct Hand(BufReader<UnixStream>);

impl Hand {
    fn new(path: &Path) -> Self {
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn say(&mut self, line: &str) -> Value {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
        self.answer()
    }

    fn answer(&mut self) -> Value {
        let mut answer = String::new();
        self.0.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    fn order(&mut self, word: &str) -> Value {
        self.say(&json!({ "do": word }).to_string())
    }

    fn is_closed(&mut self) -> bool {
        self.0.read(&mut [0]).unwrap() == 0
    }
}

#[test]
fn the_socket_is_private_and_goes_with_the_key() {
    let folder = Folder::new("control-mode");
    let path = folder.join("control");
    let running = start(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    let mut hand = Hand::new(&path);
    hand.order("state");
    running.stop().unwrap();
    assert!(!path.exists());
    assert!(hand.is_closed());
}

#[test]
fn touch_and_decline_answer_the_request_that_waits() {
    let folder = Folder::new("control-touch");
    let running = start(&folder.join("control")).unwrap();
    let mut hand = Hand::new(&folder.join("control"));
    let mut host = running.handle().connect().unwrap();
    let channel = open(&mut host);
    assert_eq!(hand.order("touch")["changed"], false);
    for (word, status) in [("touch", 0), ("decline", 0x27)] {
        wire::send(&mut host, channel, Command::CBOR, &[0x0b]);
        wire::receive(&mut host, channel);
        assert_eq!(hand.order("state")["state"]["indication"], "touch-wanted");
        let answer = hand.order(word);
        assert_eq!((&answer["done"], &answer["changed"]), (&json!(word), &json!(true)));
        assert_eq!(answer["state"]["plugged"], true);
        assert_eq!(response(&mut host, channel).1, [status]);
    }
}

#[test]
fn plug_and_unplug_change_what_they_say_and_only_once() {
    let folder = Folder::new("control-plug");
    let _running = start(&folder.join("control")).unwrap();
    let mut hand = Hand::new(&folder.join("control"));
    assert_eq!(hand.order("plug")["changed"], false);
    let gone = json!({ "plugged": false, "indication": "idle", "powered_ms": null });
    assert_eq!(hand.order("unplug"), json!({ "done": "unplug", "changed": true, "state": gone }));
    assert_eq!(hand.order("unplug"), json!({ "done": "unplug", "changed": false, "state": gone }));
    assert_eq!(hand.order("power-cycle")["changed"], false);
    assert_eq!(hand.order("wipe")["state"]["plugged"], false);
    let answer = hand.order("plug");
    assert_eq!(answer["changed"], true);
    assert!(answer["state"]["powered_ms"].as_u64().unwrap() < 1000);
}

#[test]
fn power_cycle_and_wipe_begin_anew() {
    let folder = Folder::new("control-power");
    let running = start(&folder.join("control")).unwrap();
    let mut hand = Hand::new(&folder.join("control"));
    let mut host = running.handle().connect().unwrap();
    for word in ["power-cycle", "wipe"] {
        let channel = open(&mut host);
        let answer = hand.order(word);
        assert_eq!((&answer["done"], &answer["changed"]), (&json!(word), &json!(true)));
        wire::assert_no_channel(&mut host, channel);
    }
}

#[test]
fn lines_that_are_not_understood_are_answered_with_the_reason_and_change_nothing() {
    let folder = Folder::new("control-lines");
    let running = start(&folder.join("control")).unwrap();
    let mut hand = Hand::new(&folder.join("control"));
    for (line, reason) in [
        ("", "no JSON"),
        ("touch", "no JSON"),
        ("{\"do\":\"wipe\"", "no JSON"),
        ("{\"do\":\"unplug\"} {}", "no JSON"),
        ("\"unplug\"", "an object like {\"do\":\"touch\"}"),
        ("[\"unplug\"]", "an object"),
        ("{}", "`do` is missing"),
        ("{\"do\":1}", "no string"),
        ("{\"do\":\"dance\"}", "`dance` is not known"),
        ("{\"do\":\"stop\"}", "`stop` is not known"),
        ("{\"do\":\"Unplug\"}", "`Unplug` is not known"),
        ("{\"do\":\"unplug\",\"after\":5}", "`after` is not known"),
    ] {
        let answer = hand.say(line);
        assert!(answer["error"].as_str().unwrap().contains(reason), "{line}: {answer}");
        assert_eq!(answer.as_object().unwrap().len(), 1);
    }
    assert!(running.handle().state().unwrap().plugged);
    assert_eq!(hand.order("state")["changed"], false);
}

#[test]
fn a_line_that_is_too_long_or_does_not_end_is_refused_and_the_connection_closed() {
    let folder = Folder::new("control-long");
    let running = start(&folder.join("control")).unwrap();
    let line = |length: usize| format!("{{\"do\":\"state\"}}{}", " ".repeat(length - 14));
    assert_eq!(Hand::new(&folder.join("control")).say(&line(1024))["done"], "state");
    let mut hand = Hand::new(&folder.join("control"));
    assert!(hand.say(&line(1025))["error"].as_str().unwrap().contains("1024 bytes"));
    let mut hand = Hand::new(&folder.join("control"));
    hand.0.get_mut().write_all(b"{\"do\":\"unplug\"}").unwrap();
    hand.0.get_mut().shutdown(Shutdown::Write).unwrap();
    assert!(hand.answer()["error"].as_str().unwrap().contains("line feed"));
    assert!(hand.is_closed());
    assert!(running.handle().state().unwrap().plugged);
}

#[test]
fn a_connection_that_says_nothing_keeps_nobody_out_and_too_many_are_closed() {
    let folder = Folder::new("control-many");
    let _running = start(&folder.join("control")).unwrap();
    let _idle: Vec<Hand> = (0..15).map(|_| Hand::new(&folder.join("control"))).collect();
    // It stays open: when the key would notice its end is not to be known.
    let mut last = Hand::new(&folder.join("control"));
    assert_eq!(last.order("state")["done"], "state");
    assert!(Hand::new(&folder.join("control")).is_closed());
    assert_eq!(last.order("state")["done"], "state");
}

#[test]
fn a_socket_that_a_killed_key_left_behind_is_replaced() {
    let folder = Folder::new("control-stale");
    let path = folder.join("control");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let _running = start(&path).unwrap();
    assert_eq!(Hand::new(&path).order("state")["done"], "state");
}

#[test]
fn a_socket_that_somebody_listens_to_is_left_alone() {
    let folder = Folder::new("control-live");
    let path = folder.join("control");
    let first = start(&path).unwrap();
    let error = start(&path).err().unwrap();
    assert!(matches!(error, Error::ControlInUse(_)), "{error}");
    assert_eq!(Hand::new(&path).order("state")["done"], "state");
    first.stop().unwrap();
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let folder = Folder::new("control-foreign");
    let path = folder.join("control");
    fs::write(&path, "mine").unwrap();
    let error = start(&path).err().unwrap();
    assert!(matches!(error, Error::ControlNotSocket(_)), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn a_name_that_is_not_ours_any_more_is_not_removed_and_the_key_still_ends() {
    let folder = Folder::new("control-renamed");
    let path = folder.join("control");
    let running = start(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "another's").unwrap();
    running.stop().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "another's");
}
