//! authenticatorGetInfo (§6.4).

use keywright_common::cbor::Encoder;
use keywright_common::cose::Algorithm;
use keywright_common::ctap2::PUBLIC_KEY;
use keywright_common::status::Status;

use super::Next;
use crate::authenticator::Core;
use crate::credential::{CREDENTIAL_ID_LENGTH, CredentialSource};

pub(super) fn run<F, R>(core: &Core<F, R>, out: &mut Encoder<'_>) -> Result<Next, Status> {
    let identity = &core.state.identity;
    out.map(9)?;
    out.integer(VERSIONS)?.array(1)?.text("FIDO_2_0")?;
    out.integer(AAGUID)?.bytes(&identity.aaguid)?;
    out.integer(OPTIONS)?.map(3)?;
    out.text("rk")?.boolean(false)?.text("up")?.boolean(true)?.text("plat")?.boolean(false)?;
    out.integer(MAX_MSG_SIZE)?.integer(identity.max_message as u64)?;
    out.integer(MAX_CREDENTIAL_COUNT_IN_LIST)?.integer(max_list(identity.max_message) as u64)?;
    out.integer(MAX_CREDENTIAL_ID_LENGTH)?.integer(CREDENTIAL_ID_LENGTH as u64)?;
    out.integer(TRANSPORTS)?.array(1)?.text("usb")?;
    out.integer(ALGORITHMS)?.array(CredentialSource::ALGORITHMS.len())?;
    for Algorithm(algorithm) in CredentialSource::ALGORITHMS {
        out.map(2)?.text("alg")?.integer(algorithm)?.text("type")?.text(PUBLIC_KEY)?;
    }
    out.integer(FIRMWARE_VERSION)?.integer(identity.firmware_version)?;
    Ok(Next::Done)
}

/// How many of our ids fit a list: any list that fits a message is taken.
fn max_list(max_message: usize) -> usize {
    max_message.saturating_sub(BESIDE_LIST) / DESCRIPTOR
}

const VERSIONS: i32 = 0x01;
const AAGUID: i32 = 0x03;
const OPTIONS: i32 = 0x04;
const MAX_MSG_SIZE: i32 = 0x05;
const MAX_CREDENTIAL_COUNT_IN_LIST: i32 = 0x07;
const MAX_CREDENTIAL_ID_LENGTH: i32 = 0x08;
const TRANSPORTS: i32 = 0x09;
const ALGORITHMS: i32 = 0x0a;
const FIRMWARE_VERSION: i32 = 0x0e;
/// Bytes for what else stands in a request: the longest RP ID, hmac-secret's parameters, a pinUvAuthParam.
const BESIDE_LIST: usize = 600;
/// Bytes of a credential descriptor: a map of the id, the type, and their names.
const DESCRIPTOR: usize = CREDENTIAL_ID_LENGTH + 23;
