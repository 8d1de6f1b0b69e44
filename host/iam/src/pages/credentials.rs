//! A user's own page: the devices, and what can be done with each.

use maud::{Markup, html};

use super::{
    Place, Problem, breadcrumb, inside, kind_name,
    parts::{Field, alert, code_field, done, time},
    token,
};
use crate::{
    attestation::Maker,
    devices::{Device, Kind},
    iam::SignedIn,
    removal::Asked,
};

/// A device as a page shows it.
pub(crate) struct Row {
    pub(crate) device: Device,
    pub(crate) asked: Option<Asked>,
    /// Of a security key whose maker signed for it.
    pub(crate) maker: Option<Maker>,
}

/// The user's page.
pub(crate) fn overview(caller: &SignedIn, arn: &str, rows: &[Row], message: Option<&str>) -> Markup {
    let body = html! {
        (breadcrumb(&caller.user.name, None))
        h1 { "Security credentials" }
        (done(message))
        section.card aria-labelledby="details" {
            h2 #details { "My details" }
            dl.facts {
                div { dt { "User name" } dd { (caller.user.name) } }
                div.whole { dt { "ARN" } dd { code { (arn) } } }
                div.whole { dt { "This session" } dd { @match &caller.mfa_serial {
                    Some(serial) => { "Signed in with MFA" br; code { (serial) } }
                    None => "Signed in without MFA",
                } } }
            }
        }
        section.card aria-labelledby="mfa" {
            div.head {
                h2 #mfa { "Multi-factor authentication (MFA) (" (rows.len()) ")" }
                a.button href="/mfa/assign" { "Assign MFA device" }
            }
            @if rows.is_empty() {
                p { "No MFA devices. Assign one: until then the password alone signs you in." }
            } @else {
                p.hint { "Each user has up to 8 MFA devices, and any one of them signs in." }
                ul.devices { @for row in rows { (device(row, html! { (own_actions(row)) })) } }
            }
        }
    };
    inside("Security credentials", false, Place::Credentials, caller, body)
}

/// One device of a list.
pub(super) fn device(row: &Row, actions: Markup) -> Markup {
    let Row { device, asked, maker } = row;
    html! {
        li {
            div.device {
                h3 { (device.name) }
                p { (kind_name(device.kind)) }
                dl.facts {
                    div.whole { dt { "Identifier" } dd { code { (device.serial) } } }
                    div { dt { "Created on" } dd { (time(device.enabled_at)) } }
                    @if device.kind == Kind::Webauthn {
                        (made_by(maker.as_ref()))
                    }
                    @match asked {
                        Some(Asked::Open { at }) => div { dt { "Removal" } dd {
                            "Requested on " (time(*at)) ": an administrator decides." } },
                        Some(Asked::Denied { at }) => div { dt { "Removal" } dd {
                            "An administrator denied it on " (time(*at)) "." } },
                        None => {}
                    }
                }
            }
            div.actions { (actions) }
        }
    }
}

fn made_by(maker: Option<&Maker>) -> Markup {
    html! {
        @if let Some(Maker { description, .. }) = maker { div { dt { "Model" } dd { (description) } } }
        div { dt { "Certifications" } dd {
            @match maker {
                Some(Maker { levels, .. }) if !levels.is_empty() => {
                    @for (at, (name, level)) in levels.iter().enumerate() { @if at > 0 { ", " } (name) " " (level) }
                }
                Some(_) => "None",
                None => "Not known",
            }
        } }
    }
}

fn own_actions(row: &Row) -> Markup {
    let Device { serial, name, kind, .. } = &row.device;
    let query = url::form_urlencoded::byte_serialize(serial.as_bytes()).collect::<String>();
    let is_open = matches!(row.asked, Some(Asked::Open { .. }));
    html! {
        @if *kind != Kind::Webauthn {
            a.button.quiet href={ "/mfa/resync?serial=" (query) } { "Resync" span.hidden { " " (name) } }
        }
        a.button.quiet href={ "/mfa/remove?serial=" (query) } {
            @if is_open { "Withdraw request" } @else { "Remove" } span.hidden { " " (name) }
        }
    }
}

/// Two codes in a row of a device whose clock is off.
pub(crate) fn resync(caller: &SignedIn, device: &Device, problem: Option<&Problem<'_>>) -> Markup {
    let body = html! {
        (breadcrumb(&caller.user.name, Some("Resync MFA device")))
        h1 { "Resync MFA device" }
        (alert(problem))
        div.card.form {
            p { "When the clock of " strong { (device.name) } " is off, its codes are refused. Enter two codes in a \
                 row, and sign-in reckons with the difference." }
            form method="post" action="/mfa/resync" {
                (token(caller))
                input type="hidden" name="serial" value=(device.serial);
                (code_field("code1", "MFA code 1", true, problem))
                (code_field("code2", "MFA code 2", false, problem))
                div.row { button type="submit" { "Resync" } (cancel()) }
            }
        }
    };
    inside("Resync MFA device", problem.is_some(), Place::Credentials, caller, body)
}

/// Removing a device, or asking for it, or taking the request back.
pub(crate) fn remove(
    caller: &SignedIn,
    row: &Row,
    decides_alone: bool,
    problem: Option<&Problem<'_>>,
) -> Markup {
    let title = match (decides_alone, row.asked) {
        (true, _) => "Remove MFA device",
        (false, Some(Asked::Open { .. })) => "Withdraw removal request",
        (false, _) => "Request removal of MFA device",
    };
    let Device { serial, name, kind, .. } = &row.device;
    let reason = Field {
        name: "reason",
        label: "Reason",
        hint: Some("For the administrator who decides, such as: lost on the train"),
        longest: 500,
        focus: true,
        ..Field::PLAIN
    };
    let body = html! {
        (breadcrumb(&caller.user.name, Some(title)))
        h1 { (title) }
        (alert(problem))
        div.card.form {
            dl.facts {
                div { dt { "Device" } dd { (name) } }
                div { dt { "Type" } dd { (kind_name(*kind)) } }
                div.whole { dt { "Identifier" } dd { code { (serial) } } }
            }
            @if decides_alone {
                p { "The device no longer signs you in, and sessions that began with it end." }
            } @else if title == "Withdraw removal request" {
                p { "The device stays as it is." }
            } @else {
                p { "You may add MFA devices yourself. Changing and removing them takes a request to an administrator. \
                     Until it is granted the device stays in use." }
            }
            form method="post" action={ @if title == "Withdraw removal request" { "/mfa/withdraw" } @else { "/mfa/remove" } } {
                (token(caller))
                input type="hidden" name="serial" value=(serial);
                @if title == "Request removal of MFA device" { (reason.show(problem)) }
                div.row {
                    button.danger[decides_alone] type="submit" {
                        @match title {
                            "Remove MFA device" => "Remove",
                            "Withdraw removal request" => "Withdraw request",
                            _ => "Send request",
                        }
                    }
                    (cancel())
                }
            }
        }
    };
    inside(title, problem.is_some(), Place::Credentials, caller, body)
}

pub(super) fn cancel() -> Markup {
    html! { a.button.quiet href="/security-credentials" { "Cancel" } }
}
