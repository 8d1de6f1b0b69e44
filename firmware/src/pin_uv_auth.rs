//! PIN/UV auth protocols (§6.5.4): agreement on keys with the platform, and the pinUvAuthToken that stands for a
//! verified user.
//!
//! Everything here is in memory and gone after any restart. What must outlive one, the PIN and its retries, is in
//! [`pin`](crate::pin).

mod protocol;
mod token;

use keywright_common::cbor::Map;
use keywright_common::cose::PublicKey;
use keywright_common::ctap2::client_pin::Permissions;
use keywright_common::status::Status;
use keywright_common::time::Instant;
use rand_core::CryptoRng;

use crate::crypto::KeyAgreementKey;
use crate::decision::Grant;

pub(crate) use protocol::{Ciphertext, Protocol, SharedSecret};
use token::Token;

/// The state of both protocols.
#[derive(Default)]
pub(crate) struct PinUvAuth {
    key_of_one: Option<KeyAgreementKey>,
    key_of_two: Option<KeyAgreementKey>,
    /// The token in use. There is one at most: a new one ends those of all protocols (§6.5.5.7.1).
    token: Option<Token>,
}

/// A pinUvAuthParam and the protocol that it was made with.
#[derive(Clone, Copy)]
pub(crate) struct PinUvAuthParam<'a> {
    pub(crate) protocol: Protocol,
    pub(crate) param: &'a [u8],
}

impl PinUvAuth {
    /// getPublicKey() (§6.5.4): the public half of the key agreement key, which is made when it is first needed.
    pub(crate) fn public_key(&mut self, protocol: Protocol, random: &mut impl CryptoRng) -> PublicKey {
        *self.key_agreement_key(protocol, random).public_key()
    }

    /// decapsulate() (§6.5.4): the secret shared with the platform whose COSE_Key is `peer`.
    ///
    /// # Errors
    /// `CBOR_UNEXPECTED_TYPE` if a member of the key has another type; `INVALID_PARAMETER` if it is not a P-256 key for
    /// key agreement, or not on the curve.
    pub(crate) fn decapsulate(
        &mut self,
        protocol: Protocol,
        peer: Map<'_>,
        random: &mut impl CryptoRng,
    ) -> Result<SharedSecret, Status> {
        let peer = PublicKey::decode(peer).map_err(|status| match status {
            Status::CBOR_UNEXPECTED_TYPE => status,
            _ => Status::INVALID_PARAMETER,
        })?;
        let point = self.key_agreement_key(protocol, random).agree(&peer).ok_or(Status::INVALID_PARAMETER)?;
        Ok(SharedSecret::derive(protocol, &point))
    }

    /// regenerate() (§6.5.4): the next key agreement key is a new one.
    pub(crate) fn regenerate(&mut self, protocol: Protocol) {
        *self.slot(protocol) = None;
    }

    /// resetPinUvAuthToken() for all protocols, then beginUsingPinUvAuthToken() (§6.5.2.1): a new token, encrypted for the
    /// platform with which `shared` is shared.
    ///
    /// `rp_id_hash` is the SHA-256 of the permissions RP ID; without one the token is bound at its first use.
    ///
    /// # Errors
    /// `PIN_INVALID` if the user is not `verified`.
    // Not a part of its caller: whoever gets past the caller's own check meets this one.
    #[inline(never)]
    pub(crate) fn issue_token(
        &mut self,
        verified: Grant,
        shared: &SharedSecret,
        permissions: Permissions,
        rp_id_hash: Option<[u8; 32]>,
        now: Instant,
        random: &mut impl CryptoRng,
    ) -> Result<Ciphertext, Status> {
        verified.require(Status::PIN_INVALID)?;
        let token = Token::issue(shared.protocol(), permissions, rp_id_hash, now, random);
        let token = self.token.insert(token);
        shared.encrypt(token.value().expose(), random).ok_or(Status::OTHER)
    }

    /// resetPinUvAuthToken() for all protocols: no token is in use.
    pub(crate) fn reset_tokens(&mut self) {
        self.token = None;
    }

    /// Wipes a token whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.token.take_if(|token| !token.is_live(now));
    }

    /// When [`PinUvAuth::expire`] must be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.token.as_ref().map(Token::deadline)
    }

    /// §6.1.2 step 11.1, §6.2.2 step 6.1: whether a verified user stands behind this request of this relying party.
    /// Binds a token that has no RP ID yet.
    ///
    /// # Errors
    /// `PIN_AUTH_INVALID`, whichever part does not hold.
    pub(crate) fn authorize(
        &mut self,
        PinUvAuthParam { protocol, param }: PinUvAuthParam<'_>,
        message: &[&[u8]],
        permission: Permissions,
        rp_id_hash: &[u8; 32],
        now: Instant,
    ) -> Result<Grant, Status> {
        self.expire(now);
        let token = self.token.as_mut().ok_or(Status::PIN_AUTH_INVALID)?;
        let verified = token.verify(protocol, message, param)?;
        token.authorize(permission, rp_id_hash)?;
        Ok(verified)
    }

    /// §6.8: whether the token allows this of credential management. `rp_id_hash` is the relying party that the subcommand
    /// is about, if it is about one: a token for one relying party allows nothing else. Binds nothing.
    ///
    /// # Errors
    /// `PIN_AUTH_INVALID`, whichever part does not hold.
    pub(crate) fn authorize_management(
        &mut self,
        PinUvAuthParam { protocol, param }: PinUvAuthParam<'_>,
        message: &[&[u8]],
        rp_id_hash: Option<&[u8; 32]>,
        now: Instant,
    ) -> Result<Grant, Status> {
        self.expire(now);
        let token = self.token.as_mut().ok_or(Status::PIN_AUTH_INVALID)?;
        let verified = token.verify(protocol, message, param)?;
        token.authorize_management(rp_id_hash)?;
        Ok(verified)
    }

    /// clearUserVerifiedFlag() and clearPinUvAuthTokenPermissionsExceptLbw() (§6.5.2.1).
    ///
    /// There is no userPresent flag to clear: a PIN says nothing of presence, so it would never be set.
    pub(crate) fn end_verification(&mut self) {
        if let Some(token) = &mut self.token {
            token.end_verification();
        }
    }

    fn key_agreement_key(&mut self, protocol: Protocol, random: &mut impl CryptoRng) -> &KeyAgreementKey {
        self.slot(protocol).get_or_insert_with(|| KeyAgreementKey::random(random))
    }

    const fn slot(&mut self, protocol: Protocol) -> &mut Option<KeyAgreementKey> {
        match protocol {
            Protocol::One => &mut self.key_of_one,
            Protocol::Two => &mut self.key_of_two,
        }
    }
}
