//! JSON endpoints around removing devices, and for administrators.

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Body};
use crate::{
    http::{App, cookies::Cookies},
    refusal::Refusal,
    totp::TwoCodes,
    webauthn::u2f::U2fRegistration,
};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/mfa-devices/resync", post(resync))
        .route("/mfa-devices/remove", post(remove))
        .route("/mfa-devices/withdraw-removal", post(withdraw))
        .route("/removal-requests", get(requests))
        .route("/removal-requests/decide", post(decide))
        .route("/u2f-registrations", post(import_u2f))
        .route("/users/unlock", post(unlock))
        .route("/events", get(events))
}

#[derive(Deserialize)]
struct Codes {
    serial: String,
    code1: String,
    code2: String,
}

async fn resync(State(app): State<App>, cookies: Cookies, Body(body): Body<Codes>) -> Answer {
    app.run(move |iam| {
        let codes = TwoCodes { serial: &body.serial, first: &body.code1, second: &body.code2 };
        iam.resync_own(&cookies.signed_in(iam)?, &codes)
    })
    .await?;
    Ok(state("resynced"))
}

#[derive(Deserialize)]
struct Remove {
    serial: String,
    #[serde(default)]
    reason: String,
}

async fn remove(State(app): State<App>, cookies: Cookies, Body(body): Body<Remove>) -> Answer {
    let wish = app.run(move |iam| iam.wish_removal(&cookies.signed_in(iam)?, &body.serial, &body.reason));
    Ok(Json(json!({"state": wish.await?})).into_response())
}

#[derive(Deserialize)]
struct Serial {
    serial: String,
}

async fn withdraw(State(app): State<App>, cookies: Cookies, Body(body): Body<Serial>) -> Answer {
    app.run(move |iam| iam.withdraw_removal(&cookies.signed_in(iam)?, &body.serial)).await?;
    Ok(state("withdrawn"))
}

async fn requests(State(app): State<App>, cookies: Cookies) -> Answer {
    let requests = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        iam.removal_requests(&iam.actor(&caller))
    });
    Ok(Json(json!({"requests": requests.await?})).into_response())
}

#[derive(Deserialize)]
struct Decision {
    serial: String,
    decision: String,
}

async fn decide(State(app): State<App>, cookies: Cookies, Body(body): Body<Decision>) -> Answer {
    let word = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        match body.decision.as_str() {
            "grant" => iam.grant_removal(&caller, &body.serial).map(|()| "granted"),
            "deny" => iam.deny_removal(&caller, &body.serial).map(|()| "denied"),
            _ => Err(Refusal::invalid("A decision is grant or deny.")),
        }
    });
    Ok(state(word.await?))
}

#[derive(Deserialize)]
struct Import {
    user: String,
    name: String,
    /// base64url, without padding.
    key_handle: String,
    /// base64url, without padding.
    public_key: String,
    #[serde(default)]
    counter: u32,
}

async fn import_u2f(State(app): State<App>, cookies: Cookies, Body(body): Body<Import>) -> Answer {
    let device = app.run(move |iam| {
        let bytes = |text: &str| {
            let decoded = BASE64_URL_SAFE_NO_PAD.decode(text);
            decoded.map_err(|error| Refusal::invalid(format!("key_handle or public_key: {error}")))
        };
        let (key_handle, public_key) = (bytes(&body.key_handle)?, bytes(&body.public_key)?);
        let (user, name, counter) = (body.user.as_str(), body.name.as_str(), body.counter);
        let key = U2fRegistration { user, name, key_handle: &key_handle, public_key: &public_key, counter };
        iam.import_u2f(&cookies.signed_in(iam)?, &key)
    });
    Ok((StatusCode::CREATED, Json(device.await?)).into_response())
}

#[derive(Deserialize)]
struct User {
    user: String,
}

async fn unlock(State(app): State<App>, cookies: Cookies, Body(body): Body<User>) -> Answer {
    app.run(move |iam| iam.unlock(&cookies.signed_in(iam)?, &body.user)).await?;
    Ok(state("unlocked"))
}

#[derive(Deserialize)]
struct After {
    #[serde(default)]
    after: i64,
    limit: Option<u16>,
}

/// One record a line; where the next part begins is in a header.
async fn events(State(app): State<App>, cookies: Cookies, Query(query): Query<After>) -> Answer {
    let events = app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        let most = query.limit.unwrap_or(MOST).min(MOST);
        iam.events_after(&iam.actor(&caller), query.after, most)
    });
    let events = events.await?;
    let last = events.last().map_or(query.after, |event| event.number).to_string();
    let lines: String = events.iter().flat_map(|event| [event.record.as_str(), "\n"]).collect();
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson".to_owned())];
    Ok((headers, [("x-last-event", last)], lines).into_response())
}

fn state(word: &str) -> Response {
    Json(json!({"state": word})).into_response()
}

const MOST: u16 = 1000;
