//! authenticatorMakeCredential (§6.1).

use embedded_storage::nor_flash::NorFlash;
use keywright_common::auth_data::{Fixed, encode_attested_credential, flag};
use keywright_common::cbor::Encoder;
use keywright_common::cose::Algorithm;
use keywright_common::ctap2::make_credential::Request;
use keywright_common::status::Status;
use rand_core::CryptoRng;

use super::Next;
use crate::authenticator::{Core, State};
use crate::credential::{CredentialSource, Policy};
use crate::crypto::sha256;
use crate::store::Reading;

/// The credential to make.
pub(crate) struct Plan {
    algorithm: Algorithm,
    rp_id_hash: [u8; 32],
    flags: u8,
}

pub(super) fn start<F: NorFlash, R>(core: &mut Core<F, R>, parameters: &[u8]) -> Result<Next, Status> {
    let request = Request::parse(parameters)?;
    check(&core.state, &request, core.store.reading()).map(Next::Wait)
}

fn check<F: NorFlash>(
    state: &State,
    request: &Request<'_>,
    _store: Reading<'_, F>,
) -> Result<super::Plan, Status> {
    let algorithm = choose_algorithm(request)?;
    check_options(request)?;
    let rp_id_hash = sha256(&[request.rp.id.as_bytes()]);
    if holds_excluded(state, request, &rp_id_hash) {
        return Ok(super::Plan::Answer(Status::CREDENTIAL_EXCLUDED));
    }
    Ok(super::Plan::MakeCredential(Plan { algorithm, rp_id_hash, flags: flag::UP }))
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
    if options.up == Some(false) || options.uv == Some(true) {
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

/// §6.1.2 step 12.
fn holds_excluded(state: &State, request: &Request<'_>, rp_id_hash: &[u8; 32]) -> bool {
    request.exclude_list.is_some_and(|list| {
        list.ids().any(|id| CredentialSource::unwrap(&state.credential_key, rp_id_hash, id).is_some())
    })
}

pub(super) fn act<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    plan: Plan,
    parameters: &[u8],
    out: &mut Encoder<'_>,
) -> Result<Next, Status> {
    let request = Request::parse(parameters)?;
    let policy = Policy { discoverable: false, cred_protect: 1 };
    let source = CredentialSource::generate(plan.algorithm, policy, &mut core.random);
    let id =
        source.wrap(&core.state.credential_key, &plan.rp_id_hash, &mut core.random).ok_or(Status::OTHER)?;
    let key = source.signing_key().ok_or(Status::OTHER)?;
    let sign_count = core.store.next_sign_count()?;

    let mut buffer = [0; MAX_AUTH_DATA];
    let mut auth_data = Encoder::new(&mut buffer);
    Fixed { rp_id_hash: plan.rp_id_hash, flags: plan.flags | flag::AT, sign_count }.encode(&mut auth_data)?;
    encode_attested_credential(&core.state.identity.aaguid, &id, &key.public_key(), &mut auth_data)?;

    out.map(3)?;
    let attestation = &core.state.identity.attestation;
    attestation.write(&key, auth_data.written(), request.client_data_hash, &mut core.random, out)?;
    Ok(Next::Done)
}

/// Fixed part, AAGUID, id, public key, and room for extension outputs.
const MAX_AUTH_DATA: usize = 512;
