//! Three cookies: one for the pending sign-in, one for the session, one for what a program asks for.
//!
//! Browsers share cookies between the ports of `localhost`, so the names carry the port.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    response::AppendHeaders,
};

use super::App;
use crate::{
    events::Source,
    iam::{Iam, Pending, SignedIn},
    oauth::Authorization,
    refusal::Refusal,
};

/// The ids that a request brought, and where it came from.
pub(super) struct Cookies {
    pending: Option<String>,
    session: Option<String>,
    authorization: Option<String>,
    pub(super) source: Source,
}

impl FromRequestParts<App> for Cookies {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let [pending, session, authorization] = KINDS.map(|kind| find(&parts.headers, &name(&app.0, kind)));
        Ok(Self { pending, session, authorization, source: source(parts) })
    }
}

impl Cookies {
    /// The pending sign-in.
    pub(super) fn pending(&self, iam: &Iam) -> Result<Pending, Refusal> {
        iam.pending(self.pending.as_deref(), self.source.clone())
    }

    /// The session.
    pub(super) fn signed_in(&self, iam: &Iam) -> Result<SignedIn, Refusal> {
        iam.signed_in(self.session.as_deref(), self.source.clone())
    }

    /// What a program asks this browser's user for, and its id.
    pub(super) fn authorization(&self, iam: &Iam) -> Option<(String, Authorization)> {
        let id = self.authorization.clone()?;
        let asked = iam.authorizations.find(&id, iam.now())?;
        Some((id, asked))
    }

    /// Where someone who has signed in is led.
    pub(super) fn home(&self, iam: &Iam) -> &'static str {
        if self.authorization(iam).is_some() { "/v1/consent" } else { "/security-credentials" }
    }

    /// Ends the sessions of both cookies.
    pub(super) fn close(&self, iam: &Iam) {
        for id in [&self.pending, &self.session].into_iter().flatten() {
            iam.sessions.close(id);
        }
    }
}

/// A header for each of the two cookies.
pub(super) type SetCookies = AppendHeaders<[(HeaderName, HeaderValue); 2]>;

/// Headers that set the pending sign-in, the session, or neither, and remove what is not set.
pub(super) fn set(iam: &Iam, pending: Option<&str>, session: Option<&str>) -> SetCookies {
    let is_secure = iam.console_url.is_secure();
    AppendHeaders([
        (header::SET_COOKIE, cookie(&name(iam, PENDING), pending, is_secure)),
        (header::SET_COOKIE, cookie(&name(iam, SESSION), session, is_secure)),
    ])
}

/// A header that sets what a program asks for, or removes it.
pub(super) fn authorization(iam: &Iam, id: Option<&str>) -> (HeaderName, HeaderValue) {
    (header::SET_COOKIE, cookie(&name(iam, AUTHORIZATION), id, iam.console_url.is_secure()))
}

/// Where a request came from.
pub(super) fn source(parts: &Parts) -> Source {
    let address = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    // What goes into the log must not be as long as someone likes.
    Source { address, agent: agent.unwrap_or_default().chars().take(256).collect() }
}

fn cookie(name: &str, id: Option<&str>, is_secure: bool) -> HeaderValue {
    let secure = if is_secure { "; Secure" } else { "" };
    let text = match id {
        Some(id) => format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict{secure}"),
        None => format!("{name}=; Path=/; HttpOnly; SameSite=Strict{secure}; Max-Age=0"),
    };
    // Names and ids are letters, digits, - and _.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

fn name(iam: &Iam, kind: &str) -> String {
    // Browsers keep the prefix for cookies of this very host, set over TLS.
    let prefix = if iam.console_url.is_secure() { "__Host-" } else { "" };
    format!("{prefix}keywright-{kind}-{}", iam.console_url.port())
}

fn find(headers: &HeaderMap, name: &str) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, id)| id.to_owned())
}

const PENDING: &str = "pending";
const SESSION: &str = "session";
const AUTHORIZATION: &str = "authorization";
const KINDS: [&str; 3] = [PENDING, SESSION, AUTHORIZATION];
