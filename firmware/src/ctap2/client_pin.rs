//! authenticatorClientPIN (§6.5).

use cosey::EcdhEsHkdf256PublicKey;
use ctap_types::Bytes;
use ctap_types::ctap2::client_pin::Response;
use embedded_storage::nor_flash::NorFlash;
use keywright_common::cbor::Encoder;
use keywright_common::cose::PublicKey;
use keywright_common::ctap2::client_pin::{
    MAX_PIN_RETRIES, PADDED_PIN_BYTES, Permissions, Request, Subcommand,
};
use keywright_common::status::Status;
use rand_core::CryptoRng;

use super::Next;
use crate::authenticator::Core;
use crate::crypto::{Secret, sha256};
use crate::decision::Grant;
use crate::pin::{self, PinHash};
use crate::pin_uv_auth::{Protocol, SharedSecret};

pub(super) fn run<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    parameters: &[u8],
    out: &mut Encoder<'_>,
) -> Result<Next, Status> {
    let request = Request::parse(parameters)?;
    let response = match request.subcommand {
        Subcommand::GET_PIN_RETRIES => Some(pin_retries(core)?),
        Subcommand::GET_KEY_AGREEMENT => Some(key_agreement(core, &request)?),
        Subcommand::SET_PIN => {
            set_pin(core, &request)?;
            None
        }
        Subcommand::CHANGE_PIN => {
            change_pin(core, &request)?;
            None
        }
        Subcommand::GET_PIN_TOKEN => Some(pin_token(core, &request)?),
        Subcommand::GET_PIN_UV_AUTH_TOKEN_USING_PIN_WITH_PERMISSIONS => {
            Some(pin_token_with_permissions(core, &request)?)
        }
        // Those for built-in user verification, which this key does not have, are among them.
        _ => return Err(Status::INVALID_SUBCOMMAND),
    };
    if let Some(response) = response {
        let mut buffer = [0; MAX_RESPONSE];
        out.raw(cbor_smol::cbor_serialize(&response, &mut buffer).map_err(|_| Status::OTHER)?)?;
    }
    Ok(Next::Done)
}

/// getPINRetries (§6.5.5.2).
fn pin_retries<F: NorFlash, R>(core: &mut Core<F, R>) -> Result<Response, Status> {
    let record = core.store.reading().pin()?;
    let mut response = Response::default();
    response.retries = Some(record.as_ref().map_or(MAX_PIN_RETRIES, |record| record.retries));
    response.power_cycle_state = record.as_ref().is_some_and(pin::needs_power_cycle).then_some(true);
    Ok(response)
}

/// getKeyAgreement (§6.5.5.4).
fn key_agreement<F, R: CryptoRng>(core: &mut Core<F, R>, request: &Request<'_>) -> Result<Response, Status> {
    let protocol = Protocol::requested(request.pin_uv_auth_protocol)?;
    let PublicKey::EcdhEsHkdf256 { x, y } = core.state.pin_uv_auth.public_key(protocol, &mut core.random)
    else {
        return Err(Status::OTHER);
    };
    let mut response = Response::default();
    response.key_agreement = Some(EcdhEsHkdf256PublicKey { x: Bytes::from(x), y: Bytes::from(y) });
    Ok(response)
}

/// setPIN (§6.5.5.5).
fn set_pin<F: NorFlash, R: CryptoRng>(core: &mut Core<F, R>, request: &Request<'_>) -> Result<(), Status> {
    let key_agreement = mandatory(request.key_agreement)?;
    let param = mandatory(request.pin_uv_auth_param)?;
    let new_pin_enc = mandatory(request.new_pin_enc)?;
    let protocol = Protocol::requested(request.pin_uv_auth_protocol)?;
    // Step 3 stands before step 4: no shared secret is computed.
    let is_unset = Grant::if_twice(|| matches!(core.store.reading().pin(), Ok(None)));
    if !is_unset.holds() {
        // A store that cannot be read is told as such.
        core.store.reading().pin()?;
        return Err(Status::PIN_AUTH_INVALID);
    }
    let shared = core.state.pin_uv_auth.decapsulate(protocol, key_agreement, &mut core.random)?;
    if !shared.verify(&[new_pin_enc], param) {
        return Err(Status::PIN_AUTH_INVALID);
    }
    store_new_pin(core, is_unset, &decrypt(&shared, new_pin_enc)?)
}

/// changePIN (§6.5.5.6).
fn change_pin<F: NorFlash, R: CryptoRng>(core: &mut Core<F, R>, request: &Request<'_>) -> Result<(), Status> {
    let key_agreement = mandatory(request.key_agreement)?;
    let param = mandatory(request.pin_uv_auth_param)?;
    let new_pin_enc = mandatory(request.new_pin_enc)?;
    let pin_hash_enc = mandatory(request.pin_hash_enc)?;
    let protocol = Protocol::requested(request.pin_uv_auth_protocol)?;
    pin::usable(core.store.reading().pin()?)?;
    let shared = core.state.pin_uv_auth.decapsulate(protocol, key_agreement, &mut core.random)?;
    if !shared.verify(&[new_pin_enc, pin_hash_enc], param) {
        return Err(Status::PIN_AUTH_INVALID);
    }
    // Deviates: both lengths are judged before a retry is spent (G4), where steps 6 to 11 spend it first.
    let pin_hash = decrypt(&shared, pin_hash_enc)?;
    let new_pin = decrypt(&shared, new_pin_enc)?;
    let verified = compare(core, protocol, &pin_hash)?;
    store_new_pin(core, verified, &new_pin)
}

/// getPinToken (§6.5.5.7.1).
fn pin_token<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    request: &Request<'_>,
) -> Result<Response, Status> {
    mandatory(request.key_agreement)?;
    mandatory(request.pin_hash_enc)?;
    Protocol::requested(request.pin_uv_auth_protocol)?;
    if request.permissions.is_some() || request.rp_id.is_some() {
        return Err(Status::INVALID_PARAMETER);
    }
    issue_token(core, request, Permissions::MC.with(Permissions::GA))
}

/// getPinUvAuthTokenUsingPinWithPermissions (§6.5.5.7.2).
fn pin_token_with_permissions<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    request: &Request<'_>,
) -> Result<Response, Status> {
    mandatory(request.key_agreement)?;
    mandatory(request.pin_hash_enc)?;
    let permissions = mandatory(request.permissions)?;
    Protocol::requested(request.pin_uv_auth_protocol)?;
    if permissions == Permissions::NONE {
        return Err(Status::INVALID_PARAMETER);
    }
    let permissions = permissions.within(Permissions::DEFINED);
    if !SUPPORTED.contain(permissions) {
        return Err(Status::UNAUTHORIZED_PERMISSION);
    }
    issue_token(core, request, permissions)
}

/// What §6.5.5.7.1 and §6.5.5.7.2 have in common: the PIN for a token.
fn issue_token<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    request: &Request<'_>,
    permissions: Permissions,
) -> Result<Response, Status> {
    let key_agreement = mandatory(request.key_agreement)?;
    let pin_hash_enc = mandatory(request.pin_hash_enc)?;
    let protocol = Protocol::requested(request.pin_uv_auth_protocol)?;
    pin::usable(core.store.reading().pin()?)?;
    let shared = core.state.pin_uv_auth.decapsulate(protocol, key_agreement, &mut core.random)?;
    let verified = compare(core, protocol, &decrypt(&shared, pin_hash_enc)?)?;

    let Core { state, random, .. } = core;
    let rp_id_hash = request.rp_id.map(|rp_id| sha256(&[rp_id.as_bytes()]));
    let token_enc =
        state.pin_uv_auth.issue_token(verified, &shared, permissions, rp_id_hash, state.now, random)?;
    let mut response = Response::default();
    response.pin_token = Some(Bytes::try_from(&*token_enc).map_err(|_| Status::OTHER)?);
    Ok(response)
}

/// Compares a PIN; on a mismatch the platform has to agree on a new key (§6.5.5.6 step 7).
fn compare<F: NorFlash, R>(
    core: &mut Core<F, R>,
    protocol: Protocol,
    pin_hash: &PinHash,
) -> Result<Grant, Status> {
    let result = pin::compare(&mut core.store, pin_hash);
    if result.is_err() {
        core.state.pin_uv_auth.regenerate(protocol);
    }
    result
}

/// Stores a new PIN, which ends every token. `permitted` is granted if there is none, or if the user knew it.
// Not a part of its callers: whoever gets past their own checks meets this one.
#[inline(never)]
fn store_new_pin<F: NorFlash, R>(
    core: &mut Core<F, R>,
    permitted: Grant,
    padded: &Secret<PADDED_PIN_BYTES>,
) -> Result<(), Status> {
    permitted.require(Status::PIN_INVALID)?;
    pin::set(&mut core.store, padded)?;
    core.state.pin_uv_auth.reset_tokens();
    Ok(())
}

/// A plaintext of another length is a parameter that is not valid (§6.5.5.5 step 7).
fn decrypt<const N: usize>(shared: &SharedSecret, ciphertext: &[u8]) -> Result<Secret<N>, Status> {
    shared.decrypt(ciphertext).ok_or(Status::INVALID_PARAMETER)
}

fn mandatory<T>(member: Option<T>) -> Result<T, Status> {
    member.ok_or(Status::MISSING_PARAMETER)
}

/// The permissions whose features the key has.
const SUPPORTED: Permissions = Permissions::MC.with(Permissions::GA).with(Permissions::CM);
/// The longest response is a COSE_Key.
const MAX_RESPONSE: usize = 96;
