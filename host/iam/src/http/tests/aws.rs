//! AWS's API, asked as a real client asks: signed, over the socket. The client's own tests with boto3 and the AWS
//! CLI are in `tests/iam-clients`.

mod access;
mod devices;
mod sts;
mod users;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::*;
use crate::aws::{Request, sigv4::signing::Signer};

/// A client of AWS's API with credentials of some kind.
#[derive(Clone)]
pub(super) struct Aws {
    pub(super) agent: Agent,
    pub(super) url: String,
    pub(super) hands: Hands,
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: Option<String>,
}

/// An answer of the API.
pub(super) struct Xml {
    status: u16,
    text: String,
}

/// A virtual device that was made.
pub(super) struct Made {
    pub(super) serial: String,
    pub(super) seed: String,
}

impl World {
    /// The administrator's access key.
    pub(super) fn aws(&self) -> Aws {
        let (id, secret) = (self.running.access_key_id.clone(), self.running.secret_access_key.clone());
        Aws::new(self.running.url.clone(), self.hands.clone(), id, secret)
    }

    /// A new user's access key.
    pub(super) fn aws_user(&self, name: &str) -> Aws {
        let admin = self.aws();
        admin.call("CreateUser", &[("UserName", name)]).ok();
        let made = admin.call("CreateAccessKey", &[("UserName", name)]).ok();
        Aws { id: made.value("AccessKeyId"), secret: made.value("SecretAccessKey"), ..admin }
    }
}

impl Aws {
    pub(super) fn new(url: String, hands: Hands, id: String, secret: String) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0);
        Self { agent: config.build().new_agent(), url, hands, id, secret, token: None }
    }

    pub(super) fn call(&self, action: &str, members: &[(&str, &str)]) -> Xml {
        self.attempt(action, members).unwrap()
    }

    /// `None` when nobody answers.
    pub(super) fn attempt(&self, action: &str, members: &[(&str, &str)]) -> Option<Xml> {
        let sts = ["GetCallerIdentity", "GetSessionToken", "AssumeRole"].contains(&action);
        let (service, version) = if sts { ("sts", "2011-06-15") } else { ("iam", "2010-05-08") };
        let fixed = [("Action", action), ("Version", version)];
        self.try_post(&self.signed(service, &form(fixed.iter().chain(members))))
    }

    fn send(&self, service: &str, members: &[(&str, &str)]) -> Xml {
        self.post(&self.signed(service, &form(members)))
    }

    fn signed(&self, service: &str, body: &str) -> Request {
        let host = self.url.trim_start_matches("http://").to_owned();
        let kind = "application/x-www-form-urlencoded; charset=utf-8".to_owned();
        let headers = vec![("host".to_owned(), host), ("content-type".to_owned(), kind)];
        let (method, path) = ("POST".into(), "/".into());
        let mut request = Request { method, path, query: String::new(), headers, body: body.into() };
        let signer = Signer {
            access_key_id: &self.id,
            secret: &self.secret,
            session_token: self.token.as_deref(),
            region: "us-east-1",
            service,
            time: i64::try_from(self.hands.seconds()).unwrap(),
        };
        signer.sign(&mut request);
        request
    }

    fn post(&self, request: &Request) -> Xml {
        self.try_post(request).unwrap()
    }

    fn try_post(&self, request: &Request) -> Option<Xml> {
        let mut post = self.agent.post(&self.url);
        for (name, value) in &request.headers {
            post = post.header(name, value);
        }
        let mut answer = post.send(&request.body).ok()?;
        assert_eq!(answer.headers()["content-type"], "text/xml");
        Some(Xml { status: answer.status().as_u16(), text: answer.body_mut().read_to_string().ok()? })
    }

    /// Makes a virtual device.
    fn make(&self, name: &str) -> Made {
        self.call("CreateVirtualMFADevice", &[("VirtualMFADeviceName", name)]).ok().made()
    }

    /// Enables a device with the codes of the steps before this one.
    fn enable(&self, user: &str, made: &Made) -> Xml {
        let now = self.hands.seconds();
        self.pair(
            "EnableMFADevice",
            user,
            &made.serial,
            [code(&made.seed, now - 60), code(&made.seed, now - 30)],
        )
    }

    fn pair(&self, action: &str, user: &str, serial: &str, [first, second]: [String; 2]) -> Xml {
        let members = [
            ("UserName", user),
            ("SerialNumber", serial),
            ("AuthenticationCode1", &first),
            ("AuthenticationCode2", &second),
        ];
        self.call(action, &members)
    }

    /// A device made and enabled for a user.
    pub(super) fn enabled(&self, user: &str, name: &str) -> Made {
        let made = self.make(name);
        self.enable(user, &made).ok();
        made
    }

    fn now(&self, made: &Made) -> String {
        code(&made.seed, self.hands.seconds())
    }

    /// The credentials in an answer of STS.
    pub(super) fn session(&self, answer: &Xml) -> Self {
        let (id, secret) = (answer.value("AccessKeyId"), answer.value("SecretAccessKey"));
        Self { id, secret, token: Some(answer.value("SessionToken")), ..self.clone() }
    }

    /// The device's serial numbers as a list shows them.
    pub(super) fn list(&self, action: &str, members: &[(&str, &str)]) -> Vec<String> {
        self.call(action, members).ok().values("SerialNumber")
    }
}

impl Xml {
    #[track_caller]
    pub(super) fn ok(self) -> Self {
        assert_eq!(self.status, 200, "{}", self.text);
        self
    }

    /// Refused with this code, and with a message.
    #[track_caller]
    pub(super) fn refused(&self, status: u16, code: &str) -> String {
        assert_eq!((self.status, self.value("Code").as_str()), (status, code), "{}", self.text);
        assert_eq!(self.value("Type"), "Sender");
        self.value("Message")
    }

    /// The virtual device in an answer.
    pub(super) fn made(&self) -> Made {
        let seed = BASE64_STANDARD.decode(self.value("Base32StringSeed")).unwrap();
        Made { serial: self.value("SerialNumber"), seed: String::from_utf8(seed).unwrap() }
    }

    #[track_caller]
    pub(super) fn value(&self, name: &str) -> String {
        self.values(name).into_iter().next().unwrap_or_else(|| panic!("no {name} in {}", self.text))
    }

    pub(super) fn values(&self, name: &str) -> Vec<String> {
        let document = roxmltree::Document::parse(&self.text).unwrap();
        let named = document.descendants().filter(|node| node.tag_name().name() == name);
        named.map(|node| node.text().unwrap_or_default().to_owned()).collect()
    }
}

fn form<'a>(members: impl IntoIterator<Item = &'a (&'a str, &'a str)>) -> String {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    members.into_iter().for_each(|(name, value)| {
        form.append_pair(name, value);
    });
    form.finish()
}
