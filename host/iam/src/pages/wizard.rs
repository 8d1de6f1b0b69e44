//! Assigning an MFA device: name and type, and then what the type asks for.

use maud::{Markup, html};

use super::{
    Place, Problem, breadcrumb,
    credentials::cancel,
    inside, kind_name,
    parts::{Field, alert, code_field, needs_script},
    token,
};
use crate::{devices::Kind, iam::SignedIn, virtual_device::Setup};

/// Step 1: device name and type.
pub(crate) fn select(caller: &SignedIn, name: &str, kind: Kind, problem: Option<&Problem<'_>>) -> Markup {
    let name = Field {
        name: "name",
        label: "Device name",
        hint: Some("1 to 226 characters: letters A-Z and a-z, digits and _+=,.@-"),
        value: name,
        longest: 226,
        focus: true,
        ..Field::PLAIN
    };
    let form = html! {
        form method="post" action="/mfa/assign" {
            (token(caller))
            (name.show(problem))
            fieldset {
                legend { "MFA device type" }
                (choice(Kind::Webauthn, kind, "A key that you insert or hold to the reader and touch, or a passkey of \
                    this device or your phone."))
                (choice(Kind::Totp, kind, "Codes from an app on your phone or computer."))
                (choice(Kind::Hardware, kind, "Codes from a token with a display, which an administrator has handed out."))
            }
            div.row { button type="submit" { "Next" } (cancel()) }
        }
    };
    page("Select MFA device", 1, caller, problem, form)
}

/// Step 2 for a passkey or security key.
pub(crate) fn key(caller: &SignedIn, name: &str) -> Markup {
    let form = html! {
        p { "The key will be named " strong { (name) } "." }
        ol.todo {
            li { "Press " strong { "Register key" } "." }
            li { "Insert your security key, or hold it to the reader." }
            li { "Touch it when it blinks. Give its PIN if the browser asks for it." }
        }
        p #status role="status" {}
        (needs_script())
        div.row {
            button #register type="button" data-name=(name) autofocus { "Register key" }
            a.button.quiet href="/mfa/assign" { "Back" } (cancel())
        }
    };
    page("Set up passkey or security key", 2, caller, None, form)
}

/// Step 2 for an authenticator app: its secret, and the two codes that prove it.
pub(crate) fn app(caller: &SignedIn, setup: &Setup, problem: Option<&Problem<'_>>) -> Markup {
    let query = url::form_urlencoded::byte_serialize(setup.serial.as_bytes()).collect::<String>();
    let form = html! {
        ol.todo {
            li { "Open your authenticator app." }
            li {
                "Scan the QR code with it, or type the secret key."
                details {
                    summary { "Show QR code" }
                    img.qr src={ "/mfa/app/qr.png?serial=" (query) } width="234" height="234"
                        alt="QR code of the secret key. Where it cannot be scanned, the secret key below says the same.";
                }
                details {
                    summary { "Show secret key" }
                    p { code.secret { (setup.seed_base32.as_str()) } }
                    p { a href=(setup.otpauth_uri.as_str()) { "Open in an app on this device" } }
                }
            }
            li { "Enter two codes in a row: the one that is shown, and the next one." }
        }
        form method="post" action="/mfa/app" {
            (token(caller))
            input type="hidden" name="serial" value=(setup.serial);
            (code_field("code1", "MFA code 1", problem.is_some(), problem))
            (code_field("code2", "MFA code 2", false, problem))
            div.row { button type="submit" { "Add MFA" } (cancel()) }
        }
    };
    page("Set up authenticator app", 2, caller, problem, form)
}

/// Step 2 for a hardware TOTP token: its serial number, and the two codes that prove it.
pub(crate) fn token_device(
    caller: &SignedIn,
    name: &str,
    serial: &str,
    problem: Option<&Problem<'_>>,
) -> Markup {
    let serial = Field {
        name: "serial",
        label: "Serial number",
        hint: Some("On the back of the token, such as GAKT12345678"),
        value: serial,
        focus: true,
        ..Field::PLAIN
    };
    let form = html! {
        p { "The token will be named " strong { (name) } ". Press its button if the display is dark, and enter the \
             code; wait for the next one and enter that too." }
        form method="post" action="/mfa/token" {
            (token(caller))
            input type="hidden" name="name" value=(name);
            (serial.show(problem))
            (code_field("code1", "MFA code 1", false, problem))
            (code_field("code2", "MFA code 2", false, problem))
            div.row { button type="submit" { "Add MFA" } (cancel()) }
        }
    };
    page("Set up hardware TOTP token", 2, caller, problem, form)
}

fn page(title: &str, step: usize, caller: &SignedIn, problem: Option<&Problem<'_>>, form: Markup) -> Markup {
    let current = |at: usize| (at == step).then_some("step");
    let body = html! {
        (breadcrumb(&caller.user.name, Some("Assign MFA device")))
        ol.steps aria-label="Steps" {
            li aria-current=[current(1)] { span { "Step 1" } "Select MFA device" }
            li aria-current=[current(2)] { span { "Step 2" } "Set up device" }
        }
        h1 { (title) }
        (alert(problem))
        div.card.form { (form) }
    };
    inside(title, problem.is_some(), Place::Credentials, caller, body)
}

fn choice(kind: Kind, chosen: Kind, about: &str) -> Markup {
    html! {
        label.choice {
            input type="radio" name="type" value=(kind.as_str()) required checked[kind == chosen];
            span { strong { (kind_name(kind)) } span.about { (about) } }
        }
    }
}
