//! authenticatorGetInfo (§6.4).

use embedded_storage::nor_flash::NorFlash;
use keywright_common::cbor::{Encoder, Full};
use keywright_common::cose::Algorithm;
use keywright_common::ctap2::PUBLIC_KEY;
use keywright_common::ctap2::client_pin::MIN_PIN_CODE_POINTS;
use keywright_common::status::Status;

use super::{Next, extensions};
use crate::authenticator::Core;
use crate::credential::{CREDENTIAL_ID_LENGTH, CredentialSource};
use crate::pin_uv_auth::Protocol;

pub(super) fn run<F: NorFlash, R>(core: &mut Core<F, R>, out: &mut Encoder<'_>) -> Result<Next, Status> {
    // Whether there is a PIN may be unknown; then the key acts as if there were.
    let pin_is_set = core.store.reading().pin().map_or(true, |pin| pin.is_some());
    let remaining = core.store.reading().remaining_credentials();
    let identity = &core.state.identity;
    out.map(13)?;
    out.integer(VERSIONS)?.array(3)?.text("U2F_V2")?.text("FIDO_2_0")?.text("FIDO_2_1")?;
    out.integer(EXTENSIONS)?.array(extensions::SUPPORTED.len())?;
    for extension in extensions::SUPPORTED {
        out.text(extension)?;
    }
    out.integer(AAGUID)?.bytes(&identity.aaguid)?;
    encode_options(pin_is_set, out)?;
    out.integer(MAX_MSG_SIZE)?.integer(identity.max_message as u64)?;
    out.integer(PIN_UV_AUTH_PROTOCOLS)?.array(Protocol::ALL.len())?;
    for protocol in Protocol::ALL {
        out.integer(protocol.number())?;
    }
    out.integer(MAX_CREDENTIAL_COUNT_IN_LIST)?.integer(max_list(identity.max_message) as u64)?;
    out.integer(MAX_CREDENTIAL_ID_LENGTH)?.integer(CREDENTIAL_ID_LENGTH as u64)?;
    out.integer(TRANSPORTS)?.array(1)?.text("usb")?;
    out.integer(ALGORITHMS)?.array(CredentialSource::ALGORITHMS.len())?;
    for Algorithm(algorithm) in CredentialSource::ALGORITHMS {
        out.map(2)?.text("alg")?.integer(algorithm)?.text("type")?.text(PUBLIC_KEY)?;
    }
    out.integer(MIN_PIN_LENGTH)?.integer(MIN_PIN_CODE_POINTS)?;
    out.integer(FIRMWARE_VERSION)?.integer(identity.firmware_version)?;
    out.integer(REMAINING_DISCOVERABLE_CREDENTIALS)?.integer(remaining as u64)?;
    Ok(Next::Done)
}

fn encode_options(pin_is_set: bool, out: &mut Encoder<'_>) -> Result<(), Full> {
    out.integer(OPTIONS)?.map(7)?;
    out.text("rk")?.boolean(true)?.text("up")?.boolean(true)?.text("plat")?.boolean(false)?;
    out.text("credMgmt")?.boolean(true)?;
    out.text("clientPin")?.boolean(pin_is_set)?.text("pinUvAuthToken")?.boolean(true)?;
    out.text("makeCredUvNotRqd")?.boolean(true)?;
    Ok(())
}

/// How many of our ids fit a list: any list that fits a message is taken.
fn max_list(max_message: usize) -> usize {
    max_message.saturating_sub(BESIDE_LIST) / DESCRIPTOR
}

const VERSIONS: i32 = 0x01;
const EXTENSIONS: i32 = 0x02;
const AAGUID: i32 = 0x03;
const OPTIONS: i32 = 0x04;
const MAX_MSG_SIZE: i32 = 0x05;
const PIN_UV_AUTH_PROTOCOLS: i32 = 0x06;
const MAX_CREDENTIAL_COUNT_IN_LIST: i32 = 0x07;
const MAX_CREDENTIAL_ID_LENGTH: i32 = 0x08;
const TRANSPORTS: i32 = 0x09;
const ALGORITHMS: i32 = 0x0a;
const MIN_PIN_LENGTH: i32 = 0x0d;
const FIRMWARE_VERSION: i32 = 0x0e;
const REMAINING_DISCOVERABLE_CREDENTIALS: i32 = 0x14;
/// Bytes for what else stands in a request: the longest RP ID, hmac-secret's parameters, a pinUvAuthParam.
const BESIDE_LIST: usize = 600;
/// Bytes of a credential descriptor: a map of the id, the type, and their names.
const DESCRIPTOR: usize = CREDENTIAL_ID_LENGTH + 23;
