//! Whoever sits at the terminal: is told when to touch, asked for the PIN, and for yes or no.

use std::io::{self, IsTerminal as _, Write as _};

use indicatif::ProgressBar;
use keywright_common::status::Status;
use keywright_host::ClientError;
use keywright_host::ctaphid::{Interaction, KeepaliveStatus};
use keywright_host::pin_uv_auth::Pin;
use keywright_host::user::{PinReason, PinRequest, UserInteraction};
#[cfg(all(feature = "iam", unix))]
use zeroize::Zeroizing;

use crate::failure::{Failure, Kind};
use crate::interrupt::Interrupt;
use crate::output::Output;
use crate::pin::{self, Descriptors, Source};

/// The user of one command.
#[derive(Debug)]
pub(crate) struct User {
    source: Source,
    descriptors: Descriptors,
    /// A PIN that came without asking.
    given: Option<Pin>,
    /// Why no PIN was given, which the driver can only call cancelled.
    refusal: Option<Failure>,
    touch: &'static str,
    /// Whether a wish for a touch is shown at the terminal too, when standard error goes elsewhere.
    #[cfg(all(feature = "iam", unix))]
    at_terminal: bool,
    waiting: Option<ProgressBar>,
    interrupt: Interrupt,
}

impl User {
    /// A user whose PIN comes from `source`.
    pub(crate) fn new(source: impl Into<Source>) -> Self {
        Self {
            source: source.into(),
            descriptors: Descriptors::default(),
            given: None,
            refusal: None,
            touch: "Touch the key.",
            #[cfg(all(feature = "iam", unix))]
            at_terminal: false,
            waiting: None,
            interrupt: Interrupt::default(),
        }
    }

    /// A user who is not asked for a PIN.
    pub(crate) fn without_pin() -> Self {
        Self::new(Source::Terminal)
    }

    /// A user who is at the terminal although standard error is not: another program runs the command and keeps its words.
    #[cfg(all(feature = "iam", unix))]
    pub(crate) fn at_terminal(mut self) -> Self {
        self.at_terminal = true;
        self
    }

    /// A secret that is no PIN, from `source` or the terminal.
    ///
    /// # Errors
    /// If there is none.
    #[cfg(all(feature = "iam", unix))]
    pub(crate) fn secret(
        &mut self,
        source: &Source,
        what: &str,
        prompt: &str,
    ) -> Result<Zeroizing<String>, Failure> {
        if let Some(text) = source.text(&mut self.descriptors, what)? {
            return Ok(text);
        }
        self.interrupt.watch();
        let line = crate::hidden::line(prompt, &self.interrupt).map_err(|error| {
            let words = format!("a {what} is needed and there is no terminal to ask at ({error})");
            Failure::usage(format!("{words}: run the command at a terminal, or give it with --{what}-fd"))
        })?;
        let cancelled =
            || Failure::new(Kind::User, format!("cancelled: no {what} was given, and nothing was done"));
        line.filter(|text| !text.is_empty()).ok_or_else(cancelled)
    }

    /// Has the next touches asked for in these words.
    pub(crate) const fn touch_words(&mut self, words: &'static str) {
        self.touch = words;
    }

    /// What came of asking a key, with this user's own reason for giving no PIN in the place of "cancelled".
    ///
    /// # Errors
    /// What the key, or the user, refused.
    pub(crate) fn outcome<A>(&mut self, result: Result<A, ClientError>) -> Result<A, Failure> {
        self.wait_no_longer();
        result.map_err(|error| self.refusal.take().unwrap_or_else(|| error.into()))
    }

    /// The PIN that a key has.
    ///
    /// # Errors
    /// If there is none, or it breaks a rule of every PIN.
    pub(crate) fn current_pin(&mut self) -> Result<Pin, Failure> {
        match self.source.read(&mut self.descriptors)? {
            Some(pin) => Ok(pin),
            None => self.ask("PIN: ")?.ok_or_else(cancelled),
        }
    }

    /// A PIN that a key is to have; at the terminal, asked for twice.
    ///
    /// # Errors
    /// If there is none, or it breaks a rule of every PIN.
    pub(crate) fn new_pin(&mut self, source: &Source, prompt: &str) -> Result<Pin, Failure> {
        if let Some(pin) = source.read(&mut self.descriptors)? {
            return Ok(pin);
        }
        let first = pin::ask(prompt, &mut self.interrupt)?.ok_or_else(cancelled)?;
        let pin = Pin::new(&first)?;
        let second = pin::ask("The same again: ", &mut self.interrupt)?.ok_or_else(cancelled)?;
        if first != second {
            return Err(Failure::new(
                Kind::Pin,
                "the two are not the same, and nothing was changed: try again",
            ));
        }
        Ok(pin)
    }

    /// Asks at the terminal until there is a PIN that could be one; `None` if the user gives none.
    fn ask(&mut self, prompt: &str) -> Result<Option<Pin>, Failure> {
        self.wait_no_longer();
        loop {
            let Some(text) = pin::ask(prompt, &mut self.interrupt)? else { return Ok(None) };
            match Pin::new(&text) {
                Ok(pin) => return Ok(Some(pin)),
                Err(rule) => Output::note(rule),
            }
        }
    }

    fn answer(&mut self, request: PinRequest) -> Result<Pin, Failure> {
        if matches!(self.source, Source::Terminal) {
            return self.ask(&prompt(request))?.ok_or_else(cancelled);
        }
        // The same again would only cost another try.
        if request.reason == PinReason::Wrong {
            return Err(ClientError::Pin { status: Status::PIN_INVALID, retries: request.retries }.into());
        }
        if self.given.is_none() {
            self.given = self.source.read(&mut self.descriptors)?;
        }
        self.given.clone().ok_or_else(cancelled)
    }

    /// Asks for the touch where nothing moves.
    fn note_touch(&self) {
        #[cfg(all(feature = "iam", unix))]
        if self.at_terminal {
            return Output::note_at_terminal(self.touch);
        }
        Output::note(self.touch);
    }

    fn wait_no_longer(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.finish_and_clear();
        }
    }
}

impl Interaction for User {
    fn keepalive(&mut self, status: KeepaliveStatus) {
        if status == KeepaliveStatus::Processing {
            self.wait_no_longer();
        }
        if let Some(waiting) = &self.waiting {
            waiting.tick();
        }
    }

    fn touch_needed(&mut self) {
        self.interrupt.watch();
        if io::stderr().is_terminal() {
            self.waiting.get_or_insert_with(ProgressBar::new_spinner).set_message(self.touch);
        } else {
            self.note_touch();
        }
    }

    fn is_cancelled(&mut self) -> bool {
        self.interrupt.is_asked()
    }
}

impl UserInteraction for User {
    fn pin(&mut self, request: PinRequest) -> Option<Pin> {
        self.answer(request).map_err(|failure| self.refusal = Some(failure)).ok()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.wait_no_longer();
    }
}

/// Asks for a yes at the terminal, unless `is_given`.
///
/// # Errors
/// [`Kind::User`] if the answer is anything else, [`Kind::Usage`] if there is no terminal.
pub(crate) fn confirm(question: &str, is_given: bool) -> Result<(), Failure> {
    if is_given {
        return Ok(());
    }
    check_confirmable(is_given)?;
    let mut answer = String::new();
    let _ = write!(io::stderr(), "{question} [y/N] ");
    let _ = io::stderr().flush();
    let read = io::stdin().read_line(&mut answer);
    if read.is_ok() && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        return Ok(());
    }
    Err(Failure::new(Kind::User, "nothing was done: answer y to go on"))
}

/// Whether [`confirm`] will be able to ask.
///
/// # Errors
/// [`Kind::Usage`] if there is no terminal.
pub(crate) fn check_confirmable(is_given: bool) -> Result<(), Failure> {
    if is_given || io::stdin().is_terminal() {
        return Ok(());
    }
    Err(Failure::usage(
        "this has to be confirmed and there is no terminal to ask at: add --yes if it is meant",
    ))
}

fn prompt(request: PinRequest) -> String {
    match (request.reason, request.retries) {
        (PinReason::Wrong, Some(1)) => {
            "That was wrong. 1 try is left before the PIN is blocked for good. PIN: ".to_owned()
        }
        (PinReason::Wrong, Some(retries)) => format!("That was wrong; {retries} tries are left. PIN: "),
        (PinReason::Wrong, None) => "That was wrong. PIN: ".to_owned(),
        (PinReason::BuiltInVerificationFailed, _) => "The key did not recognise you. PIN: ".to_owned(),
        (PinReason::Needed, _) => "PIN: ".to_owned(),
    }
}

fn cancelled() -> Failure {
    Failure::new(Kind::User, "cancelled: no PIN was given, and nothing was done")
}
