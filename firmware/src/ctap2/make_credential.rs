//! authenticatorMakeCredential (§6.1).

use embedded_storage::nor_flash::NorFlash;
use keywright_common::auth_data::{Fixed, encode_attested_credential, flag};
use keywright_common::cbor::Encoder;
use keywright_common::cose::Algorithm;
use keywright_common::ctap2::client_pin::Permissions;
use keywright_common::ctap2::extensions::CreationInputs;
use keywright_common::ctap2::make_credential::Request;
use keywright_common::status::Status;
use rand_core::CryptoRng;

use super::pin_uv_auth_param::Verification;
use super::{Next, extensions};
use crate::authenticator::{Core, State};
use crate::credential::{CredentialSource, Policy};
use crate::crypto::sha256;
use crate::store::Reading;

/// The credential to make.
pub(crate) struct Plan {
    algorithm: Algorithm,
    rp_id_hash: [u8; 32],
    extensions: CreationInputs,
    flags: u8,
}

pub(super) fn start<F: NorFlash, R>(core: &mut Core<F, R>, parameters: &[u8]) -> Result<Next, Status> {
    let request = Request::parse(parameters)?;
    check(&mut core.state, &request, core.store.reading()).map(Next::Wait)
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
    let algorithm = choose_algorithm(request)?;
    check_options(request)?;
    let extensions = CreationInputs::read(request.extensions)?;
    let rp_id_hash = sha256(&[request.rp.id.as_bytes()]);
    let verified = verify_user(state, request, verification, &rp_id_hash)?;
    if holds_excluded(state, request, &rp_id_hash, verified != 0) {
        return Ok(super::Plan::Answer(Status::CREDENTIAL_EXCLUDED));
    }
    Ok(super::Plan::MakeCredential(Plan { algorithm, rp_id_hash, extensions, flags: flag::UP | verified }))
}

/// §6.1.2 step 3: the first algorithm of the request that is supported.
fn choose_algorithm(request: &Request<'_>) -> Result<Algorithm, Status> {
    request
        .algorithms
        .iter()
        .find(|algorithm| CredentialSource::ALGORITHMS.contains(algorithm))
        .ok_or(Status::UNSUPPORTED_ALGORITHM)
}

/// §6.1.2 step 5.
fn check_options(request: &Request<'_>) -> Result<(), Status> {
    let options = request.options;
    // A pinUvAuthParam takes the place of `uv`, which asks for the built-in verification that the key does not have.
    let asks_for_uv = options.uv == Some(true) && request.pin_uv_auth_param.is_none();
    if options.up == Some(false) || asks_for_uv {
        return Err(Status::INVALID_OPTION);
    }
    if options.rk == Some(true) {
        return Err(Status::UNSUPPORTED_OPTION);
    }
    if request.enterprise_attestation.is_some() {
        return Err(Status::INVALID_PARAMETER);
    }
    Ok(())
}

/// §6.1.2 step 11.1: the UV flag if the user is verified. Without a claim there is none, and none is needed
/// (makeCredUvNotRqd).
fn verify_user(
    state: &mut State,
    request: &Request<'_>,
    verification: Verification<'_>,
    rp_id_hash: &[u8; 32],
) -> Result<u8, Status> {
    let Verification::Claimed(param) = verification else { return Ok(0) };
    let message: [&[u8]; 1] = [request.client_data_hash];
    state.pin_uv_auth.authorize(param, &message, Permissions::MC, rp_id_hash, state.now)?;
    Ok(flag::UV)
}

/// §6.1.2 step 12. A credential that credProtect hides is passed over.
fn holds_excluded(
    state: &State,
    request: &Request<'_>,
    rp_id_hash: &[u8; 32],
    is_user_verified: bool,
) -> bool {
    request.exclude_list.is_some_and(|list| {
        list.ids().any(|id| {
            CredentialSource::unwrap(&state.credential_key, rp_id_hash, id)
                .is_some_and(|source| source.policy.shows(is_user_verified, true))
        })
    })
}

pub(super) fn act<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    plan: Plan,
    parameters: &[u8],
    out: &mut Encoder<'_>,
) -> Result<Next, Status> {
    let request = Request::parse(parameters)?;
    // Step 14.4: what the user confirmed serves this request and no other.
    core.state.pin_uv_auth.end_verification();
    let cred_protect = plan.extensions.cred_protect.unwrap_or_default();
    let policy = Policy { discoverable: false, cred_protect };
    let source = CredentialSource::generate(plan.algorithm, policy, &mut core.random);
    let id =
        source.wrap(&core.state.credential_key, &plan.rp_id_hash, &mut core.random).ok_or(Status::OTHER)?;
    let key = source.signing_key().ok_or(Status::OTHER)?;
    let sign_count = core.store.next_sign_count()?;

    let mut buffer = [0; MAX_AUTH_DATA];
    let mut auth_data = Encoder::new(&mut buffer);
    let has_outputs = extensions::creation_outputs(plan.extensions) > 0;
    let flags = plan.flags | flag::AT | if has_outputs { flag::ED } else { 0 };
    Fixed { rp_id_hash: plan.rp_id_hash, flags, sign_count }.encode(&mut auth_data)?;
    encode_attested_credential(&core.state.identity.aaguid, &id, &key.public_key(), &mut auth_data)?;
    extensions::encode_creation_outputs(plan.extensions, &mut auth_data)?;

    out.map(3)?;
    let attestation = &core.state.identity.attestation;
    attestation.write(&key, auth_data.written(), request.client_data_hash, &mut core.random, out)?;
    Ok(Next::Done)
}

/// Fixed part, AAGUID, id, public key, and room for extension outputs.
const MAX_AUTH_DATA: usize = 512;
