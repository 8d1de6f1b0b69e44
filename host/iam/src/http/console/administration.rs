//! What an administrator does: users, requests, and the event log.

use axum::{
    Form, Router,
    extract::{Path, Query, State},
    routing::{get, post},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Answer, Csrf, Done, OneDevice, credentials::rows, page, see, submit, with_status};
use crate::{
    http::{App, cookies::Cookies},
    page::Wanted,
    pages::{Problem, administration, event_log, tokens},
    refusal::{Code, Refusal},
};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/users", get(users))
        .route("/users/create", get(create_page).post(create))
        .route("/users/{name}", get(user))
        .route("/users/{name}/remove", post(remove))
        .route("/users/{name}/unlock", post(unlock))
        .route("/requests", get(requests).post(decide))
        .route("/tokens", get(tokens).post(import_tokens))
        .route("/events", get(events))
}

#[derive(Deserialize)]
struct Marker {
    marker: Option<String>,
}

async fn users(
    State(app): State<App>,
    cookies: Cookies,
    Query(query): Query<Marker>,
    Query(done): Query<Done>,
) -> Answer {
    page(app, cookies, move |iam, caller| {
        let wanted = Wanted::parse(query.marker.as_deref(), Some(100))?;
        let users = iam.overviews(&iam.actor(caller), wanted)?;
        Ok(administration::users(caller, &users, done.message()))
    })
    .await
}

async fn create_page(State(app): State<App>, cookies: Cookies) -> Answer {
    page(app, cookies, |iam, caller| {
        iam.actor(caller).require_administrator("iam:CreateUser")?;
        Ok(administration::create(caller, "", None))
    })
    .await
}

#[derive(Deserialize)]
struct NewUser {
    csrf: String,
    user: String,
    password: Zeroizing<String>,
}

async fn create(State(app): State<App>, cookies: Cookies, Form(form): Form<NewUser>) -> Answer {
    submit(app, cookies, form.csrf.clone(), move |iam, caller| {
        let name = form.user.trim();
        let Err(refusal) = iam.create_user(caller, name, &form.password) else {
            return Ok(see("/users?done=created"));
        };
        let field = match refusal.code {
            Code::InvalidInput if refusal.message.starts_with("A password") => Some("password"),
            Code::InvalidInput | Code::EntityAlreadyExists => Some("user"),
            _ => None,
        };
        let problem = Problem { message: &refusal.message, field };
        Ok(with_status(&refusal, administration::create(caller, name, Some(&problem))))
    })
    .await
}

async fn user(
    State(app): State<App>,
    cookies: Cookies,
    Path(name): Path<String>,
    Query(done): Query<Done>,
) -> Answer {
    page(app, cookies, move |iam, caller| {
        let actor = iam.actor(caller);
        actor.require_administrator("iam:GetUser")?;
        let found = iam.overview(&actor, iam.user(&name)?)?;
        let (arn, rows) = (found.user.arn(&iam.account), rows(iam, caller, &found.user)?);
        Ok(administration::user(caller, (&found, &arn), &rows, done.message()))
    })
    .await
}

async fn remove(
    State(app): State<App>,
    cookies: Cookies,
    Path(name): Path<String>,
    Form(form): Form<OneDevice>,
) -> Answer {
    submit(app, cookies, form.csrf.clone(), move |iam, caller| {
        iam.remove_device(caller, &name, &form.serial)?;
        Ok(see(&format!("/users/{name}?done=removed")))
    })
    .await
}

async fn unlock(
    State(app): State<App>,
    cookies: Cookies,
    Path(name): Path<String>,
    Form(form): Form<Csrf>,
) -> Answer {
    submit(app, cookies, form.csrf, move |iam, caller| {
        iam.unlock(caller, &name)?;
        Ok(see(&format!("/users/{name}?done=unlocked")))
    })
    .await
}

async fn requests(State(app): State<App>, cookies: Cookies, Query(done): Query<Done>) -> Answer {
    page(app, cookies, move |iam, caller| {
        let requests = iam.removal_requests(&iam.actor(caller))?;
        Ok(administration::requests(caller, &requests, done.message()))
    })
    .await
}

#[derive(Deserialize)]
struct Decision {
    csrf: String,
    serial: String,
    decision: String,
}

async fn decide(State(app): State<App>, cookies: Cookies, Form(form): Form<Decision>) -> Answer {
    submit(app, cookies, form.csrf.clone(), move |iam, caller| match form.decision.as_str() {
        "grant" => iam.grant_removal(caller, &form.serial).map(|()| see("/requests?done=granted")),
        "deny" => iam.deny_removal(caller, &form.serial).map(|()| see("/requests?done=denied")),
        _ => Err(Refusal::invalid("A decision is grant or deny.")),
    })
    .await
}

async fn tokens(
    State(app): State<App>,
    cookies: Cookies,
    Query(query): Query<Marker>,
    Query(done): Query<Done>,
) -> Answer {
    page(app, cookies, move |iam, caller| {
        let wanted = Wanted::parse(query.marker.as_deref(), Some(100))?;
        Ok(tokens::tokens(caller, &iam.tokens(&iam.actor(caller), wanted)?, done.message(), None))
    })
    .await
}

#[derive(Deserialize)]
struct TokenFile {
    csrf: String,
    file: Zeroizing<String>,
}

async fn import_tokens(State(app): State<App>, cookies: Cookies, Form(form): Form<TokenFile>) -> Answer {
    submit(app, cookies, form.csrf.clone(), move |iam, caller| {
        let Err(refusal) = iam.import_own(caller, &form.file) else {
            return Ok(see("/tokens?done=imported"));
        };
        let known = iam.tokens(&iam.actor(caller), Wanted::parse(None, Some(100))?)?;
        let problem = Problem::of_field(&refusal.message, "file");
        Ok(with_status(&refusal, tokens::tokens(caller, &known, None, Some(&problem))))
    })
    .await
}

#[derive(Deserialize)]
struct Before {
    before: Option<i64>,
}

async fn events(State(app): State<App>, cookies: Cookies, Query(query): Query<Before>) -> Answer {
    page(app, cookies, move |iam, caller| {
        let before = query.before.unwrap_or(i64::MAX);
        let mut events = iam.events_before(&iam.actor(caller), before, SHOWN + 1)?;
        let has_more = events.len() > usize::from(SHOWN);
        events.truncate(usize::from(SHOWN));
        let older = events.last().filter(|_| has_more).map(|event| event.number);
        Ok(event_log::events(caller, &events, older))
    })
    .await
}

/// How many events are on a page.
const SHOWN: u16 = 25;
