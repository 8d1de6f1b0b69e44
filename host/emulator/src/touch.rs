//! Who touches the key.
//!
//! A touch is an edge: it answers the request that waits, and comes later than it. So each wish for a touch has a number, and an
//! answer to an earlier wish does nothing, however late it comes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel};
use std::thread;
use std::time::Duration;

use keywright_common::time::{Instant, Millis};

use crate::input::Input;

/// Who touches the key when it asks. The control socket and [`crate::Handle`] can do so under every policy.
pub enum TouchPolicy {
    /// The key itself, at once.
    Auto,
    /// The key itself, when the time has passed.
    After(Duration),
    /// Every request is declined at once.
    Deny,
    /// Nobody but the control socket and [`crate::Handle`].
    Manual,
    /// The user, who is asked.
    Prompt(Ask),
}

/// Asks the user, on a thread of its own; may take as long as it likes.
pub type Ask = Box<dyn FnMut(&Prompt) -> Answer + Send>;

/// A wish for a touch, as the user is asked about it.
#[derive(Clone, Debug)]
pub struct Prompt(Arc<AtomicBool>);

/// What the user said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Touch the key.
    Touch,
    /// Decline the request.
    Decline,
    /// Nothing: the request runs out.
    Nothing,
}

/// The words for a policy were not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no touch policy: auto, deny, manual, prompt, or after=MILLISECONDS")]
pub struct UnknownPolicy(String);

impl TouchPolicy {
    /// The policy that `auto`, `deny`, `manual`, `prompt` or `after=MS` names; `ask` is for `prompt`.
    ///
    /// # Errors
    /// [`UnknownPolicy`] for any other words.
    pub fn parse(words: &str, ask: Ask) -> Result<Self, UnknownPolicy> {
        match words {
            "auto" => Ok(Self::Auto),
            "deny" => Ok(Self::Deny),
            "manual" => Ok(Self::Manual),
            "prompt" => Ok(Self::Prompt(ask)),
            _ => {
                let millis = words.strip_prefix("after=").and_then(|millis| millis.parse().ok());
                millis.map(|ms| Self::After(Duration::from_millis(ms))).ok_or(UnknownPolicy(words.into()))
            }
        }
    }
}

impl fmt::Debug for TouchPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("Auto"),
            Self::After(time) => write!(f, "After({time:?})"),
            Self::Deny => f.write_str("Deny"),
            Self::Manual => f.write_str("Manual"),
            Self::Prompt(_) => f.write_str("Prompt"),
        }
    }
}

impl Prompt {
    /// Whether the request still waits: it may have been cancelled, or run out.
    pub fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The finger that carries a policy out.
pub(crate) struct Finger {
    how: How,
    wish: Option<Wish>,
    /// How many wishes there were.
    number: u64,
}

enum How {
    Itself(Answer, Millis),
    Manual,
    Ask(Sender<(u64, Prompt)>),
}

/// A touch that the key waits for.
struct Wish {
    due: Option<Instant>,
    prompt: Prompt,
}

impl Finger {
    /// A finger; what the user answers comes back as an input.
    pub(crate) fn new(policy: TouchPolicy, inputs: &SyncSender<Input>) -> Self {
        let how = match policy {
            TouchPolicy::Auto => How::Itself(Answer::Touch, NEXT),
            TouchPolicy::After(time) => {
                let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                How::Itself(Answer::Touch, Millis(millis.saturating_add(NEXT.0)))
            }
            TouchPolicy::Deny => How::Itself(Answer::Decline, NEXT),
            TouchPolicy::Manual => How::Manual,
            TouchPolicy::Prompt(ask) => How::Ask(ask_on_a_thread(ask, inputs.clone())),
        };
        Self { how, wish: None, number: 0 }
    }

    /// Looks whether the key wants a touch now; only the beginning and the end of a wish count.
    pub(crate) fn watch(&mut self, is_wanted: bool, now: Instant) {
        match (&self.wish, is_wanted) {
            (None, true) => self.begin(now),
            (Some(_), false) => self.end(),
            _ => {}
        }
    }

    /// When [`Finger::take_due`] has something.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.wish.as_ref().and_then(|wish| wish.due)
    }

    /// What the finger does now; again after a while, if the key still wants it: U2F leaves no request that could be
    /// declined, and one that comes later is no new wish while the old one lasts.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Answer> {
        let How::Itself(answer, _) = self.how else { return None };
        let wish = self.wish.as_mut()?;
        wish.due.filter(|due| *due <= now)?;
        wish.due = Some(now + AGAIN);
        Some(answer)
    }

    /// Whether the prompt of this number is the one that the key waits for.
    pub(crate) fn is_current(&self, number: u64) -> bool {
        self.wish.is_some() && self.number == number
    }

    fn begin(&mut self, now: Instant) {
        self.number += 1;
        let prompt = Prompt(Arc::new(AtomicBool::new(true)));
        let due = match &self.how {
            How::Itself(_, after) => Some(now + *after),
            How::Manual => None,
            How::Ask(prompts) => {
                // The thread ends only with the program, or when asking panics: the request then runs out.
                let _ = prompts.send((self.number, prompt.clone()));
                None
            }
        };
        self.wish = Some(Wish { due, prompt });
    }

    fn end(&mut self) {
        if let Some(wish) = self.wish.take() {
            wish.prompt.0.store(false, Ordering::Relaxed);
        }
    }
}

/// A prompt that nobody waits for any more must not stay on the screen.
impl Drop for Finger {
    fn drop(&mut self) {
        self.end();
    }
}

/// The thread is never waited for: it may be in a read of the terminal.
fn ask_on_a_thread(mut ask: Ask, inputs: SyncSender<Input>) -> Sender<(u64, Prompt)> {
    let (prompts, waiting): (_, Receiver<(u64, Prompt)>) = channel();
    thread::spawn(move || {
        for (number, prompt) in waiting {
            if !prompt.is_wanted() {
                continue;
            }
            let answer = ask(&prompt);
            if inputs.send(Input::Answered { number, answer }).is_err() {
                return;
            }
        }
    });
    prompts
}

/// A touch counts only if it is later than the request, and the key's clock shows whole milliseconds.
const NEXT: Millis = Millis(1);
const AGAIN: Millis = Millis(100);

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn finger(policy: TouchPolicy) -> Finger {
        Finger::new(policy, &sync_channel(1).0)
    }

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_touch_is_later_than_the_wish_for_it() {
        let mut finger = finger(TouchPolicy::Auto);
        finger.watch(true, at(5));
        assert_eq!(finger.take_due(at(5)), None);
        assert_eq!(finger.poll_timeout(), Some(at(6)));
        assert_eq!(finger.take_due(at(6)), Some(Answer::Touch));
    }

    #[test]
    fn what_is_not_wanted_any_more_is_not_touched() {
        let mut finger = finger(TouchPolicy::Auto);
        finger.watch(true, at(5));
        finger.watch(false, at(5));
        assert_eq!((finger.poll_timeout(), finger.take_due(at(1000))), (None, None));
    }

    #[test]
    fn a_wish_that_goes_on_is_answered_again_and_not_at_once() {
        let mut finger = finger(TouchPolicy::Deny);
        finger.watch(true, at(0));
        assert_eq!(finger.take_due(at(1)), Some(Answer::Decline));
        finger.watch(true, at(1));
        assert_eq!(finger.take_due(at(100)), None);
        assert_eq!(finger.take_due(at(101)), Some(Answer::Decline));
    }

    #[test]
    fn a_hand_is_never_due() {
        let mut finger = finger(TouchPolicy::Manual);
        finger.watch(true, at(0));
        assert_eq!((finger.poll_timeout(), finger.take_due(at(60_000))), (None, None));
    }
}
