//! Sign-in: the password's page, the choice among devices, and the page of the one chosen.

use maud::{Markup, html};

use super::{
    Problem, kind_name, outside,
    parts::{Field, alert, code_field, needs_script},
};
use crate::devices::{Device, Kind};

/// What a pending sign-in may prove: all keys at once, since the browser asks for any of them, or one that shows
/// codes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Chosen<'a> {
    Keys,
    Shower(&'a Device),
}

/// Account, user name and password.
pub(crate) fn first_step(account: &str, user: &str, problem: Option<&Problem<'_>>) -> Markup {
    let account = Field { name: "account", label: "Account ID", value: account, longest: 12, ..Field::PLAIN };
    let user = Field {
        name: "user",
        label: "IAM user name",
        value: user,
        longest: 64,
        autocomplete: "username",
        focus: true,
        ..Field::PLAIN
    };
    let password = Field {
        name: "password",
        label: "Password",
        kind: "password",
        longest: 128,
        autocomplete: "current-password",
        ..Field::PLAIN
    };
    let body = html! {
        h1 { "Sign in as IAM user" }
        (alert(problem))
        form method="post" action="/sign-in" {
            (account.show(None)) (user.show(problem)) (password.show(None))
            button.wide type="submit" { "Sign in" }
        }
    };
    outside("Sign in", problem.is_some(), body)
}

/// Which of several devices (or the keys among them) to prove.
pub(crate) fn choose(user: &str, devices: &[Device]) -> Markup {
    let keys: Vec<_> = devices.iter().filter(|device| device.kind == Kind::Webauthn).collect();
    let showers: Vec<_> = devices.iter().filter(|device| device.kind != Kind::Webauthn).collect();
    let body = html! {
        h1 { "Multi-factor authentication" }
        (who(user))
        form method="get" action="/sign-in/mfa" {
            fieldset {
                legend { "Choose an MFA device" }
                @if !keys.is_empty() {
                    (choice("keys", true, kind_name(Kind::Webauthn), html! {
                        @for (at, key) in keys.iter().enumerate() { @if at > 0 { ", " } (key.name) }
                    }))
                }
                @for (at, device) in showers.iter().enumerate() {
                    (choice(&device.serial, at == 0 && keys.is_empty(), &device.name,
                        html! { (kind_name(device.kind)) }))
                }
            }
            button.wide type="submit" { "Next" }
        }
        (other_user())
    };
    outside("Multi-factor authentication", false, body)
}

/// The device chosen.
pub(crate) fn second_step(
    user: &str,
    (chosen, has_others): (Chosen<'_>, bool),
    csrf: &str,
    problem: Option<&Problem<'_>>,
) -> Markup {
    let body = html! {
        h1 { "Multi-factor authentication" }
        (who(user))
        (alert(problem))
        @match chosen {
            Chosen::Keys => (key_step()),
            Chosen::Shower(device) => (code_step(device, csrf, problem)),
        }
        @if has_others { p { a href="/sign-in/mfa" { "Use another MFA device" } } }
        (other_user())
    };
    outside("Multi-factor authentication", problem.is_some(), body)
}

fn key_step() -> Markup {
    html! {
        h2 { (kind_name(Kind::Webauthn)) }
        p { "Insert your security key and touch it, or follow what the browser asks for." }
        button.wide #use-key type="button" autofocus { "Use passkey or security key" }
        (needs_script())
        p #status role="status" {}
    }
}

fn code_step(device: &Device, csrf: &str, problem: Option<&Problem<'_>>) -> Markup {
    let from = match device.kind {
        Kind::Hardware => "Enter the code that your hardware TOTP token shows.",
        _ => "Enter the code that your authenticator app shows.",
    };
    html! {
        h2 { (kind_name(device.kind)) ": " (device.name) }
        p { (from) }
        form method="post" action="/sign-in/mfa" {
            input type="hidden" name="csrf" value=(csrf);
            input type="hidden" name="serial" value=(device.serial);
            (code_field("code", "MFA code", true, problem))
            button.wide type="submit" { "Submit" }
        }
    }
}

fn who(user: &str) -> Markup {
    html! { p { "Your account is secured with MFA. Signing in as " strong { (user) } "." } }
}

fn other_user() -> Markup {
    html! { p { a href="/sign-in" { "Sign in as another user" } } }
}

fn choice(value: &str, checked: bool, title: &str, about: Markup) -> Markup {
    html! {
        label.choice {
            input type="radio" name="device" value=(value) required checked[checked];
            span { strong { (title) } span.about { (about) } }
        }
    }
}
