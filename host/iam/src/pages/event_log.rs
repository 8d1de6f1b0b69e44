//! The event log, newest first.

use maud::{Markup, html};
use serde_json::Value;

use super::{Place, inside};
use crate::{events::Logged, iam::SignedIn};

/// A part of the log; `older` is where the next part begins.
pub(crate) fn events(caller: &SignedIn, events: &[Logged], older: Option<i64>) -> Markup {
    let body = html! {
        h1 { "Event log" }
        section.card aria-labelledby="list" {
            div.head {
                h2 #list { "Events, newest first" }
                a.button.quiet href="/api/events" { "As JSON lines" }
            }
            p.hint { "In the shape of CloudTrail's records, kept for 90 days." }
            @if events.is_empty() { p { "There are no events." } }
            @else { ul.events { @for event in events { (entry(event)) } } }
            @if let Some(older) = older { p { a href={ "/events?before=" (older) } { "Older events" } } }
        }
    };
    inside("Event log", false, Place::Events, caller, body)
}

fn entry(event: &Logged) -> Markup {
    let record: Value = serde_json::from_str(&event.record).unwrap_or_default();
    let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
    let refused = record.get("errorMessage").and_then(Value::as_str);
    html! {
        li {
            div.line {
                strong { (text("/eventName")) }
                @match refused {
                    Some(_) => span.badge.bad { "Refused" },
                    None => span.badge { "Done" },
                }
                span { (text("/userIdentity/userName")) }
                span { (text("/eventTime").replace('T', " ").replace('Z', " UTC")) }
            }
            @if let Some(message) = refused { p.hint { (message) } }
            details {
                summary { "Record" span.hidden { " of " (text("/eventName")) " at " (text("/eventTime")) } }
                pre { code { (serde_json::to_string_pretty(&record).unwrap_or_default()) } }
            }
        }
    }
}
