//! The shapes of `--json` are those of `JSON.md`: each example there is held against a real run.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{Key, Ran, keywright};

const DOCUMENT: &str = include_str!("../../JSON.md");

/// The examples of the document by the heading above each: `keywright pin set`.
fn examples() -> BTreeMap<String, Value> {
    let mut examples = BTreeMap::new();
    for section in DOCUMENT.split("\n### `").skip(1) {
        let (name, rest) = section.split_once('`').unwrap();
        let example = rest.split_once("```json\n").unwrap().1.split_once("\n```").unwrap().0;
        examples.insert(name.to_owned(), serde_json::from_str(example).unwrap());
    }
    examples
}

/// Where two values differ in shape. `null` stands for a value that may be there, and an empty list for any list.
fn difference(path: &str, expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Object(expected), Value::Object(found)) => {
            let is_open = path.ends_with("options") || path.ends_with("certifications");
            let names = |object: &serde_json::Map<_, _>| object.keys().cloned().collect::<Vec<String>>();
            if !is_open && names(expected) != names(found) {
                return Some(format!("{path}: {:?} is not {:?}", names(found), names(expected)));
            }
            expected
                .iter()
                .find_map(|(name, value)| difference(&format!("{path}.{name}"), value, found.get(name)?))
        }
        (Value::Array(expected), Value::Array(found)) => {
            let first = expected.first()?;
            found.iter().find_map(|item| difference(&format!("{path}[]"), first, item))
        }
        (Value::Bool(_), Value::Bool(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_)) => None,
        _ => Some(format!("{path}: {found} is not like {expected}")),
    }
}

#[test]
fn a_difference_of_shape_is_found() {
    let expected = serde_json::json!({ "a": [{ "b": 1 }], "options": { "x": true } });
    for other in [
        serde_json::json!({ "a": [{ "b": 1 }] }),
        serde_json::json!({ "a": [{ "b": "1" }], "options": {} }),
        serde_json::json!({ "a": [{ "b": 1, "c": 1 }], "options": {} }),
        serde_json::json!({ "a": {}, "options": {} }),
        serde_json::json!({ "a": [], "options": { "x": 1 } }),
    ] {
        assert!(difference("", &expected, &other).is_some(), "{other}");
    }
    assert_eq!(difference("", &expected, &serde_json::json!({ "a": [], "options": { "y": false } })), None);
}

#[test]
fn every_example_of_the_document_has_the_shape_of_a_real_run() {
    let key = Key::with_pin();
    let fresh = Key::new();
    let pin = [("PIN", "1234"), ("NEW", "56789"), ("WRONG", "0000")];
    let file = key.folder.text("cred.json");
    let run = |words: &[&str]| key.run_with(&pin, words);
    let mut runs: BTreeMap<&str, Ran> = BTreeMap::new();
    let words =
        ["register", "--rp", "example.org", "--user", "ada", "--resident", "-o", &file, "--pin-env", "PIN"];
    runs.insert("keywright register", run(&words));
    let id = runs["keywright register"].ok()["credential_id"].as_str().unwrap().to_owned();
    runs.insert("keywright list", keywright(&["list", "--json"]));
    runs.insert("keywright info", run(&["info"]));
    runs.insert("keywright authenticate", run(&["authenticate", &file]));
    runs.insert("keywright pin retries", run(&["pin", "retries"]));
    runs.insert("keywright credentials list", run(&["credentials", "list", "--pin-env", "PIN"]));
    let words = ["credentials", "rename", &id, "--name", "eve", "--pin-env", "PIN"];
    runs.insert("keywright credentials rename", run(&words));
    runs.insert(
        "keywright credentials delete",
        run(&["credentials", "delete", &id, "--yes", "--pin-env", "PIN"]),
    );
    let words = ["pin", "change", "--pin-env", "PIN", "--new-pin-env", "NEW"];
    runs.insert("keywright pin change", run(&words));
    runs.insert("keywright select", run(&["select"]));
    runs.insert("keywright wink", run(&["wink"]));
    runs.insert("keywright pin set", fresh.run_with(&pin, &["pin", "set", "--new-pin-env", "PIN"]));
    runs.insert("a failure", run(&["credentials", "list", "--pin-env", "WRONG"]));
    let mut shapes: BTreeMap<_, _> =
        runs.iter().map(|(name, ran)| ((*name).to_owned(), parsed(ran))).collect();
    fresh.hand("power-cycle");
    shapes.insert("keywright reset".to_owned(), parsed(&fresh.run(&["reset", "--yes"])));
    shapes.insert("keywright emulate".to_owned(), fresh.first());
    let doctor = keywright(&["doctor", "--json"]);
    // It depends on the machine whether something is missing.
    assert_eq!(doctor.code, Some(i32::from(doctor.json()["ready"] != true)), "{doctor:?}");
    shapes.insert("keywright doctor".to_owned(), doctor.json());
    let image = key.folder.text("image");
    let installed = keywright(&["doctor", "--install-udev-rule", "--root", &image, "--json"]);
    shapes.insert("keywright doctor --install-udev-rule".to_owned(), installed.ok());
    #[cfg(feature = "iam")]
    shapes.extend(local_iam());
    #[cfg(feature = "iam")]
    shapes.extend(logins());
    #[cfg(feature = "iam")]
    shapes.extend(second_factors());
    #[cfg(all(feature = "emulator", feature = "iam"))]
    shapes.insert("keywright demo".to_owned(), parsed(&keywright(&["demo", "--json"])));

    let examples = examples();
    for (name, example) in &examples {
        let needs_iam = ["keywright iam", "keywright totp", "keywright demo"];
        if cfg!(not(feature = "iam")) && needs_iam.iter().any(|begin| name.starts_with(begin)) {
            continue;
        }
        let Some(shape) = shapes.get(name) else { panic!("`{name}` is in the document and was not run") };
        assert_eq!(difference(name, example, shape), None);
    }
    for name in shapes.keys() {
        assert!(examples.contains_key(name), "`{name}` is not in the document");
    }
}

#[cfg(feature = "iam")]
fn local_iam() -> [(String, Value); 4] {
    let folder = crate::harness::Folder::new();
    let (data, file, copy) = (folder.text("data"), folder.text("tokens.csv"), folder.text("copy.sqlite"));
    std::fs::write(&file, "serial,seed_base32\nGAKT12345678,GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n").unwrap();
    let serving = crate::harness::Serving::start(&["iam", "serve", "--data", &data, "--json"]);
    let run = |words: &[&str]| parsed(&keywright(&[words, &["--data", &data, "--json"]].concat()));
    [
        ("keywright iam serve".to_owned(), serving.json()),
        ("keywright iam tokens import".to_owned(), run(&["iam", "tokens", "import", &file])),
        ("keywright iam tokens list".to_owned(), run(&["iam", "tokens", "list"])),
        ("keywright iam backup".to_owned(), run(&["iam", "backup", &copy])),
    ]
}

#[cfg(feature = "iam")]
fn logins() -> [(String, Value); 4] {
    let world = crate::login::World::new();
    [
        ("keywright iam login", world.log_in(&[])),
        ("keywright iam login --configure", world.log_in(&["--configure", "ann"])),
        ("keywright iam login --show", world.log_in(&["--show", "ann"])),
        ("keywright iam logout", world.log_out()),
    ]
    .map(|(name, ran)| (name.to_owned(), parsed(&ran)))
}

/// What the authenticator app and the commands on MFA devices answer.
#[cfg(feature = "iam")]
fn second_factors() -> BTreeMap<String, Value> {
    let iam = crate::enrol::Iam::new();
    let mut shapes = BTreeMap::new();
    let mut run = |name: &str, words: &[&str]| {
        shapes.insert(format!("keywright {name}"), parsed(&iam.run(words)));
    };
    let (serial, from, to) = (iam.serial("phone"), iam.folder.text("from"), iam.folder.text("to"));
    std::fs::write(&from, "otpauth://totp/Example:ada?secret=GEZDGNBVGY3TQOJQ&issuer=Example").unwrap();
    run("iam enrol", &["iam", "enrol", "phone", "--totp", "--no-passphrase"]);
    run("iam devices list", &["iam", "devices", "list"]);
    run("iam devices report", &["iam", "devices", "report"]);
    run("iam session", &["iam", "session", "--serial", &serial]);
    run("totp add", &["totp", "add", "--from", &from]);
    run("totp code", &["totp", "code", "ada"]);
    run("totp list", &["totp", "list"]);
    run("totp export", &["totp", "export", "ada", "--yes", "--output", &to]);
    run("totp remove", &["totp", "remove", "ada", "--yes"]);
    run("iam devices remove", &["iam", "devices", "remove", &serial, "--yes"]);
    iam.run(&["totp", "remove", &format!("phone@{}", iam.member("account")), "--yes"]).ok();
    iam.enrol("phone").ok();
    run("iam devices resync", &["iam", "devices", "resync", &serial]);
    shapes
}

fn parsed(ran: &Ran) -> Value {
    assert!(matches!(ran.code, Some(0 | 5)), "{ran:?}");
    serde_json::from_str(&ran.stdout).unwrap()
}
