//! The console's pages, in the words of the AWS console. No script or style within the page, nothing
//! from elsewhere; every control is a native one with a label, so a keyboard reaches all of them.

use maud::{DOCTYPE, Markup, html};

use crate::{
    devices::{Device, Kind},
    iam::SignedIn,
    names::Account,
    totp::Setup,
};

/// Account, user name and password.
pub(crate) fn sign_in(account: &str, error: Option<&str>) -> Markup {
    let form = html! {
        h1 { "Sign in as IAM user" }
        (alert(error))
        form method="post" action="/sign-in" {
            (field("account", "Account ID", html! {
                input id="account" name="account" value=(account) inputmode="numeric" required autocomplete="off";
            }))
            (field("user", "IAM user name", html! {
                input id="user" name="user" required autocomplete="username" autocapitalize="none" autofocus;
            }))
            (field("password", "Password", html! {
                input id="password" name="password" type="password" required autocomplete="current-password";
            }))
            button type="submit" { "Sign in" }
        }
    };
    document("Sign in", None, form)
}

/// One of the user's MFA devices.
pub(crate) fn second_factor(user: &str, devices: &[Device], csrf: &str, error: Option<&str>) -> Markup {
    let apps: Vec<_> = devices.iter().filter(|device| device.kind == Kind::Totp).collect();
    let has_keys = devices.iter().any(|device| device.kind == Kind::Webauthn);
    let body = html! {
        h1 { "Multi-factor authentication" }
        p { "Signing in as " strong { (user) } ". Prove one of your MFA devices." }
        (alert(error))
        @if has_keys {
            section aria-labelledby="keys" {
                h2 #keys { (kind_name(Kind::Webauthn)) }
                ul { @for key in devices.iter().filter(|device| device.kind == Kind::Webauthn) { li { (key.name) } } }
                button #use-key type="button" { "Use passkey or security key" }
                (needs_script())
            }
        }
        @if let Some(first) = apps.first() {
            section aria-labelledby="apps" {
                h2 #apps { (kind_name(Kind::Totp)) }
                form method="post" action="/sign-in/mfa" {
                    input type="hidden" name="csrf" value=(csrf);
                    @if apps.len() == 1 {
                        p { "Device: " (first.name) }
                        input type="hidden" name="serial" value=(first.serial);
                    } @else {
                        (field("serial", "Device", html! {
                            select #serial name="serial" {
                                @for app in &apps { option value=(app.serial) { (app.name) } }
                            }
                        }))
                    }
                    (code_field("code", "MFA code"))
                    button type="submit" { "Submit" }
                }
            }
        }
        p #status role="status" aria-live="polite" {}
        p { a href="/sign-in" { "Sign in as another user" } }
    };
    document("Multi-factor authentication", None, body)
}

/// The user's page: the devices, and whether this session proved one.
pub(crate) fn security_credentials(account: &Account, caller: &SignedIn, devices: &[Device]) -> Markup {
    let body = html! {
        (path(&caller.user.name))
        h1 { "Security credentials" }
        dl {
            dt { "User" } dd { (account.user_arn(&caller.user.name)) }
            dt { "This session" }
            dd { @match &caller.mfa_serial {
                Some(serial) => { "Signed in with MFA: " (serial) }
                None => { "Signed in without MFA" }
            } }
        }
        section aria-labelledby="mfa" {
            h2 #mfa { "Multi-factor authentication (MFA) (" (devices.len()) ")" }
            @if devices.is_empty() {
                p { "No MFA devices. Assign one: the password alone signs you in until you do." }
            } @else {
                (device_list(devices))
            }
            p { a.button href="/mfa/assign" { "Assign MFA device" } }
        }
    };
    document("Security credentials", Some(caller), body)
}

fn device_list(devices: &[Device]) -> Markup {
    html! {
        ul.devices {
            @for device in devices {
                li {
                    strong { (device.name) }
                    span { (kind_name(device.kind)) }
                    code { (device.serial) }
                }
            }
        }
    }
}

/// Device name and type.
pub(crate) fn assign(caller: &SignedIn, name: &str, error: Option<&str>) -> Markup {
    let body = html! {
        (path(&caller.user.name))
        h1 { "Assign MFA device" }
        (alert(error))
        form #assign method="post" action="/mfa/assign" {
            input type="hidden" name="csrf" value=(caller.csrf);
            (field("name", "Device name", html! {
                input #name name="name" value=(name) required maxlength="226" aria-describedby="name-hint"
                    autocomplete="off" autocapitalize="none" autofocus;
            }))
            p.hint #name-hint { "Letters A-Z and a-z, digits and _+=,.@-" }
            fieldset {
                legend { "Device type" }
                (choice("webauthn", Kind::Webauthn, true))
                (choice("totp", Kind::Totp, false))
            }
            button type="submit" { "Next" }
            " " a href="/security-credentials" { "Cancel" }
            (needs_script())
        }
        p #status role="status" aria-live="polite" {}
    };
    document("Assign MFA device", Some(caller), body)
}

/// The secret key of an app, and the two codes that prove it.
pub(crate) fn set_up_app(caller: &SignedIn, setup: &Setup, error: Option<&str>) -> Markup {
    let body = html! {
        (path(&caller.user.name))
        h1 { "Authenticator app" }
        (alert(error))
        ol {
            li { "Open your authenticator app and add an account by its secret key." }
            li {
                details open[error.is_none()] {
                    summary { "Show secret key" }
                    p { code.secret { (setup.seed_base32.as_str()) } }
                    p { a href=(setup.otpauth_uri.as_str()) { "Open in an app on this device" } }
                }
            }
            li { "Type two consecutive MFA codes: wait for the second one to appear." }
        }
        form method="post" action="/mfa/app" {
            input type="hidden" name="csrf" value=(caller.csrf);
            input type="hidden" name="serial" value=(setup.serial);
            (code_field("code1", "MFA code 1"))
            (code_field("code2", "MFA code 2"))
            button type="submit" { "Add MFA" }
            " " a href="/security-credentials" { "Cancel" }
        }
    };
    document("Authenticator app", Some(caller), body)
}

/// A request that was refused where no form is shown again.
pub(crate) fn refused(message: &str) -> Markup {
    let body = html! {
        h1 { "Not possible" }
        (alert(Some(message)))
        p { a href="/" { "To the console" } }
    };
    document("Not possible", None, body)
}

fn document(title: &str, caller: Option<&SignedIn>, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " - Keywright local IAM" }
                link rel="stylesheet" href="/static/console.css";
                script src="/static/console.js" defer {}
            }
            body {
                header {
                    p { "Keywright local IAM" }
                    @if let Some(caller) = caller {
                        form method="post" action="/sign-out" {
                            input type="hidden" name="csrf" value=(caller.csrf);
                            button type="submit" { "Sign out" }
                        }
                    }
                }
                main { (body) }
            }
        }
    }
}

fn path(user: &str) -> Markup {
    html! {
        nav aria-label="Breadcrumb" { ol.path {
            li { "IAM" } li { "Users" } li { a href="/security-credentials" { (user) } }
        } }
    }
}

fn alert(error: Option<&str>) -> Markup {
    html! { @if let Some(error) = error { p.alert role="alert" { (error) } } }
}

fn field(id: &str, label: &str, input: Markup) -> Markup {
    html! { p.field { label for=(id) { (label) } (input) } }
}

fn code_field(name: &str, label: &str) -> Markup {
    field(
        name,
        label,
        html! {
            input id=(name) name=(name) required inputmode="numeric" pattern="[0-9]{6}" maxlength="6"
                autocomplete="one-time-code" title="6 digits";
        },
    )
}

fn choice(value: &str, kind: Kind, checked: bool) -> Markup {
    html! {
        p { label {
            input type="radio" name="type" value=(value) checked[checked];
            " " (kind_name(kind))
        } }
    }
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Totp => "Authenticator app",
        Kind::Webauthn => "Passkey or security key",
    }
}

fn needs_script() -> Markup {
    html! { noscript { p { "A passkey or security key needs JavaScript in this browser." } } }
}
