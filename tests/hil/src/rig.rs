//! The way to one key, who stands at it, and conversations over it.

mod session;

use keywright_host::ClientError;
use keywright_host::ctap2::Client;
use keywright_host::ctaphid::{Channel, Interaction};
use keywright_host::pin_uv_auth::Pin;
use keywright_host::transport::Transport;
use keywright_host::user::{PinReason, PinRequest, UserInteraction};

use crate::scenario::Stop;
use crate::wire::Wire;
use crate::{Hands, Offer};

pub(crate) use session::{
    Credential, Expected, Session, allow, message, only, pins, request, sha256, test_pins,
};

/// A borrowed way to a key.
pub(crate) type Way<'r> = &'r mut (dyn Transport + 'static);

/// A way to a key, and whoever stands at it.
pub struct Rig {
    transport: Box<dyn Transport>,
    pub(crate) user: User,
}

/// The user as the driver meets them.
pub(crate) struct User {
    hands: Box<dyn Hands>,
    pub(crate) touch: Touch,
    /// The PIN that the key has, if it is known.
    pub(crate) pin: Option<Pin>,
    remarks: Vec<String>,
    was_asked: bool,
}

/// What the user does when the key asks for a touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Touch {
    /// Touches.
    Give,
    /// Does nothing.
    Withhold,
    /// Cancels at the computer.
    Cancel,
}

impl Rig {
    /// A rig over an open way to a key.
    pub fn new(transport: Box<dyn Transport>, hands: Box<dyn Hands>) -> Self {
        let user = User { hands, touch: Touch::Give, pin: None, remarks: Vec::new(), was_asked: false };
        Self { transport, user }
    }

    /// With the PIN that the key has: some keys want it for everything.
    #[must_use]
    pub fn with_pin(mut self, pin: Pin) -> Self {
        self.user.pin = Some(pin);
        self
    }

    /// Asks the key what it offers.
    ///
    /// # Errors
    /// [`ClientError`] if it does not answer.
    pub fn offer(&mut self) -> Result<Offer, ClientError> {
        let channel = Channel::open(&mut *self.transport)?;
        let device = channel.device();
        let info = if device.has_cbor() { Some(Client::open(channel)?.info().clone()) } else { None };
        Ok(Offer { device, info })
    }

    /// Tells a person something.
    pub fn say(&mut self, text: &str) {
        self.user.hands.say(text);
    }

    /// Whether the run is to end.
    pub fn is_stopped(&mut self) -> bool {
        self.user.hands.is_stopped()
    }

    /// A channel of its own, and its user.
    pub(crate) fn channel(&mut self) -> Result<(Channel<Way<'_>>, &mut User), Stop> {
        Ok((Channel::open(&mut *self.transport)?, &mut self.user))
    }

    /// A conversation in CTAP2 over a channel of its own.
    pub(crate) fn session(&mut self) -> Result<Session<'_>, Stop> {
        let client = Client::open(Channel::open(&mut *self.transport)?)?;
        Ok(Session { client, user: &mut self.user })
    }

    /// Packets, and their user.
    pub(crate) fn wire(&mut self) -> (Wire<'_>, &mut User) {
        (Wire::new(&mut *self.transport), &mut self.user)
    }

    /// Has the key taken out and plugged in again.
    pub(crate) fn replug(&mut self) -> Result<(), Stop> {
        self.transport = self.user.hands.replug().map_err(Stop::Failed)?;
        Ok(())
    }

    /// What was remarked since this was last asked.
    pub(crate) fn take_remarks(&mut self) -> Vec<String> {
        std::mem::take(&mut self.user.remarks)
    }
}

impl User {
    /// Notes what is not as most keys do it, and no fault.
    pub(crate) fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }

    /// As [`User::remark`], if there is something.
    pub(crate) fn remarks(&mut self, texts: impl IntoIterator<Item = String>) {
        self.remarks.extend(texts);
    }

    /// Whether the key asked for a touch since `touch` was last chosen.
    pub(crate) const fn was_asked(&self) -> bool {
        self.was_asked
    }

    /// Chooses what is done when the key asks for a touch.
    pub(crate) const fn will(&mut self, touch: Touch) {
        self.touch = touch;
        self.was_asked = false;
    }

    /// As [`User::will`], with the key not to be touched.
    ///
    /// # Errors
    /// [`Stop::Skipped`] if it is touched whatever is said.
    pub(crate) fn will_not_touch(&mut self, touch: Touch) -> Result<(), Stop> {
        self.will(touch);
        let is_withheld = self.hands.withhold();
        let why =
            "the key is touched without being asked to: let it be touched by hand or over the control socket";
        if is_withheld { Ok(()) } else { Err(Stop::Skipped(why.to_owned())) }
    }

    /// Tells a person something.
    pub(crate) fn say(&mut self, text: &str) {
        self.hands.say(text);
    }
}

impl Interaction for User {
    fn touch_needed(&mut self) {
        self.was_asked = true;
        if self.touch == Touch::Give {
            self.hands.touch();
        }
    }

    fn is_cancelled(&mut self) -> bool {
        (self.touch == Touch::Cancel && self.was_asked) || self.hands.is_stopped()
    }
}

impl UserInteraction for User {
    fn pin(&mut self, request: PinRequest) -> Option<Pin> {
        // The same again would only cost another try.
        if request.reason == PinReason::Wrong { None } else { self.pin.clone() }
    }
}
