//! Touches: asked for, declined, cancelled, and a choice among several keys.

use std::fs;
use std::sync::mpsc::channel;
use std::time::Duration;

use crate::harness::{Key, begin, finish, send};

#[test]
fn what_the_user_declines_is_not_done() {
    let key = Key::touched_by("deny");
    let file = key.folder.text("cred.json");
    for words in [
        &["register", "--rp", "example.org", "--user", "ada", "-o", &file][..],
        &["select"],
        &["reset", "--yes"],
    ] {
        let error = key.run(words).failed(4, "user");
        assert_eq!(error["status"]["name"], "OPERATION_DENIED", "{error}");
    }
    assert_eq!(key.folder.names(), ["control"], "no file, and none beside it");
}

#[test]
fn a_touch_is_asked_for_in_words_and_waited_for() {
    let key = Key::touched_by("manual");
    let child = key.begin(&["select"]);
    key.wait_for_wish();
    assert_eq!(key.hand("touch")["changed"], true);
    let ran = finish(child);
    assert_eq!(ran.ok()["device"], key.device());
    assert_eq!(ran.stderr, "Touch the key.\n");
}

#[test]
fn ctrl_c_cancels_the_touch_at_the_key_too() {
    for signal in ["INT", "TERM"] {
        let key = Key::touched_by("manual");
        let child = key.begin(&["select"]);
        key.wait_for_wish();
        send(signal, child.id());
        // A touch that does not come in time is the same kind of failure, with the key's own status.
        let error = finish(child).failed(4, "user");
        assert_eq!(error["message"], "cancelled: nothing was done", "{error}");
        assert_eq!(error.get("status"), None, "{error}");
        assert_eq!(key.hand("state")["state"]["indication"], "idle");
    }
}

#[test]
fn a_key_that_is_unplugged_while_it_waits_is_gone() {
    let key = Key::with(&["--ephemeral", "--touch", "manual", "--tcp", "127.0.0.1:0"]);
    let device = key.tcp_device();
    let child = begin(&["select", "--device", &device, "--json"]);
    key.wait_for_wish();
    key.hand("unplug");
    let error = finish(child).failed(3, "device");
    assert!(error["message"].as_str().unwrap().contains("is gone"), "{error}");
}

#[test]
fn of_several_keys_the_touched_one_is_chosen_and_the_others_let_go() {
    let keys = [Key::touched_by("manual"), Key::touched_by("manual"), Key::touched_by("manual")];
    for chosen in [1, 0, 2] {
        let devices: Vec<_> = keys.iter().flat_map(|key| ["--device".to_owned(), key.device()]).collect();
        let words: Vec<_> = ["select".to_owned(), "--json".to_owned()].into_iter().chain(devices).collect();
        let child = begin(&words);
        keys.iter().for_each(Key::wait_for_wish);
        assert_eq!(keys[chosen].hand("touch")["changed"], true);
        let ran = finish(child);
        assert_eq!(ran.ok()["device"], keys[chosen].device());
        assert!(ran.stderr.contains("There are several keys"), "{ran:?}");
        assert_eq!(ran.stderr.lines().count(), 1, "it is said once");
        for key in &keys {
            assert_eq!(key.hand("state")["state"]["indication"], "idle");
        }
    }
}

#[test]
fn a_reset_deletes_everything_within_its_time_and_nothing_later() {
    let key = Key::with_pin();
    key.register("cred.json", &["--resident", "--pin-env", "PIN"]).ok();
    key.run(&["reset"]).failed(2, "usage");
    // The key's own clock is the real one here. What is waited for is that its window closes, 10 s after its power-up.
    let powered = key.hand("state")["state"]["powered_ms"].as_u64().unwrap();
    let (_never, silence) = channel::<()>();
    assert!(silence.recv_timeout(Duration::from_millis(10_050_u64.saturating_sub(powered))).is_err());
    let error = key.run(&["reset", "--yes"]).failed(9, "state");
    assert_eq!(error["status"]["name"], "NOT_ALLOWED");
    assert!(error["message"].as_str().unwrap().contains("plug it in again"), "{error}");
    key.run(&["authenticate", &key.folder.text("cred.json")]).ok();

    key.hand("power-cycle");
    assert_eq!(key.run(&["reset", "--yes"]).ok()["done"], "reset");
    key.run(&["authenticate", &key.folder.text("cred.json")]).failed(7, "no_credential");
    assert_eq!(key.run(&["pin", "retries"]).ok()["pin_set"], false);
    assert!(fs::exists(key.folder.path("cred.json")).unwrap());
}
