//! `keywright totp code`.

use std::fmt;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use zeroize::Zeroizing;

use super::{now, place};
use crate::args::totp::Place;
use crate::failure::{Failure, Kind};
use crate::interrupt::Interrupt;
use crate::output::Output;

/// Shows the code of now, or with `wait` the next one when its time comes.
///
/// # Errors
/// If there is no such account, or the place does not open.
pub(super) fn run(name: &str, wait: bool, place: &Place, output: &Output) -> Result<(), Failure> {
    let mut interrupt = Interrupt::default();
    let account = place::open(place, place::Purpose::Look, &mut interrupt)?.find(name)?;
    if wait {
        let next = now()? + account.code(now()?).seconds_left;
        interrupt.watch();
        until(next, &interrupt)?;
    }
    let code = account.code(now()?);
    output.answer(&Told {
        name: account.name(),
        code: &code.text,
        seconds_left: code.seconds_left,
        period: account.parameters().period,
    })
}

/// A code, which is what was asked for.
#[derive(Serialize)]
struct Told<'a> {
    name: &'a str,
    code: &'a Zeroizing<String>,
    seconds_left: u64,
    period: u32,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  ({} s left)", self.code.as_str(), self.seconds_left)
    }
}

/// Sleeps until a time in seconds since 1970, a moment at a time: the clock may be set meanwhile.
fn until(time: u64, interrupt: &Interrupt) -> Result<(), Failure> {
    let time = Duration::from_secs(time);
    loop {
        let left = time.saturating_sub(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        if left.is_zero() {
            return Ok(());
        }
        if interrupt.is_asked() {
            return Err(Failure::new(Kind::User, "cancelled while waiting for the next code"));
        }
        thread::sleep(left.min(MOMENT));
    }
}

/// How long an interrupted user waits at most.
const MOMENT: Duration = Duration::from_millis(100);
