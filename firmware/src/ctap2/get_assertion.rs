//! authenticatorGetAssertion (§6.2).

use embedded_storage::nor_flash::NorFlash;
use keywright_common::auth_data::{FIXED_LENGTH, Fixed, flag};
use keywright_common::cbor::Encoder;
use keywright_common::ctap2::PUBLIC_KEY;
use keywright_common::ctap2::client_pin::Permissions;
use keywright_common::ctap2::extensions::AssertionInputs;
use keywright_common::ctap2::get_assertion::Request;
use keywright_common::status::Status;
use rand_core::CryptoRng;

use super::pin_uv_auth_param::Verification;
use super::{Next, extensions};
use crate::authenticator::{Core, State};
use crate::credential::{CredentialSource, SigningKey};
use crate::crypto::{Secret, sha256};
use crate::pin_uv_auth::Ciphertext;
use crate::store::{CredentialId, Reading};

/// The assertion to make.
pub(crate) struct Plan {
    id: CredentialId,
    key: SigningKey,
    rp_id_hash: [u8; 32],
    flags: u8,
    /// hmac-secret's CredRandom, if the platform wants its output.
    cred_random: Option<Secret<32>>,
}

pub(super) fn start<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    parameters: &[u8],
    out: &mut Encoder<'_>,
) -> Result<Next, Status> {
    let request = Request::parse(parameters)?;
    let wants_presence = request.options.up != Some(false);
    match check(&mut core.state, &request, core.store.reading())? {
        // A platform that probes with an empty pinUvAuthParam waits for a touch whatever else it asks for.
        plan @ super::Plan::Answer(Status::PIN_INVALID | Status::PIN_NOT_SET) => Ok(Next::Wait(plan)),
        plan if wants_presence => Ok(Next::Wait(plan)),
        plan => super::act(core, plan, parameters, out),
    }
}

fn check<F: NorFlash>(
    state: &mut State,
    request: &Request<'_>,
    mut store: Reading<'_, F>,
) -> Result<super::Plan, Status> {
    let pin_is_set = store.pin()?.is_some();
    let verification =
        Verification::read(request.pin_uv_auth_param, request.pin_uv_auth_protocol, pin_is_set)?;
    if let Verification::Probe(status) = verification {
        return Ok(super::Plan::Answer(status));
    }
    check_options(request)?;
    let wants_hmac_secret = check_extensions(request)?;
    // Chrome tries a legacy U2F AppID this way; no RP ID has a scheme, so nobody need touch the key for it.
    if request.rp_id.contains("://") {
        return Err(Status::NO_CREDENTIALS);
    }
    let rp_id_hash = sha256(&[request.rp_id.as_bytes()]);
    let verified = verify_user(state, request, verification, &rp_id_hash)?;
    let Some((id, source)) = find(state, request, &rp_id_hash, verified != 0) else {
        return Ok(super::Plan::Answer(Status::NO_CREDENTIALS));
    };
    let key = source.signing_key().ok_or(Status::OTHER)?;
    let present = if request.options.up == Some(false) { 0 } else { flag::UP };
    let cred_random = wants_hmac_secret.then(|| source.cred_random(verified != 0));
    Ok(super::Plan::GetAssertion(Plan { id, key, rp_id_hash, flags: present | verified, cred_random }))
}

/// §6.2.2 step 4.
fn check_options(request: &Request<'_>) -> Result<(), Status> {
    // A pinUvAuthParam takes the place of `uv`, which asks for the built-in verification that the key does not have.
    if request.options.uv == Some(true) && request.pin_uv_auth_param.is_none() {
        return Err(Status::INVALID_OPTION);
    }
    if request.options.rk.is_some() {
        return Err(Status::UNSUPPORTED_OPTION);
    }
    Ok(())
}

/// §12.7: whether hmac-secret is asked for, which needs presence. Its salts are looked at after the touch.
fn check_extensions(request: &Request<'_>) -> Result<bool, Status> {
    let Some(input) = AssertionInputs::read(request.extensions)?.hmac_secret else { return Ok(false) };
    extensions::protocol(&input)?;
    if request.options.up == Some(false) {
        return Err(Status::UNSUPPORTED_OPTION);
    }
    Ok(true)
}

/// §6.2.2 step 6.1: the UV flag if the user is verified. Without a claim there is none.
fn verify_user(
    state: &mut State,
    request: &Request<'_>,
    verification: Verification<'_>,
    rp_id_hash: &[u8; 32],
) -> Result<u8, Status> {
    let Verification::Claimed(param) = verification else { return Ok(0) };
    let message: [&[u8]; 1] = [request.client_data_hash];
    state.pin_uv_auth.authorize(param, &message, Permissions::GA, rp_id_hash, state.now)?;
    Ok(flag::UV)
}

/// The first credential of the list that this key made for the relying party, and that credProtect does not hide.
fn find(
    state: &State,
    request: &Request<'_>,
    rp_id_hash: &[u8; 32],
    is_user_verified: bool,
) -> Option<(CredentialId, CredentialSource)> {
    request.allow_list?.ids().find_map(|id| {
        let source = CredentialSource::unwrap(&state.credential_key, rp_id_hash, id)?;
        if !source.policy.shows(is_user_verified, true) {
            return None;
        }
        Some((CredentialId::from_slice(id).ok()?, source))
    })
}

pub(super) fn act<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    plan: &Plan,
    parameters: &[u8],
    out: &mut Encoder<'_>,
) -> Result<Next, Status> {
    let request = Request::parse(parameters)?;
    if plan.flags & flag::UP != 0 {
        // Step 9.4: what the user confirmed serves this request and no other.
        core.state.pin_uv_auth.end_verification();
    }
    let hmac_secret = hmac_secret(core, plan, &request)?;
    let sign_count = core.store.next_sign_count()?;
    let mut buffer = [0; MAX_AUTH_DATA];
    let mut auth_data = Encoder::new(&mut buffer);
    let flags = plan.flags | if hmac_secret.is_some() { flag::ED } else { 0 };
    Fixed { rp_id_hash: plan.rp_id_hash, flags, sign_count }.encode(&mut auth_data)?;
    if let Some(output) = hmac_secret {
        extensions::encode_assertion_outputs(&output, &mut auth_data)?;
    }
    let signature = plan.key.sign(&[auth_data.written(), request.client_data_hash], &mut core.random);

    out.map(3)?.integer(CREDENTIAL)?;
    out.map(2)?.text("id")?.bytes(&plan.id)?.text("type")?.text(PUBLIC_KEY)?;
    out.integer(AUTH_DATA)?.bytes(auth_data.written())?.integer(SIGNATURE)?.bytes(&signature)?;
    Ok(Next::Done)
}

/// Step 10: hmac-secret's output, if it was asked for.
fn hmac_secret<F, R: CryptoRng>(
    core: &mut Core<F, R>,
    plan: &Plan,
    request: &Request<'_>,
) -> Result<Option<Ciphertext>, Status> {
    let input = AssertionInputs::read(request.extensions)?.hmac_secret;
    let (Some(cred_random), Some(input)) = (&plan.cred_random, input) else { return Ok(None) };
    extensions::hmac_secret(&mut core.state.pin_uv_auth, cred_random, &input, &mut core.random).map(Some)
}

const CREDENTIAL: i32 = 0x01;
const AUTH_DATA: i32 = 0x02;
const SIGNATURE: i32 = 0x03;
/// The fixed part and the longest output of extensions: two encrypted outputs of hmac-secret.
const MAX_AUTH_DATA: usize = FIXED_LENGTH + 96;
