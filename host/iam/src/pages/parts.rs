//! What several pages are made of: fields with their hints and errors, banners, times.

use maud::{Markup, PreEscaped, html};

use crate::timestamp;

/// What is wrong with what was entered, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Problem<'a> {
    pub(crate) message: &'a str,
    /// The id of the field that it is about.
    pub(crate) field: Option<&'static str>,
}

impl<'a> Problem<'a> {
    pub(crate) fn of_page(message: &'a str) -> Self {
        Self { message, field: None }
    }

    pub(crate) fn of_field(message: &'a str, field: &'static str) -> Self {
        Self { message, field: Some(field) }
    }
}

/// A field for one line of text.
pub(super) struct Field<'a> {
    pub(super) name: &'static str,
    pub(super) label: &'a str,
    pub(super) hint: Option<&'a str>,
    pub(super) value: &'a str,
    pub(super) kind: &'static str,
    pub(super) longest: u16,
    pub(super) autocomplete: &'static str,
    pub(super) focus: bool,
}

impl Field<'_> {
    pub(super) const PLAIN: Self = Self {
        name: "",
        label: "",
        hint: None,
        value: "",
        kind: "text",
        longest: 256,
        autocomplete: "off",
        focus: false,
    };

    /// The field with its hint, and with its error when it is the one that is wrong.
    pub(super) fn show(&self, problem: Option<&Problem<'_>>) -> Markup {
        let wrong = wrong(self.name, problem);
        let focus = problem.is_none() && self.focus || wrong.is_some();
        html! {
            div.field {
                label for=(self.name) { (self.label) }
                (hint(self.name, self.hint))
                (error(self.name, wrong))
                input id=(self.name) name=(self.name) type=(self.kind) value=(self.value) required
                    maxlength=(self.longest) autocomplete=(self.autocomplete) autocapitalize="none"
                    spellcheck="false" autofocus[focus] aria-invalid=[wrong.map(|_| "true")]
                    aria-describedby=[described_by(self.name, self.hint, wrong)];
            }
        }
    }
}

/// A field for the text of a file.
pub(super) fn text_area(
    name: &'static str,
    label: &str,
    hint_text: &str,
    problem: Option<&Problem<'_>>,
) -> Markup {
    let wrong = wrong(name, problem);
    let hint_text = Some(hint_text);
    html! {
        div.field {
            label for=(name) { (label) }
            (hint(name, hint_text))
            (error(name, wrong))
            textarea id=(name) name=(name) rows="8" required autocomplete="off" spellcheck="false"
                autofocus[wrong.is_some()] aria-invalid=[wrong.map(|_| "true")]
                aria-describedby=[described_by(name, hint_text, wrong)] {}
        }
    }
}

/// A field for six digits.
pub(super) fn code_field(
    name: &'static str,
    label: &str,
    focus: bool,
    problem: Option<&Problem<'_>>,
) -> Markup {
    let wrong = wrong(name, problem);
    let focus = problem.is_none() && focus || wrong.is_some();
    let hint_text = Some("6 digits");
    html! {
        div.field {
            label for=(name) { (label) }
            (hint(name, hint_text))
            (error(name, wrong))
            input.code id=(name) name=(name) required inputmode="numeric" pattern="[0-9]{6}" maxlength="6"
                autocomplete="one-time-code" title="6 digits" autofocus[focus]
                aria-invalid=[wrong.map(|_| "true")] aria-describedby=[described_by(name, hint_text, wrong)];
        }
    }
}

fn wrong<'a>(name: &str, problem: Option<&Problem<'a>>) -> Option<&'a str> {
    problem.filter(|problem| problem.field == Some(name)).map(|problem| problem.message)
}

fn hint(name: &str, hint: Option<&str>) -> Markup {
    html! { @if let Some(hint) = hint { p.hint id={ (name) "-hint" } { (hint) } } }
}

fn error(name: &str, wrong: Option<&str>) -> Markup {
    html! { @if let Some(message) = wrong { p.wrong id={ (name) "-error" } { (mark()) (message) } } }
}

fn described_by(name: &str, hint: Option<&str>, wrong: Option<&str>) -> Option<String> {
    let hint = hint.map(|_| format!("{name}-hint"));
    let ids: Vec<_> = hint.into_iter().chain(wrong.map(|_| format!("{name}-error"))).collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

/// What is wrong, above a form.
pub(super) fn alert(problem: Option<&Problem<'_>>) -> Markup {
    html! {
        @if let Some(Problem { message, field }) = problem {
            div.alert role="alert" {
                p { (mark()) strong { "There is a problem" } }
                p { @match field {
                    Some(field) => a href={ "#" (field) } { (message) },
                    None => (message),
                } }
            }
        }
    }
}

/// What was done, above a page.
pub(super) fn done(message: Option<&str>) -> Markup {
    html! { @if let Some(message) = message { div.done role="status" { p { (tick()) (message) } } } }
}

pub(super) fn needs_script() -> Markup {
    html! { noscript { p.wrong { "A passkey or security key needs JavaScript. Turn it on for this page." } } }
}

/// A time as people read it, in UTC.
pub(super) fn time(seconds: i64) -> Markup {
    let text = timestamp::extended(seconds);
    let shown = text.replace('T', " ").replace('Z', " UTC");
    html! { time datetime=(text) { (shown) } }
}

/// Shapes beside words: nothing is told by colour alone. Readers of the screen skip them.
fn mark() -> Markup {
    PreEscaped("<span class=\"mark\" aria-hidden=\"true\">!</span>".into())
}

fn tick() -> Markup {
    PreEscaped("<span class=\"mark\" aria-hidden=\"true\">\u{2713}</span>".into())
}
