//! The console: pages for people, and the forms on them.

use axum::{
    Form, Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use maud::Markup;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    App, check_csrf,
    cookies::{self, Cookies},
};
use crate::{
    iam::{Iam, Pending, SignedIn},
    pages,
    refusal::{Code, Refusal},
    signin::{Claim, FirstStep},
};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(async || Redirect::to("/security-credentials")))
        .route("/sign-in", get(sign_in_page).post(sign_in))
        .route("/sign-in/mfa", get(second_factor_page).post(second_factor))
        .route("/sign-out", axum::routing::post(sign_out))
        .route("/security-credentials", get(security_credentials))
        .route("/mfa/assign", get(assign_page).post(assign))
        .route("/mfa/app", get(app_page).post(enable_app))
        .route("/static/console.js", get(async || asset("text/javascript", CONSOLE_JS)))
        .route("/static/console.css", get(async || asset("text/css", CONSOLE_CSS)))
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

async fn sign_in_page(State(app): State<App>) -> Markup {
    pages::sign_in(app.0.account.as_str(), None)
}

#[derive(Deserialize)]
struct SignIn {
    account: String,
    user: String,
    password: Zeroizing<String>,
}

async fn sign_in(State(app): State<App>, cookies: Cookies, Form(form): Form<SignIn>) -> Response {
    let SignIn { account, user, password } = form;
    let claim = Claim { account, user, password };
    let step = app.run(move |iam| iam.check_password(&claim).inspect(|_| cookies.close(iam))).await;
    match step {
        Ok(FirstStep::MfaRequired { id, .. }) => {
            (cookies::set(&app.0, Some(&id), None), Redirect::to("/sign-in/mfa")).into_response()
        }
        Ok(FirstStep::SignedIn { id }) => signed_in(&app, &id),
        Err(refusal) => with_status(&refusal, pages::sign_in(app.0.account.as_str(), Some(&refusal.message))),
    }
}

fn signed_in(app: &App, id: &str) -> Response {
    (cookies::set(&app.0, None, Some(id)), Redirect::to("/security-credentials")).into_response()
}

async fn second_factor_page(State(app): State<App>, cookies: Cookies) -> Response {
    let page = app.run(move |iam| {
        let pending = iam.pending(cookies.pending.as_deref())?;
        second_factor_markup(iam, &pending, None)
    });
    match page.await {
        Ok(page) => page.into_response(),
        Err(_) => Redirect::to("/sign-in").into_response(),
    }
}

fn second_factor_markup(iam: &Iam, pending: &Pending, error: Option<&str>) -> Result<Markup, Refusal> {
    Ok(pages::second_factor(&pending.user.name, &iam.provable(pending)?, &pending.csrf, error))
}

#[derive(Deserialize)]
struct SecondFactor {
    csrf: String,
    serial: String,
    code: String,
}

async fn second_factor(State(app): State<App>, cookies: Cookies, Form(form): Form<SecondFactor>) -> Answer {
    let outcome = app.run(move |iam| {
        let pending = iam.pending(cookies.pending.as_deref())?;
        check_csrf(&pending.csrf, &form.csrf)?;
        match iam.sign_in_with_code(&pending, &form.serial, form.code.trim()) {
            Ok(id) => Ok(Ok(id)),
            Err(refusal) => {
                let page = second_factor_markup(iam, &pending, Some(&refusal.message))?;
                Ok(Err(with_status(&refusal, page)))
            }
        }
    });
    Ok(match outcome.await? {
        Ok(id) => signed_in(&app, &id),
        Err(page) => page,
    })
}

#[derive(Deserialize)]
struct Csrf {
    csrf: String,
}

async fn sign_out(State(app): State<App>, cookies: Cookies, Form(form): Form<Csrf>) -> Answer {
    app.run(move |iam| {
        let caller = iam.signed_in(cookies.session.as_deref())?;
        check_csrf(&caller.csrf, &form.csrf)?;
        cookies.close(iam);
        Ok(())
    })
    .await?;
    Ok((cookies::set(&app.0, None, None), Redirect::to("/sign-in")).into_response())
}

/// A page for someone signed in; everyone else is sent to sign in.
async fn page(
    app: App,
    cookies: Cookies,
    work: impl FnOnce(&Iam, &SignedIn) -> Result<Markup, Refusal> + Send + 'static,
) -> Answer {
    let page = app.run(move |iam| match iam.signed_in(cookies.session.as_deref()) {
        Ok(caller) => work(iam, &caller).map(Some),
        Err(_) => Ok(None),
    });
    Ok(match page.await? {
        Some(page) => page.into_response(),
        None => Redirect::to("/sign-in").into_response(),
    })
}

async fn security_credentials(State(app): State<App>, cookies: Cookies) -> Answer {
    page(app, cookies, |iam, caller| {
        Ok(pages::security_credentials(&iam.account, caller, &iam.devices_of(caller)?))
    })
    .await
}

async fn assign_page(State(app): State<App>, cookies: Cookies) -> Answer {
    page(app, cookies, |_, caller| Ok(pages::assign(caller, "", None))).await
}

#[derive(Deserialize)]
struct Assign {
    csrf: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

/// Without a script only an authenticator app can be assigned: a key speaks through the browser.
async fn assign(State(app): State<App>, cookies: Cookies, Form(form): Form<Assign>) -> Answer {
    let outcome = app.run(move |iam| {
        let caller = iam.signed_in(cookies.session.as_deref())?;
        check_csrf(&caller.csrf, &form.csrf)?;
        let made = match form.kind.as_str() {
            "totp" => iam.create_app(&caller, &form.name),
            _ => Err(Refusal::invalid("A passkey or security key needs JavaScript. Turn it on and repeat.")),
        };
        Ok(made.map_err(|refusal| {
            with_status(&refusal, pages::assign(&caller, &form.name, Some(&refusal.message)))
        }))
    });
    Ok(match outcome.await? {
        Ok(setup) => {
            let serial = url::form_urlencoded::byte_serialize(setup.serial.as_bytes()).collect::<String>();
            Redirect::to(&format!("/mfa/app?serial={serial}")).into_response()
        }
        Err(page) => page,
    })
}

#[derive(Deserialize)]
struct Serial {
    serial: String,
}

async fn app_page(State(app): State<App>, cookies: Cookies, Query(query): Query<Serial>) -> Answer {
    page(app, cookies, move |iam, caller| {
        Ok(pages::set_up_app(caller, &iam.unfinished_app(caller, &query.serial)?, None))
    })
    .await
}

#[derive(Deserialize)]
struct TwoCodes {
    csrf: String,
    serial: String,
    code1: String,
    code2: String,
}

async fn enable_app(State(app): State<App>, cookies: Cookies, Form(form): Form<TwoCodes>) -> Answer {
    let refused = app.run(move |iam| {
        let caller = iam.signed_in(cookies.session.as_deref())?;
        check_csrf(&caller.csrf, &form.csrf)?;
        let enabled = iam.enable_app(&caller, &form.serial, form.code1.trim(), form.code2.trim());
        let Err(refusal) = enabled else { return Ok(None) };
        let setup = iam.unfinished_app(&caller, &form.serial)?;
        Ok(Some(with_status(&refusal, pages::set_up_app(&caller, &setup, Some(&refusal.message)))))
    });
    let refused = refused.await?;
    Ok(refused.unwrap_or_else(|| Redirect::to("/security-credentials").into_response()))
}

fn with_status(refusal: &Refusal, page: Markup) -> Response {
    let status = StatusCode::from_u16(refusal.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, page).into_response()
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

const CONSOLE_JS: &str = include_str!("../../static/console.js");
const CONSOLE_CSS: &str = include_str!("../../static/console.css");
