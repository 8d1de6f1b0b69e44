//! TLS, with a client that trusts a root of its own and nothing else.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt as _,
    sync::Arc,
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};

use super::{authenticator::Key, *};
use crate::{Tls, testing::Directory};

/// A server behind TLS, on loopback, that is known by the name of an origin.
struct Behind {
    running: Running,
    trust: Arc<ClientConfig>,
    _files: Directory,
}

/// A script with a connection for each request.
struct Script<'a> {
    behind: &'a Behind,
    host: String,
    cookies: HashMap<String, String>,
}

struct Heard {
    status: u16,
    head: String,
    body: String,
}

impl Behind {
    fn new(name: &str) -> Self {
        let files = Directory::new();
        let root_key = KeyPair::generate().unwrap();
        let mut root = CertificateParams::default();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root_certificate = root.self_signed(&root_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let host = name.split(':').next().unwrap();
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &Issuer::new(root, root_key)).unwrap();
        let tls = Tls { certificate: files.path().join("cert.pem"), key: files.path().join("key.pem") };
        fs::write(&tls.certificate, certificate.pem()).unwrap();
        fs::write(&tls.key, key.serialize_pem()).unwrap();
        fs::set_permissions(&tls.key, fs::Permissions::from_mode(0o600)).unwrap();
        let origin = (name != "localhost").then(|| format!("https://{name}"));
        let running = Server::start(Config { tls: Some(tls), origin, ..Config::ephemeral() }).unwrap();
        Self { running, trust: trust(root_certificate.der()), _files: files }
    }

    /// The socket behind whatever name.
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.running.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    fn script(&self) -> Script<'_> {
        let host = self.running.console_url.trim_start_matches("https://").to_owned();
        Script { behind: self, host, cookies: HashMap::new() }
    }

    fn name(&self) -> &str {
        let host = self.running.console_url.trim_start_matches("https://");
        host.split(':').next().unwrap()
    }
}

impl Script<'_> {
    fn ask(&mut self, method: &str, path: &str, origin: &str, body: &str) -> Heard {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, id)| format!("{name}={id}")).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nOrigin: {origin}\r\nCookie: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            cookies.join("; "),
            body.len(),
        );
        let name = ServerName::try_from(self.behind.name().to_owned()).unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.behind.trust), name).unwrap();
        let mut stream = StreamOwned::new(connection, self.behind.connect());
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        for line in head.lines() {
            let Some(cookie) = line.strip_prefix("set-cookie: ") else { continue };
            assert!(cookie.contains("; Secure") && cookie.contains("HttpOnly") && cookie.contains("Path=/;"));
            assert!(cookie.starts_with("__Host-keywright-"), "{cookie}");
            let (pair, _) = cookie.split_once(';').unwrap();
            let (name, id) = pair.split_once('=').unwrap();
            self.cookies.insert(name.into(), id.into());
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Heard { status, head: head.into(), body: body.into() }
    }

    fn post(&mut self, path: &str, body: &Value) -> Value {
        let origin = self.behind.running.console_url.clone();
        let heard = self.ask("POST", path, &origin, &body.to_string());
        assert!(heard.status < 300, "{path}: {} {}", heard.status, heard.body);
        serde_json::from_str(&heard.body).unwrap()
    }

    fn sign_in(&mut self) -> Value {
        let Running { account, administrator, .. } = &self.behind.running;
        let secret = administrator.as_ref().unwrap();
        self.post(
            "/api/sign-in",
            &json!({"account": account, "user": secret.user, "password": secret.password}),
        )
    }
}

fn trust(root: &CertificateDer<'_>) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(root.clone().into_owned()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

#[test]
fn a_key_is_registered_and_signs_in_under_the_name_of_the_origin() {
    for name in ["iam.example.org", "localhost"] {
        let behind = Behind::new(name);
        let console_url = behind.running.console_url.clone();
        assert_eq!(behind.running.url, console_url);
        let mut key = Key { rp_id: name.into(), ..Key::new(&console_url) };
        let mut script = behind.script();
        assert_eq!(script.sign_in()["state"], "signed_in");
        let options = script.post("/api/mfa-devices/webauthn/options", &json!({"name": "blue"}));
        assert_eq!(options["rp"]["id"], name);
        let body = json!({"name": "blue", "credential": key.create(&options)});
        script.post("/api/mfa-devices/webauthn", &body);
        let mut script = behind.script();
        assert_eq!(script.sign_in()["state"], "mfa_required");
        let options = script.post("/api/sign-in/webauthn/options", &json!({}));
        assert_eq!(options["rpId"], name);
        script.post("/api/sign-in/webauthn", &json!({"credential": key.get(&options)}));
        let heard = script.ask("GET", "/api/session", &console_url, "");
        assert_eq!(serde_json::from_str::<Value>(&heard.body).unwrap()["mfa"], true);
    }
}

#[test]
fn another_origin_or_host_than_the_one_configured_is_refused() {
    let behind = Behind::new("iam.example.org");
    let port = behind.running.address.port();
    for origin in ["http://iam.example.org", "https://iam.example.org:8443", "https://localhost", "null", ""]
    {
        let heard = behind.script().ask("POST", "/api/sign-in", origin, "{}");
        assert_eq!(heard.status, 403, "{origin}: {}", heard.body);
    }
    for host in
        ["localhost".into(), format!("127.0.0.1:{port}"), "iam.example.org:8443".into(), "evil.test".into()]
    {
        let mut script = Script { host, ..behind.script() };
        for path in ["/sign-in", "/api/session"] {
            let heard = script.ask("GET", path, "https://iam.example.org", "");
            assert_eq!(heard.status, 403, "{} {path}: {}", script.host, heard.body);
        }
        let heard = script.ask("POST", "/", "", "Action=GetCallerIdentity");
        assert_eq!(heard.status, 403, "{}", heard.body);
    }
}

#[test]
fn an_answer_for_the_plain_origin_of_this_machine_is_refused() {
    let behind = Behind::new("iam.example.org");
    let mut script = behind.script();
    script.sign_in();
    let options = script.post("/api/mfa-devices/webauthn/options", &json!({"name": "blue"}));
    let key = Key::new("http://localhost");
    let body = json!({"name": "blue", "credential": key.create(&options)}).to_string();
    let heard = script.ask("POST", "/api/mfa-devices/webauthn", "https://iam.example.org", &body);
    assert_eq!(heard.status, 403, "{}", heard.body);
    assert!(heard.body.contains("https://iam.example.org"), "{}", heard.body);
}

#[test]
fn browsers_are_told_to_stay_with_tls_but_not_for_other_servers_of_the_name() {
    for (name, told) in [("iam.example.org", true), ("iam.example.org:8443", false), ("localhost", false)] {
        let behind = Behind::new(name);
        let heard = behind.script().ask("GET", "/sign-in", &behind.running.console_url, "");
        assert_eq!(
            (heard.status, heard.head.contains("strict-transport-security: max-age=31536000")),
            (200, told)
        );
    }
    let plain = World::new().client().get("/sign-in");
    assert!(!plain.headers.contains_key("strict-transport-security"));
}

#[test]
fn plain_http_on_the_port_of_tls_gets_nowhere() {
    let behind = Behind::new("iam.example.org");
    for request in ["GET / HTTP/1.1\r\nHost: iam.example.org\r\n\r\n", "\r\n\r\n", "nonsense"] {
        let mut stream = behind.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut heard = Vec::new();
        // An alert of TLS, or the end, but never an answer of HTTP.
        let _ = stream.read_to_end(&mut heard);
        assert!(!String::from_utf8_lossy(&heard).contains("HTTP"), "{heard:?}");
    }
}

#[test]
fn a_client_that_does_not_trust_the_root_tells_nothing() {
    let (behind, other) = (Behind::new("iam.example.org"), Behind::new("iam.example.org"));
    let name = ServerName::try_from("iam.example.org").unwrap();
    let connection = ClientConnection::new(Arc::clone(&other.trust), name).unwrap();
    let mut stream = StreamOwned::new(connection, behind.connect());
    let error = stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap_err();
    assert!(error.to_string().contains("invalid peer certificate"), "{error}");
    assert_eq!(behind.script().sign_in()["state"], "signed_in");
}

#[test]
fn connections_that_say_nothing_do_not_keep_others_out_or_hold_up_a_stop() {
    let behind = Behind::new("iam.example.org");
    let silent: Vec<_> = (0..64).map(|_| behind.connect()).collect();
    assert_eq!(behind.script().sign_in()["state"], "signed_in");
    drop(behind);
    drop(silent);
}

#[test]
fn beyond_loopback_nothing_is_served_without_tls_or_without_an_origin() {
    let listen: SocketAddr = "0.0.0.0:0".parse().unwrap();
    let start = |config| Server::start(config).unwrap_err().to_string();
    assert!(start(Config { listen, ..Config::ephemeral() }).contains("without TLS"));
    let files = Tls { certificate: "cert.pem".into(), key: "key.pem".into() };
    let config = Config { listen, tls: Some(files.clone()), ..Config::ephemeral() };
    assert!(start(config.clone()).contains("give the console's origin"));
    let origin = Some("https://192.0.2.1".to_owned());
    assert!(start(Config { origin, ..config }).contains("not an IP address"));
    let origin = Some("https://iam.example.org".to_owned());
    assert!(start(Config { origin, ..Config::ephemeral() }).contains("without TLS"));
}
