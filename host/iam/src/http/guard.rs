//! Who may ask at all: requests to this host, from this origin. And the headers of every answer.
//!
//! The host is checked because a page of a foreign name that resolves to 127.0.0.1 (DNS rebinding) would
//! otherwise share the console's origin; the origin because cookies do not tell who asks. AWS's API (`POST /`)
//! is for programs, which sign what they ask: it takes no cookie, and nothing from a browser.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::{App, api::ApiError, console::PageError, oauth::TokenError};
use crate::{aws::Answer, origin::Origin, refusal::Refusal};

/// Checks a request, passes it on, and adds the headers.
pub(super) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let is_api = request.uri().path().starts_with("/api/");
    let (is_aws, is_token) = (is_aws(&request), is_token(&request));
    let mut response = match judge(&app.0.console_url, &request) {
        Verdict::Pass => next.run(request).await,
        Verdict::Redirect(to) => Redirect::temporary(&to).into_response(),
        Verdict::Refuse(refusal) if is_aws => Answer::refused(&refusal).into_response(),
        Verdict::Refuse(refusal) if is_token => TokenError::from(refusal).into_response(),
        Verdict::Refuse(refusal) if is_api => ApiError(refusal).into_response(),
        Verdict::Refuse(refusal) => PageError(refusal).into_response(),
    };
    let policy = format!("{CONTENT_POLICY}; form-action 'self'");
    let policy = HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    response.headers_mut().entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    // It binds every other server of that name, whatever its port: not for `localhost`, and not from a port of its own.
    let url = &app.0.console_url;
    if url.is_secure() && !url.is_local() && url.port() == HTTPS {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(A_YEAR));
    }
    response
}

enum Verdict {
    Pass,
    Redirect(String),
    Refuse(Refusal),
}

fn judge(console_url: &Origin, request: &Request) -> Verdict {
    let own_host = console_url.host();
    // A certificate is for a name: over TLS there is no other way to say it.
    let by_number = (!console_url.is_secure()).then(|| own_host.replacen("localhost", "127.0.0.1", 1));
    let is_by_number =
        |host: &str| by_number.as_ref().is_some_and(|wanted| host.eq_ignore_ascii_case(wanted));
    let is = |host: &str, wanted: &str| host.eq_ignore_ascii_case(wanted);
    let foreign =
        || Verdict::Refuse(Refusal::denied(format!("The console is at {console_url}. Open it there.")));
    let Some(host) = only(request.headers(), &header::HOST) else { return foreign() };
    if request.uri().authority().is_some_and(|authority| !is(authority.as_str(), host)) {
        return foreign();
    }
    if is_aws(request) || is_token(request) {
        if request.headers().contains_key(header::ORIGIN) {
            return Verdict::Refuse(Refusal::denied(
                "AWS's API and /v1/token are for programs: a browser's requests are refused.",
            ));
        }
        return if is(host, own_host) || is_by_number(host) { Verdict::Pass } else { foreign() };
    }
    if request.headers().contains_key(header::ORIGIN) || !is_safe(request.method()) {
        let origin = only(request.headers(), &header::ORIGIN);
        if origin != Some(&**console_url) {
            let text =
                format!("Requests come from the console alone. A script sends `Origin: {console_url}`.");
            return Verdict::Refuse(Refusal::denied(text));
        }
    }
    if is(host, own_host) {
        return Verdict::Pass;
    }
    if is_by_number(host) && is_safe(request.method()) {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        return Verdict::Redirect(format!("{console_url}{path}"));
    }
    foreign()
}

/// AWS's API and nothing else of the console.
fn is_aws(request: &Request) -> bool {
    request.method() == Method::POST && request.uri().path() == "/"
}

/// Where a program brings the code that the browser gave it.
fn is_token(request: &Request) -> bool {
    request.method() == Method::POST && request.uri().path() == "/v1/token"
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// The value of a header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).into_iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

const HTTPS: u16 = 443;
/// Browsers then ask this host by TLS alone.
const A_YEAR: &str = "max-age=31536000";
/// What a page may load and who may frame it; where its forms lead is added.
pub(super) const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; frame-ancestors 'none'";
/// `Referrer-Policy: no-referrer` would make browsers send `Origin: null` with forms.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];
