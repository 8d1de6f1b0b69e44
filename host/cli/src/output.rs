//! What the command says: the answer on standard output, as text or as one JSON value; everything else on standard error.

use std::fmt::{self, Display, Write as _};
#[cfg(all(feature = "iam", unix))]
use std::io::IsTerminal as _;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use clap::error::ErrorKind as UsageKind;
use serde::Serialize;

use crate::failure::{Failure, Kind};

/// Where the command's words go, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// Text, or JSON if `json`.
    pub(crate) const fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether it is JSON.
    #[cfg(all(feature = "totp", unix))]
    pub(crate) const fn is_json(self) -> bool {
        self.json
    }

    /// Prints what a command was asked for: as JSON in one line, or as the text that its `Display` gives.
    ///
    /// # Errors
    /// If standard output cannot be written.
    pub(crate) fn answer<A: Serialize + Display>(&self, answer: &A) -> Result<(), Failure> {
        let line = if self.json {
            serde_json::to_string(answer).map_err(|error| Failure::new(Kind::Other, error.to_string()))?
        } else {
            answer.to_string()
        };
        print(line.trim_end()).map_err(|error| {
            Failure::new(
                Kind::Other,
                format!("standard output cannot be written ({error}): check where it goes"),
            )
        })
    }

    /// Says something to the person at the terminal.
    pub(crate) fn note(words: impl Display) {
        // With standard error closed there is nobody to tell.
        let _ = writeln!(io::stderr(), "{words}");
    }

    /// Says something that the person at the terminal must see, also where standard error goes elsewhere: another program runs the
    /// command and keeps its words, as AWS's tools do.
    #[cfg(all(feature = "iam", unix))]
    pub(crate) fn note_at_terminal(words: impl Display) {
        if !io::stderr().is_terminal()
            && let Ok(mut terminal) = std::fs::File::options().write(true).open("/dev/tty")
        {
            let _ = writeln!(terminal, "{words}");
        }
        Self::note(words);
    }

    /// Says why the command failed; the exit code of that.
    pub(crate) fn fail(&self, failure: &Failure) -> ExitCode {
        // What a key or a file says may be part of it.
        Self::note(format_args!("keywright: {}", Foreign(&failure.to_string())));
        if self.json {
            let _ = print(&failure.to_json());
        }
        failure.exit_code()
    }
}

/// What the arguments came to instead of a command: help and version, or the mistake in them.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    let is_mistake = !matches!(error.kind(), UsageKind::DisplayHelp | UsageKind::DisplayVersion);
    // As above: nobody to tell.
    let _ = error.print();
    if !is_mistake {
        return ExitCode::SUCCESS;
    }
    // What was asked for could not be read, so this looks for itself.
    if std::env::args_os().any(|word| word == "--json") {
        let _ = print(&Failure::new(Kind::Usage, mistake(error)).to_json());
    }
    Kind::Usage.exit_code()
}

/// The mistake alone, without the summary of the usage that follows it.
fn mistake(error: &clap::Error) -> String {
    if error.kind() == UsageKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "no command was named: --help lists them".to_owned();
    }
    let words = error.render().to_string();
    let words = words.strip_prefix("error: ").unwrap_or(&words);
    words.split("\n\n").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A line on standard output. Whoever closed it has read enough.
fn print(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Text that a key, or a file, gave: whatever could drive a terminal, or turn the direction of writing, is shown as U+FFFD.
pub(crate) struct Foreign<'a>(pub(crate) &'a str);

impl Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .chars()
            .try_for_each(|c| f.write_char(if is_plain(c) { c } else { char::REPLACEMENT_CHARACTER }))
    }
}

fn is_plain(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_says_does_not_drive_the_terminal() {
        let text = "a\u{1b}[2Jb\r\n\u{202e}c\u{9b}é🔑";
        assert_eq!(Foreign(text).to_string(), "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}c\u{fffd}é🔑");
    }
}
