//! The token that commands are authorised with: obtained when needed, remembered while it serves.

use keywright_common::status::Status;

use super::{Client, Verification};
use crate::error::ClientError;
use crate::pin_uv_auth::{Token, permission};
use crate::transport::Transport;
use crate::user::{PinReason, PinRequest, UserInteraction};

/// A token and what it is good for.
pub(super) struct CachedToken {
    token: Token,
    permissions: u8,
    /// `None`: for every relying party.
    rp_id: Option<String>,
}

impl<T: Transport> Client<T> {
    /// Has the user verified, unless a token that serves is remembered: by the key itself if it can, else by PIN. The first
    /// time that takes a key agreement and a token before the command; with the token remembered, nothing.
    ///
    /// # Errors
    /// [`ClientError::PinNotSet`] if the key has no way to verify, [`ClientError::Cancelled`] if the user gives no PIN.
    pub fn obtain_token(
        &mut self,
        permissions: u8,
        rp_id: Option<&str>,
        user: &mut dyn UserInteraction,
    ) -> Result<(), ClientError> {
        if self.token.as_ref().is_some_and(|token| token.serves(permissions, rp_id)) {
            return Ok(());
        }
        let mut reason = PinReason::Needed;
        if self.info.option("uv") && self.info.option("pinUvAuthToken") {
            match self.token_using_uv(permissions, rp_id, user) {
                Ok(token) => {
                    self.remember(token, permissions, rp_id);
                    return Ok(());
                }
                Err(error) if !self.can_fall_back_to_pin(&error) => return Err(error),
                Err(_) => reason = PinReason::BuiltInVerificationFailed,
            }
        }
        if !self.info.option("clientPin") {
            return Err(ClientError::PinNotSet);
        }
        let mut retries = None;
        loop {
            let min_length = self.info.min_pin_length;
            let pin = user.pin(PinRequest { reason, retries, min_length }).ok_or(ClientError::Cancelled)?;
            let token = if self.info.option("pinUvAuthToken") {
                self.token_using_pin(&pin, permissions, rp_id)
            } else {
                self.pin_token(&pin)
            };
            match token {
                Ok(token) => {
                    self.remember(token, permissions, rp_id);
                    return Ok(());
                }
                // The key itself bounds this loop: after three wrong entries it answers something else.
                Err(ClientError::Pin { status: Status::PIN_INVALID, retries: left }) => {
                    reason = PinReason::Wrong;
                    retries = left;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Authorises a message with the token that [`Client::obtain_token`] obtained.
    ///
    /// # Errors
    /// PUAT_REQUIRED if there is none.
    pub fn authorise(&self, message: &[u8]) -> Result<Verification, ClientError> {
        let Some(CachedToken { token, .. }) = &self.token else {
            let command = keywright_common::ctap2::Command::CLIENT_PIN;
            return Err(ClientError::Status { command, status: Status::PUAT_REQUIRED });
        };
        let param = token.authenticate(message);
        Ok(Verification::Token { param, protocol: token.protocol().number() })
    }

    /// A key with permissions lets a token serve one makeCredential or getAssertion (§6.1.2 step 14.4, §6.2.2 step 9.4);
    /// and no key takes a token again that it once refused.
    pub(super) fn after_use(&mut self, answer: &Result<Vec<u8>, ClientError>) {
        let was_refused =
            answer.as_ref().err().and_then(ClientError::status) == Some(Status::PIN_AUTH_INVALID);
        if was_refused || (answer.is_ok() && self.info.option("pinUvAuthToken")) {
            self.token = None;
        }
    }

    /// §6.5.5.7.3: a finger that is not recognised, or a sensor that is blocked, leaves the PIN.
    fn can_fall_back_to_pin(&self, error: &ClientError) -> bool {
        self.info.option("clientPin")
            && matches!(error.status(), Some(Status::UV_INVALID | Status::UV_BLOCKED))
    }

    fn remember(&mut self, token: Token, permissions: u8, rp_id: Option<&str>) {
        // A token of CTAP 2.0 serves every command and relying party.
        let is_general = !self.info.option("pinUvAuthToken");
        let permissions = if is_general { u8::MAX } else { permissions };
        let rp_id = rp_id.filter(|_| !is_general).map(str::to_owned);
        self.token = Some(CachedToken { token, permissions, rp_id });
    }
}

impl CachedToken {
    fn serves(&self, permissions: u8, rp_id: Option<&str>) -> bool {
        let wants_rp = permissions & (permission::MAKE_CREDENTIAL | permission::GET_ASSERTION) != 0;
        let covers_rp = self.rp_id.is_none() || (wants_rp && self.rp_id.as_deref() == rp_id);
        self.permissions & permissions == permissions && covers_rp
    }
}
