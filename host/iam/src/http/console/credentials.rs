//! A user's own devices: the list, resynchronising, and removing or asking for it.

use axum::{
    Form, Router,
    extract::{Query, State},
    response::Response,
    routing::{get, post},
};
use serde::Deserialize;

use super::{Answer, Done, OneDevice, Serial, page, see, submit, with_status};
use crate::{
    config::Removal,
    devices::Device,
    http::{App, cookies::Cookies},
    iam::{Iam, SignedIn},
    pages::{
        Problem,
        credentials::{self, Row},
    },
    refusal::{Code, Refusal},
    removal::Wish,
    totp::TwoCodes,
    users::User,
};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/security-credentials", get(overview))
        .route("/mfa/resync", get(resync_page).post(resync))
        .route("/mfa/remove", get(remove_page).post(remove))
        .route("/mfa/withdraw", post(withdraw))
}

async fn overview(State(app): State<App>, cookies: Cookies, Query(done): Query<Done>) -> Answer {
    page(app, cookies, move |iam, caller| {
        let arn = caller.user.arn(&iam.account);
        Ok(credentials::overview(caller, &arn, &rows(iam, caller, &caller.user)?, done.message()))
    })
    .await
}

/// A user's devices, as a page shows them.
pub(super) fn rows(iam: &Iam, caller: &SignedIn, user: &User) -> Result<Vec<Row>, Refusal> {
    let devices = iam.devices_with_requests(&iam.actor(caller), user)?;
    let row = |(device, asked): (Device, _)| {
        let maker = iam.maker(&device.serial)?;
        Ok(Row { device, asked, maker })
    };
    devices.into_iter().map(row).collect()
}

fn row(iam: &Iam, caller: &SignedIn, serial: &str) -> Result<Row, Refusal> {
    let found = rows(iam, caller, &caller.user)?.into_iter().find(|row| row.device.serial == serial);
    found.ok_or_else(|| {
        Refusal::new(Code::NoSuchEntity, "There is no such MFA device of yours. It may be removed already.")
    })
}

async fn resync_page(State(app): State<App>, cookies: Cookies, Query(query): Query<Serial>) -> Answer {
    page(app, cookies, move |iam, caller| {
        Ok(credentials::resync(caller, &row(iam, caller, &query.serial)?.device, None))
    })
    .await
}

#[derive(Deserialize)]
struct Codes {
    csrf: String,
    serial: String,
    code1: String,
    code2: String,
}

async fn resync(State(app): State<App>, cookies: Cookies, Form(form): Form<Codes>) -> Answer {
    submit(app, cookies, form.csrf.clone(), move |iam, caller| {
        let codes = TwoCodes { serial: &form.serial, first: form.code1.trim(), second: form.code2.trim() };
        let Err(refusal) = iam.resync_own(caller, &codes) else {
            return Ok(see("/security-credentials?done=resynced"));
        };
        let problem = code_problem(&refusal);
        let device = row(iam, caller, &form.serial)?.device;
        Ok(with_status(&refusal, credentials::resync(caller, &device, Some(&problem))))
    })
    .await
}

/// Two codes were refused: the first field is where to begin again.
pub(super) fn code_problem(refusal: &Refusal) -> Problem<'_> {
    match refusal.code {
        Code::InvalidAuthenticationCode | Code::InvalidInput => Problem::of_field(&refusal.message, "code1"),
        _ => Problem::of_page(&refusal.message),
    }
}

async fn remove_page(State(app): State<App>, cookies: Cookies, Query(query): Query<Serial>) -> Answer {
    page(app, cookies, move |iam, caller| {
        let row = row(iam, caller, &query.serial)?;
        Ok(credentials::remove(caller, &row, decides_alone(iam, caller), None))
    })
    .await
}

fn decides_alone(iam: &Iam, caller: &SignedIn) -> bool {
    iam.removal == Removal::ByOwner || caller.user.administrator
}

#[derive(Deserialize)]
struct Remove {
    csrf: String,
    serial: String,
    #[serde(default)]
    reason: String,
}

async fn remove(State(app): State<App>, cookies: Cookies, Form(form): Form<Remove>) -> Answer {
    submit(app, cookies, form.csrf.clone(), move |iam, caller| {
        let refusal = match iam.wish_removal(caller, &form.serial, &form.reason) {
            Ok(wish) => return Ok(wished(wish)),
            Err(refusal) => refusal,
        };
        let row = row(iam, caller, &form.serial)?;
        let is_reason = refusal.code == Code::InvalidInput;
        let problem = Problem { message: &refusal.message, field: is_reason.then_some("reason") };
        let page = credentials::remove(caller, &row, decides_alone(iam, caller), Some(&problem));
        Ok(with_status(&refusal, page))
    })
    .await
}

fn wished(wish: Wish) -> Response {
    match wish {
        Wish::Removed => see("/security-credentials?done=removed"),
        Wish::Requested => see("/security-credentials?done=requested"),
    }
}

async fn withdraw(State(app): State<App>, cookies: Cookies, Form(form): Form<OneDevice>) -> Answer {
    submit(app, cookies, form.csrf.clone(), move |iam, caller| {
        iam.withdraw_removal(caller, &form.serial)?;
        Ok(see("/security-credentials?done=withdrawn"))
    })
    .await
}
