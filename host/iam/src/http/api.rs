//! The JSON endpoints. Their shapes are described in `API.md`.

mod administration;
mod login;

use axum::{
    Json, Router,
    extract::{FromRequest, Query, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use webauthn_rs_core::proto::{PublicKeyCredential, RegisterPublicKeyCredential};
use zeroize::Zeroizing;

use super::{
    App,
    cookies::{self, Cookies},
};
use crate::{
    names::DeviceName,
    page::Wanted,
    refusal::{Code, Refusal},
    signin::{Claim, FirstStep},
    totp,
};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in", post(sign_in))
        .route("/sign-in/totp", post(sign_in_totp))
        .route("/sign-in/webauthn/options", post(sign_in_webauthn_options))
        .route("/sign-in/webauthn", post(sign_in_webauthn))
        .route("/sign-out", post(sign_out))
        .route("/session", get(session))
        .route("/users", post(create_user))
        .route("/hardware-tokens", get(hardware_tokens).post(import_tokens))
        .route("/mfa-devices", get(mfa_devices))
        .route("/mfa-devices/totp", post(create_totp))
        .route("/mfa-devices/totp/enable", post(enable_totp))
        .route("/mfa-devices/webauthn/options", post(webauthn_options))
        .route("/mfa-devices/webauthn", post(register_webauthn))
        .merge(administration::routes())
        .merge(login::routes())
        .fallback(no_such_endpoint)
        .method_not_allowed_fallback(no_such_endpoint)
}

/// A refusal as JSON: `{"error": {"code": …, "message": …}}`.
pub(super) struct ApiError(pub(super) Refusal);

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Refusal { code, message } = self.0;
        let status = StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(json!({"error": {"code": code.to_string(), "message": message}}))).into_response()
    }
}

type Answer = Result<Response, ApiError>;

/// A JSON body of a known shape.
struct Body<T>(T);

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        match Json::from_request(request, app).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(rejection) => Err(ApiError(Refusal::invalid(rejection.body_text()))),
        }
    }
}

#[derive(Deserialize)]
struct SignIn {
    account: String,
    user: String,
    password: Zeroizing<String>,
}

async fn sign_in(State(app): State<App>, cookies: Cookies, Body(body): Body<SignIn>) -> Answer {
    let SignIn { account, user, password } = body;
    let claim = Claim { account, user, password, source: cookies.source.clone() };
    let step = app.check_password(&claim, &cookies).await?;
    Ok(match step {
        FirstStep::MfaRequired { id, devices } => {
            let body = Json(json!({"state": "mfa_required", "devices": devices}));
            (cookies::set(&app.0, Some(&id), None), body).into_response()
        }
        FirstStep::SignedIn { id } => signed_in(&app, &id),
    })
}

fn signed_in(app: &App, id: &str) -> Response {
    (cookies::set(&app.0, None, Some(id)), Json(json!({"state": "signed_in"}))).into_response()
}

#[derive(Deserialize)]
struct OneCode {
    serial: String,
    code: String,
}

async fn sign_in_totp(State(app): State<App>, cookies: Cookies, Body(body): Body<OneCode>) -> Answer {
    let id = app.run(move |iam| {
        let pending = cookies.pending(iam)?;
        iam.sign_in_with_code(&pending, &body.serial, &body.code)
    });
    Ok(signed_in(&app, &id.await?))
}

#[derive(Deserialize)]
struct Choice {
    serial: Option<String>,
}

async fn sign_in_webauthn_options(
    State(app): State<App>,
    cookies: Cookies,
    Body(body): Body<Choice>,
) -> Answer {
    let options = app.run(move |iam| {
        let pending = cookies.pending(iam)?;
        iam.begin_proof(&pending, body.serial.as_deref())
    });
    Ok(Json(options.await?).into_response())
}

#[derive(Deserialize)]
struct Assertion {
    credential: PublicKeyCredential,
}

async fn sign_in_webauthn(State(app): State<App>, cookies: Cookies, Body(body): Body<Assertion>) -> Answer {
    let id = app.run(move |iam| {
        let pending = cookies.pending(iam)?;
        iam.sign_in_with_key(&pending, &body.credential)
    });
    Ok(signed_in(&app, &id.await?))
}

async fn sign_out(State(app): State<App>, cookies: Cookies) -> Response {
    cookies.close(&app.0);
    (cookies::set(&app.0, None, None), Json(json!({"state": "signed_out"}))).into_response()
}

async fn session(State(app): State<App>, cookies: Cookies) -> Answer {
    let body = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        Ok(json!({
            "account": iam.account.as_str(),
            "user": caller.user.name,
            "arn": caller.user.arn(&iam.account),
            "administrator": caller.user.administrator,
            "mfa": caller.mfa_serial.is_some(),
            "mfa_serial": caller.mfa_serial,
        }))
    });
    Ok(Json(body.await?).into_response())
}

#[derive(Deserialize)]
struct NewUser {
    user: String,
    password: Zeroizing<String>,
}

async fn create_user(State(app): State<App>, cookies: Cookies, Body(body): Body<NewUser>) -> Answer {
    let user = body.user.clone();
    let arn = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        iam.create_user(&caller, &body.user, &body.password)
    });
    Ok((StatusCode::CREATED, Json(json!({"user": user, "arn": arn.await?}))).into_response())
}

async fn mfa_devices(State(app): State<App>, cookies: Cookies) -> Answer {
    let devices = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        iam.devices_of(&caller)
    });
    Ok(Json(json!({"devices": devices.await?})).into_response())
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

async fn create_totp(State(app): State<App>, cookies: Cookies, Body(body): Body<Name>) -> Answer {
    let setup = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        iam.begin_app(&caller, &body.name)
    });
    let setup = setup.await?;
    let body = json!({
        "serial": setup.serial,
        "seed_base32": setup.seed_base32.as_str(),
        "otpauth_uri": setup.otpauth_uri.as_str(),
    });
    Ok((StatusCode::CREATED, Json(body)).into_response())
}

#[derive(Deserialize)]
struct TwoCodes {
    serial: String,
    code1: String,
    code2: String,
    /// For a hardware token.
    name: Option<String>,
}

async fn enable_totp(State(app): State<App>, cookies: Cookies, Body(body): Body<TwoCodes>) -> Answer {
    let device = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        let name = body.name.as_deref().map(DeviceName::parse).transpose()?;
        let codes = totp::TwoCodes { serial: &body.serial, first: &body.code1, second: &body.code2 };
        iam.enable_own(&caller, name.as_ref().map(DeviceName::as_str), &codes)
    });
    Ok(Json(device.await?).into_response())
}

#[derive(Deserialize)]
struct TokenFile {
    file: Zeroizing<String>,
}

async fn import_tokens(State(app): State<App>, cookies: Cookies, Body(body): Body<TokenFile>) -> Answer {
    let done = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        iam.import_own(&caller, &body.file)
    });
    Ok((StatusCode::CREATED, Json(done.await?)).into_response())
}

#[derive(Deserialize)]
struct After {
    marker: Option<String>,
}

async fn hardware_tokens(State(app): State<App>, cookies: Cookies, Query(query): Query<After>) -> Answer {
    let page = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        iam.tokens(&iam.actor(&caller), Wanted::parse(query.marker.as_deref(), None)?)
    });
    let page = page.await?;
    Ok(Json(json!({"tokens": page.items, "marker": page.marker})).into_response())
}

async fn webauthn_options(State(app): State<App>, cookies: Cookies, Body(body): Body<Name>) -> Answer {
    let options = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        iam.begin_registration(&caller, &body.name)
    });
    Ok(Json(options.await?).into_response())
}

#[derive(Deserialize)]
struct Registration {
    name: String,
    credential: RegisterPublicKeyCredential,
}

async fn register_webauthn(
    State(app): State<App>,
    cookies: Cookies,
    Body(body): Body<Registration>,
) -> Answer {
    let device = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        iam.register_key(&caller, &body.name, &body.credential)
    });
    Ok((StatusCode::CREATED, Json(device.await?)).into_response())
}

async fn no_such_endpoint() -> ApiError {
    ApiError(Refusal::new(Code::NoSuchEntity, "There is no such endpoint. API.md lists them."))
}
