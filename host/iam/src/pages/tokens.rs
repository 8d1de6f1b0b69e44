//! Hardware TOTP tokens: those that an administrator has, and the file that brings more.

use maud::{Markup, html};

use super::{
    Place, Problem, inside,
    parts::{alert, done, text_area},
    token,
};
use crate::{hardware_token::Token, iam::SignedIn, page::Page};

/// The tokens, a page at a time, and the form that imports more. What was entered is not shown again: it holds seeds.
pub(crate) fn tokens(
    caller: &SignedIn,
    tokens: &Page<Token>,
    message: Option<&str>,
    problem: Option<&Problem<'_>>,
) -> Markup {
    let body = html! {
        h1 { "Hardware tokens" }
        (done(message))
        (alert(problem))
        section.card aria-labelledby="list" {
            h2 #list { "Tokens of this account" }
            @if tokens.items.is_empty() { p { "There are none. Import the file that came with your tokens." } }
            @else { ul.devices { @for token in &tokens.items { li {
                div.device {
                    h3 { (token.serial) }
                    p { @match &token.user {
                        Some(user) => { "Assigned to " a href={ "/users/" (user) } { (user) } }
                        None => "Not assigned: its user enters the serial number and two codes.",
                    } }
                }
            } } } }
            @if let Some(marker) = &tokens.marker { p { a href={ "/tokens?marker=" (marker) } { "More tokens" } } }
        }
        section.card.form aria-labelledby="import" {
            h2 #import { "Import tokens" }
            form method="post" action="/tokens" {
                (token(caller))
                (text_area("file", "Text of the file", "CSV with a first line serial,seed_hex or serial,seed_base32, or \
                    PSKC (RFC 6030). All of it is imported, or nothing.", problem))
                div.row { button type="submit" { "Import" } }
            }
        }
    };
    inside("Hardware tokens", problem.is_some(), Place::Tokens, caller, body)
}
