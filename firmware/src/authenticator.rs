//! The authenticator: the commands, the state between them, and the request that waits for the user.

use core::ops::DerefMut;

use embedded_storage::nor_flash::NorFlash;
use keywright_common::cbor::Encoder;
use keywright_common::ctaphid::{Command, Message};
use keywright_common::status::Status;
use keywright_common::time::{Instant, Millis};
use keywright_common::u2f::StatusWord;
use rand_core::CryptoRng;

use crate::ctap2::{self, Next, Plan};
use crate::ctaphid::{Request, Response};
use crate::decision::Grant;
use crate::identity::Identity;
use crate::pin;
use crate::state::State;
use crate::store::{Recycling, Store, StoreError};
use crate::u2f::{self, Presence};

/// The authenticator over a flash `F`, a source of randomness `R` and message buffers `B`.
pub struct Authenticator<F, R, B> {
    core: Core<F, R>,
    /// For the next response; the request's buffer takes its place.
    buffer: B,
    pending: Option<Pending<B>>,
    /// U2F's requests do not become pending.
    presence: Presence,
}

/// What has become of a request.
#[derive(Debug)]
pub enum Progress<B> {
    /// It is answered.
    Done(Response<B>),
    /// It waits for the user: [`Authenticator::touch`], [`Authenticator::decline`] or [`Authenticator::cancel`].
    TouchWanted(Touch),
    /// There is more to do: [`Authenticator::resume`], when the transport has been served.
    Working,
}

/// What the user is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// A press and release.
    Press,
}

/// How the key came to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Power was applied: a re-plug, or the start of a process.
    PowerUp,
    /// The processor was restarted while power stayed on.
    Warm,
}

/// A request that is not answered yet.
struct Pending<B> {
    request: Request<B>,
    plan: Plan,
    /// Since when it waits for the user; `None` once the work has begun.
    waits_since: Option<Instant>,
    /// Whether the user has touched the key for it.
    touched: Grant,
    /// Whether what can be done ahead was.
    is_prepared: bool,
}

/// What commands act on.
pub(crate) struct Core<F, R> {
    pub(crate) state: State,
    pub(crate) store: Store<F>,
    pub(crate) random: R,
}

impl<F, R, B> Authenticator<F, R, B>
where
    F: NorFlash,
    R: CryptoRng,
    B: DerefMut<Target = Message>,
{
    /// Opens the store on `flash` and begins. `buffer` is for responses.
    ///
    /// A store that cannot be read is a [fault](Self::fault): every command that needs it fails, and only a reset helps.
    pub fn new(identity: Identity, flash: F, mut random: R, buffer: B, start: Start, now: Instant) -> Self {
        let mut store = Store::open_or_fault(flash, &mut random);
        // If it fails, a block outlives the power-up: the safe side to err on.
        let _ = pin::start(&mut store, start);
        let power_up = (start == Start::PowerUp).then_some(now);
        let state = State::new(identity, store.secret().ok(), power_up, now);
        Self { core: Core { state, store, random }, buffer, pending: None, presence: Presence::default() }
    }

    /// Why the store cannot be used, if it cannot: to be shown to the user.
    pub fn fault(&self) -> Option<StoreError> {
        self.core.store.fault()
    }

    /// Begins a request. One that is still pending is given up: the transport does not hand out a second one.
    pub fn start(&mut self, request: Request<B>, now: Instant) -> Progress<B> {
        self.core.state.now = now;
        self.core.state.channel = request.channel;
        self.pending = None;
        match request.command {
            Command::CBOR => {
                self.advance(request, Grant::NONE, |core, message, out| ctap2::start(core, message, out))
            }
            // The transport hands out no third command.
            _ => self.message(request),
        }
    }

    /// The user touched the key at `now`. `None` if no request waits for it; it may then serve the next one of U2F.
    ///
    /// A touch counts only if it comes no earlier than the request it is for, and before that has timed out. Where touches and
    /// requests reach the authenticator by different ways, the order of the calls does not show that, but their times do.
    pub fn touch(&mut self, now: Instant) -> Option<Progress<B>> {
        if self.pending.is_none() {
            self.presence.touch(now);
        }
        let waiting = self.pending.as_ref();
        let touched = Grant::if_twice(|| waiting.is_some_and(|pending| pending.takes_touch(now)));
        let pending = self.pending.take_if(|_| touched.holds())?;
        let pending = Pending { touched, ..pending };
        self.core.state.now = now;
        Some(self.act(pending))
    }

    /// Goes on with work that was left for the transport's sake. `None` if there is none.
    pub fn resume(&mut self, now: Instant) -> Option<Progress<B>> {
        self.core.state.now = now;
        let pending = self.pending.take_if(|pending| pending.waits_since.is_none())?;
        Some(self.act(pending))
    }

    /// Does a piece of the work that is best done while nothing else is asked for: makes room ahead of need, with at
    /// most one erase. Whether there is more of it.
    pub fn idle(&mut self) -> bool {
        self.pending.is_none() && matches!(self.core.store.recycle_step(), Ok(Recycling::More))
    }

    /// Whether [`Authenticator::prepare`] has something to do.
    pub fn can_prepare(&self) -> bool {
        self.pending.as_ref().is_some_and(Pending::is_to_be_prepared)
    }

    /// Does ahead what the request that waits for the user will take longest for: after the touch, little is left. Touches,
    /// requests and cancellations that are there already go first.
    pub fn prepare(&mut self) {
        let Some(pending) = self.pending.as_mut().filter(|pending| pending.is_to_be_prepared()) else {
            return;
        };
        pending.is_prepared = true;
        let parameters = pending.request.message.as_slice().get(1..).unwrap_or_default();
        // What fails now fails again when it is due, and is answered then.
        let _ = ctap2::prepare(&mut self.core, &mut pending.plan, parameters);
    }

    /// The user declined. `None` if nothing waits for an answer.
    pub fn decline(&mut self, now: Instant) -> Option<Progress<B>> {
        self.presence.clear();
        self.give_up(Status::OPERATION_DENIED, now)
    }

    /// The platform cancelled the request, or its channel was resynchronised.
    pub fn cancel(&mut self, now: Instant) -> Option<Progress<B>> {
        self.give_up(Status::KEEPALIVE_CANCEL, now)
    }

    /// Does what is due at `now`: ends a request that the user did not answer, and wipes secrets whose time is over.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Progress<B>> {
        self.presence.expire(now);
        self.core.state.expire(now);
        let pending =
            self.pending.as_ref().filter(|pending| pending.deadline().is_some_and(|due| due <= now))?;
        self.give_up(pending.plan.timeout_status(), now)
    }

    /// When [`Authenticator::handle_timeout`] must be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let of_pending = self.pending.as_ref().and_then(Pending::deadline);
        [of_pending, self.presence.deadline(), self.core.state.deadline()].into_iter().flatten().min()
    }

    /// What the user is asked to do now.
    pub fn wanted_touch(&self) -> Option<Touch> {
        let is_waiting = self.pending.as_ref().is_some_and(|pending| pending.waits_since.is_some());
        (is_waiting || self.presence.is_wanted()).then_some(Touch::Press)
    }

    fn give_up(&mut self, status: Status, now: Instant) -> Option<Progress<B>> {
        self.core.state.now = now;
        // Work that has begun is finished: a reset cannot be half done.
        let Pending { request, .. } = self.pending.take_if(|pending| pending.waits_since.is_some())?;
        Some(self.answer(request, &[status.0]))
    }

    fn act(&mut self, Pending { request, plan, touched, .. }: Pending<B>) -> Progress<B> {
        self.advance(request, touched, |core, message, out| {
            ctap2::act(core, plan, touched, message.get(1..).unwrap_or_default(), out)
        })
    }

    /// Runs a step of a command and does with the request what the step says.
    // A function of its own in every build: a test on the emulated board skips its instructions one by one.
    #[inline(never)]
    fn advance(
        &mut self,
        request: Request<B>,
        touched: Grant,
        step: impl FnOnce(&mut Core<F, R>, &[u8], &mut Encoder<'_>) -> Result<Next, Status>,
    ) -> Progress<B> {
        let mut out = Encoder::new(self.buffer.buffer_mut());
        let next = out
            .raw(&[Status::OK.0])
            .map_err(Status::from)
            .and_then(|out| step(&mut self.core, request.message.as_slice(), out));
        let length = out.len();
        match next {
            Ok(Next::Wait(plan)) => {
                let waits_since = Some(self.core.state.now);
                self.pending =
                    Some(Pending { request, plan, waits_since, touched: Grant::NONE, is_prepared: false });
                // From now on a touch is for this request, and one that was for U2F must not become it.
                self.presence.clear();
                Progress::TouchWanted(Touch::Press)
            }
            Ok(Next::Work(plan)) => {
                self.pending = Some(Pending { request, plan, waits_since: None, touched, is_prepared: true });
                Progress::Working
            }
            Ok(Next::Done) => {
                self.buffer.set_length(length);
                self.done(request)
            }
            Err(status) => self.answer(request, &[status.0]),
        }
    }

    /// Answers a CTAPHID_MSG: U2F never waits.
    fn message(&mut self, request: Request<B>) -> Progress<B> {
        let mut out = Encoder::new(self.buffer.buffer_mut());
        let message = request.message.as_slice();
        let answer = u2f::run(&mut self.core, &mut self.presence, request.channel, message, &mut out)
            .and_then(|()| Ok(out.raw(&StatusWord::NO_ERROR.to_bytes()).map(drop)?));
        let length = out.len();
        match answer {
            Ok(()) => {
                self.buffer.set_length(length);
                self.done(request)
            }
            Err(word) => self.answer(request, &word.to_bytes()),
        }
    }

    fn answer(&mut self, request: Request<B>, bytes: &[u8]) -> Progress<B> {
        // A few bytes always fit.
        let _ = self.buffer.set(bytes);
        self.done(request)
    }

    /// Hands out the response; the request's buffer takes its place.
    fn done(&mut self, request: Request<B>) -> Progress<B> {
        Progress::Done(Response { message: core::mem::replace(&mut self.buffer, request.message) })
    }
}

impl<B> Pending<B> {
    /// Whether a touch at `now` is for this request.
    fn takes_touch(&self, now: Instant) -> bool {
        self.waits_since.is_some_and(|since| since <= now) && self.deadline().is_some_and(|due| now < due)
    }

    fn is_to_be_prepared(&self) -> bool {
        self.waits_since.is_some() && !self.is_prepared
    }

    /// Until when the user may act.
    fn deadline(&self) -> Option<Instant> {
        self.waits_since.map(|since| since + USER_ACTION_TIMEOUT)
    }
}

/// §6.1.2 step 14 leaves the time to the authenticator; 30 s is what platforms expect.
const USER_ACTION_TIMEOUT: Millis = Millis(30_000);

#[cfg(test)]
mod tests;
