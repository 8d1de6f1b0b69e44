//! authenticatorGetAssertion (§6.2).

use embedded_storage::nor_flash::NorFlash;
use keywright_common::auth_data::{FIXED_LENGTH, Fixed, flag};
use keywright_common::cbor::Encoder;
use keywright_common::ctap2::PUBLIC_KEY;
use keywright_common::ctap2::get_assertion::Request;
use keywright_common::status::Status;
use rand_core::CryptoRng;

use super::Next;
use crate::authenticator::{Core, State};
use crate::credential::{CredentialId, CredentialSource, SigningKey};
use crate::crypto::sha256;
use crate::store::Reading;

/// The assertion to make.
pub(crate) struct Plan {
    id: CredentialId,
    key: SigningKey,
    rp_id_hash: [u8; 32],
    flags: u8,
}

pub(super) fn start<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    parameters: &[u8],
    out: &mut Encoder<'_>,
) -> Result<Next, Status> {
    let request = Request::parse(parameters)?;
    let wants_presence = request.options.up != Some(false);
    let plan = check(&core.state, &request, core.store.reading());
    match plan? {
        plan if wants_presence => Ok(Next::Wait(plan)),
        plan => super::act(core, plan, parameters, out),
    }
}

fn check<F: NorFlash>(
    state: &State,
    request: &Request<'_>,
    _store: Reading<'_, F>,
) -> Result<super::Plan, Status> {
    check_options(request)?;
    // Chrome tries a legacy U2F AppID this way; no RP ID has a scheme, so nobody need touch the key for it.
    if request.rp_id.contains("://") {
        return Err(Status::NO_CREDENTIALS);
    }
    let rp_id_hash = sha256(&[request.rp_id.as_bytes()]);
    let Some((id, source)) = find(state, request, &rp_id_hash) else {
        return Ok(super::Plan::Answer(Status::NO_CREDENTIALS));
    };
    let key = source.signing_key().ok_or(Status::OTHER)?;
    let flags = if request.options.up == Some(false) { 0 } else { flag::UP };
    Ok(super::Plan::GetAssertion(Plan { id, key, rp_id_hash, flags }))
}

/// §6.2.2 step 4.
fn check_options(request: &Request<'_>) -> Result<(), Status> {
    if request.options.uv == Some(true) {
        return Err(Status::INVALID_OPTION);
    }
    if request.options.rk.is_some() {
        return Err(Status::UNSUPPORTED_OPTION);
    }
    Ok(())
}

/// The first credential of the list that this key made for the relying party.
fn find(
    state: &State,
    request: &Request<'_>,
    rp_id_hash: &[u8; 32],
) -> Option<(CredentialId, CredentialSource)> {
    request.allow_list?.ids().find_map(|id| {
        let source = CredentialSource::unwrap(&state.credential_key, rp_id_hash, id)?;
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
    let sign_count = core.store.next_sign_count()?;
    let mut buffer = [0; FIXED_LENGTH];
    let mut auth_data = Encoder::new(&mut buffer);
    Fixed { rp_id_hash: plan.rp_id_hash, flags: plan.flags, sign_count }.encode(&mut auth_data)?;
    let signature = plan.key.sign(&[auth_data.written(), request.client_data_hash], &mut core.random);

    out.map(3)?.integer(CREDENTIAL)?;
    out.map(2)?.text("id")?.bytes(&plan.id)?.text("type")?.text(PUBLIC_KEY)?;
    out.integer(AUTH_DATA)?.bytes(auth_data.written())?.integer(SIGNATURE)?.bytes(&signature)?;
    Ok(Next::Done)
}

const CREDENTIAL: i32 = 0x01;
const AUTH_DATA: i32 = 0x02;
const SIGNATURE: i32 = 0x03;
