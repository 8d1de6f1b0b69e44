//! A program asks for credentials: whether it gets them.

use maud::{Markup, html};

use super::{outside, parts::time, token};
use crate::{iam::SignedIn, oauth::Authorization};

/// Who would get what, and the two answers.
pub(crate) fn ask(caller: &SignedIn, account: &str, id: &str, asked: &Authorization) -> Markup {
    let command = asked.client.command;
    let body = html! {
        h1 { "Credentials for the command line" }
        p { "A program on this computer asks to act as " strong { (caller.user.name) } " of account " (account) "." }
        p { "Allow it only if you have just run " code { (command) } " yourself"
            @if asked.client.shows_check { ", and it shows the code " strong.secret { (asked.check_code()) } }
            "." }
        p { "It gets temporary credentials that count as MFA since " (time(caller.since))
            ", and listens at " (asked.origin()) "." }
        form method="post" action="/v1/consent" {
            (token(caller))
            input type="hidden" name="request" value=(id);
            button.wide type="submit" name="decision" value="allow" { "Allow" }
            button.wide.quiet type="submit" name="decision" value="deny" { "Deny" }
        }
    };
    outside("Credentials for the command line", false, body)
}
