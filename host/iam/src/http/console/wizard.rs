//! The wizard that assigns an MFA device.

use axum::{
    Form, Router,
    extract::{Query, State},
    http::header,
    response::IntoResponse,
    routing::get,
};
use serde::Deserialize;

use super::{Answer, Serial, credentials::code_problem, encoded, page, see, submit, with_status};
use crate::{
    devices::Kind,
    http::{App, cookies::Cookies},
    pages::{Problem, wizard},
    qr,
    refusal::{Code, Refusal},
    totp::TwoCodes,
};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/mfa/assign", get(select_page).post(select))
        .route("/mfa/key", get(key_page))
        .route("/mfa/app", get(app_page).post(enable_app))
        .route("/mfa/app/qr.png", get(qr_code))
        .route("/mfa/token", get(token_page).post(enable_token))
}

async fn select_page(State(app): State<App>, cookies: Cookies) -> Answer {
    page(app, cookies, |_, caller| Ok(wizard::select(caller, "", Kind::Webauthn, None))).await
}

#[derive(Deserialize)]
struct Select {
    csrf: String,
    name: String,
    #[serde(rename = "type")]
    kind: String,
}

async fn select(State(app): State<App>, cookies: Cookies, Form(form): Form<Select>) -> Answer {
    submit(app, cookies, form.csrf.clone(), move |iam, caller| {
        let (name, kind) = (form.name.trim(), Kind::parse(&form.kind));
        let next = match kind {
            Kind::Totp => iam.begin_app(caller, name).map(|setup| ("app?serial", setup.serial)),
            Kind::Webauthn => iam.require_assignable(caller, name).map(|()| ("key?name", name.into())),
            Kind::Hardware => iam.require_assignable(caller, name).map(|()| ("token?name", name.into())),
        };
        match next {
            Ok((page, value)) => Ok(see(&format!("/mfa/{page}={}", encoded(&value)))),
            Err(refusal) => {
                let is_name = matches!(refusal.code, Code::InvalidInput | Code::EntityAlreadyExists);
                let problem = Problem { message: &refusal.message, field: is_name.then_some("name") };
                Ok(with_status(&refusal, wizard::select(caller, name, kind, Some(&problem))))
            }
        }
    })
    .await
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

async fn key_page(State(app): State<App>, cookies: Cookies, Query(query): Query<Name>) -> Answer {
    page(app, cookies, move |iam, caller| {
        iam.require_assignable(caller, &query.name)?;
        Ok(wizard::key(caller, &query.name))
    })
    .await
}

async fn app_page(State(app): State<App>, cookies: Cookies, Query(query): Query<Serial>) -> Answer {
    page(app, cookies, move |iam, caller| {
        Ok(wizard::app(caller, &iam.unfinished_app(caller, &query.serial)?, None))
    })
    .await
}

/// The secret key as a picture, for whoever is setting the app up.
async fn qr_code(State(app): State<App>, cookies: Cookies, Query(query): Query<Serial>) -> Answer {
    let picture = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        let setup = iam.unfinished_app(&caller, &query.serial)?;
        qr::png(&setup.otpauth_uri)
    });
    Ok(([(header::CONTENT_TYPE, "image/png")], picture.await?).into_response())
}

#[derive(Deserialize)]
struct AppCodes {
    csrf: String,
    serial: String,
    code1: String,
    code2: String,
}

async fn enable_app(State(app): State<App>, cookies: Cookies, Form(form): Form<AppCodes>) -> Answer {
    submit(app, cookies, form.csrf.clone(), move |iam, caller| {
        let enabled = iam.enable_app(caller, &form.serial, form.code1.trim(), form.code2.trim());
        let Err(refusal) = enabled else { return Ok(see(ASSIGNED)) };
        let setup = iam.unfinished_app(caller, &form.serial)?;
        let problem = code_problem(&refusal);
        Ok(with_status(&refusal, wizard::app(caller, &setup, Some(&problem))))
    })
    .await
}

async fn token_page(State(app): State<App>, cookies: Cookies, Query(query): Query<Name>) -> Answer {
    page(app, cookies, move |iam, caller| {
        iam.require_assignable(caller, &query.name)?;
        Ok(wizard::token_device(caller, &query.name, "", None))
    })
    .await
}

#[derive(Deserialize)]
struct TokenCodes {
    csrf: String,
    name: String,
    serial: String,
    code1: String,
    code2: String,
}

async fn enable_token(State(app): State<App>, cookies: Cookies, Form(form): Form<TokenCodes>) -> Answer {
    submit(app, cookies, form.csrf.clone(), move |iam, caller| {
        let serial = form.serial.trim();
        let codes = TwoCodes { serial, first: form.code1.trim(), second: form.code2.trim() };
        let Err(refusal) = iam.enable_token(caller, &form.name, &codes) else { return Ok(see(ASSIGNED)) };
        let problem = token_problem(&refusal);
        let page = wizard::token_device(caller, &form.name, serial, Some(&problem));
        Ok(with_status(&refusal, page))
    })
    .await
}

fn token_problem(refusal: &Refusal) -> Problem<'_> {
    match refusal.code {
        Code::NoSuchEntity | Code::EntityAlreadyExists => Problem::of_field(&refusal.message, "serial"),
        _ => code_problem(refusal),
    }
}

const ASSIGNED: &str = "/security-credentials?done=assigned";
