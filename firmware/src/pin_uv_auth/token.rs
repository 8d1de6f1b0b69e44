//! The pinUvAuthToken and its state (§6.5.2.1).

use keywright_common::ctap2::client_pin::Permissions;
use keywright_common::status::Status;
use keywright_common::time::{Instant, Millis};
use rand_core::CryptoRng;

use super::Protocol;
use crate::crypto::Secret;
use crate::decision::Grant;

/// A token in use; its value is wiped on drop.
pub(super) struct Token {
    value: Secret<32>,
    protocol: Protocol,
    permissions: Permissions,
    /// SHA-256 of the permissions RP ID.
    rp_id_hash: Option<[u8; 32]>,
    is_user_verified: bool,
    issued: Instant,
    is_used: bool,
}

impl Token {
    pub(super) fn issue(
        protocol: Protocol,
        permissions: Permissions,
        rp_id_hash: Option<[u8; 32]>,
        now: Instant,
        random: &mut impl CryptoRng,
    ) -> Self {
        let value = Secret::random(random);
        Self { value, protocol, permissions, rp_id_hash, is_user_verified: true, issued: now, is_used: false }
    }

    pub(super) const fn value(&self) -> &Secret<32> {
        &self.value
    }

    /// pinUvAuthTokenUsageTimerObserver() (§6.5.2.1): whether the token is in use still.
    pub(super) fn is_live(&self, now: Instant) -> bool {
        now < self.deadline()
    }

    /// When the token ends by itself.
    pub(super) fn deadline(&self) -> Instant {
        self.issued + if self.is_used { MAX_USAGE_TIME } else { INITIAL_USAGE_TIME }
    }

    /// Whether `param` is the MAC of `message` under this token. If it is, the token has been used.
    ///
    /// # Errors
    /// `PIN_AUTH_INVALID`.
    pub(super) fn verify(
        &mut self,
        protocol: Protocol,
        message: &[&[u8]],
        param: &[u8],
    ) -> Result<Grant, Status> {
        let is_own = || self.protocol == protocol && protocol.verify(&self.value, message, param);
        let verified = Grant::if_twice(is_own);
        verified.require(Status::PIN_AUTH_INVALID)?;
        self.is_used = true;
        Ok(verified)
    }

    /// Whether the token stands for a verified user and is good for `permission` with this relying party, to which it is
    /// bound from now on.
    ///
    /// # Errors
    /// `PIN_AUTH_INVALID`.
    pub(super) fn authorize(&mut self, permission: Permissions, rp_id_hash: &[u8; 32]) -> Result<(), Status> {
        let is_bound_to_another = self.rp_id_hash.is_some_and(|bound| bound != *rp_id_hash);
        if !self.permissions.contain(permission) || is_bound_to_another || !self.is_user_verified {
            return Err(Status::PIN_AUTH_INVALID);
        }
        self.rp_id_hash = Some(*rp_id_hash);
        Ok(())
    }

    /// Whether the token is good for credential management of a relying party, or of all if none is named.
    ///
    /// # Errors
    /// `PIN_AUTH_INVALID`.
    pub(super) fn authorize_management(&self, rp_id_hash: Option<&[u8; 32]>) -> Result<(), Status> {
        let is_bound_to_another = self.rp_id_hash.is_some_and(|bound| Some(&bound) != rp_id_hash);
        if !self.permissions.contain(Permissions::CM) || is_bound_to_another {
            return Err(Status::PIN_AUTH_INVALID);
        }
        Ok(())
    }

    pub(super) fn end_verification(&mut self) {
        self.is_user_verified = false;
        self.permissions = self.permissions.within(Permissions::LBW);
    }
}

/// The initial usage time limit over USB (§6.5.2.1).
const INITIAL_USAGE_TIME: Millis = Millis(30_000);
/// The max usage time period (§6.5.2.1).
const MAX_USAGE_TIME: Millis = Millis(600_000);
