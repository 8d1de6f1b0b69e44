//! The console's pages, in the words of the AWS console. No script or style within the page, nothing
//! from elsewhere; every control is a native one with a label, so a keyboard reaches all of them.

pub(crate) mod administration;
pub(crate) mod consent;
pub(crate) mod credentials;
pub(crate) mod event_log;
mod parts;
pub(crate) mod sign_in;
pub(crate) mod tokens;
pub(crate) mod wizard;

use maud::{DOCTYPE, Markup, html};

use crate::{devices::Kind, iam::SignedIn};
pub(crate) use parts::Problem;
use parts::alert;

/// Where in the console a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Credentials,
    Users,
    Requests,
    Tokens,
    Events,
}

/// A request that was refused where no form is shown again.
pub(crate) fn refused(message: &str) -> Markup {
    let body = html! {
        h1 { "Not possible" }
        (alert(Some(&Problem::of_page(message))))
        p { a href="/" { "To the console" } }
    };
    outside("Not possible", false, body)
}

/// A page for someone who is not signed in.
fn outside(title: &str, is_wrong: bool, body: Markup) -> Markup {
    document(
        title,
        is_wrong,
        html! {
            header.bar { (brand()) }
            main.narrow #content { div.card { (body) } }
        },
    )
}

/// A page of someone signed in.
fn inside(title: &str, is_wrong: bool, place: Place, caller: &SignedIn, body: Markup) -> Markup {
    let link = |to: Place, path: &str, text: &str| {
        html! { li { a href=(path) aria-current=[(to == place).then_some("page")] { (text) } } }
    };
    document(
        title,
        is_wrong,
        html! {
            a.skip href="#content" { "Skip to the content" }
            header.bar {
                (brand())
                form method="post" action="/sign-out" {
                    span.who { span.hidden { "Signed in as " } (caller.user.name) }
                    (token(caller))
                    button.quiet type="submit" { "Sign out" }
                }
            }
            nav.places aria-label="Console" { ul {
                (link(Place::Credentials, "/security-credentials", "Security credentials"))
                @if caller.user.administrator {
                    (link(Place::Users, "/users", "Users"))
                    (link(Place::Requests, "/requests", "Removal requests"))
                    (link(Place::Tokens, "/tokens", "Hardware tokens"))
                    (link(Place::Events, "/events", "Event log"))
                }
            } }
            main #content tabindex="-1" { (body) }
        },
    )
}

fn document(title: &str, is_wrong: bool, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { @if is_wrong { "Error: " } (title) " | Keywright local IAM" }
                link rel="icon" href="/static/icon.svg";
                link rel="stylesheet" href="/static/console.css";
                script src="/static/console.js" defer {}
            }
            body { (body) }
        }
    }
}

fn brand() -> Markup {
    html! { a.brand href="/" { "Keywright" span { " local IAM" } } }
}

/// The token that ties a form to the session it was shown in.
fn token(caller: &SignedIn) -> Markup {
    html! { input type="hidden" name="csrf" value=(caller.csrf); }
}

/// The way to a page of a user; `last` is the page itself.
fn breadcrumb(user: &str, last: Option<&str>) -> Markup {
    html! {
        nav aria-label="Breadcrumb" { ol.path {
            li { "IAM" }
            li { "Users" }
            @match last {
                None => li { span aria-current="page" { (user) } },
                Some(last) => {
                    li { a href="/security-credentials" { (user) } }
                    li { span aria-current="page" { (last) } }
                }
            }
        } }
    }
}

/// AWS's name of a device type.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Totp => "Authenticator app",
        Kind::Hardware => "Hardware TOTP token",
        Kind::Webauthn => "Passkey or security key",
    }
}
