//! `keywright-hil` as it is typed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};

use keywright_emulator::{Emulator, Frontend, Options, Running, TouchPolicy};

/// A key with a control socket, in a folder of its own.
struct Key {
    running: Running,
    folder: std::path::PathBuf,
}

impl Key {
    fn start(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("keywright-hil-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let running = Emulator::start(Options {
            frontends: vec![Frontend::Udp("127.0.0.1:0".parse().unwrap())],
            touch: TouchPolicy::Manual,
            control: Some(folder.join("control")),
            ..Options::default()
        });
        Self { running: running.unwrap(), folder }
    }

    fn hil(&self, words: &[&str]) -> Output {
        let [Frontend::Udp(address)] = self.running.frontends() else { panic!("a key behind UDP") };
        let mut command = Command::new(env!("CARGO_BIN_EXE_keywright-hil"));
        command.arg(format!("--device=udp:{address}")).arg("--control").arg(self.folder.join("control"));
        command.args(words).stdin(Stdio::null()).output().unwrap()
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_run_over_the_control_socket_writes_a_table_and_junit() {
    let key = Key::start("run");
    let junit = key.folder.join("junit.xml");
    let done = key.hil(&["--wipe", "--yes", "--junit", junit.to_str().unwrap(), "pin", "credentials/es256"]);
    let table = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{table}");
    assert!(table.ends_with("10 passed, 0 failed, 0 skipped\n"), "{table}");
    let xml = std::fs::read_to_string(junit).unwrap();
    let document = roxmltree::Document::parse(&xml).unwrap();
    let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
    assert_eq!((suite.attribute("tests"), suite.attribute("failures")), (Some("10"), Some("0")));
    let cases: Vec<_> = document.descendants().filter(|node| node.has_tag_name("testcase")).collect();
    assert_eq!(cases.len(), 10);
    assert_eq!(
        (cases[1].attribute("classname"), cases[1].attribute("name")),
        (Some("credentials"), Some("es256"))
    );
}

#[test]
fn a_person_is_told_when_to_touch_and_to_plug_in() {
    // As docs/hil.md has it.
    let (touches, plugs) = as_a_person(&[]);
    assert!((20..=30).contains(&touches), "{touches}");
    assert_eq!(plugs, 0);
    let (touches, plugs) = as_a_person(&["--wipe", "--yes"]);
    assert!((50..=60).contains(&touches), "{touches}");
    assert_eq!(plugs, 4);
}

/// How often a person was asked to touch the key, and to plug it in again.
fn as_a_person(words: &[&str]) -> (u32, u32) {
    let key = Key::start(&format!("person{}", words.len()));
    let [Frontend::Udp(address)] = key.running.frontends() else { panic!("a key behind UDP") };
    let mut person = Command::new(env!("CARGO_BIN_EXE_keywright-hil"))
        .arg(format!("--device=udp:{address}"))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = person.stdin.take().unwrap();
    let (mut touches, mut plugs) = (0, 0);
    for line in BufReader::new(person.stderr.take().unwrap()).lines().map(Result::unwrap) {
        if line.contains(">>> Touch the key.") {
            touches += 1;
            key.running.handle().touch().unwrap();
        } else if line.contains("press Enter") {
            plugs += 1;
            key.running.handle().power_cycle().unwrap();
            keyboard.write_all(b"\n").unwrap();
        }
    }
    let done = person.wait_with_output().unwrap();
    let table = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{table}");
    (touches, plugs)
}

#[test]
fn ctrl_c_ends_a_run_in_order_and_says_what_is_left() {
    let key = Key::start("end");
    let [Frontend::Udp(address)] = key.running.frontends() else { panic!("a key behind UDP") };
    let mut person = Command::new(env!("CARGO_BIN_EXE_keywright-hil"))
        .arg(format!("--device=udp:{address}"))
        .arg("--control")
        .arg(key.folder.join("control"))
        // It waits for more than ten seconds at the end, so that it does not come to it.
        .args(["--wipe", "--yes", "--slow", "pin", "reset"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    for line in BufReader::new(person.stderr.take().unwrap()).lines().map(Result::unwrap) {
        if line.starts_with("ok   pin/set") {
            let process = person.id().to_string();
            assert!(Command::new("kill").args(["-s", "INT", &process]).status().unwrap().success());
        }
        told.push_str(&line);
    }
    let done = person.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(4), "{told}");
    assert!(told.contains("The key works, and may hold") && told.contains("keywright reset"), "{told}");
    assert!(String::from_utf8(done.stdout).unwrap().contains("ended before its end"));
    assert!(key.hil(&["ctaphid/ping", "credentials/es256"]).status.success(), "the key is usable");
}

#[test]
fn a_key_is_not_wiped_without_a_yes() {
    let key = Key::start("consent");
    let done = key.hil(&["--wipe", "pin"]);
    assert_eq!(done.status.code(), Some(2));
    let words = String::from_utf8(done.stderr).unwrap();
    assert!(words.contains("EVERY CREDENTIAL") && words.contains("--yes"), "{words}");
    assert!(done.stdout.is_empty());
}

#[test]
fn what_cannot_be_played_is_refused_with_what_to_do() {
    let key = Key::start("refusals");
    let code = |words: &[&str], expected: &str| {
        let done = key.hil(words);
        let told = String::from_utf8(done.stderr).unwrap();
        assert!(told.contains(expected), "{told}");
        done.status.code()
    };
    assert_eq!(code(&["nonsense"], "--list shows them"), Some(2));
    assert_eq!(code(&["--yes"], "--wipe"), Some(2));
    assert_eq!(code(&["--pin-env", "KEYWRIGHT_HIL_NO_SUCH"], "no variable"), Some(2));
    assert_eq!(code(&["--junit", "/no/such/folder/x.xml", "info"], "name another file"), Some(1));
    key.running.handle().unplug().unwrap();
    assert_eq!(code(&["info"], "the key does not answer"), Some(3));
}

#[test]
fn the_list_needs_no_key() {
    let done = Command::new(env!("CARGO_BIN_EXE_keywright-hil")).arg("--list").output().unwrap();
    let list = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success());
    assert_eq!(list.lines().count(), keywright_hil::TABLE.len());
}
