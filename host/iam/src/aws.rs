//! AWS's API for real clients: the Query protocol of IAM (2010-05-08) and STS (2011-06-15), signed with SigV4.

mod actions;
mod audit;
mod guard;
mod members;
mod mfa;
mod principal;
pub(crate) mod sigv4;
mod sts;
mod users;
mod xml;

use tracing::info;

use crate::{
    actor::Actor,
    events::Source,
    iam::Iam,
    page::Wanted,
    random,
    refusal::{Code, Refusal},
    users::User,
};
use actions::{Action, Service};
use members::Members;
use principal::Principal;
pub(crate) use sigv4::Request;
use xml::Element;

/// An answer: an XML document.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) request_id: String,
    pub(crate) xml: String,
}

/// An action that is asked for by someone known, with members that were checked.
struct Call<'a> {
    iam: &'a Iam,
    action: &'static Action,
    principal: &'a Principal,
    members: &'a Members,
}

impl Answer {
    /// A refusal of what was not even read.
    pub(crate) fn refused(refusal: &Refusal) -> Self {
        Self::error(refusal, Service::Iam, request_id())
    }

    fn error(refusal: &Refusal, service: Service, request_id: String) -> Self {
        // AWS's API answers 400 where the web's own status would be 429.
        let status = if refusal.code == Code::Throttling { 400 } else { refusal.code.status() };
        Self { status, xml: xml::error(refusal, service.namespace(), &request_id), request_id }
    }
}

impl Iam {
    /// Answers a request of AWS's API.
    pub(crate) fn answer(&self, request: &Request, source: &Source) -> Answer {
        let request_id = request_id();
        let members = Members::parse(&request.body);
        let version = members.as_ref().ok().and_then(|members| members.get("Version"));
        let service = Service::of_version(version.unwrap_or_default()).unwrap_or(Service::Iam);
        match members.and_then(|members| self.act(request, source, &members)) {
            Ok((action, result)) => {
                let xml = xml::response(action.name, action.service.namespace(), result, &request_id);
                Answer { status: 200, request_id, xml }
            }
            Err(refusal) => {
                info!(code = %refusal.code, request_id, "a request of the API was refused");
                Answer::error(&refusal, service, request_id)
            }
        }
    }

    /// Who asks comes first: to someone unknown nothing else is told.
    fn act(
        &self,
        request: &Request,
        source: &Source,
        members: &Members,
    ) -> Result<(&'static Action, Option<Vec<Element>>), Refusal> {
        let (principal, scope) = self.authenticate(request)?;
        let action = actions::find(members)?;
        if scope != action.service.name() {
            let text =
                format!("Credential should be scoped to correct service: '{}'.", action.service.name());
            return Err(Refusal::new(Code::SignatureDoesNotMatch, text));
        }
        let call = Call { iam: self, action, principal: &principal, members };
        let result = call.carry_out();
        self.audit(source, (action, &principal, members), &result);
        Ok((action, result?))
    }
}

impl Call<'_> {
    fn carry_out(&self) -> Result<Option<Vec<Element>>, Refusal> {
        self.principal.require_may_call(self.action)?;
        if let Some(guard) = self.iam.guard {
            guard.check((self.action, self.principal, self.members), self.iam.now())?;
        }
        self.members.check(self.action.members)?;
        (self.action.run)(self)
    }

    fn actor(&self) -> Actor<'_> {
        self.principal.actor(self.iam)
    }

    /// The user that the call names, or the one who calls. Only an administrator learns whether another is there.
    fn user(&self) -> Result<User, Refusal> {
        let own = &self.principal.user;
        match self.members.get("UserName") {
            Some(name) if !name.eq_ignore_ascii_case(&own.name) => {
                self.actor().require_administrator(&self.action.full_name())?;
                self.iam.user(name)
            }
            _ => Ok(own.clone()),
        }
    }

    fn wanted(&self) -> Result<Wanted, Refusal> {
        Wanted::parse(self.members.get("Marker"), self.members.number("MaxItems"))
    }
}

/// The members that end a list.
fn truncation(marker: Option<String>) -> Vec<Element> {
    let truncated = Element::text("IsTruncated", marker.is_some());
    [truncated].into_iter().chain(marker.map(|marker| Element::text("Marker", marker))).collect()
}

/// A random UUID. Without randomness the answer still goes out: the id is for finding it in a log.
fn request_id() -> String {
    let mut id = random::<16>().unwrap_or_default();
    id[6] = id[6] & 0x0f | 0x40;
    id[8] = id[8] & 0x3f | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&id);
    [(0, 8), (8, 12), (12, 16), (16, 20), (20, 32)]
        .map(|(from, to)| hex.get(from..to).unwrap_or_default())
        .join("-")
}
