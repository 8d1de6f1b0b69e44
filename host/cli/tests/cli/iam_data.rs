//! `iam tokens`, `iam backup`, and the switches of `iam serve`.

use std::fs;

use serde_json::json;

use crate::harness::{Folder, Serving, keywright};

const CSV: &str = "serial,seed_hex\nGAKT12345678,3132333435363738393031323334353637383930\n";
const SEED: &str = "3132333435363738393031323334353637383930";

fn serve(data: &str) -> Serving {
    Serving::start(&["iam", "serve", "--data", data, "--json"])
}

#[test]
fn tokens_are_imported_and_listed_whether_the_iam_is_served_or_not() {
    let folder = Folder::new();
    let (data, file) = (folder.text("data"), folder.text("tokens.csv"));
    fs::write(&file, CSV).unwrap();
    let mut serving = serve(&data);
    let import = ["iam", "tokens", "import", &file, "--data", &data, "--json"];
    assert_eq!(keywright(&import).ok(), json!({"imported": 1, "already": 0}));
    serving.end("TERM");
    assert_eq!(keywright(&import).ok(), json!({"imported": 0, "already": 1}));
    let list = keywright(&["iam", "tokens", "list", "--data", &data, "--json"]).ok();
    assert_eq!(list, json!({"tokens": [{"serial": "GAKT12345678", "user": null}]}));
    let text = keywright(&["iam", "tokens", "list", "--data", &data]);
    assert!(text.stdout.contains("GAKT12345678  (nobody's)"), "{text:?}");
}

#[test]
fn a_file_of_tokens_that_cannot_be_used_is_refused_and_no_seed_is_shown() {
    let folder = Folder::new();
    let (data, file) = (folder.text("data"), folder.text("tokens.csv"));
    serve(&data).end("TERM");
    let import = ["iam", "tokens", "import", &file, "--data", &data, "--json"];
    keywright(&import).failed(2, "usage");
    for text in [
        "",
        "nonsense",
        "serial,seed_hex\n",
        &format!("serial,seed_hex\nshort,{SEED}\n"),
        &"A".repeat(5 << 20),
    ] {
        fs::write(&file, text).unwrap();
        let ran = keywright(&import);
        assert!(!ran.stdout.contains(SEED) && !ran.stderr.contains(SEED));
        ran.failed(2, "usage");
    }
    fs::write(&file, [0xff, 0xfe]).unwrap();
    keywright(&import).failed(2, "usage");
    let list = keywright(&["iam", "tokens", "list", "--data", &data, "--json"]).ok();
    assert_eq!(list, json!({"tokens": []}));
}

#[test]
fn a_folder_without_data_is_not_made() {
    let folder = Folder::new();
    let (data, file) = (folder.text("none"), folder.text("tokens.csv"));
    fs::write(&file, CSV).unwrap();
    keywright(&["iam", "tokens", "import", &file, "--data", &data, "--json"]).failed(2, "usage");
    keywright(&["iam", "tokens", "list", "--data", &data, "--json"]).failed(2, "usage");
    keywright(&["iam", "backup", &folder.text("copy"), "--data", &data, "--json"]).failed(2, "usage");
    assert!(!folder.path("none").exists() && !folder.path("copy").exists());
}

#[test]
fn a_backup_of_a_served_iam_is_a_database_that_serves() {
    let folder = Folder::new();
    let (data, copy) = (folder.text("data"), folder.text("copy.sqlite"));
    let serving = serve(&data);
    let backup = ["iam", "backup", &copy, "--data", &data, "--json"];
    assert_eq!(keywright(&backup).ok(), json!({"backup": copy}));
    // A file that is there is never replaced.
    keywright(&backup).failed(1, "other");
    let restored = folder.path("restored");
    fs::create_dir(&restored).unwrap();
    let mode = |mode| std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(&restored, mode(0o700)).unwrap();
    fs::copy(&copy, restored.join("iam.sqlite")).unwrap();
    fs::copy(folder.path("data").join("seal.key"), restored.join("seal.key")).unwrap();
    let again = serve(&folder.text("restored"));
    assert_eq!(again.json()["account"], serving.json()["account"]);
    assert_eq!(again.json()["secret_access_key"], serving.json()["secret_access_key"]);
}

#[test]
fn tls_is_asked_for_whole_and_its_files_are_looked_at() {
    let folder = Folder::new();
    let serve = |more: &[&str]| keywright(&[&["iam", "serve", "--ephemeral", "--json"], more].concat());
    serve(&["--tls-cert", "c.pem"]).failed(2, "usage");
    serve(&["--tls-key", "k.pem"]).failed(2, "usage");
    serve(&["--origin", "https://iam.example.org"]).failed(2, "usage");
    let (cert, key) = (folder.text("cert.pem"), folder.text("key.pem"));
    serve(&["--tls-cert", &cert, "--tls-key", &key]).failed(1, "other");
    fs::write(&cert, "nonsense").unwrap();
    let error = serve(&["--tls-cert", &cert, "--tls-key", &key]).failed(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("cert.pem"), "{error}");
    let error = serve(&["--listen", "0.0.0.0:0"]).failed(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("TLS"), "{error}");
}

#[test]
fn the_policies_are_switches_and_their_files_are_looked_at() {
    let folder = Folder::new();
    let serve = ["iam", "serve", "--ephemeral", "--json"];
    let switches = ["--removal", "owner", "--fido-certification", "L1", "--fido-certification", "L2"];
    let mut serving = Serving::start(&[&serve[..], &switches, &["--refuse-security-keys"]].concat());
    assert_eq!(serving.end("TERM").1, Some(0));
    keywright(&[&serve[..], &["--removal", "anyone"]].concat()).failed(2, "usage");
    let file = folder.text("mds.json");
    fs::write(&file, "{}").unwrap();
    keywright(&[&serve[..], &["--metadata", &file]].concat()).failed(2, "usage");
}
