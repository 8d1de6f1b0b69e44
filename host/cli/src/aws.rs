//! AWS's Query API, the asking end: IAM and STS, at AWS or any endpoint that speaks it.

pub(crate) mod credentials;
mod endpoint;
mod profile;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use keywright_iam::Signer;
use roxmltree::{Document, Node};
use ureq::{Agent, Proxy};
use zeroize::Zeroizing;

use crate::args;
use crate::failure::{Failure, Kind};
use crate::roots;
use credentials::Credentials;
use endpoint::Endpoint;
use profile::Profile;

/// Who asks, and where.
pub(crate) struct Aws {
    agent: Agent,
    credentials: Credentials,
    iam: Endpoint,
    sts: Endpoint,
}

/// Which of AWS's services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Iam,
    Sts,
}

/// Why an action gave no answer.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// It was refused: nothing was done.
    Refused { action: &'static str, code: String, message: String },
    /// Nobody knows whether it was done.
    Unknown { action: &'static str, why: String },
}

/// What an action answered.
pub(crate) struct Answer {
    action: &'static str,
    xml: Zeroizing<String>,
}

/// The texts in an element, by their names.
pub(crate) type Members = BTreeMap<String, String>;

impl Aws {
    /// From the options, the environment and AWS's files, in this order.
    ///
    /// # Errors
    /// If there are no credentials, or an address is none.
    pub(crate) fn of(account: &args::aws::Account) -> Result<Self, Failure> {
        let profile = Profile::read(account.profile.as_deref())?;
        let region = account.region.clone().or_else(|| profile.region());
        let endpoint =
            |service| Endpoint::of(service, account.endpoint_url.as_deref(), &profile, region.as_deref());
        let (iam, sts) = (endpoint(Service::Iam)?, endpoint(Service::Sts)?);
        let bundle = roots::of_environment().or_else(|| profile.setting("ca_bundle").map(PathBuf::from));
        let tls = roots::believed(bundle.filter(|_| iam.is_secure() || sts.is_secure()).as_deref())?;
        let config = Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        let are_secure = iam.is_secure() && sts.is_secure();
        // A signed request is for its host and no other.
        let config = config.max_redirects(0).proxy(Proxy::try_from_env().filter(|proxy| {
            // What is in the clear leaves this machine by no proxy either.
            are_secure || endpoint::is_loopback(proxy.host())
        }));
        // A connection that is kept may be gone by the next request, and then nobody knows whether that was read.
        let config = config.tls_config(tls).max_idle_connections(0).build();
        Ok(Self { agent: config.into(), iam, sts, credentials: Credentials::of(&profile)? })
    }

    /// Asks for an action.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(crate) fn call(
        &self,
        service: Service,
        action: &'static str,
        members: &[(&str, &str)],
    ) -> Result<Answer, ApiError> {
        let unknown = |why: String| ApiError::Unknown { action, why };
        let (endpoint, version) = match service {
            Service::Iam => (&self.iam, "2010-05-08"),
            Service::Sts => (&self.sts, "2011-06-15"),
        };
        let body = form([("Action", action), ("Version", version)].iter().chain(members));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let signer = Signer {
            access_key_id: &self.credentials.access_key_id,
            secret: &self.credentials.secret_access_key,
            session_token: self.credentials.session_token.as_ref().map(|token| token.as_str()),
            region: &endpoint.signed_region,
            service: service.name(),
            time: i64::try_from(now).unwrap_or_default(),
        };
        let mut request = self.agent.post(&endpoint.url);
        for (name, value) in signer.form_headers(&endpoint.host, body.as_bytes()) {
            request = request.header(name, value);
        }
        let mut response = request.send(body.as_bytes()).map_err(|error| unknown(error.to_string()))?;
        let status = response.status();
        let xml = response.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string();
        let xml = Zeroizing::new(xml.map_err(|error| unknown(error.to_string()))?);
        if status.is_success() && Document::parse(&xml).is_ok() {
            return Ok(Answer { action, xml });
        }
        match refusal(&xml) {
            // A server that failed may have done half of it.
            Some((code, message)) if status.is_client_error() => {
                Err(ApiError::Refused { action, code, message })
            }
            Some((code, message)) => Err(unknown(format!("{code}: {message}"))),
            None => Err(unknown(format!("HTTP status {status}, and no answer of AWS's API"))),
        }
    }

    /// All entries of a list that comes in parts.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(crate) fn list(
        &self,
        action: &'static str,
        members: &[(&str, &str)],
        list: &str,
    ) -> Result<Vec<Members>, ApiError> {
        let (mut entries, mut marker) = (Vec::new(), None::<String>);
        loop {
            let next = marker.as_deref().map(|marker| ("Marker", marker));
            let answer =
                self.call(Service::Iam, action, &members.iter().copied().chain(next).collect::<Vec<_>>())?;
            entries.extend(answer.list(list));
            let following =
                answer.text("Marker").filter(|_| answer.text("IsTruncated").as_deref() == Some("true"));
            match following {
                None => return Ok(entries),
                // It would never end.
                Some(same) if Some(&same) == marker.as_ref() => {
                    return Err(ApiError::Unknown { action, why: "the list repeats itself".to_owned() });
                }
                Some(following) => marker = Some(following),
            }
        }
    }
}

impl Service {
    /// As signatures have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }
}

impl Answer {
    /// The text of the first element of a name.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let document = Document::parse(&self.xml).ok()?;
        let found = document.descendants().find(|node| node.has_tag_name_local(name));
        found.map(|node| node.text().unwrap_or_default().to_owned())
    }

    /// As [`Answer::text`], for what must be there.
    ///
    /// # Errors
    /// [`ApiError::Unknown`] if it is not.
    pub(crate) fn required(&self, name: &str) -> Result<Zeroizing<String>, ApiError> {
        let missing = || ApiError::Unknown { action: self.action, why: format!("the answer has no {name}") };
        self.text(name).filter(|text| !text.is_empty()).map(Zeroizing::new).ok_or_else(missing)
    }

    fn list(&self, name: &str) -> Vec<Members> {
        let Ok(document) = Document::parse(&self.xml) else { return Vec::new() };
        let list = document.descendants().find(|node| node.has_tag_name_local(name));
        let entries = list.into_iter().flat_map(|list| list.children().filter(Node::is_element));
        let text = |node: Node<'_, '_>| {
            (node.tag_name().name().to_owned(), node.text().unwrap_or_default().to_owned())
        };
        entries.map(|entry| entry.children().filter(Node::is_element).map(text).collect()).collect()
    }
}

impl ApiError {
    /// Whether it was refused with this code.
    pub(crate) fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code.strip_suffix("Exception").unwrap_or(code) == wanted)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let words = match error {
            ApiError::Refused { action, code, message } => {
                format!("{action} was refused: {code}: {}", message.trim().trim_end_matches('.'))
            }
            ApiError::Unknown { action, why } => {
                format!(
                    "{action} was not answered ({why}): check the endpoint and the network, and try again"
                )
            }
        };
        Self::new(Kind::Other, words)
    }
}

trait LocalName {
    fn has_tag_name_local(&self, name: &str) -> bool;
}

impl LocalName for Node<'_, '_> {
    /// Whatever the namespace, which differs from service to service.
    fn has_tag_name_local(&self, name: &str) -> bool {
        self.is_element() && self.tag_name().name() == name
    }
}

/// Code and message of an error's document.
fn refusal(xml: &str) -> Option<(String, String)> {
    let document = Document::parse(xml).ok()?;
    let text = |name: &str| {
        document
            .descendants()
            .find(|node| node.has_tag_name_local(name))
            .and_then(|node| node.text())
            .map(str::to_owned)
    };
    Some((text("Code")?, text("Message").unwrap_or_default()))
}

/// Names and values as a form has them.
fn form<'a>(members: impl Iterator<Item = &'a (&'a str, &'a str)>) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(1024));
    for (name, value) in members {
        if !out.is_empty() {
            out.push('&');
        }
        out.extend(percent_encoding::utf8_percent_encode(name, UNRESERVED));
        out.push('=');
        out.extend(percent_encoding::utf8_percent_encode(value, UNRESERVED));
    }
    out
}

/// All but the unreserved characters of RFC 3986.
const UNRESERVED: &percent_encoding::AsciiSet =
    &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How long a request may take, all in all.
const PATIENCE: Duration = Duration::from_secs(30);
/// A thousand users are far less.
const LONGEST_ANSWER: u64 = 8 << 20;

#[cfg(test)]
mod tests;
