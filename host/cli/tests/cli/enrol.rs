//! MFA devices at the local IAM: enrolled, listed, resynchronised, used for a session, reported, removed.

use std::fs;
use std::process::Child;
use std::time::Instant;

use serde_json::Value;

use crate::harness::{Folder, Key, Ran, Serving, begin_with, finish, keywright_with};

/// A local IAM, and its administrator's access key.
pub(crate) struct Iam {
    pub(crate) first: Value,
    pub(crate) folder: Folder,
    _serving: Serving,
}

impl Iam {
    pub(crate) fn new() -> Self {
        let serving = Serving::start(&["iam", "serve", "--ephemeral", "--json"]);
        Self { first: serving.json(), folder: Folder::new(), _serving: serving }
    }

    pub(crate) fn member(&self, name: &str) -> &str {
        self.first[name].as_str().unwrap()
    }

    pub(crate) fn serial(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:mfa/{name}", self.member("account"))
    }

    pub(crate) fn store(&self) -> String {
        self.folder.text("totp")
    }

    /// Runs the command as the administrator.
    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        self.run_with(&[], words)
    }

    pub(crate) fn run_with(&self, more: &[(&str, &str)], words: &[&str]) -> Ran {
        finish(self.begin_with(more, words))
    }

    pub(crate) fn begin_with(&self, more: &[(&str, &str)], words: &[&str]) -> Child {
        let (nowhere, store) = (self.folder.text("nowhere"), self.store());
        let password = self.first["administrator"]["password"].as_str().unwrap();
        let mut variables = vec![
            ("AWS_ENDPOINT_URL", self.member("url")),
            ("AWS_ACCESS_KEY_ID", self.member("access_key_id")),
            ("AWS_SECRET_ACCESS_KEY", self.member("secret_access_key")),
            ("AWS_CONFIG_FILE", &nowhere),
            ("AWS_SHARED_CREDENTIALS_FILE", &nowhere),
            ("KEYWRIGHT_TOTP_STORE", &store),
            ("PASSWORD", password),
        ];
        variables.extend(more);
        begin_with(&variables, b"", &[words, &["--json"]].concat())
    }

    pub(crate) fn enrol(&self, name: &str) -> Ran {
        self.run(&["iam", "enrol", name, "--totp", "--no-passphrase"])
    }

    /// Runs the command with the credentials that a session gave.
    fn run_as(&self, session: &Value, words: &[&str]) -> Ran {
        let member = |name: &str| session[name].as_str().unwrap();
        let variables = [
            ("AWS_ACCESS_KEY_ID", member("AccessKeyId")),
            ("AWS_SECRET_ACCESS_KEY", member("SecretAccessKey")),
            ("AWS_SESSION_TOKEN", member("SessionToken")),
        ];
        self.run_with(&variables, words)
    }

    /// The serial numbers of the administrator's devices.
    pub(crate) fn serials(&self) -> Vec<String> {
        let devices = self.run(&["iam", "devices", "list"]).ok()["devices"].clone();
        devices
            .as_array()
            .unwrap()
            .iter()
            .map(|device| device["serial"].as_str().unwrap().to_owned())
            .collect()
    }

    pub(crate) fn kept(&self) -> usize {
        if !fs::exists(self.store()).unwrap() {
            return 0;
        }
        self.run(&["totp", "list"]).ok()["accounts"].as_array().unwrap().len()
    }
}

#[test]
fn an_app_is_enrolled_at_once_and_its_code_becomes_a_session() {
    let iam = Iam::new();
    let begun = Instant::now();
    let enrolled = iam.enrol("phone").ok();
    // No bound: nothing in it waits, and a machine may be busy.
    eprintln!("enrolled in {:?}", begun.elapsed());
    let serial = iam.serial("phone");
    let name = format!("phone@{}", iam.member("account"));
    assert_eq!(enrolled["serial"], serial);
    assert_eq!(enrolled["user"], "Administrator");
    assert_eq!(enrolled["kept_as"], name);
    assert_eq!(iam.serials(), [serial.as_str()]);
    iam.run(&["totp", "code", &name]).ok();

    // The code of now was used up by enrolling; that of the next step is taken at once.
    let session = iam.run(&["iam", "session", "--serial", &serial, "--duration", "900"]).ok();
    assert_eq!(session["Version"], 1);
    assert!(session["AccessKeyId"].as_str().unwrap().starts_with("ASIA"), "{session}");
    assert_eq!(iam.run_as(&session, &["iam", "devices", "list"]).ok()["user"], "Administrator");

    let error = iam.enrol("phone").failed(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("--keep-as"), "{error}");
    let words = ["iam", "enrol", "phone", "--totp", "--keep-as", "other"];
    let error = iam.run(&words).failed(1, "other");
    assert!(error["message"].as_str().unwrap().contains("EntityAlreadyExists"), "{error}");
    assert_eq!((iam.serials().len(), iam.kept()), (1, 1));
}

#[test]
fn a_device_is_resynchronised_reported_and_removed() {
    let iam = Iam::new();
    iam.enrol("phone").ok();
    let serial = iam.serial("phone");
    assert_eq!(iam.run(&["iam", "devices", "resync", &serial]).ok()["done"], "resynced");
    // Its two codes are used up now.
    iam.run(&["iam", "devices", "resync", &serial]).failed(1, "other");
    iam.run(&["iam", "devices", "resync", &iam.serial("other")]).failed(2, "usage");

    let report = iam.run(&["iam", "devices", "report"]).ok();
    assert_eq!(report["without_mfa"], 0);
    assert_eq!(report["users"][0]["devices"][0]["serial"], serial);
    let csv = iam.folder.text("report.csv");
    let words = ["iam", "devices", "report", "--csv", "--output", &csv];
    let variables = [
        ("AWS_ENDPOINT_URL", iam.member("url")),
        ("AWS_ACCESS_KEY_ID", iam.member("access_key_id")),
        ("AWS_SECRET_ACCESS_KEY", iam.member("secret_access_key")),
    ];
    assert_eq!(keywright_with(&variables, b"", &words).code, Some(0));
    let text = fs::read_to_string(&csv).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "user,mfa,serial,type,enabled_at");
    assert!(lines[1].starts_with(&format!("Administrator,true,{serial},authenticator_app,")), "{text}");

    iam.run(&["iam", "devices", "remove", &serial]).failed(2, "usage");
    assert_eq!(iam.run(&["iam", "devices", "remove", &serial, "--yes"]).ok()["done"], "removed");
    assert!(iam.serials().is_empty());
    iam.run(&["iam", "devices", "remove", &serial, "--yes"]).failed(1, "other");
    iam.run(&["iam", "devices", "remove", "GAKT12345678", "--yes"]).failed(2, "usage");
    assert_eq!(iam.run(&["iam", "devices", "report"]).ok()["without_mfa"], 1);
}

#[test]
fn a_code_that_is_wrong_or_used_gives_no_session() {
    let iam = Iam::new();
    iam.enrol("phone").ok();
    let serial = iam.serial("phone");
    let words = ["iam", "session", "--serial", &serial];
    iam.run(&words).ok();
    let ran = iam.run(&words);
    let error = ran.failed(1, "other");
    assert!(error["message"].as_str().unwrap().contains("try again with the next one"), "{error}");
    // Typed or given, it is the code alone that counts; without a terminal there is nobody to type it.
    let given = [&words[..], &["--code-fd", "0"]].concat();
    iam.run(&given).failed(2, "usage");
    let other = iam.serial("nobody");
    let error = iam.run(&["iam", "session", "--serial", &other, "--totp", "none"]).failed(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("no account none"), "{error}");
    iam.run(&["iam", "session", "--serial", &serial, "--duration", "899"]).failed(2, "usage");
}

#[test]
fn lines_for_a_shell_hold_the_session() {
    let iam = Iam::new();
    iam.enrol("phone").ok();
    let variables = [
        ("AWS_ENDPOINT_URL", iam.member("url")),
        ("AWS_ACCESS_KEY_ID", iam.member("access_key_id")),
        ("AWS_SECRET_ACCESS_KEY", iam.member("secret_access_key")),
        ("KEYWRIGHT_TOTP_STORE", &iam.store()),
    ];
    let words = ["iam", "session", "--serial", &iam.serial("phone"), "--export"];
    let ran = keywright_with(&variables, b"", &words);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let names: Vec<_> = ran.stdout.lines().map(|line| line.split_once('=').unwrap().0).collect();
    assert_eq!(
        names,
        ["export AWS_ACCESS_KEY_ID", "export AWS_SECRET_ACCESS_KEY", "export AWS_SESSION_TOKEN"]
    );
}

#[test]
fn credentials_come_from_a_profile_or_its_command() {
    let iam = Iam::new();
    let (credentials, config) = (iam.folder.text("credentials"), iam.folder.text("config"));
    let (id, secret) = (iam.member("access_key_id"), iam.member("secret_access_key"));
    fs::write(&credentials, format!("[work]\naws_access_key_id={id}\naws_secret_access_key = {secret}\n"))
        .unwrap();
    let printed = iam.folder.text("printed");
    fs::write(
        &printed,
        format!("{{\"Version\":1,\"AccessKeyId\":\"{id}\",\"SecretAccessKey\":\"{secret}\"}}"),
    )
    .unwrap();
    let url = iam.member("url");
    fs::write(
        &config,
        format!("[profile work]\nendpoint_url = {url}\n[profile process]\ncredential_process = cat {printed}\nendpoint_url={url}\n[profile broken]\ncredential_process = false\n"),
    )
    .unwrap();
    let variables = [
        ("AWS_ENDPOINT_URL", ""),
        ("AWS_ACCESS_KEY_ID", "AKIAWRONG"),
        ("AWS_SECRET_ACCESS_KEY", "wrong"),
        ("AWS_CONFIG_FILE", &config),
        ("AWS_SHARED_CREDENTIALS_FILE", &credentials),
    ];
    let list = |profile| iam.run_with(&variables, &["iam", "devices", "list", "--profile", profile]);
    assert_eq!(list("work").ok()["user"], "Administrator");
    assert_eq!(list("process").ok()["user"], "Administrator");
    list("broken").failed(2, "usage");
    list("none").failed(2, "usage");
    // The environment is stronger than a profile that it names.
    let variables = [&variables[..], &[("AWS_ENDPOINT_URL", url), ("AWS_PROFILE", "work")]].concat();
    let error = iam.run_with(&variables, &["iam", "devices", "list"]).failed(1, "other");
    assert!(error["message"].as_str().unwrap().contains("InvalidClientTokenId"), "{error}");
    let variables = [&variables[..], &[("AWS_ACCESS_KEY_ID", "")]].concat();
    iam.run_with(&variables, &["iam", "devices", "list"]).ok();
    let variables = [("AWS_ACCESS_KEY_ID", ""), ("AWS_PROFILE", "")];
    let error = iam.run_with(&variables, &["iam", "devices", "list"]).failed(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("no AWS credentials"), "{error}");
    iam.run(&["iam", "devices", "list", "--endpoint-url", "http://example.org"]).failed(2, "usage");
}

#[test]
fn a_security_key_is_enrolled_with_a_password_and_a_touch() {
    let iam = Iam::new();
    let key = Key::new();
    let (url, account, device) = (iam.member("console_url"), iam.member("account"), key.device());
    let enrol = |name: &str, device: &str, more: &[&str]| {
        let words =
            ["iam", "enrol", name, "--console-url", url, "--account", account, "--user", "Administrator"];
        iam.run(&[&words[..], &["--password-env", "PASSWORD", "--device", device], more].concat())
    };
    let enrolled = enrol("blue", &device, &[]).ok();
    assert_eq!(enrolled["type"], "security_key");
    assert!(enrolled["serial"].as_str().unwrap().contains(":u2f/user/Administrator/blue-"), "{enrolled}");
    assert_eq!(enrolled.get("kept_as"), None);
    // The second needs the first, and is not the first.
    let second = Key::new();
    enrol("green", &second.device(), &["--proof-device", &device]).ok();
    enrol("blue", &device, &["--proof-device", &second.device()]).failed(1, "other");
    assert_eq!(iam.serials().len(), 2);
    let report = iam.run(&["iam", "devices", "report"]).ok();
    assert_eq!(report["users"][0]["devices"][0]["type"], "security_key");
    // And an app proves as well as a key does, by a code that is kept here.
    iam.enrol("phone").ok();
    let third = Key::new();
    enrol("red", &third.device(), &[]).ok();
    assert_eq!(iam.serials().len(), 4);
}

#[test]
fn a_key_that_is_not_touched_or_a_wrong_password_leaves_nothing() {
    let iam = Iam::new();
    let key = Key::touched_by("deny");
    let (url, account, device) = (iam.member("console_url"), iam.member("account"), key.device());
    let words =
        ["iam", "enrol", "blue", "--console-url", url, "--account", account, "--user", "Administrator"];
    let words = [&words[..], &["--password-env", "PASSWORD", "--device", &device]].concat();
    iam.run(&words).failed(4, "user");
    let error = iam.run_with(&[("PASSWORD", "wrong password")], &words).failed(1, "other");
    assert!(error["message"].as_str().unwrap().contains("AccessDenied"), "{error}");
    assert!(iam.serials().is_empty());
    iam.run(&["iam", "enrol", "blue"]).failed(2, "usage");
}
