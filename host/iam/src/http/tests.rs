//! Over a real loopback socket, as a script or browser would.

mod attestation;
mod authenticator;
mod aws;
mod console;
mod events;
mod guard;
mod keys;
mod kill;
mod lockout;
mod login;
mod oauth;
mod removal;
mod signin;
mod tls;
mod tokens;
mod webauthn;

use std::collections::HashMap;

use serde_json::{Value, json};
use ureq::{Agent, http::Response};

use crate::{
    Config, Running, Server,
    testing::{Hands, code},
};

/// A server in memory and its clock.
struct World {
    running: Running,
    hands: Hands,
}

/// A browser or script: it keeps cookies and says where it comes from.
struct Client {
    agent: Agent,
    url: String,
    account: String,
    cookies: HashMap<String, String>,
}

struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    text: String,
}

impl World {
    fn new() -> Self {
        Self::with(|config| config)
    }

    fn with(change: impl FnOnce(Config) -> Config) -> Self {
        let hands = Hands::new();
        let config = change(Config { clock: hands.clock(), ..Config::ephemeral() });
        Self { running: Server::start(config).unwrap(), hands }
    }

    /// The administrator, signed in without MFA.
    fn administrator(&self) -> Client {
        let mut client = self.client();
        let secret = self.running.administrator.clone().unwrap();
        client.sign_in(&secret.user, &secret.password).ok();
        client
    }

    fn client(&self) -> Client {
        Client::of(&self.running)
    }

    /// A client whose user is signed in without MFA.
    fn user(&self, name: &str) -> Client {
        let mut administrator = self.client();
        let secret = self.running.administrator.clone().unwrap();
        administrator.sign_in(&secret.user, &secret.password).ok();
        administrator.post("/api/users", json!({"user": name, "password": PASSWORD})).has(201);
        let mut client = self.client();
        assert_eq!(client.sign_in(name, PASSWORD).ok()["state"], "signed_in");
        client
    }

    /// A client signed in without MFA whose user then enabled an authenticator app; serial and seed.
    fn user_with_app(&self, name: &str) -> (Client, String, String) {
        let mut client = self.user(name);
        let body = json!({"name": format!("{name}-app")});
        let setup = client.post("/api/mfa-devices/totp", body).has(201);
        let text = |key: &str| setup[key].as_str().unwrap().to_owned();
        let (serial, seed) = (text("serial"), text("seed_base32"));
        let now = self.hands.seconds();
        let (code1, code2) = (code(&seed, now - 30), code(&seed, now));
        let body = json!({"serial": serial, "code1": code1, "code2": code2});
        client.post("/api/mfa-devices/totp/enable", body).ok();
        self.hands.advance(60);
        (client, serial, seed)
    }

    fn code(&self, seed: &str) -> String {
        code(seed, self.hands.seconds())
    }
}

impl Client {
    fn of(running: &Running) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let config = config.max_redirects_will_error(false);
        Self {
            agent: config.build().new_agent(),
            url: running.console_url.clone(),
            account: running.account.clone(),
            cookies: HashMap::new(),
        }
    }

    fn sign_in(&mut self, user: &str, password: &str) -> Answer {
        let account = self.account.clone();
        self.post("/api/sign-in", json!({"account": account, "user": user, "password": password}))
    }

    fn session(&mut self) -> Answer {
        self.get("/api/session")
    }

    fn get(&mut self, path: &str) -> Answer {
        let request = self.agent.get(self.at(path)).header("Cookie", self.cookie());
        self.take(request.call().unwrap())
    }

    fn post(&mut self, path: &str, body: Value) -> Answer {
        let request = self.agent.post(self.at(path)).header("Cookie", self.cookie());
        self.take(request.header("Origin", &self.url).send_json(body).unwrap())
    }

    fn form(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let request = self.agent.post(self.at(path)).header("Cookie", self.cookie());
        self.take(request.header("Origin", &self.url).send_form(fields.iter().copied()).unwrap())
    }

    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn cookie(&self) -> String {
        self.cookies.iter().map(|(name, id)| format!("{name}={id}")).collect::<Vec<_>>().join("; ")
    }

    /// The id of the cookie whose name begins with `keywright-KIND`.
    fn id(&self, kind: &str) -> Option<&String> {
        let prefix = format!("keywright-{kind}-");
        self.cookies.iter().find(|(name, _)| name.starts_with(&prefix)).map(|(_, id)| id)
    }

    fn take(&mut self, mut response: Response<ureq::Body>) -> Answer {
        // The agent's own jar would send what a test has taken away.
        self.agent.cookie_jar_lock().clear();
        for cookie in response.headers().get_all("set-cookie") {
            let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, id) = pair.split_once('=').unwrap();
            assert!(attributes.contains("HttpOnly") && attributes.contains("SameSite=Strict"));
            match id {
                "" => self.cookies.remove(name),
                id => self.cookies.insert(name.into(), id.into()),
            };
        }
        let header = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
            (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
        };
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().iter().map(header).collect(),
            text: response.body_mut().read_to_string().unwrap(),
        }
    }
}

impl Answer {
    #[track_caller]
    fn has(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        serde_json::from_str(&self.text).unwrap()
    }

    #[track_caller]
    fn ok(self) -> Value {
        self.has(200)
    }

    /// Refused with this code, and with a message.
    #[track_caller]
    fn refused(self, status: u16, code: &str) -> String {
        let error = self.has(status)["error"].take();
        assert_eq!(error["code"], code, "{error}");
        error["message"].as_str().unwrap().to_owned()
    }
}

const PASSWORD: &str = "a good password";
