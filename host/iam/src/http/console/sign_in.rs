//! Signing in, in two pages, and out.

use axum::{
    Form, Router,
    extract::{Query, State},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use maud::Markup;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Answer, Csrf, with_status};
use crate::{
    devices::{Device, Kind},
    http::{
        App, check_csrf,
        cookies::{self, Cookies},
    },
    iam::{Iam, Pending},
    pages::{
        Problem,
        sign_in::{Chosen, choose, first_step, second_step},
    },
    refusal::{Code, Refusal},
    signin::{Claim, FirstStep},
};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/sign-in", get(first_page).post(first))
        .route("/sign-in/mfa", get(second_page).post(second))
        .route("/sign-out", post(sign_out))
}

async fn first_page(State(app): State<App>) -> Markup {
    first_step(app.0.account.as_str(), "", None)
}

#[derive(Deserialize)]
struct SignIn {
    account: String,
    user: String,
    password: Zeroizing<String>,
}

async fn first(State(app): State<App>, cookies: Cookies, Form(form): Form<SignIn>) -> Response {
    let SignIn { account, user, password } = form;
    let (typed_account, typed_user) = (account.clone(), user.clone());
    let claim = Claim { account, user, password, source: cookies.source.clone() };
    let home = cookies.home(&app.0);
    let step = app.check_password(&claim, &cookies).await;
    match step {
        Ok(FirstStep::MfaRequired { id, .. }) => {
            (cookies::set(&app.0, Some(&id), None), Redirect::to("/sign-in/mfa")).into_response()
        }
        Ok(FirstStep::SignedIn { id }) => signed_in(&app, &id, home),
        Err(refusal) => {
            let problem = Problem::of_page(&refusal.message);
            with_status(&refusal, first_step(&typed_account, &typed_user, Some(&problem)))
        }
    }
}

fn signed_in(app: &App, id: &str, home: &str) -> Response {
    (cookies::set(&app.0, None, Some(id)), Redirect::to(home)).into_response()
}

#[derive(Deserialize)]
struct Choice {
    /// `keys`, or the serial number of a device that shows codes.
    device: Option<String>,
}

async fn second_page(State(app): State<App>, cookies: Cookies, Query(choice): Query<Choice>) -> Response {
    let page = app.run(move |iam| {
        let pending = cookies.pending(iam)?;
        second_markup(iam, &pending, choice.device.as_deref(), None)
    });
    match page.await {
        Ok(page) => page.into_response(),
        Err(_) => Redirect::to("/sign-in").into_response(),
    }
}

/// The page of the device chosen, or of the only one there is; otherwise the choice.
fn second_markup(
    iam: &Iam,
    pending: &Pending,
    choice: Option<&str>,
    problem: Option<&Problem<'_>>,
) -> Result<Markup, Refusal> {
    let (user, devices) = (&pending.user.name, iam.provable(pending)?);
    let all = choices(&devices);
    let is_wanted = |chosen: &Chosen<'_>| match chosen {
        Chosen::Keys => choice == Some("keys"),
        Chosen::Shower(device) => choice == Some(device.serial.as_str()),
    };
    let chosen = all.iter().find(|chosen| is_wanted(chosen));
    Ok(match (chosen, all.as_slice()) {
        (Some(chosen), _) | (None, [chosen]) => {
            second_step(user, (*chosen, all.len() > 1), &pending.csrf, problem)
        }
        _ => choose(user, &devices),
    })
}

fn choices(devices: &[Device]) -> Vec<Chosen<'_>> {
    let has_keys = devices.iter().any(|device| device.kind == Kind::Webauthn);
    let showers = devices.iter().filter(|device| device.kind != Kind::Webauthn).map(Chosen::Shower);
    has_keys.then_some(Chosen::Keys).into_iter().chain(showers).collect()
}

#[derive(Deserialize)]
struct SecondStep {
    csrf: String,
    serial: String,
    code: String,
}

async fn second(State(app): State<App>, cookies: Cookies, Form(form): Form<SecondStep>) -> Answer {
    let home = cookies.home(&app.0);
    let outcome = app.run(move |iam| {
        let pending = cookies.pending(iam)?;
        check_csrf(&pending.csrf, &form.csrf)?;
        match iam.sign_in_with_code(&pending, &form.serial, form.code.trim()) {
            Ok(id) => Ok(Ok(id)),
            Err(refusal) => {
                let is_code = matches!(refusal.code, Code::InvalidAuthenticationCode | Code::InvalidInput);
                let problem = Problem { message: &refusal.message, field: is_code.then_some("code") };
                let page = second_markup(iam, &pending, Some(&form.serial), Some(&problem))?;
                Ok(Err(with_status(&refusal, page)))
            }
        }
    });
    Ok(match outcome.await? {
        Ok(id) => signed_in(&app, &id, home),
        Err(page) => page,
    })
}

async fn sign_out(State(app): State<App>, cookies: Cookies, Form(form): Form<Csrf>) -> Answer {
    app.run(move |iam| {
        let caller = cookies.signed_in(iam)?;
        check_csrf(&caller.csrf, &form.csrf)?;
        cookies.close(iam);
        Ok(())
    })
    .await?;
    Ok((cookies::set(&app.0, None, None), Redirect::to("/sign-in")).into_response())
}
