//! The authenticator app: what it keeps, what it shows, and what it never shows.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::harness::{Folder, KEYWRIGHT, Ran, finish, keywright, keywright_with};

/// Of RFC 6238's test vectors.
const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const URI: &str =
    "otpauth://totp/Example:ada@example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Example";
const PASSPHRASE: &str = "correct horse";

/// A file of accounts that is sealed with a key beside it.
struct App {
    folder: Folder,
}

impl App {
    fn new() -> Self {
        Self { folder: Folder::new() }
    }

    fn with(words: &[&str]) -> Self {
        let app = Self::new();
        app.add(words, SECRET).ok();
        app
    }

    fn run(&self, input: &str, words: &[&str]) -> Ran {
        self.run_with(&[], input, words)
    }

    fn run_with(&self, variables: &[(&str, &str)], input: &str, words: &[&str]) -> Ran {
        let store = self.folder.text("totp");
        let words = [&["totp"], words, &["--store", &store, "--json"]].concat();
        keywright_with(variables, input.as_bytes(), &words)
    }

    fn add(&self, words: &[&str], secret: &str) -> Ran {
        self.run(secret, &[&["add", "--no-passphrase"], words].concat())
    }

    fn names(&self) -> Vec<String> {
        let accounts = self.run("", &["list"]).ok()["accounts"].clone();
        accounts
            .as_array()
            .unwrap()
            .iter()
            .map(|account| account["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn an_account_is_added_shown_and_removed() {
    let app = App::new();
    let added = app.add(&[], URI).ok();
    assert_eq!(added["name"], "ada@example.org");
    assert_eq!(added["issuer"], "Example");
    app.add(&["site"], "gezd gnbv gy3t qojq\n").ok();
    assert_eq!(app.names(), ["ada@example.org", "site"]);
    let code = app.run("", &["code", "site"]).ok();
    assert!(code["code"].as_str().unwrap().bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    assert!((1..=30).contains(&code["seconds_left"].as_u64().unwrap()), "{code}");
    app.run("", &["remove", "site"]).failed(2, "usage");
    assert_eq!(app.run("", &["remove", "site", "--yes"]).ok()["done"], "removed");
    app.run("", &["remove", "site", "--yes"]).failed(2, "usage");
    app.run("", &["code", "site"]).failed(2, "usage");
    assert_eq!(app.names(), ["ada@example.org"]);
}

#[test]
fn parameters_are_kept_and_bad_ones_refused() {
    let app = App::with(&["eight", "--digits", "8", "--algorithm", "sha512", "--period", "60"]);
    let [account] = app.run("", &["list"]).ok()["accounts"].as_array().unwrap().clone().try_into().unwrap();
    assert_eq!(
        account,
        serde_json::json!({ "name": "eight", "issuer": null, "algorithm": "SHA512", "digits": 8, "period": 60 })
    );
    assert_eq!(app.run("", &["code", "eight"]).ok()["code"].as_str().unwrap().len(), 8);
    for (words, input) in [
        (&["x", "--digits", "5"][..], SECRET),
        (&["x", "--digits", "9"], SECRET),
        (&["x", "--period", "0"], SECRET),
        (&["x", "--algorithm", "md5"], SECRET),
        (&["x", "--digits", "6"], URI),
        (&["eight"], SECRET),
        (&[], SECRET),
        (&["a:b"], SECRET),
        (&["x"], ""),
        (&["x"], "not base32!"),
        (&["x"], "GEZD\nGEZD"),
        (&["x"], "otpauth://hotp/x?secret=GEZDGNBV&counter=0"),
        (&["x", "--from", "/no/such/file"], ""),
        (&["x", "--qr", "/no/such/file"], ""),
        (&["x", "--qr", "/dev/null"], ""),
    ] {
        let ran = app.add(words, input);
        ran.failed(2, "usage");
        assert!(!ran.stderr.contains("GEZD"), "{ran:?}");
    }
    assert_eq!(app.names(), ["eight"]);
}

#[test]
fn a_fresh_code_is_waited_for() {
    let app = App::with(&["quick", "--period", "2"]);
    let begun = now();
    let code = app.run("", &["code", "quick", "--wait"]).ok();
    // On a machine that is busy, a part of it may have passed by now.
    assert!((1..=2).contains(&code["seconds_left"].as_u64().unwrap()), "{code}");
    assert!(now() / 2 > begun / 2, "the step is another one");
}

#[test]
fn a_passphrase_opens_the_file_and_a_wrong_one_costs_nothing() {
    let app = App::new();
    let right = [("PASS", PASSPHRASE)];
    app.run_with(&right, SECRET, &["add", "site", "--passphrase-env", "PASS"]).ok();
    assert_eq!(app.folder.names(), ["totp"], "no key beside it");
    let before = fs::read(app.folder.path("totp")).unwrap();
    for _ in 0..3 {
        let wrong =
            app.run_with(&[("PASS", "wrong horse")], "", &["code", "site", "--passphrase-env", "PASS"]);
        let error = wrong.failed(5, "pin");
        assert!(error["message"].as_str().unwrap().contains("costs nothing"), "{error}");
    }
    assert_eq!(fs::read(app.folder.path("totp")).unwrap(), before);
    app.run_with(&right, "", &["code", "site", "--passphrase-env", "PASS"]).ok();
    app.run(&format!("{PASSPHRASE}\n"), &["code", "site", "--passphrase-fd", "0"]).ok();
    let short = [("PASS", "1234567")];
    let other = app.folder.text("other");
    keywright_with(
        &short,
        SECRET.as_bytes(),
        &["totp", "add", "x", "--passphrase-env", "PASS", "--store", &other, "--json"],
    )
    .failed(5, "pin");
    assert!(!fs::exists(other).unwrap());
}

#[test]
fn a_file_that_is_damaged_or_open_to_others_is_told() {
    let app = App::with(&["site"]);
    let path = app.folder.path("totp");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let error = app.run("", &["list"]).failed(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("chmod 600"), "{error}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let good = fs::read(&path).unwrap();
    fs::write(&path, &good[..good.len() / 2]).unwrap();
    let error = app.run("", &["list"]).failed(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("damaged"), "{error}");
    app.add(&["another"], SECRET).failed(2, "usage");
    assert_eq!(fs::read(&path).unwrap(), good[..good.len() / 2], "what is damaged is not written over");
    fs::write(&path, &good).unwrap();
    assert_eq!(app.names(), ["site"]);
}

#[test]
fn a_secret_is_exported_to_a_private_file_and_read_again() {
    let app = App::new();
    app.add(&[], URI).ok();
    for (form, words) in [("uri", &[][..]), ("qr", &["--qr"])] {
        let file = app.folder.text(form);
        let words = [&["export", "ada@example.org", "--yes", "--output", &file], words].concat();
        let told = app.run("", &words);
        assert_eq!(told.ok()["form"], form);
        assert!(!told.stdout.contains(SECRET) && !told.stderr.contains(SECRET));
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        app.run("", &words).failed(2, "usage");
        app.run("", &[&words[..], &["--force"]].concat()).ok();
        let from = if form == "qr" { "--qr" } else { "--from" };
        assert_eq!(app.add(&[form, from, &file], "").ok()["issuer"], "Example");
    }
    let exported = |name: &str| {
        let file = app.folder.text("again");
        app.run("", &["export", name, "--yes", "--force", "--output", &file]).ok();
        fs::read_to_string(file).unwrap()
    };
    assert_eq!(exported("ada@example.org").trim(), URI);
    assert_eq!(exported("qr"), exported("uri").replace(":uri?", ":qr?"));
}

#[test]
fn a_secret_is_shown_nowhere_but_at_a_terminal_or_in_a_private_file() {
    let app = App::with(&["site"]);
    let store = app.folder.text("totp");
    for words in [&["export", "site", "--yes"][..], &["export", "site", "--yes", "--qr"]] {
        app.run("", words).failed(2, "usage");
        let words = [&["totp"], words, &["--store", &store]].concat();
        let ran = keywright(&words);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
    }
    app.run("", &["export", "site", "--output", &app.folder.text("file")]).failed(2, "usage");
    assert!(!fs::exists(app.folder.path("file")).unwrap());
}

#[test]
#[cfg(target_os = "linux")]
fn a_secret_is_typed_unseen_and_shown_after_a_yes() {
    use crate::terminal::Terminal;
    let folder = Folder::new();
    let store = folder.text("totp");
    let mut terminal = Terminal::new(&["totp", "add", "site", "--store", &store]);
    terminal.answer("(not shown): ", &format!("{SECRET}\r"));
    terminal.answer("or more: ", "correct horse\r");
    terminal.answer("again: ", "correct horse\r");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("GEZD") && !shown.contains("horse"), "{shown}");

    for (form, mark) in [(&[][..], SECRET), (&["--qr"], "\u{2588}")] {
        for (answer, expected) in [("n\r", 4), ("y\r", 0)] {
            let mut terminal =
                Terminal::new(&[&["totp", "export", "site", "--store", &store], form].concat());
            terminal.answer("totp: ", "correct horse\r");
            terminal.answer("[y/N] ", answer);
            let (shown, code) = terminal.end();
            assert_eq!(code, Some(expected), "{shown}");
            // The screen is read byte by byte up to the question, and whole afterwards.
            assert_eq!(shown.contains(mark), expected == 0, "{shown}");
        }
    }
    let mut terminal = Terminal::new(&["totp", "remove", "site", "--store", &store]);
    terminal.answer("totp: ", "correct horse\r");
    terminal.answer("[y/N] ", "y\r");
    assert_eq!(terminal.end().1, Some(0));
}

/// What others may see of a process: its arguments and its environment.
#[cfg(target_os = "linux")]
fn seen(process: u32) -> String {
    let read = |what: &str| fs::read(format!("/proc/{process}/{what}")).unwrap();
    // A process that has just begun has neither yet.
    while read("cmdline").is_empty() || read("environ").is_empty() {
        std::thread::yield_now();
    }
    ["cmdline", "environ"].map(|what| String::from_utf8_lossy(&read(what)).into_owned()).concat()
}

#[test]
#[cfg(target_os = "linux")]
fn no_secret_is_seen_in_arguments_environment_or_output() {
    let app = App::new();
    let store = app.folder.text("totp");
    let start = |words: &[&str]| {
        Command::new(KEYWRIGHT)
            .args(["totp"])
            .args(words)
            .args(["--store", &store, "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let is_clean = |text: &str| !text.contains(&SECRET[..12]) && !text.contains("12345678901234567890");
    // It waits for the end of its input, and for a code that is an hour away.
    let mut adding = start(&["add", "slow", "--period", "3600", "--no-passphrase"]);
    adding.stdin.as_mut().unwrap().write_all(SECRET.as_bytes()).unwrap();
    let during = seen(adding.id());
    assert!(during.contains("--no-passphrase") && is_clean(&during), "{during}");
    drop(adding.stdin.take());
    let added = finish(adding);
    added.ok();
    assert!(is_clean(&added.stdout) && is_clean(&added.stderr), "{added:?}");

    let mut waiting = start(&["code", "slow", "--wait"]);
    let during = seen(waiting.id());
    assert!(is_clean(&during), "{during}");
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    for words in [&["list"][..], &["code", "slow"], &["code", "none"], &["remove", "slow", "--yes"]] {
        let ran = app.run("", words);
        assert!(is_clean(&ran.stdout) && is_clean(&ran.stderr), "{ran:?}");
    }
}

#[test]
fn a_command_that_is_killed_loses_nothing_that_was_kept() {
    let app = App::with(&["first"]);
    let store = app.folder.text("totp");
    let mut kept = vec!["first".to_owned()];
    for number in 0..24 {
        let name = format!("a{number:02}");
        let mut child = Command::new(KEYWRIGHT)
            .args(["totp", "add", &name, "--store", &store, "--json"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(SECRET.as_bytes()).unwrap();
        // Killed while it writes the new file beside, or at once.
        while number % 4 != 0 && child.try_wait().unwrap().is_none() && app.folder.names().len() < 3 {
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for left in app.folder.names() {
            if left.starts_with(".keywright-totp-") {
                assert_eq!(fs::metadata(app.folder.path(&left)).unwrap().permissions().mode() & 0o777, 0o600);
                fs::remove_file(app.folder.path(&left)).unwrap();
            }
        }
        let names = app.names();
        assert!(kept.iter().all(|name| names.contains(name)), "{kept:?} {names:?}");
        assert!(names.len() - kept.len() <= 1, "{names:?}");
        kept = names;
    }
    app.add(&["last"], SECRET).ok();
}

#[test]
fn without_keyring_and_file_it_is_said_what_to_do() {
    let folder = Folder::new();
    let nowhere = folder.text("bus");
    let data = folder.text("data");
    let bus = format!("unix:path={nowhere}");
    let variables = [("DBUS_SESSION_BUS_ADDRESS", bus.as_str()), ("XDG_DATA_HOME", &data)];
    let run = |input: &str, words: &[&str]| keywright_with(&variables, input.as_bytes(), words);
    let error = run("", &["totp", "list", "--json"]).failed(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("keywright totp add"), "{error}");
    run("", &["totp", "list", "--store", "keyring", "--json"]).failed(1, "other");
    let added = run(SECRET, &["totp", "add", "site", "--no-passphrase", "--json"]);
    assert!(added.stderr.contains("There is no system keyring"), "{added:?}");
    let kept_in: Value = added.ok()["kept_in"].clone();
    assert_eq!(kept_in, format!("{data}/keywright/totp"));
    run("", &["totp", "code", "site", "--json"]).ok();
}
