//! PINs: where they come from, and what keys say of them.

use std::fs;
use std::process::{Command, Stdio};

use crate::harness::{KEYWRIGHT, Key, Ran};

fn list(key: &Key, pin: &str) -> Ran {
    key.run_with(&[("PIN", pin)], &["credentials", "list", "--pin-env", "PIN"])
}

#[test]
fn a_pin_comes_from_the_environment_or_from_a_descriptor() {
    let key = Key::new();
    assert_eq!(key.run_fed(b"1234\n", &["pin", "set", "--new-pin-fd", "0"]).ok()["done"], "pin_set");
    list(&key, "1234").ok();
    key.run_fed(b"1234\n56789\n", &["pin", "change", "--pin-fd", "0", "--new-pin-fd", "0"]).ok();
    list(&key, "56789").ok();
    key.run_fed(b"56789", &["credentials", "list", "--pin-fd", "0"]).ok();
}

#[test]
fn a_pin_comes_from_any_descriptor_that_is_a_file_or_a_pipe() {
    let key = Key::with_pin();
    let file = key.folder.path("pin");
    fs::write(&file, "1234\n").unwrap();
    for redirection in ["7< \"$2\"", "7<<END\n1234\nEND\n"] {
        let script = format!("\"$0\" credentials list --device \"$1\" --pin-fd 7 {redirection}");
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(script).arg(KEYWRIGHT).arg(key.device()).arg(&file);
        assert!(
            shell.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap().success(),
            "{redirection}"
        );
    }
}

#[test]
fn a_wrong_pin_costs_one_try_and_is_not_sent_again() {
    let key = Key::with_pin();
    let error = list(&key, "9999").failed(5, "pin");
    assert_eq!((&error["retries"], &error["status"]["name"]), (&7.into(), &"PIN_INVALID".into()));
    assert_eq!(key.run(&["pin", "retries"]).ok()["retries"], 7);
    list(&key, "1234").ok();
    assert_eq!(key.run(&["pin", "retries"]).ok()["retries"], 8);
}

#[test]
fn three_wrong_pins_block_the_right_one_until_the_key_is_plugged_in_again() {
    let key = Key::with_pin();
    for _ in 0..3 {
        list(&key, "9999").failed(5, "pin");
    }
    let error = list(&key, "1234").failed(5, "pin");
    assert_eq!(error["status"]["name"], "PIN_AUTH_BLOCKED");
    let retries = key.run(&["pin", "retries"]).ok();
    assert_eq!((&retries["retries"], &retries["power_cycle_needed"]), (&5.into(), &true.into()));
    assert_eq!(key.hand("power-cycle")["changed"], true);
    list(&key, "1234").ok();
}

#[test]
fn a_pin_that_is_needed_and_not_given_is_asked_for_nowhere_but_at_a_terminal() {
    let key = Key::with_pin();
    for words in [&["credentials", "list"][..], &["pin", "change"]] {
        // A session of its own has no terminal, whatever the tests were started from.
        let mut command = Command::new("setsid");
        command.arg("--wait").arg(KEYWRIGHT).args(words).args(["--device", &key.device(), "--json"]);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{output:?}");
        let words = String::from_utf8(output.stdout).unwrap();
        assert!(words.contains("--pin-fd or --pin-env"), "{words}");
    }
}

#[test]
fn what_needs_a_pin_says_so_on_a_key_without_one() {
    let key = Key::new();
    let file = key.folder.text("cred.json");
    for words in [
        &["credentials", "list"][..],
        &["pin", "change"],
        &["register", "--rp", "example.org", "--user", "ada", "--uv", "-o", &file],
    ] {
        let error = key.run(words).failed(5, "pin");
        assert!(error["message"].as_str().unwrap().contains("set one first"), "{error}");
    }
    assert_eq!(key.folder.names(), ["control"]);
}

#[test]
fn a_pin_is_set_once_and_then_changed() {
    let key = Key::with_pin();
    let set = key.run_with(&[("PIN", "5678")], &["pin", "set", "--new-pin-env", "PIN"]);
    assert!(set.failed(9, "state")["message"].as_str().unwrap().contains("pin change"));
    let words = ["pin", "change", "--pin-env", "PIN", "--new-pin-env", "NEW"];
    let error = key.run_with(&[("PIN", "5678"), ("NEW", "2345")], &words).failed(5, "pin");
    assert_eq!(error["retries"], 7);
    list(&key, "1234").ok();
}

#[test]
fn pins_that_no_key_would_take_are_not_sent() {
    let key = Key::new();
    let long = "1".repeat(64);
    for pin in ["123", &long, "ééé"] {
        key.run_with(&[("PIN", pin)], &["pin", "set", "--new-pin-env", "PIN"]).failed(5, "pin");
    }
    assert_eq!(key.run(&["pin", "retries"]).ok()["pin_set"], false);
    for words in [
        &["pin", "set", "--new-pin-env", "THERE_IS_NO_SUCH_NAME"][..],
        &["pin", "set", "--new-pin-fd", "987"],
    ] {
        key.run(words).failed(2, "usage");
    }
    key.run_fed(b"", &["pin", "set", "--new-pin-fd", "0"]).failed(2, "usage");
    key.run_fed(b"\xff\xff\xff\xff\n", &["pin", "set", "--new-pin-fd", "0"]).failed(2, "usage");
}

#[test]
fn a_pin_is_no_argument() {
    let key = Key::new();
    for words in [
        &["pin", "set", "1234"][..],
        &["pin", "set", "--new-pin", "1234"],
        &["pin", "change", "--pin", "1234"],
    ] {
        key.run(words).failed(2, "usage");
    }
}

#[test]
fn the_pin_verifies_the_user_where_that_is_asked_for_and_only_there() {
    let key = Key::with_pin();
    assert_eq!(key.register("a", &[]).ok()["user_verified"], false, "no PIN is asked for");
    assert_eq!(key.register("b", &["--uv", "--pin-env", "PIN"]).ok()["user_verified"], true);
    let words = ["authenticate", &key.folder.text("a"), "--uv", "--pin-env", "PIN"];
    assert_eq!(key.run_with(&[("PIN", "1234")], &words).ok()["user_verified"], true);
    let words = ["authenticate", &key.folder.text("b")];
    assert_eq!(key.run(&words).ok()["user_verified"], false);
}
