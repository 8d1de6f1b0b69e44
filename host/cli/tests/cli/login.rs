//! Signing in for the command line, at a local IAM that each test runs itself.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Child;
use std::time::{Duration, SystemTime};

use keywright_host::ctaphid::Interaction;
use keywright_host::pin_uv_auth::Pin;
use keywright_host::transport;
use keywright_host::user::{PinRequest, UserInteraction};
use keywright_host::webauthn::{Authenticator, CreationOptions, RequestOptions};
use keywright_iam::{Clock, Config, Running, Server, Tls};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::harness::{Folder, Key, Ran, begin_with, finish, keywright, keywright_with};

const PASSWORD: &str = "correct horse battery";

/// A local IAM whose user `ann` has a virtual key, and the home of hers.
pub(crate) struct World {
    iam: Running,
    key: Key,
    home: Folder,
    /// Whose certificate it has, where it has one.
    root: Option<Certificate<'static>>,
}

/// A browser at the console, without the browser.
struct Browser {
    agent: Agent,
    url: String,
}

/// Somebody who is asked for nothing: the key touches itself.
struct Person;

impl Interaction for Person {
    fn touch_needed(&mut self) {}
}

impl UserInteraction for Person {
    fn pin(&mut self, _: PinRequest) -> Option<Pin> {
        None
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with("auto", Duration::ZERO)
    }

    /// With a key that is touched by `touch`, and a service whose clock is so late.
    fn with(touch: &str, late: Duration) -> Self {
        let clock = Clock::from_fn(move || SystemTime::now() - late);
        let iam = Server::start(Config { clock, ..Config::ephemeral() }).unwrap();
        Self::around(iam, touch, Folder::new(), None)
    }

    /// Behind TLS, with a certificate that nobody knows: it is in the file `cert.pem`.
    fn secure() -> Self {
        let home = Folder::new();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let root = params.self_signed(&key).unwrap().pem();
        let tls = Tls { certificate: home.path("cert.pem"), key: home.path("key.pem") };
        fs::write(&tls.certificate, &root).unwrap();
        fs::write(&tls.key, key.serialize_pem()).unwrap();
        fs::set_permissions(&tls.key, fs::Permissions::from_mode(0o600)).unwrap();
        let iam = Server::start(Config { tls: Some(tls), ..Config::ephemeral() }).unwrap();
        Self::around(iam, "auto", home, Some(Certificate::from_pem(root.as_bytes()).unwrap()))
    }

    fn around(iam: Running, touch: &str, home: Folder, root: Option<Certificate<'static>>) -> Self {
        let key = Key::with(&["--ephemeral", "--touch", touch]);
        let world = Self { iam, key, home, root };
        world.enrol("ann");
        world
    }

    /// Makes a user whose key is the key.
    fn enrol(&self, user: &str) {
        let administrator = self.iam.administrator.clone().unwrap();
        let browser = self.browser();
        browser.sign_in(&self.iam.account, &administrator.user, &administrator.password);
        browser.post("/api/users", &json!({"user": user, "password": PASSWORD}));
        let browser = self.browser();
        browser.sign_in(&self.iam.account, user, PASSWORD);
        let options = browser.post("/api/mfa-devices/webauthn/options", &json!({"name": "blue"}));
        let options: CreationOptions = serde_json::from_value(options).unwrap();
        let origin = browser.url.parse().unwrap();
        let response = self.touching(|| self.driver().register(&options, &origin, &mut Person).unwrap());
        browser.post("/api/mfa-devices/webauthn", &json!({"name": "blue", "credential": response}));
    }

    /// Does something that takes a touch, which the key's hand gives if the key does not touch itself.
    fn touching<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let working = scope.spawn(work);
            while !working.is_finished() {
                if self.wants_touch() {
                    self.key.hand("touch");
                }
                std::thread::yield_now();
            }
            working.join().unwrap()
        })
    }

    fn wants_touch(&self) -> bool {
        self.key.hand("state")["state"]["indication"] == "touch-wanted"
    }

    fn driver(&self) -> Authenticator<Box<dyn transport::Transport>> {
        Authenticator::open(transport::open(&self.key.device().parse().unwrap()).unwrap()).unwrap()
    }

    fn browser(&self) -> Browser {
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let tls = TlsConfig::builder().root_certs(RootCerts::from(self.root.clone())).build();
        let agent = config.max_redirects_will_error(false).tls_config(tls).build().new_agent();
        Browser { agent, url: self.iam.console_url.clone() }
    }

    /// A browser whose user is signed in with the key.
    fn signed_in(&self, user: &str) -> Browser {
        let browser = self.browser();
        browser.sign_in(&self.iam.account, user, PASSWORD);
        let options = browser.post("/api/sign-in/webauthn/options", &json!({}));
        let options: RequestOptions = serde_json::from_value(options).unwrap();
        let response =
            self.driver().authenticate(&options, &browser.url.parse().unwrap(), &mut Person).unwrap();
        browser.post("/api/sign-in/webauthn", &json!({"credential": response}));
        browser
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let config = self.home.text("aws-config");
        vec![
            ("HOME", self.home.text("home")),
            ("XDG_STATE_HOME", self.home.text("state")),
            ("AWS_CONFIG_FILE", config),
            ("AWS_CA_BUNDLE", String::new()),
        ]
    }

    /// The words of a login of hers.
    fn words(&self, more: &[&str]) -> Vec<String> {
        let (url, account) = (self.iam.url.as_str(), self.iam.account.as_str());
        let words = ["iam", "login", "--json", "--console-url", url, "--account", account, "--user", "ann"];
        words.into_iter().chain(more.iter().copied()).map(str::to_owned).collect()
    }

    fn with_key(&self, more: &[&str]) -> Vec<String> {
        let device = self.key.device();
        self.words(&[&["--device", &device], more].concat())
    }

    /// Logs in with the password on standard input.
    pub(crate) fn log_in(&self, more: &[&str]) -> Ran {
        self.log_in_with(PASSWORD, more)
    }

    fn log_in_with(&self, password: &str, more: &[&str]) -> Ran {
        let input = format!("{password}\n");
        keywright_with(
            &self.variables(),
            input.as_bytes(),
            &self.with_key(&[&["--password-fd", "0"], more].concat()),
        )
    }

    /// Logs in as a program does that has neither a terminal nor the password.
    fn renew(&self) -> Ran {
        keywright_with(&self.variables(), b"", &self.with_key(&[]))
    }

    pub(crate) fn log_out(&self) -> Ran {
        let (url, account) = (self.iam.url.as_str(), self.iam.account.as_str());
        let words = ["iam", "logout", "--json", "--console-url", url, "--account", account, "--user", "ANN"];
        keywright_with(&self.variables(), b"", &words)
    }

    /// Every file of what is kept.
    fn kept(&self) -> Vec<(String, Vec<u8>)> {
        let folder = self.home.path("state/keywright/logins");
        let entries = fs::read_dir(&folder).map(|entries| entries.map(|entry| entry.unwrap().path()));
        let paths: Vec<_> = entries.map(Iterator::collect).unwrap_or_default();
        paths.iter().map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
    }

    fn has_login(&self) -> bool {
        self.kept().iter().any(|(name, _)| name.ends_with(".login"))
    }
}

impl Browser {
    fn sign_in(&self, account: &str, user: &str, password: &str) {
        self.post("/api/sign-in", &json!({"account": account, "user": user, "password": password}));
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let post = self.agent.post(format!("{}{path}", self.url)).header("Origin", &self.url);
        let mut answer = post.send_json(body).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(answer.status().is_success(), "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// The status, where it leads, and the page.
    fn get(&self, url: &str) -> (u16, String, String) {
        page(self.agent.get(url).call().unwrap())
    }

    /// Opens what the command shows, and answers the page; where that leads.
    fn decide(&self, address: &str, check: &str, decision: &str) -> String {
        assert_eq!(self.get(address).1, "/v1/consent");
        let (status, _, page) = self.get(&format!("{}/v1/consent", self.url));
        assert!(status == 200 && page.contains(check), "{check}: {page}");
        let field = |name: &str| {
            let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
            rest.split_once('"').unwrap().0
        };
        let form = [("csrf", field("csrf")), ("request", field("request")), ("decision", decision)];
        let post = self.agent.post(format!("{}/v1/consent", self.url)).header("Origin", &self.url);
        self::page(post.send_form(form).unwrap()).1
    }
}

fn page(mut answer: ureq::http::Response<ureq::Body>) -> (u16, String, String) {
    let to = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
    (answer.status().as_u16(), to.unwrap_or_default(), answer.body_mut().read_to_string().unwrap())
}

/// The address and the check code that a command in the browser's way shows.
fn shown(child: &mut Child) -> (String, String) {
    let mut lines = BufReader::new(child.stderr.as_mut().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().contains("with a browser"));
    let address = next().trim().to_owned();
    let check =
        next().split_whitespace().find(|word| word.contains('-')).unwrap().trim_end_matches(';').to_owned();
    (address, check)
}

#[test]
fn a_touch_becomes_credentials_that_are_kept_until_they_end() {
    let mut world = World::new();
    let first = world.log_in(&[]);
    let credentials = first.ok();
    assert_eq!(credentials["Version"], 1);
    assert!(credentials["AccessKeyId"].as_str().unwrap().starts_with("ASIA"));
    assert!(credentials["Expiration"].as_str().unwrap().ends_with('Z'));
    assert_eq!(first.stderr, "Touch the key.\n");
    world.key.end("TERM");
    let second = world.renew();
    assert_eq!((second.ok(), second.stderr.as_str()), (credentials.clone(), ""));
    // Programs read it, with and without --json.
    let words: Vec<_> = world.words(&[]).into_iter().filter(|word| word != "--json").collect();
    assert_eq!(keywright_with(&world.variables(), b"", &words).ok(), credentials);
}

#[test]
fn nothing_that_is_kept_or_said_gives_a_secret_away() {
    let world = World::new();
    let ran = world.log_in(&[]);
    let credentials = ran.ok();
    let text = |name: &str| credentials[name].as_str().unwrap().to_owned();
    let secrets = [PASSWORD.to_owned(), text("SecretAccessKey"), text("SessionToken"), text("AccessKeyId")];
    assert!(world.has_login());
    for (name, content) in world.kept() {
        assert_eq!(fs::metadata(&name).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        let content = String::from_utf8_lossy(&content).into_owned();
        assert!(!secrets.iter().any(|secret| content.contains(secret)), "{name}");
    }
    let folder = fs::metadata(world.home.path("state/keywright/logins")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    assert!(!secrets.iter().any(|secret| ran.stderr.contains(secret)));
}

#[test]
fn ended_credentials_are_renewed_by_a_touch_without_the_password() {
    // The service's clock is two hours late: its credentials of an hour have ended, its grant of twelve has not.
    let mut world = World::with("auto", Duration::from_secs(7200));
    let first = world.log_in(&[]).ok();
    let second = world.renew();
    assert_ne!(second.ok()["AccessKeyId"], first["AccessKeyId"]);
    assert_eq!(second.stderr, "Touch the key.\n");
    assert_ne!(world.renew().ok()["AccessKeyId"], second.ok()["AccessKeyId"]);
    // Without the key there is nothing, and the login stays for when it is back.
    world.key.end("TERM");
    world.renew().failed(3, "device");
    assert!(world.has_login());
}

#[test]
fn a_grant_that_has_ended_asks_for_the_password_again() {
    let world = World::with("auto", Duration::from_secs(13 * 3600));
    world.log_in(&[]).ok();
    let error = world.renew().failed(2, "usage");
    assert!(error["message"].as_str().unwrap().contains("--password-fd"), "{error}");
    world.log_in(&[]).ok();
}

#[test]
fn a_declined_touch_gives_nothing() {
    let world = World::with("manual", Duration::from_secs(7200));
    let begin =
        |input: &str, more: &[&str]| begin_with(&world.variables(), input.as_bytes(), &world.with_key(more));
    for (input, more) in [("correct horse battery\n", &["--password-fd", "0"][..]), ("", &[])] {
        let child = begin(input, more);
        world.key.wait_for_wish();
        world.key.hand("decline");
        let ran = finish(child);
        ran.failed(4, "user");
        assert!(!ran.stdout.contains("SecretAccessKey"));
        // The second time with a grant, and the same.
        if !more.is_empty() {
            assert!(!world.has_login());
            let child = begin(input, more);
            world.key.wait_for_wish();
            world.key.hand("touch");
            finish(child).ok();
        }
    }
}

#[test]
fn of_two_commands_that_want_credentials_one_asks_for_a_touch() {
    let world = World::with("manual", Duration::ZERO);
    let input = format!("{PASSWORD}\n");
    let begin = || begin_with(&world.variables(), input.as_bytes(), &world.with_key(&["--password-fd", "0"]));
    let children = [begin(), begin()];
    world.key.wait_for_wish();
    world.key.hand("touch");
    let [first, second] = children.map(finish);
    assert_eq!(first.ok(), second.ok());
    let asked = [&first, &second].map(|ran| ran.stderr.matches("Touch the key.").count());
    assert_eq!(asked.iter().sum::<usize>(), 1, "{first:?} {second:?}");
}

#[test]
fn a_wrong_password_another_user_and_no_password_are_told_and_keep_nothing() {
    let world = World::new();
    let error = world.log_in_with("not the password", &[]).failed(1, "other");
    assert!(error["message"].as_str().unwrap().contains("incorrect"), "{error}");
    world.log_in_with("", &[]).failed(2, "usage");
    assert!(!world.has_login());
    let words = ["iam", "login", "--json", "--account", "123456789012", "--user", "ann"];
    for url in ["http://example.org:80", "https://localhost:1/path", "http://localhost:0"] {
        keywright(&[&words[..], &["--console-url", url]].concat()).failed(2, "usage");
    }
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{gone}");
    let words = [&words[..], &["--console-url", &url, "--password-fd", "0"]].concat();
    let error = keywright_with(&world.variables(), b"x\n", &words).failed(1, "other");
    assert!(error["message"].as_str().unwrap().contains("keywright iam serve"), "{error}");
}

#[test]
fn a_user_without_a_key_is_told_what_to_do() {
    let world = World::new();
    let administrator = world.iam.administrator.clone().unwrap();
    let words = world.words(&["--password-fd", "0"]);
    let words: Vec<_> =
        words.iter().map(|word| if word == "ann" { &administrator.user } else { word }).collect();
    let input = format!("{}\n", administrator.password);
    let error = keywright_with(&world.variables(), input.as_bytes(), &words).failed(9, "state");
    assert!(error["message"].as_str().unwrap().contains("security-credentials"), "{error}");
}

/// AWS's tools keep standard output and standard error, and have no standard input to give.
#[cfg(target_os = "linux")]
#[test]
fn a_person_is_asked_at_the_terminal_although_another_program_keeps_the_words() {
    let world = World::with("manual", Duration::ZERO);
    let words: Vec<_> = world.with_key(&[]).iter().map(|word| format!("'{word}'")).collect();
    let file = world.home.text("out");
    let command = format!("{} {} </dev/null >{file} 2>/dev/null", crate::harness::KEYWRIGHT, words.join(" "));
    let mut terminal = crate::terminal::Terminal::shell(&command, &world.variables());
    terminal.answer(": ", &format!("{PASSWORD}\r"));
    terminal.answer("Touch the key.", "");
    world.key.wait_for_wish();
    world.key.hand("touch");
    let (shown, code) = terminal.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(
        shown.contains("Password of ann") && !shown.contains(PASSWORD) && !shown.contains("Secret"),
        "{shown}"
    );
    assert_eq!(crate::harness::read_json(&world.home.path("out"))["Version"], 1);
}

#[test]
fn a_key_with_a_pin_asks_for_it_before_the_touch() {
    let world = World::new();
    world.key.run_with(&[("NEW", "1234")], &["pin", "set", "--new-pin-env", "NEW"]).ok();
    // Two secrets of one descriptor: the password, then the PIN.
    let words = world.with_key(&["--password-fd", "0", "--pin-fd", "0"]);
    let input = format!("{PASSWORD}\n0000\n");
    keywright_with(&world.variables(), input.as_bytes(), &words).failed(5, "pin");
    let input = format!("{PASSWORD}\n1234\n");
    keywright_with(&world.variables(), input.as_bytes(), &words).ok();
}

#[test]
fn a_login_is_forgotten_on_request() {
    let world = World::new();
    world.log_in(&[]).ok();
    assert_eq!(world.log_out().ok()["removed"], true);
    assert!(!world.has_login());
    assert_eq!(world.log_out().ok()["removed"], false);
    world.renew().failed(2, "usage");
}

#[test]
fn a_profile_is_written_that_runs_the_same_login() {
    let mut world = World::new();
    fs::write(world.home.path("aws-config"), "[default]\nregion = eu-west-1\n").unwrap();
    let told = world.log_in(&["--configure", "ann"]).ok();
    let path = fs::canonicalize(world.home.path("aws-config")).unwrap();
    assert_eq!((&told["profile"], told["file"].as_str()), (&json!("ann"), path.to_str()));
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("[default]\nregion = eu-west-1\n\n[profile ann]\n"), "{text}");
    assert!(!text.contains(PASSWORD) && !text.contains("password-fd"));
    world.key.end("TERM");
    let command = text.lines().find_map(|line| line.strip_prefix("credential_process = ")).unwrap();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", command]).envs(world.variables());
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["Version"], 1);
    let shown = keywright_with(&world.variables(), b"", &world.words(&["--show", "ann"])).ok();
    assert!(
        shown["snippet"].as_str().unwrap().starts_with("[profile ann]\ncredential_process = "),
        "{shown}"
    );
}

#[test]
fn a_profile_of_somebody_elses_is_told_before_anybody_signs_in() {
    let mut world = World::new();
    let before = "[profile ann]\nrole_arn = arn:x\n";
    world.key.end("TERM");
    fs::write(world.home.path("aws-config"), before).unwrap();
    world.log_in(&["--configure", "ann"]).failed(2, "usage");
    assert_eq!(fs::read_to_string(world.home.path("aws-config")).unwrap(), before);
    assert!(!world.has_login());
}

#[test]
fn a_service_behind_tls_is_believed_by_the_certificate_that_was_given() {
    let mut world = World::secure();
    assert!(world.iam.url.starts_with("https://localhost:"));
    let error = world.log_in(&[]).failed(1, "other");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("certificate") && message.contains("--ca-bundle"), "{error}");
    world.log_in(&["--ca-bundle", "/nowhere"]).failed(1, "other");
    assert!(!world.has_login());

    let bundle = world.home.text("cert.pem");
    world.log_in(&["--ca-bundle", &bundle, "--configure", "ann"]).ok();
    let text = fs::read_to_string(world.home.path("aws-config")).unwrap();
    assert!(text.contains(&format!("\nendpoint_url = {}\n", world.iam.url)), "{text}");
    assert!(text.contains(&format!("\nca_bundle = {bundle}\n")), "{text}");
    assert!(text.contains(&format!(" --ca-bundle {bundle} ")), "{text}");

    // The profile is all that another command needs, and the variable is as good as the option.
    let mut variables = world.variables();
    let list = ["iam", "devices", "list", "--json", "--profile", "ann"];
    assert_eq!(keywright_with(&variables, b"", &list).ok()["devices"][0]["type"], "security_key");
    variables.push(("AWS_CA_BUNDLE", bundle));
    let enrol =
        ["iam", "enrol", "red", "--json", "--console-url", &world.iam.url, "--account", &world.iam.account];
    let second = Key::with(&["--ephemeral", "--touch", "auto"]);
    let (first, second) = (world.key.device(), second.device());
    let whom = ["--user", "ann", "--password-fd", "0", "--device", &second, "--proof-device", &first];
    let input = format!("{PASSWORD}\n");
    keywright_with(&variables, input.as_bytes(), &[&enrol[..], &whom].concat()).ok();
    assert_eq!(keywright_with(&variables, b"", &list).ok()["devices"].as_array().unwrap().len(), 2);
    world.key.end("TERM");
}

#[test]
fn a_browsers_consent_becomes_credentials_and_then_a_touch_renews_them() {
    let world = World::new();
    let mut child = begin_with(&world.variables(), b"", &world.words(&["--browser", "--duration", "60"]));
    let (address, check) = shown(&mut child);
    let browser = world.signed_in("ann");
    let to = browser.decide(&address, &check, "allow");
    // Another program, or another site, that knows the port and nothing else.
    let (callback, _) = to.split_once('?').unwrap();
    for query in ["", "?code=x", "?code=x&state=", "?code=x&state=y", "?error=access_denied&state=y"] {
        assert_eq!(browser.get(&format!("{callback}{query}")).0, 400, "{query}");
    }
    let foreign = browser.agent.get(&to).header("Host", "evil.example").call().unwrap();
    assert_eq!(page(foreign).0, 400);
    assert_eq!(browser.get(&to).0, 200);
    let first = finish(child).ok();
    assert!(first["AccessKeyId"].as_str().unwrap().starts_with("ASIA"));
    // What lives for a minute is renewed at once, and without the password.
    let second = world.renew();
    assert_ne!(second.ok()["AccessKeyId"], first["AccessKeyId"]);
    assert_eq!(second.stderr, "Touch the key.\n");
}

#[test]
fn what_is_denied_in_the_browser_is_a_no() {
    let world = World::new();
    let mut child = begin_with(&world.variables(), b"", &world.words(&["--browser"]));
    let (address, check) = shown(&mut child);
    let browser = world.signed_in("ann");
    let to = browser.decide(&address, &check, "deny");
    browser.get(&to);
    finish(child).failed(4, "user");
    assert!(!world.has_login());
}

#[test]
fn credentials_of_whoever_consented_instead_are_refused() {
    let world = World::new();
    world.enrol("eve");
    let mut child = begin_with(&world.variables(), b"", &world.words(&["--browser"]));
    let (address, check) = shown(&mut child);
    let to = world.signed_in("eve").decide(&address, &check, "allow");
    world.browser().get(&to);
    finish(child).failed(6, "verification");
    assert!(!world.has_login());
}
