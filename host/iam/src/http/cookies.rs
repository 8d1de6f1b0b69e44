//! Two cookies: one for the pending sign-in, one for the session.
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
    refusal::Refusal,
};

/// The ids that a request brought, and where it came from.
pub(super) struct Cookies {
    pending: Option<String>,
    session: Option<String>,
    pub(super) source: Source,
}

impl FromRequestParts<App> for Cookies {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let (pending, session) = names(&app.0);
        let (pending, session) = (find(&parts.headers, &pending), find(&parts.headers, &session));
        Ok(Self { pending, session, source: source(parts) })
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
    let ((pending_name, session_name), is_secure) = (names(iam), iam.console_url.is_secure());
    AppendHeaders([
        (header::SET_COOKIE, cookie(&pending_name, pending, is_secure)),
        (header::SET_COOKIE, cookie(&session_name, session, is_secure)),
    ])
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

fn names(iam: &Iam) -> (String, String) {
    let port = iam.console_url.port();
    // Browsers keep the prefix for cookies of this very host, set over TLS.
    let prefix = if iam.console_url.is_secure() { "__Host-" } else { "" };
    (format!("{prefix}keywright-pending-{port}"), format!("{prefix}keywright-session-{port}"))
}

fn find(headers: &HeaderMap, name: &str) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, id)| id.to_owned())
}
