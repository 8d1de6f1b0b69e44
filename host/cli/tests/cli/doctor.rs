//! `keywright doctor`, on the images of machines.

use std::fs;

use crate::harness::{Folder, keywright};

#[test]
fn what_is_missing_is_an_answer_and_an_exit_code() {
    let machine = Folder::new();
    let root = machine.text("");
    let words = |purpose| ["doctor", purpose, "--root", &root, "--json"];
    let ran = keywright(&words("uhid"));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.json()["ready"], false);
    assert_eq!(ran.json()["findings"].as_array().unwrap().len(), 1);
    fs::create_dir_all(machine.path("dev")).unwrap();
    fs::write(machine.path("dev/uhid"), "").unwrap();
    assert_eq!(keywright(&words("uhid")).ok()["ready"], true);
    let text = keywright(&["doctor", "uhid", "--root", &root]);
    assert!(text.stdout.ends_with("Nothing is missing.\n"), "{text:?}");
}

#[test]
fn a_changed_rule_is_not_overwritten_without_being_told() {
    let machine = Folder::new();
    let root = machine.text("");
    let install = ["doctor", "--install-udev-rule", "--root", &root, "--json"];
    keywright(&install).ok();
    let rule = machine.path("etc/udev/rules.d/70-keywright.rules");
    fs::write(&rule, "# mine").unwrap();
    keywright(&install).failed(9, "state");
    assert_eq!(fs::read_to_string(&rule).unwrap(), "# mine");
    assert_eq!(keywright(&[&install[..], &["--replace"]].concat()).ok()["done"], "udev_rule_installed");
    keywright(&["doctor", "--replace", "--json"]).failed(2, "usage");
}
