//! The console: pages for people, and the forms on them. The rooms are those of `pages`.

mod administration;
mod credentials;
mod sign_in;
mod wizard;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use maud::Markup;
use serde::Deserialize;

use super::{App, check_csrf, cookies::Cookies};
use crate::{
    iam::{Iam, SignedIn},
    pages,
    refusal::{Code, Refusal},
};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(home))
        .merge(sign_in::routes())
        .merge(credentials::routes())
        .merge(wizard::routes())
        .merge(administration::routes())
        .route("/static/console.js", get(async || asset("text/javascript", CONSOLE_JS)))
        .route("/static/console.css", get(async || asset("text/css", CONSOLE_CSS)))
        .route("/static/icon.svg", get(async || asset("image/svg+xml", ICON_SVG)))
}

/// The first page: what a program asks for, if one does.
async fn home(State(app): State<App>, cookies: Cookies) -> Redirect {
    Redirect::to(cookies.home(&app.0))
}

pub(super) async fn not_found() -> PageError {
    PageError(Refusal::new(Code::NoSuchEntity, "There is no such page. The console begins at /."))
}

/// A refusal as a page of its own.
pub(super) struct PageError(pub(super) Refusal);

impl From<Refusal> for PageError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        with_status(&self.0, pages::refused(&self.0.message))
    }
}

type Answer = Result<Response, PageError>;

/// A page for someone signed in; everyone else is sent to sign in.
async fn page(
    app: App,
    cookies: Cookies,
    work: impl FnOnce(&Iam, &SignedIn) -> Result<Markup, Refusal> + Send + 'static,
) -> Answer {
    let page = app.run(move |iam| match cookies.signed_in(iam) {
        Ok(caller) => work(iam, &caller).map(Some),
        Err(_) => Ok(None),
    });
    Ok(match page.await? {
        Some(page) => page.into_response(),
        None => Redirect::to("/sign-in").into_response(),
    })
}

/// A form of someone signed in, with the token of the session that it was shown in.
async fn submit(
    app: App,
    cookies: Cookies,
    csrf: String,
    work: impl FnOnce(&Iam, &SignedIn) -> Result<Response, Refusal> + Send + 'static,
) -> Answer {
    let answer = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        check_csrf(&caller.csrf, &csrf)?;
        work(iam, &caller)
    });
    Ok(answer.await?)
}

/// A form with nothing but its token.
#[derive(Deserialize)]
struct Csrf {
    csrf: String,
}

/// A form about a device.
#[derive(Deserialize)]
struct OneDevice {
    csrf: String,
    serial: String,
}

/// Which device a page is about.
#[derive(Deserialize)]
struct Serial {
    serial: String,
}

/// What was done on the page before, for a banner. Only these words are shown.
#[derive(Deserialize)]
struct Done {
    done: Option<String>,
}

impl Done {
    fn message(&self) -> Option<&'static str> {
        Some(match self.done.as_deref()? {
            "assigned" => {
                "MFA device assigned. You will need it, or another of your MFA devices, at the next sign-in."
            }
            "removed" => "MFA device removed.",
            "requested" => "The request was sent. An administrator decides about it.",
            "withdrawn" => "The request was withdrawn.",
            "resynced" => "MFA device resynchronised.",
            "created" => "User created.",
            "unlocked" => "The user's MFA codes are accepted again.",
            "imported" => "The tokens of the file are imported.",
            "granted" => "The request was granted: the device is removed.",
            "denied" => "The request was denied: the device stays.",
            _ => return None,
        })
    }
}

fn see(path: &str) -> Response {
    Redirect::to(path).into_response()
}

fn with_status(refusal: &Refusal, page: Markup) -> Response {
    let status = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, page).into_response()
}

/// A value as part of a query.
fn encoded(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

const CONSOLE_JS: &str = include_str!("../../static/console.js");
const CONSOLE_CSS: &str = include_str!("../../static/console.css");
const ICON_SVG: &str = include_str!("../../static/icon.svg");
