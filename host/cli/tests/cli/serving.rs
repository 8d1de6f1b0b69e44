//! Commands that serve until they are ended.

#[cfg(feature = "iam")]
use std::net::TcpStream;
use std::process::{Command, Stdio};

use crate::harness::{Folder, KEYWRIGHT, Key, Serving, keywright};

#[test]
fn a_key_ends_gracefully_when_it_is_asked_to() {
    for signal in ["INT", "TERM", "HUP"] {
        let mut key = Key::new();
        key.run(&["info"]).ok();
        assert_eq!(key.end(signal), (String::new(), Some(0)), "{signal}");
        assert!(key.folder.names().is_empty(), "the control socket is removed");
    }
}

#[test]
fn usb_ip_alone_is_way_enough_to_a_key() {
    let key =
        Serving::start(&["emulate", "--usbip", "127.0.0.1:0", "--ephemeral", "--touch", "deny", "--json"]);
    assert!(key.json()["usbip"].as_str().unwrap().starts_with("127.0.0.1:"), "{}", key.first);
}

#[test]
fn the_first_line_says_where_the_key_is_and_how_to_use_it() {
    let folder = Folder::new();
    let control = folder.text("control");
    let words = ["emulate", "--udp", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--control", &control];
    let key = Serving::start(&[&words[..], &["--ephemeral", "--touch", "deny"]].concat());
    assert!(
        key.first.contains("keywright info --device udp:127.0.0.1:") && key.first.contains(&control),
        "{}",
        key.first
    );
    let device = key.first.split_whitespace().find(|word| word.starts_with("tcp:")).unwrap();
    keywright(&["info", "--json", "--device", device.trim_end_matches(':')]).ok();
}

#[test]
fn a_key_that_touches_itself_is_warned_of() {
    for (touch, is_warned) in [("auto", true), ("after=5", true), ("deny", false), ("manual", false)] {
        let folder = Folder::new();
        let words = ["emulate", "--ephemeral", "--touch", touch, "--control", &folder.text("control")];
        let mut child = Command::new(KEYWRIGHT)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
            .unwrap();
        child.kill().unwrap();
        let words = String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap();
        assert_eq!(words.contains("unseen"), is_warned, "{touch}: {words}");
    }
}

#[test]
fn a_state_file_serves_one_key_at_a_time() {
    let folder = Folder::new();
    let _key = Key::kept(&folder.path("state"));
    let state = folder.text("state");
    let words = ["emulate", "--json", "--udp", "127.0.0.1:0", "--touch", "deny", "--state", &state];
    let error = keywright(&words).failed(1, "other");
    assert!(error["message"].as_str().unwrap().contains(&state), "{error}");
}

#[cfg(feature = "iam")]
#[test]
fn the_iam_serves_until_it_is_asked_to_end() {
    for signal in ["INT", "TERM"] {
        let mut iam = Serving::start(&["iam", "serve", "--ephemeral", "--json"]);
        let first = iam.json();
        let address = first["console_url"].as_str().unwrap().replace("http://localhost", "127.0.0.1");
        TcpStream::connect(&address).unwrap();
        assert_eq!(first["account"].as_str().unwrap().len(), 12);
        assert_eq!(first["administrator"]["user"], "Administrator");
        assert_eq!(iam.end(signal), (String::new(), Some(0)));
        assert!(TcpStream::connect(&address).is_err());
    }
}

#[cfg(feature = "iam")]
#[test]
fn the_iam_says_how_it_is_reached_and_with_what() {
    let folder = Folder::new();
    let data = folder.text("data");
    let mut text = Serving::start(&["iam", "serve", "--data", &data]);
    assert!(text.first.contains("http://localhost:"), "{}", text.first);
    let rest = text.until("Ctrl-C");
    assert!(rest.contains("AWS_ENDPOINT_URL_IAM=http://127.0.0.1:"), "{rest}");
    text.end("TERM");
    let json = Serving::start(&["iam", "serve", "--data", &data, "--json"]).json();
    for member in ["account", "access_key_id", "secret_access_key"] {
        assert!(rest.contains(json[member].as_str().unwrap()), "{member} is not in {rest}");
    }
}

#[cfg(feature = "iam")]
#[test]
fn the_iam_keeps_its_data_and_tells_a_password_once() {
    let folder = Folder::new();
    let data = folder.text("data");
    let words = ["iam", "serve", "--data", &data, "--json"];
    let mut first = Serving::start(&words);
    let account = first.json()["account"].clone();
    first.end("TERM");
    let second = Serving::start(&words).json();
    assert_eq!((&second["account"], &second["administrator"]), (&account, &serde_json::Value::Null));
    keywright(&["iam", "serve", "--ephemeral", "--listen", "0.0.0.0:0", "--json"]).failed(2, "usage");
    keywright(&["iam", "serve", "--json"]).failed(2, "usage");
}
