//! Programs that ask for credentials through the browser: `/v1/authorize` and the page that asks its user, and
//! `POST /v1/token` for the program itself, in the shapes of AWS's Sign-In service.

use axum::{
    Form, Json, Router,
    extract::{FromRequest, Query, Request, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{AppendHeaders, IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{
    App, check_csrf,
    console::PageError,
    cookies::{self, Cookies},
};
use crate::{
    events::{self, Source},
    iam::Iam,
    login::Login,
    oauth::{Asked, Authorization, Redemption},
    pages::consent,
    refusal::{Code, Refusal},
};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/v1/authorize", get(authorize))
        .route("/v1/consent", get(consent_page).post(decide))
        .route("/v1/token", post(token))
}

/// Keeps what is asked, and has it answered on a page of its own: its address says nothing, and the user may have to sign
/// in before.
async fn authorize(
    State(app): State<App>,
    headers: HeaderMap,
    query: Result<Query<Asked>, QueryRejection>,
) -> Result<Response, PageError> {
    // Fetch Metadata: a page of another site, or of another port of this machine, has no program to ask for.
    let site = headers.get("sec-fetch-site").map_or("none", |site| site.to_str().unwrap_or_default());
    if !["none", "same-origin"].contains(&site) {
        let text = "A program's login is opened by the program, and not from another page. Copy its address into the browser.";
        return Err(Refusal::denied(text).into());
    }
    let Query(asked) = query.map_err(|rejection| Refusal::invalid(rejection.body_text()))?;
    let id = app.0.authorizations.ask(asked.check()?, app.0.now())?;
    let cookie = AppendHeaders([cookies::authorization(&app.0, Some(&id))]);
    Ok((cookie, Redirect::to("/v1/consent")).into_response())
}

async fn consent_page(State(app): State<App>, cookies: Cookies) -> Result<Response, PageError> {
    let (id, asked) = cookies.authorization(&app.0).ok_or_else(nothing_asked)?;
    let page = app.run(move |iam| {
        let Ok(caller) = cookies.signed_in(iam) else { return Ok(None) };
        iam.proven(&caller)?;
        Ok(Some((consent::ask(&caller, iam.account.as_str(), &id, &asked), asked)))
    });
    let Some((page, asked)) = page.await? else { return Ok(Redirect::to("/sign-in").into_response()) };
    // A form's answer that leads to the program is a form's target too.
    let policy = format!("{}; form-action 'self' {}", super::guard::CONTENT_POLICY, asked.origin());
    let policy = HeaderValue::try_from(policy).map_err(Refusal::failure)?;
    Ok(([(header::CONTENT_SECURITY_POLICY, policy)], page).into_response())
}

#[derive(Deserialize)]
struct Decision {
    csrf: String,
    /// What the page was about: another request may have come since.
    request: String,
    decision: String,
}

async fn decide(
    State(app): State<App>,
    cookies: Cookies,
    Form(form): Form<Decision>,
) -> Result<Response, PageError> {
    let to = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        check_csrf(&caller.csrf, &form.csrf)?;
        cookies.authorization(iam).filter(|(id, _)| *id == form.request).ok_or_else(nothing_asked)?;
        let proven = iam.proven(&caller)?;
        let asked = iam.authorizations.take(&form.request, iam.now()).ok_or_else(nothing_asked)?;
        let refusal = (form.decision != "allow").then(|| Refusal::denied("The user denied it."));
        let (more, outcome) = (about(&asked), refusal.map_or(Ok(()), Err));
        iam.record_action(&caller, "AuthorizeOAuth2Access", more, events::outcome(&outcome));
        match outcome {
            Ok(()) => Ok(asked.granted(&iam.authorizations.grant(asked.clone(), proven, iam.now())?)),
            Err(_) => Ok(asked.denied()),
        }
    });
    let cookie = AppendHeaders([cookies::authorization(&app.0, None)]);
    Ok((cookie, Redirect::to(&to.await?)).into_response())
}

fn about(asked: &Authorization) -> Value {
    json!({"client_id": asked.client.id(), "redirect_uri": asked.redirect_uri()})
}

fn nothing_asked() -> Refusal {
    Refusal::denied("No program asks for credentials any more. Start the program's login anew.")
}

/// What AWS calls CreateOAuth2Token, in its names.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenInput {
    client_id: String,
    grant_type: String,
    code: Option<Zeroizing<String>>,
    redirect_uri: Option<String>,
    code_verifier: Option<Zeroizing<String>>,
    /// Not AWS's, whose credentials always live 15 minutes.
    duration_seconds: Option<i64>,
}

impl FromRequest<App> for TokenInput {
    type Rejection = TokenError;

    async fn from_request(request: Request, app: &App) -> Result<Self, TokenError> {
        let body = Json::from_request(request, app).await;
        body.map(|Json(input)| input).map_err(|rejection| TokenError::invalid(rejection.body_text()))
    }
}

async fn token(State(app): State<App>, cookies: Cookies, input: TokenInput) -> Result<Response, TokenError> {
    match input.grant_type.as_str() {
        "authorization_code" => {}
        // A refresh token alone is worth nothing here.
        "refresh_token" => {
            let text = "Renewing takes a touch of the security key: POST /api/sign-in/grant, or start the login anew.";
            return Err(TokenError::denied("TOKEN_EXPIRED", text));
        }
        _ => return Err(TokenError::invalid("grantType is authorization_code or refresh_token.")),
    }
    let answer = app.run(move |iam| iam.redeem(&input, &cookies.source));
    Ok(Json(answer.await?).into_response())
}

impl Iam {
    /// Turns a code into credentials.
    fn redeem(&self, input: &TokenInput, source: &Source) -> Result<Value, Refusal> {
        let missing = |name: &str| Refusal::invalid(format!("{name} is missing."));
        let redemption = Redemption {
            code: input.code.as_deref().ok_or_else(|| missing("code"))?,
            client_id: &input.client_id,
            redirect_uri: input.redirect_uri.as_deref().ok_or_else(|| missing("redirectUri"))?,
            verifier: input.code_verifier.as_deref().ok_or_else(|| missing("codeVerifier"))?,
        };
        let proven = self.authorizations.redeem(&redemption, self.now()).ok_or_else(|| {
            let text = "The code was used, took longer than a minute, or is another program's. Start the login anew.";
            Refusal::denied(text)
        })?;
        let result = self.log_in_as(&proven, Some(input.duration_seconds.unwrap_or(FIFTEEN_MINUTES)));
        self.record(&[events::Event {
            name: "CreateOAuth2Token",
            service: "signin.amazonaws.com",
            identity: self.identity(&proven.user),
            source,
            asked: json!({"client_id": input.client_id, "grant_type": input.grant_type}),
            answered: Value::Null,
            more: Value::Null,
            refused: events::outcome(&result),
        }]);
        Ok(token_output(&result?, &input.client_id, &self.console_url, self.now()))
    }
}

fn token_output(login: &Login, client: &str, issuer: &str, now: i64) -> Value {
    let Login { credentials, arn, proof, grant } = login;
    json!({
        "accessToken": {
            "accessKeyId": credentials.access_key_id,
            "secretAccessKey": credentials.secret.as_str(),
            "sessionToken": credentials.session_token.as_str(),
        },
        "tokenType": "aws_sigv4",
        "expiresIn": credentials.expires.saturating_sub(now),
        "refreshToken": grant.as_ref().map_or("", |grant| grant.token.as_str()),
        "idToken": id_token(arn, client, issuer, (now, credentials.expires)),
        "refreshTokenExpiresAt": grant.as_ref().map(|grant| grant.expires),
        "mfaSerial": proof.serial,
    })
}

/// Who it is, as `aws login` reads it. Unsigned (`none`, RFC 7519 §6): it comes with the credentials from the one who
/// made them, and proves nothing to anybody else.
fn id_token(arn: &str, client: &str, issuer: &str, (now, expires): (i64, i64)) -> String {
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"iss": issuer, "sub": arn, "aud": client, "iat": now, "exp": expires});
    format!("{}.{}.", part(json!({"alg": "none", "typ": "JWT"})), part(claims))
}

/// A refusal in the shape of AWS's Sign-In service.
pub(super) struct TokenError {
    exception: &'static str,
    error: &'static str,
    refusal: Refusal,
}

impl TokenError {
    fn denied(error: &'static str, text: &str) -> Self {
        Self { exception: "AccessDeniedException", error, refusal: Refusal::denied(text) }
    }

    fn invalid(text: impl Into<String>) -> Self {
        Refusal::invalid(text).into()
    }
}

impl From<Refusal> for TokenError {
    fn from(refusal: Refusal) -> Self {
        let (exception, error) = match refusal.code {
            Code::AccessDenied | Code::NoSuchEntity => ("AccessDeniedException", "AUTHCODE_EXPIRED"),
            Code::ServiceFailure => ("InternalServerException", "server_error"),
            _ => ("ValidationException", "INVALID_REQUEST"),
        };
        Self { exception, error, refusal }
    }
}

impl IntoResponse for TokenError {
    fn into_response(self) -> Response {
        let Self { exception, error, refusal } = self;
        let is_own_fault = refusal.code == Code::ServiceFailure;
        let status = if is_own_fault { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
        let body = Json(json!({"error": error, "message": refusal.message}));
        (status, [("x-amzn-errortype", exception)], body).into_response()
    }
}

/// As AWS's.
const FIFTEEN_MINUTES: i64 = 900;
