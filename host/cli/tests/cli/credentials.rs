//! Registering, authenticating, and the credentials on the key.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::harness::{Folder, Key, Ran, read_json};

fn authenticate(key: &Key, name: &str) -> Ran {
    key.run(&["authenticate", &key.folder.text(name)])
}

#[test]
fn a_credential_is_made_verified_and_proves_itself_with_a_counter_that_rises() {
    let key = Key::new();
    let made = key.register("cred.json", &[]).ok();
    assert_eq!((&made["verified"], &made["attestation"]), (&true.into(), &"packed_self".into()));
    let file = read_json(&key.folder.path("cred.json"));
    assert_eq!((&file["id"], &file["user"]), (&made["credential_id"], &made["user"]));
    for _ in 0..3 {
        let before = read_json(&key.folder.path("cred.json"))["sign_count"].as_u64().unwrap();
        let proof = authenticate(&key, "cred.json").ok();
        assert_eq!(proof["verified"], true);
        assert_eq!(proof["previous_sign_count"], before);
        assert!(proof["sign_count"].as_u64().unwrap() > before);
        assert_eq!(read_json(&key.folder.path("cred.json"))["sign_count"], proof["sign_count"]);
    }
    assert_eq!(key.folder.names(), ["control", "cred.json"]);
}

#[test]
fn every_algorithm_and_every_attestation_is_verified() {
    for (attestation, expected) in [("self", "packed_self"), ("basic", "packed"), ("none", "none")] {
        let key = Key::with(&["--ephemeral", "--touch", "auto", "--attestation", attestation]);
        for (algorithm, identifier) in [("es256", -7), ("eddsa", -8)] {
            let made = key.register("cred.json", &["--alg", algorithm, "--force"]).ok();
            assert_eq!((&made["attestation"], &made["algorithm"]), (&expected.into(), &identifier.into()));
            authenticate(&key, "cred.json").ok();
        }
    }
}

#[test]
fn the_file_is_private_and_is_not_replaced_unless_that_is_asked_for() {
    let key = Key::new();
    key.register("cred.json", &[]).ok();
    let path = key.folder.path("cred.json");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let before = fs::read(&path).unwrap();
    key.register("cred.json", &[]).failed(2, "usage");
    assert_eq!(fs::read(&path).unwrap(), before);
    key.register("cred.json", &["--force"]).ok();
    assert_ne!(fs::read(&path).unwrap(), before);
}

#[test]
fn no_credential_is_made_where_its_file_cannot_be() {
    let key = Key::with_pin();
    for name in ["there/is/no/folder", "."] {
        let ran = key.register(name, &["--resident", "--pin-env", "PIN"]);
        assert_ne!(ran.code, Some(0), "{ran:?}");
    }
    let list = key.run_with(&[("PIN", "1234")], &["credentials", "list", "--pin-env", "PIN"]).ok();
    assert_eq!(list["existing"], 0);
}

#[test]
fn a_link_to_the_file_stays_a_link_and_members_of_others_are_kept() {
    let key = Key::new();
    key.register("cred.json", &[]).ok();
    let path = key.folder.path("cred.json");
    let mut file = read_json(&path);
    file["note"] = "mine".into();
    fs::write(&path, file.to_string()).unwrap();
    symlink("cred.json", key.folder.path("link.json")).unwrap();
    let proof = authenticate(&key, "link.json").ok();
    assert!(fs::symlink_metadata(key.folder.path("link.json")).unwrap().is_symlink());
    let after = read_json(&path);
    assert_eq!((&after["note"], &after["sign_count"]), (&"mine".into(), &proof["sign_count"]));
}

#[test]
fn a_file_that_was_tampered_with_does_not_verify_and_is_left_as_it_is() {
    let key = Key::new();
    key.register("cred.json", &[]).ok();
    key.register("other.json", &[]).ok();
    let other = read_json(&key.folder.path("other.json"));
    let genuine = read_json(&key.folder.path("cred.json"));
    let cases: [(&str, serde_json::Value, i32, &str); 4] = [
        ("public_key", other["public_key"].clone(), 6, "verification"),
        ("sign_count", 100_000.into(), 6, "verification"),
        ("id", "AAECAwQF".into(), 7, "no_credential"),
        ("rp_id", "example.com".into(), 7, "no_credential"),
    ];
    for (member, value, code, kind) in cases {
        let mut file = genuine.clone();
        file[member] = value;
        fs::write(key.folder.path("bad.json"), file.to_string()).unwrap();
        authenticate(&key, "bad.json").failed(code, kind);
        assert_eq!(read_json(&key.folder.path("bad.json")), file, "{member}");
    }
}

#[test]
fn another_keys_credential_is_not_found() {
    let key = Key::new();
    let other = Key::new();
    key.register("cred.json", &[]).ok();
    let error = other.run(&["authenticate", &key.folder.text("cred.json")]).failed(7, "no_credential");
    assert_eq!(error["status"]["name"], "NO_CREDENTIALS");
}

#[test]
fn what_the_key_keeps_survives_a_kill() {
    let folder = Folder::new();
    let mut key = Key::kept(&folder.path("state"));
    key.run_with(&[("PIN", "1234")], &["pin", "set", "--new-pin-env", "PIN"]).ok();
    key.register("cred.json", &["--resident", "--pin-env", "PIN"]).ok();
    let before = authenticate(&key, "cred.json").ok();
    key.killed_and_restarted();
    let after = authenticate(&key, "cred.json").ok();
    assert!(after["sign_count"].as_u64().unwrap() > before["sign_count"].as_u64().unwrap());
    let list = key.run_with(&[("PIN", "1234")], &["credentials", "list", "--pin-env", "PIN"]).ok();
    assert_eq!(list["credentials"][0]["id"], after["credential_id"]);
    assert_eq!(fs::metadata(folder.path("state")).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn credentials_are_listed_renamed_and_deleted() {
    let key = Key::with_pin();
    let pin = [("PIN", "1234")];
    let mut ids = Vec::new();
    for (rp, user) in [("example.org", "ada"), ("example.com", "bob"), ("example.org", "eve")] {
        let file = key.folder.text(user);
        let words = ["register", "--rp", rp, "--user", user, "--resident", "-o", &file, "--pin-env", "PIN"];
        ids.push(key.run_with(&pin, &words).ok()["credential_id"].as_str().unwrap().to_owned());
    }
    let list = |more: &[&str]| {
        key.run_with(&pin, &[&["credentials", "list", "--pin-env", "PIN"], more].concat()).ok()
    };
    assert_eq!(list(&[])["credentials"].as_array().unwrap().len(), 3);
    assert_eq!(list(&["--rp", "example.org"])["credentials"].as_array().unwrap().len(), 2);
    assert_eq!(list(&["--rp", "nobody.example"])["credentials"].as_array().unwrap().len(), 0);

    let rename = ["credentials", "rename", "--pin-env", "PIN", &ids[1], "--display-name", "Bob B."];
    key.run_with(&pin, &rename).ok();
    let user = &list(&["--rp", "example.com"])["credentials"][0]["user"];
    assert_eq!((&user["name"], &user["display_name"]), (&"bob".into(), &"Bob B.".into()), "the name is kept");

    let delete = ["credentials", "delete", "--pin-env", "PIN", "--yes", &ids[0]];
    assert_eq!(key.run_with(&pin, &delete).ok()["credential"]["user"]["name"], "ada");
    key.run_with(&pin, &delete).failed(7, "no_credential");
    authenticate(&key, "ada").failed(7, "no_credential");
    authenticate(&key, "eve").ok();
    let unconfirmed = ["credentials", "delete", "--pin-env", "PIN", &ids[1]];
    key.run_with(&pin, &unconfirmed).failed(2, "usage");
    assert_eq!(list(&[])["existing"], 2);
}
