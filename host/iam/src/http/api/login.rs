//! Logins of the command line.

use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Answer, Body};
use crate::{
    http::{
        App,
        cookies::{self, Cookies},
    },
    login::Login,
};

pub(super) fn routes() -> Router<App> {
    Router::new().route("/sign-in/grant", post(sign_in)).route("/credentials", post(credentials))
}

#[derive(Deserialize)]
struct Grant {
    grant: Zeroizing<String>,
}

/// The first step of a sign-in, without the password.
async fn sign_in(State(app): State<App>, cookies: Cookies, Body(body): Body<Grant>) -> Answer {
    let begun = app.run(move |iam| iam.check_grant(&body.grant).inspect(|_| cookies.close(iam)));
    let (id, key) = begun.await?;
    let body = Json(json!({"state": "mfa_required", "devices": [key]}));
    Ok((cookies::set(&app.0, Some(&id), None), body).into_response())
}

#[derive(Deserialize)]
struct Wish {
    duration_seconds: Option<i64>,
}

async fn credentials(State(app): State<App>, cookies: Cookies, Body(body): Body<Wish>) -> Answer {
    let login = app.run(move |iam| iam.log_in(&cookies.signed_in(iam)?, body.duration_seconds));
    Ok(told(&login.await?))
}

fn told(login: &Login) -> Response {
    let Login { credentials, arn, proof, grant } = login;
    let grant =
        grant.as_ref().map(|grant| json!({"token": grant.token.as_str(), "expires_at": grant.expires}));
    let body: Value = json!({
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret.as_str(),
        "session_token": credentials.session_token.as_str(),
        "expires_at": credentials.expires,
        "arn": arn,
        "mfa_serial": proof.serial,
        "mfa_at": proof.at,
        "grant": grant,
    });
    (StatusCode::CREATED, Json(body)).into_response()
}
