//! Arguments, files and addresses that cannot be used.

use std::fs;
use std::net::UdpSocket;
use std::process::{Command, Stdio};

use crate::harness::{KEYWRIGHT, Key, keywright};

#[test]
fn arguments_that_make_no_sense_are_told_and_nothing_is_done() {
    for words in [
        &[][..],
        &["dance"],
        &["info", "--device", "usb:1"],
        &["info", "--device", "udp:localhost:1"],
        &["info", "--device", "hid:"],
        &["register", "--rp", "example.org"],
        &["register", "--rp", "example.org", "--user", "a", "-o", "x", "--alg", "rsa"],
        &["register", "--rp", "https://example.org", "--user", "a", "-o", "x"],
        &["register", "--rp", "127.0.0.1", "--user", "a", "-o", "x"],
        &["register", "--rp", "Example.org", "--user", "a", "-o", "x"],
        &["authenticate"],
        &["pin", "change", "--pin-fd", "-1"],
        &["pin", "change", "--pin-fd", "0", "--pin-env", "X"],
        &["credentials", "delete", "no base64url"],
        &["credentials", "rename", "AAAA"],
        &["emulate", "--ephemeral"],
        &["emulate", "--udp", "127.0.0.1:0"],
        &["emulate", "--udp", "127.0.0.1:0", "--ephemeral", "--state", "x"],
        &["emulate", "--udp", "127.0.0.1:0", "--ephemeral", "--touch", "perhaps"],
        &["emulate", "--udp", "127.0.0.1:0", "--ephemeral", "--touch", "prompt"],
        &["emulate", "--udp", "0.0.0.0:0", "--ephemeral", "--touch", "deny"],
    ] {
        let ran = keywright(&[words, &["--json"]].concat());
        let error = ran.failed(2, "usage");
        assert!(!ran.stderr.is_empty() && !error["message"].as_str().unwrap().contains('\n'), "{ran:?}");
    }
}

#[test]
fn help_and_version_are_no_failure() {
    let version = keywright(&["--version"]);
    assert_eq!(
        (version.code, version.stdout.as_str()),
        (Some(0), concat!("keywright ", env!("CARGO_PKG_VERSION"), "\n"))
    );
    for words in
        [&["--help"][..], &["help", "pin"], &["credentials", "rename", "--help"], &["emulate", "--help"]]
    {
        let ran = keywright(words);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(ran.stdout.contains("Usage: "), "{ran:?}");
    }
}

#[test]
fn a_key_that_is_not_there_is_told() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let free = silent.local_addr().unwrap();
    drop(silent);
    for device in [format!("udp:{free}"), format!("tcp:{free}"), "hid:/dev/there-is-no-such-key".to_owned()] {
        for command in ["info", "wink", "select"] {
            keywright(&[command, "--device", &device, "--json"]).failed(3, "device");
        }
    }
}

#[test]
fn what_does_not_answer_is_no_key() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let device = format!("udp:{}", silent.local_addr().unwrap());
    let error = keywright(&["info", "--device", &device, "--json"]).failed(3, "device");
    assert!(error["message"].as_str().unwrap().contains(&device), "{error}");
}

#[test]
fn files_that_are_no_credential_are_told_apart() {
    let key = Key::new();
    key.register("good.json", &[]).ok();
    let good = fs::read_to_string(key.folder.path("good.json")).unwrap();
    for (name, content, told) in [
        ("empty", String::new(), "is no file that"),
        ("cut", good[..good.len() / 2].to_owned(), "is no file that"),
        ("list", "[]".to_owned(), "is no file that"),
        ("text", good.replace("\"sign_count\": ", "\"sign_count\": -"), "u32"),
        ("id", good.replace("\"id\": \"", "\"id\": \"!"), "base64url"),
        ("later", good.replace("\"version\": 1", "\"version\": 2"), "newer"),
        ("key", good.replace("\"public_key\": \"", "\"public_key\": \"AAAA"), "public_key"),
        ("name", good.replace("\"ada\"", "7"), "string"),
        ("rp", good.replace("example.org", "EXAMPLE"), "relying party"),
    ] {
        fs::write(key.folder.path(name), content).unwrap();
        let error = key.run(&["authenticate", &key.folder.text(name)]).failed(2, "usage");
        assert!(error["message"].as_str().unwrap().contains(told), "{error}");
    }
    key.run(&["authenticate", &key.folder.text("missing")]).failed(2, "usage");
    key.run(&["authenticate", &key.folder.text(".")]).failed(2, "usage");
}

#[test]
fn whoever_reads_no_further_is_no_failure() {
    let key = Key::new();
    let mut child = Command::new(KEYWRIGHT)
        .args(["info", "--device", &key.device()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0), "{output:?}");
}

#[test]
fn without_json_only_the_answer_is_on_standard_output() {
    let key = Key::new();
    let device = key.device();
    let file = key.folder.text("cred.json");
    let made = keywright(&[
        "register",
        "--rp",
        "example.org",
        "--user",
        "a\u{1b}[2J",
        "-o",
        &file,
        "--device",
        &device,
    ]);
    assert_eq!((made.code, made.stderr.as_str()), (Some(0), "Touch the key.\n"));
    assert!(made.stdout.starts_with("Registered a\u{fffd}[2J at example.org"), "{made:?}");
    let refused =
        keywright(&["register", "--rp", "example.org", "--user", "a", "-o", &file, "--device", &device]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(refused.stderr.starts_with("keywright: ") && refused.stderr.contains("--force"), "{refused:?}");
}
