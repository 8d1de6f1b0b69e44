//! authenticatorMakeCredential (§6.1).

use embedded_storage::nor_flash::NorFlash;
use keywright_common::auth_data::{Fixed, encode_attested_credential, flag};
use keywright_common::cbor::Encoder;
use keywright_common::cose::{Algorithm, PublicKey};
use keywright_common::ctap2::client_pin::Permissions;
use keywright_common::ctap2::extensions::CreationInputs;
use keywright_common::ctap2::make_credential::Request;
use keywright_common::status::Status;
use rand_core::CryptoRng;

use super::pin_uv_auth_param::Verification;
use super::{Next, extensions};
use crate::authenticator::Core;
use crate::credential::{CredentialSource, Policy};
use crate::crypto::{Prepared, sha256};
use crate::lookup;
use crate::state::State;
use crate::store::{self, Credential, CredentialId, Reading, User};

/// The credential to make.
pub(crate) struct Plan {
    algorithm: Algorithm,
    rp_id_hash: [u8; 32],
    extensions: CreationInputs,
    flags: u8,
    discoverable: bool,
    made: Option<Made>,
}

/// A credential that nobody has yet.
struct Made {
    source: CredentialSource,
    id: CredentialId,
    public_key: PublicKey,
    prepared: Option<Prepared>,
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
    let discoverable = request.options.rk == Some(true);
    // Step 7: makeCredUvNotRqd lets a credential be made by a touch alone, but not a discoverable one.
    if discoverable && pin_is_set && matches!(verification, Verification::NotClaimed) {
        return Err(Status::PUAT_REQUIRED);
    }
    let extensions = CreationInputs::read(request.extensions)?;
    let rp_id_hash = sha256(&[request.rp.id.as_bytes()]);
    // None is needed without a claim: makeCredUvNotRqd.
    let verified =
        verification.user_verified(state, request.client_data_hash, Permissions::MC, &rp_id_hash)?;
    if holds_excluded(state, &mut store, request, &rp_id_hash, verified != 0)? {
        return Ok(super::Plan::Answer(Status::CREDENTIAL_EXCLUDED));
    }
    let flags = flag::UP | verified;
    Ok(super::Plan::MakeCredential(Plan {
        algorithm,
        rp_id_hash,
        extensions,
        flags,
        discoverable,
        made: None,
    }))
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
    if request.enterprise_attestation.is_some() {
        return Err(Status::INVALID_PARAMETER);
    }
    Ok(())
}

/// §6.1.2 step 12. A credential that credProtect hides is passed over.
fn holds_excluded<F: NorFlash>(
    state: &State,
    store: &mut Reading<'_, F>,
    request: &Request<'_>,
    rp_id_hash: &[u8; 32],
    is_user_verified: bool,
) -> Result<bool, Status> {
    let Some(list) = request.exclude_list else { return Ok(false) };
    Ok(lookup::first_named(state, store, rp_id_hash, list.ids(), is_user_verified)?.is_some())
}

pub(super) fn prepare<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    plan: &mut Plan,
    parameters: &[u8],
) -> Result<(), Status> {
    let request = Request::parse(parameters)?;
    let Core { state, store, random } = core;
    let mut made = Made::new(plan, state, random)?;
    let mut buffer = [0; MAX_AUTH_DATA];
    let mut auth_data = Encoder::new(&mut buffer);
    encode(plan, &made, state, store.coming_sign_count()?, &mut auth_data)?;
    let key = made.source.signing_key().ok_or(Status::OTHER)?;
    let signed = [auth_data.written(), request.client_data_hash];
    made.prepared = state.identity.attestation.prepare(&key, &signed, random);
    plan.made = Some(made);
    Ok(())
}

pub(super) fn act<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    mut plan: Plan,
    parameters: &[u8],
    out: &mut Encoder<'_>,
) -> Result<Next, Status> {
    let request = Request::parse(parameters)?;
    // Step 14.4: what the user confirmed serves this request and no other.
    core.state.pin_uv_auth.end_verification();
    let Core { state, store, random } = core;
    let made = match plan.made.take() {
        Some(made) => made,
        None => Made::new(&plan, state, random)?,
    };
    let mut buffer = [0; MAX_AUTH_DATA];
    let mut auth_data = Encoder::new(&mut buffer);
    encode(&plan, &made, state, store.next_sign_count()?, &mut auth_data)?;

    out.map(3)?;
    let key = made.source.signing_key().ok_or(Status::OTHER)?;
    let attestation = &state.identity.attestation;
    attestation.write(&key, made.prepared, auth_data.written(), request.client_data_hash, random, out)?;
    if plan.discoverable {
        // Last, so that nothing that fails leaves a record behind (G15).
        store.put_credential(&record(&request, &plan, made.id)?)?;
    }
    Ok(Next::Done)
}

impl Made {
    fn new(plan: &Plan, state: &State, random: &mut impl CryptoRng) -> Result<Self, Status> {
        let source = CredentialSource::generate(plan.algorithm, plan.policy(), random);
        let id = source.wrap(state.credential_key()?, &plan.rp_id_hash, random).ok_or(Status::OTHER)?;
        let public_key = source.signing_key().ok_or(Status::OTHER)?.public_key();
        Ok(Self { source, id, public_key, prepared: None })
    }
}

impl Plan {
    fn policy(&self) -> Policy {
        let cred_protect = self.extensions.cred_protect.unwrap_or_default();
        Policy { discoverable: self.discoverable, cred_protect }
    }
}

/// The authenticator data of a new credential.
fn encode(
    plan: &Plan,
    made: &Made,
    state: &State,
    sign_count: u32,
    auth_data: &mut Encoder<'_>,
) -> Result<(), Status> {
    let has_outputs = extensions::creation_outputs(plan.extensions) > 0;
    let flags = plan.flags | flag::AT | if has_outputs { flag::ED } else { 0 };
    Fixed { rp_id_hash: plan.rp_id_hash, flags, sign_count }.encode(auth_data)?;
    encode_attested_credential(&state.identity.aaguid, &made.id, &made.public_key, auth_data)?;
    Ok(extensions::encode_creation_outputs(plan.extensions, auth_data)?)
}

/// What the store keeps of a discoverable credential.
fn record(request: &Request<'_>, plan: &Plan, id: CredentialId) -> Result<Credential, Status> {
    Ok(Credential {
        id,
        rp_id_hash: plan.rp_id_hash,
        rp_id: store::truncated(request.rp.id),
        rp_name: request.rp.name.map(store::truncated),
        user: User::try_from(&request.user)?,
        cred_protect: plan.policy().cred_protect.level(),
        algorithm: plan.algorithm.0,
    })
}

/// Fixed part, AAGUID, id, public key, and room for extension outputs.
const MAX_AUTH_DATA: usize = 512;
