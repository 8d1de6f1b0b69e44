//! An administrator's pages: users, one of them, a new one, and requests that wait.

use maud::{Markup, html};

use super::{
    Place, Problem,
    credentials::{self, Row},
    inside, kind_name,
    parts::{Field, alert, done, time},
    token,
};
use crate::{iam::SignedIn, overview::Overview, page::Page, removal::RemovalRequest};

/// All users, a page at a time.
pub(crate) fn users(caller: &SignedIn, users: &Page<Overview>, message: Option<&str>) -> Markup {
    let body = html! {
        (path(None))
        h1 { "Users" }
        (done(message))
        section.card aria-labelledby="list" {
            div.head {
                h2 #list { "Users of this account" }
                a.button href="/users/create" { "Create user" }
            }
            ul.devices {
                @for Overview { user, devices, locked } in &users.items {
                    li {
                        div.device {
                            h3 { a href={ "/users/" (user.name) } { (user.name) } }
                            p {
                                @match devices {
                                    0 => "No MFA devices",
                                    1 => "1 MFA device",
                                    many => { (many) " MFA devices" }
                                }
                                @if user.administrator { " " span.badge { "Administrator" } }
                                @if *locked { " " span.badge.bad { "Codes locked" } }
                            }
                        }
                        div.actions { span.hint { "Created on " (time(user.created_at)) } }
                    }
                }
            }
            @if let Some(marker) = &users.marker { p { a href={ "/users?marker=" (marker) } { "More users" } } }
        }
    };
    inside("Users", false, Place::Users, caller, body)
}

/// Name and first password of a new user.
pub(crate) fn create(caller: &SignedIn, name: &str, problem: Option<&Problem<'_>>) -> Markup {
    let user = Field {
        name: "user",
        label: "User name",
        hint: Some("1 to 64 characters: letters A-Z and a-z, digits and _+=,.@-"),
        value: name,
        longest: 64,
        focus: true,
        ..Field::PLAIN
    };
    let password = Field {
        name: "password",
        label: "Console password",
        hint: Some("8 to 128 characters. Tell it to the user; it is not shown again."),
        kind: "password",
        longest: 128,
        autocomplete: "new-password",
        ..Field::PLAIN
    };
    let body = html! {
        (path(Some("Create user")))
        h1 { "Create user" }
        (alert(problem))
        div.card.form {
            form method="post" action="/users/create" {
                (token(caller))
                (user.show(problem)) (password.show(problem))
                div.row { button type="submit" { "Create user" } a.button.quiet href="/users" { "Cancel" } }
            }
        }
    };
    inside("Create user", problem.is_some(), Place::Users, caller, body)
}

/// A user, and what an administrator may do about their devices.
pub(crate) fn user(
    caller: &SignedIn,
    (found, arn): (&Overview, &str),
    rows: &[Row],
    message: Option<&str>,
) -> Markup {
    let user = &found.user;
    let body = html! {
        (path(Some(&user.name)))
        h1 { (user.name) }
        (done(message))
        section.card aria-labelledby="summary" {
            h2 #summary { "Summary" }
            dl.facts {
                div.whole { dt { "ARN" } dd { code { (arn) } } }
                div { dt { "Created on" } dd { (time(user.created_at)) } }
                div { dt { "Administrator" } dd { @if user.administrator { "Yes" } @else { "No" } } }
                div { dt { "MFA codes" } dd { @if found.locked { "Locked after too many wrong ones" } @else { "Accepted" } } }
            }
            @if found.locked {
                form method="post" action={ "/users/" (user.name) "/unlock" } {
                    (token(caller))
                    button type="submit" { "Unlock codes" }
                }
            }
        }
        section.card aria-labelledby="mfa" {
            h2 #mfa { "Multi-factor authentication (MFA) (" (rows.len()) ")" }
            @if rows.is_empty() { p { "No MFA devices." } } @else { ul.devices { @for row in rows {
                (credentials::device(row, html! {
                    form method="post" action={ "/users/" (user.name) "/remove" } {
                        (token(caller))
                        input type="hidden" name="serial" value=(row.device.serial);
                        button.quiet type="submit" { "Remove" span.hidden { " " (row.device.name) } }
                    }
                }))
            } } }
        }
    };
    inside(&user.name, false, Place::Users, caller, body)
}

/// The requests to remove a device that are open.
pub(crate) fn requests(caller: &SignedIn, requests: &[RemovalRequest], message: Option<&str>) -> Markup {
    let body = html! {
        h1 { "Removal requests" }
        (done(message))
        section.card aria-labelledby="open" {
            h2 #open { "Open requests (" (requests.len()) ")" }
            p.hint { "Make sure that it is the user who asks before you grant one: without the device the password \
                      alone may sign in." }
            @if requests.is_empty() { p { "Nobody waits for a decision." } }
            @else { ul.devices { @for request in requests { (open_request(caller, request)) } } }
        }
    };
    inside("Removal requests", false, Place::Requests, caller, body)
}

fn open_request(caller: &SignedIn, request: &RemovalRequest) -> Markup {
    let RemovalRequest { user, serial, kind, name, reason, asked_at } = request;
    html! {
        li {
            div.device {
                h3 { a href={ "/users/" (user) } { (user) } ": " (name) }
                p { (kind_name(*kind)) }
                dl.facts {
                    div.whole { dt { "Identifier" } dd { code { (serial) } } }
                    div { dt { "Requested on" } dd { (time(*asked_at)) } }
                    div.whole { dt { "Reason" } dd { @if reason.is_empty() { "None given" } @else { (reason) } } }
                }
            }
            form.actions method="post" action="/requests" {
                (token(caller))
                input type="hidden" name="serial" value=(serial);
                button.quiet type="submit" name="decision" value="deny" { "Deny" span.hidden { " " (user) ": " (name) } }
                button type="submit" name="decision" value="grant" { "Grant" span.hidden { " " (user) ": " (name) } }
            }
        }
    }
}

fn path(last: Option<&str>) -> Markup {
    html! {
        nav aria-label="Breadcrumb" { ol.path {
            li { "IAM" }
            @match last {
                None => li { span aria-current="page" { "Users" } },
                Some(last) => {
                    li { a href="/users" { "Users" } }
                    li { span aria-current="page" { (last) } }
                }
            }
        } }
    }
}
