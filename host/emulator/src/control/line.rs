//! One line in, one line out.

use std::io::{BufRead, Read};

use serde_json::{Value, json};

use crate::error::Stopped;
use crate::handle::Handle;
use crate::input::Command;
use crate::state::State;

/// Why a line was not obeyed.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    #[error("a line has at most {MAX_LINE} bytes")]
    TooLong,
    #[error("a line must end with a line feed")]
    Unfinished,
    #[error("this is no JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    #[error("a line is an object like {{\"do\":\"touch\"}}")]
    NotObject,
    #[error("`do` is missing, or is no string")]
    NoCommand,
    #[error("`{0}` is not known here; the only member is `do`")]
    UnknownMember(String),
    #[error("`{0}` is not known: touch, decline, power-cycle, wipe, plug, unplug, state")]
    UnknownCommand(String),
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// The next line without its end; `None` at the end of the stream.
pub(super) fn read(reader: &mut impl BufRead) -> Option<Result<Vec<u8>, LineError>> {
    let mut line = Vec::new();
    let limit = u64::try_from(MAX_LINE + 1).unwrap_or(u64::MAX);
    match reader.take(limit).read_until(b'\n', &mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) if line.pop_if(|last| *last == b'\n').is_some() => Some(Ok(line)),
        Ok(length) if length > MAX_LINE => Some(Err(LineError::TooLong)),
        Ok(_) => Some(Err(LineError::Unfinished)),
    }
}

/// Does what a line says.
pub(super) fn answer(line: &[u8], handle: &Handle) -> Value {
    let done = parse(line).and_then(|(name, command)| Ok((name, handle.command(command)?)));
    match done {
        Ok((name, outcome)) => {
            json!({ "done": name, "changed": outcome.changed, "state": state(&outcome.state) })
        }
        Err(error) => refusal(&error),
    }
}

/// The answer to a line that is not obeyed.
pub(super) fn refusal(error: &LineError) -> Value {
    json!({ "error": error.to_string() })
}

fn parse(line: &[u8]) -> Result<(&'static str, Command), LineError> {
    let value: Value = serde_json::from_slice(line)?;
    let object = value.as_object().ok_or(LineError::NotObject)?;
    if let Some(member) = object.keys().find(|member| *member != "do") {
        return Err(LineError::UnknownMember(member.clone()));
    }
    let name = object.get("do").and_then(Value::as_str).ok_or(LineError::NoCommand)?;
    let known = COMMANDS.iter().find(|(known, _)| *known == name);
    known.copied().ok_or_else(|| LineError::UnknownCommand(name.into()))
}

fn state(state: &State) -> Value {
    let powered_ms = state.powered_for.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    json!({
        "plugged": state.plugged,
        "indication": state.indication.to_string(),
        "powered_ms": powered_ms,
    })
}

const COMMANDS: [(&str, Command); 7] = [
    ("touch", Command::Touch),
    ("decline", Command::Decline),
    ("power-cycle", Command::PowerCycle),
    ("wipe", Command::Wipe),
    ("plug", Command::Plug),
    ("unplug", Command::Unplug),
    ("state", Command::State),
];

/// Without the line feed. A word and its braces need a few dozen.
const MAX_LINE: usize = 1024;
