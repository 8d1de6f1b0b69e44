//! What commands know beside the store. All of it is gone after any restart.

use keywright_common::ctaphid::ChannelId;
use keywright_common::status::Status;
use keywright_common::time::{Instant, Millis};

use crate::credential::CredentialKey;
use crate::ctap2::{Assertions, Enumerations};
use crate::identity::Identity;
use crate::pin_uv_auth::PinUvAuth;
use crate::store::DeviceSecret;

/// The state of an authenticator.
pub(crate) struct State {
    pub(crate) identity: Identity,
    pub(crate) pin_uv_auth: PinUvAuth,
    /// What getNextAssertion goes on with.
    pub(crate) assertions: Option<Assertions>,
    /// What credential management's enumerations go on with.
    pub(crate) enumerations: Enumerations,
    /// When power was applied; `None` after a warm restart.
    pub(crate) power_up: Option<Instant>,
    /// The time of the input that is being handled.
    pub(crate) now: Instant,
    /// The channel of the request that is being handled.
    pub(crate) channel: ChannelId,
    /// There is none while the store has a fault.
    credential_key: Option<CredentialKey>,
}

impl State {
    /// The state after a start.
    pub(crate) fn new(
        identity: Identity,
        secret: Option<&DeviceSecret>,
        power_up: Option<Instant>,
        now: Instant,
    ) -> Self {
        Self {
            identity,
            pin_uv_auth: PinUvAuth::default(),
            assertions: None,
            enumerations: Enumerations::default(),
            power_up,
            now,
            channel: ChannelId::RESERVED,
            credential_key: secret.map(CredentialKey::new),
        }
    }

    /// The key of credential ids.
    ///
    /// # Errors
    /// `OTHER` while the store has a fault.
    pub(crate) fn credential_key(&self) -> Result<&CredentialKey, Status> {
        self.credential_key.as_ref().ok_or(Status::OTHER)
    }

    /// Wipes what has a time that is over at `now`: the token, and where walks stand.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.pin_uv_auth.expire(now);
        self.assertions.take_if(|assertions| assertions.turn.is_over(now));
        self.enumerations.expire(now);
    }

    /// When [`State::expire`] must be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let of_assertions = self.assertions.as_ref().map(|assertions| assertions.turn.deadline());
        let deadlines = [self.pin_uv_auth.deadline(), of_assertions, self.enumerations.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// Forgets everything that was learned since the start: at each step of a reset. `secret` is that of the store, if
    /// it has one.
    pub(crate) fn forget(&mut self, secret: Option<&DeviceSecret>) {
        *self = Self::new(self.identity, secret, self.power_up, self.now);
    }
}

/// Where a walk over credentials stands, and who may go on with it (G8).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    channel: ChannelId,
    deadline: Instant,
}

impl Turn {
    /// The turn of the channel that is being served, from now on for 30 s (§6.3).
    pub(crate) fn of(state: &State) -> Self {
        Self { channel: state.channel, deadline: state.now + TIME_BETWEEN_STEPS }
    }

    /// Whether the request that is being handled may go on.
    pub(crate) fn is_taken_by(self, state: &State) -> bool {
        self.channel == state.channel && !self.is_over(state.now)
    }

    /// Whether nobody may go on any more.
    pub(crate) fn is_over(self, now: Instant) -> bool {
        self.deadline <= now
    }

    /// When the turn is over.
    pub(crate) const fn deadline(self) -> Instant {
        self.deadline
    }
}

const TIME_BETWEEN_STEPS: Millis = Millis(30_000);
