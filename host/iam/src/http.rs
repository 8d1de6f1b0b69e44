//! HTTP: the console's pages and the JSON endpoints over one [`Iam`].

mod api;
mod aws;
mod console;
mod cookies;
mod guard;
mod oauth;

use std::sync::Arc;

use axum::{Router, extract::DefaultBodyLimit, middleware};
use subtle::ConstantTimeEq as _;

use crate::{
    iam::Iam,
    refusal::Refusal,
    signin::{Claim, FirstStep},
};
use cookies::Cookies;

/// What every request shares.
#[derive(Clone)]
pub(crate) struct App(Arc<Iam>);

/// All routes, behind the guard.
pub(crate) fn router(iam: Arc<Iam>) -> Router {
    let app = App(iam);
    Router::new()
        .merge(console::routes())
        .merge(aws::routes())
        .merge(oauth::routes())
        .nest("/api", api::routes())
        .fallback(console::not_found)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(middleware::from_fn_with_state(app.clone(), guard::check))
        .with_state(app)
}

impl App {
    /// Runs what blocks (the database, passwords) where it is: another thread takes over this one's other requests.
    /// To hand the work to another thread and wait for its answer would cost as much as some of the work.
    async fn run<T>(&self, work: impl FnOnce(&Iam) -> Result<T, Refusal>) -> Result<T, Refusal> {
        tokio::task::block_in_place(|| work(&self.0))
    }
}

impl App {
    /// The first step of a sign-in, in its turn; sessions that the browser had before end with it.
    async fn check_password(&self, claim: &Claim, cookies: &Cookies) -> Result<FirstStep, Refusal> {
        let _turn = self.0.password_turns.acquire().await.map_err(Refusal::failure)?;
        self.run(|iam| iam.check_password(claim).inspect(|_| cookies.close(iam))).await
    }
}

/// Refuses a form that does not come from a page of this session.
fn check_csrf(expected: &str, found: &str) -> Result<(), Refusal> {
    if bool::from(expected.as_bytes().ct_eq(found.as_bytes())) {
        return Ok(());
    }
    Err(Refusal::denied("This form belongs to another session. Open the page again and repeat."))
}

/// An attestation with a chain of certificates takes a few kilobytes.
const LARGEST_BODY: usize = 64 * 1024;

#[cfg(test)]
mod tests;
