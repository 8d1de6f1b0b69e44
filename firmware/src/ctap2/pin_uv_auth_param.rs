//! What makeCredential and getAssertion make of pinUvAuthParam.

use keywright_common::auth_data::flag;
use keywright_common::ctap2::client_pin::Permissions;
use keywright_common::status::Status;

use crate::pin_uv_auth::{PinUvAuthParam, Protocol};
use crate::state::State;

/// The meaning of pinUvAuthParam and pinUvAuthProtocol in a request.
#[derive(Clone, Copy)]
pub(super) enum Verification<'a> {
    /// The platform does not claim that the user is verified.
    NotClaimed,
    /// The parameter is empty: the platform only wants a touch, and then this answer.
    Probe(Status),
    /// The claim, not checked yet.
    Claimed(PinUvAuthParam<'a>),
}

impl<'a> Verification<'a> {
    /// §6.1.2 and §6.2.2, steps 1 and 2.
    ///
    /// # Errors
    /// `MISSING_PARAMETER` without a protocol, `INVALID_PARAMETER` for one that is not supported.
    pub(super) fn read(
        param: Option<&'a [u8]>,
        protocol: Option<u64>,
        pin_is_set: bool,
    ) -> Result<Self, Status> {
        match param {
            None => Ok(Self::NotClaimed),
            Some([]) if pin_is_set => Ok(Self::Probe(Status::PIN_INVALID)),
            Some([]) => Ok(Self::Probe(Status::PIN_NOT_SET)),
            Some(param) => {
                Ok(Self::Claimed(PinUvAuthParam { protocol: Protocol::requested(protocol)?, param }))
            }
        }
    }

    /// §6.1.2 step 11.1 and §6.2.2 step 6.1: the UV flag if the user is verified for `permission` with this relying party.
    /// Without a claim there is none.
    ///
    /// # Errors
    /// `PIN_AUTH_INVALID` if the claim does not hold.
    pub(super) fn user_verified(
        self,
        state: &mut State,
        client_data_hash: &[u8; 32],
        permission: Permissions,
        rp_id_hash: &[u8; 32],
    ) -> Result<u8, Status> {
        let Self::Claimed(param) = self else { return Ok(0) };
        let verified =
            state.pin_uv_auth.authorize(param, &[client_data_hash], permission, rp_id_hash, state.now)?;
        verified.require(Status::PIN_AUTH_INVALID)?;
        Ok(flag::UV)
    }
}
