//! Two cookies: one for the pending sign-in, one for the session.
//!
//! Browsers share cookies between the ports of `localhost`, so the names carry the port.

use std::convert::Infallible;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    response::AppendHeaders,
};

use super::App;
use crate::iam::Iam;

/// The ids that a request brought.
#[derive(Default)]
pub(super) struct Cookies {
    pub(super) pending: Option<String>,
    pub(super) session: Option<String>,
}

impl FromRequestParts<App> for Cookies {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let (pending, session) = names(&app.0);
        Ok(Self { pending: find(&parts.headers, &pending), session: find(&parts.headers, &session) })
    }
}

impl Cookies {
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
    let (pending_name, session_name) = names(iam);
    AppendHeaders([
        (header::SET_COOKIE, cookie(&pending_name, pending)),
        (header::SET_COOKIE, cookie(&session_name, session)),
    ])
}

fn cookie(name: &str, id: Option<&str>) -> HeaderValue {
    let text = match id {
        Some(id) => format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict"),
        None => format!("{name}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"),
    };
    // Names and ids are letters, digits, - and _.
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
}

fn names(iam: &Iam) -> (String, String) {
    let port = iam.console_url.rsplit(':').next().unwrap_or_default().trim_start_matches('/');
    (format!("keywright-pending-{port}"), format!("keywright-session-{port}"))
}

fn find(headers: &HeaderMap, name: &str) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, id)| id.to_owned())
}
