//! Several keys are plugged in: the one that the user touches is meant.
//!
//! ```no_run
//! use keywright_host::choose::choose;
//! use keywright_host::ctaphid::Unattended;
//! use keywright_host::transport;
//! use keywright_host::webauthn::Authenticator;
//!
//! let mut keys = Vec::new();
//! for device in transport::list()? {
//!     keys.push(Authenticator::open(transport::open(&device.address)?)?);
//! }
//! let chosen = choose(&mut keys, &mut Unattended)?;
//! let key = keys.swap_remove(chosen);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::time::{Duration, Instant};

use keywright_common::ctap2::Command as Ctap2Command;
use keywright_common::ctaphid::Command;
use keywright_common::status::Status;

use crate::ctap2::lists::was_touched;
use crate::ctaphid::{Channel, DeviceError, Interaction, Unattended};
use crate::error::ClientError;
use crate::transport::Transport;
use crate::u2f::{StatusWord, registration_message};
use crate::webauthn::Authenticator;

/// Asks every key for a touch; the index of the first that is touched. The others are cancelled. A single key is taken
/// without being asked. One loop looks at each in turn, and waits in none of them for long.
///
/// # Errors
/// [`ClientError::NoKey`] if there is none, [`ClientError::Cancelled`] if the user cancels, and what the last key said when
/// none is left that could be touched.
pub fn choose<T: Transport>(
    keys: &mut [Authenticator<T>],
    user: &mut dyn Interaction,
) -> Result<usize, ClientError> {
    if keys.len() <= 1 {
        return if keys.is_empty() { Err(ClientError::NoKey) } else { Ok(0) };
    }
    let mut candidates: Vec<_> = keys.iter_mut().map(Candidate::new).collect();
    let mut once = Once { user, was_told: false };
    let result = race(&mut candidates, &mut once);
    let touched = result.as_ref().ok().copied();
    candidates
        .iter_mut()
        .enumerate()
        .filter(|(index, _)| Some(*index) != touched)
        .for_each(|(_, candidate)| candidate.leave());
    result
}

fn race<T: Transport>(
    candidates: &mut [Candidate<'_, T>],
    user: &mut Once<'_>,
) -> Result<usize, ClientError> {
    let mut last = ClientError::NoKey;
    loop {
        for (index, candidate) in candidates.iter_mut().enumerate() {
            if user.user.is_cancelled() {
                return Err(ClientError::Cancelled);
            }
            match candidate.look(user) {
                Ok(true) => return Ok(index),
                Ok(false) => {}
                Err(error) => {
                    last = error;
                    candidate.state = State::Out;
                }
            }
        }
        if candidates.iter().all(|candidate| matches!(candidate.state, State::Out)) {
            return Err(last);
        }
    }
}

/// A key in the race.
struct Candidate<'k, T> {
    channel: &'k mut Channel<T>,
    request: Vec<u8>,
    is_u2f: bool,
    state: State,
}

enum State {
    /// The request is to be sent.
    Ready,
    /// The request was sent.
    Asked,
    /// A U2F key wanted a touch; it is asked again then.
    Resting { until: Instant },
    /// The key is no longer in the race.
    Out,
}

impl<'k, T: Transport> Candidate<'k, T> {
    fn new(key: &'k mut Authenticator<T>) -> Self {
        let (channel, request, is_u2f) = match key {
            Authenticator::Ctap2(client) => {
                let request = client.touch_request();
                (client.channel_mut(), request, false)
            }
            Authenticator::U2f(channel) => (channel, registration_message(&[0; 32], &[0; 32]), true),
        };
        Self { channel, request, is_u2f, state: State::Ready }
    }

    /// Looks at the key for a moment; whether it was touched.
    fn look(&mut self, user: &mut Once<'_>) -> Result<bool, ClientError> {
        match self.state {
            State::Ready => {
                let command = if self.is_u2f { Command::MSG } else { Command::CBOR };
                self.channel.start(command, &self.request)?;
                self.state = State::Asked;
                Ok(false)
            }
            State::Asked => match self.channel.poll(SLICE, user)? {
                Some(answer) if self.is_u2f => self.u2f_answer(&answer, user),
                Some(answer) => ctap2_answer(&answer),
                None => Ok(false),
            },
            State::Resting { until } => {
                self.channel.pause(SLICE, user)?;
                if self.channel.transport_mut().now() >= until {
                    self.state = State::Ready;
                }
                Ok(false)
            }
            State::Out => Ok(false),
        }
    }

    fn u2f_answer(&mut self, answer: &[u8], user: &mut Once<'_>) -> Result<bool, ClientError> {
        match StatusWord::split(answer) {
            Some((_, StatusWord::NO_ERROR)) => Ok(true),
            Some((_, StatusWord::CONDITIONS_NOT_SATISFIED)) => {
                user.touch_needed();
                let now = self.channel.transport_mut().now();
                self.state = State::Resting { until: now.checked_add(REST).unwrap_or(now) };
                Ok(false)
            }
            Some((_, word)) => Err(ClientError::StatusWord(word.0)),
            None => Err(ClientError::Malformed("a U2F answer without status word")),
        }
    }

    /// Cancels what runs and waits a moment for the answer. A key that takes longer is resynchronised when it is next used.
    fn leave(&mut self) {
        if !matches!(self.state, State::Asked) {
            return;
        }
        // A key that can no longer be told is not one that has to be.
        let mut is_waiting = self.channel.cancel().is_ok();
        for _ in 0..PATIENCE {
            is_waiting = is_waiting && matches!(self.channel.poll(SLICE, &mut Unattended), Ok(None));
        }
    }
}

/// The answer to a request for a touch.
fn ctap2_answer(answer: &[u8]) -> Result<bool, ClientError> {
    match answer.first() {
        Some(status) if was_touched(*status) => Ok(true),
        Some(status) => Err(ClientError::refused(Ctap2Command::SELECTION, Status(*status))),
        None => Err(ClientError::Device(DeviceError::OutOfOrder)),
    }
}

/// The user, who is told once to touch, whichever key says it first. Cancelling is the race's to see, since it is for all.
struct Once<'u> {
    user: &'u mut dyn Interaction,
    was_told: bool,
}

impl Interaction for Once<'_> {
    fn touch_needed(&mut self) {
        if !self.was_told {
            self.was_told = true;
            self.user.touch_needed();
        }
    }
}

const SLICE: Duration = Duration::from_millis(10);
/// Between two questions to a U2F key.
const REST: Duration = Duration::from_millis(200);
/// How many slices a cancelled key has for its answer: half a second.
const PATIENCE: u32 = 50;

#[cfg(test)]
mod tests;
