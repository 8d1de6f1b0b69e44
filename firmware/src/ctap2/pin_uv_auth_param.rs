//! What makeCredential and getAssertion make of pinUvAuthParam before anything else.

use keywright_common::status::Status;

use crate::pin_uv_auth::{PinUvAuthParam, Protocol};

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
}
