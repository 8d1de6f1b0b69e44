//! authenticatorCredentialManagement (§6.8).

use cosey::{Ed25519PublicKey, P256PublicKey, PublicKey as CosePublicKey};
use ctap_types::Bytes;
use ctap_types::ctap2::credential_management::{CredentialProtectionPolicy, Response};
use ctap_types::webauthn::{
    PublicKeyCredentialDescriptor, PublicKeyCredentialRpEntity, PublicKeyCredentialUserEntity,
};
use embedded_storage::nor_flash::NorFlash;
use keywright_common::cbor::Encoder;
use keywright_common::cose::PublicKey;
use keywright_common::ctap2::PUBLIC_KEY;
use keywright_common::ctap2::credential_management::{Request, Subcommand};
use keywright_common::status::Status;
use keywright_common::time::Instant;

use super::Next;
use crate::authenticator::Core;
use crate::credential::CredentialSource;
use crate::lookup;
use crate::pin_uv_auth::{PinUvAuthParam, Protocol};
use crate::state::{State, Turn};
use crate::store::{CreationNumber, Credential, Reading, User};

/// What the enumerations go on with. The two are kept apart: a platform may look at a relying party's credentials before
/// it asks for the next relying party.
#[derive(Default)]
pub(crate) struct Enumerations {
    rps: Option<Walk>,
    credentials: Option<(Walk, [u8; 32])>,
}

/// Where an enumeration stands.
#[derive(Clone, Copy)]
struct Walk {
    turn: Turn,
    last: CreationNumber,
}

impl Enumerations {
    /// Forgets a walk that is over at `now`.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.rps.take_if(|walk| walk.turn.is_over(now));
        self.credentials.take_if(|(walk, _)| walk.turn.is_over(now));
    }

    /// When [`Enumerations::expire`] must be called.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let walks = self.rps.iter().chain(self.credentials.iter().map(|(walk, _)| walk));
        walks.map(|walk| walk.turn.deadline()).min()
    }
}

pub(super) fn run<F: NorFlash, R>(
    core: &mut Core<F, R>,
    parameters: &[u8],
    out: &mut Encoder<'_>,
) -> Result<Next, Status> {
    let request = Request::parse(parameters)?;
    end_enumerations(&mut core.state, request.subcommand);
    let response = match request.subcommand {
        Subcommand::GET_CREDS_METADATA => Some(metadata(core, &request)?),
        Subcommand::ENUMERATE_RPS_BEGIN => Some(rps_begin(core, &request)?),
        Subcommand::ENUMERATE_RPS_GET_NEXT_RP => Some(next_rp(core)?),
        Subcommand::ENUMERATE_CREDENTIALS_BEGIN => Some(credentials_begin(core, &request)?),
        Subcommand::ENUMERATE_CREDENTIALS_GET_NEXT_CREDENTIAL => Some(next_credential(core)?),
        Subcommand::DELETE_CREDENTIAL => {
            delete(core, &request)?;
            None
        }
        Subcommand::UPDATE_USER_INFORMATION => {
            update_user(core, &request)?;
            None
        }
        _ => return Err(Status::INVALID_SUBCOMMAND),
    };
    if let Some(response) = response {
        let mut buffer = [0; MAX_RESPONSE];
        out.raw(cbor_smol::cbor_serialize(&response, &mut buffer).map_err(|_| Status::OTHER)?)?;
    }
    Ok(Next::Done)
}

/// A walk ends with every subcommand but those of a walk.
fn end_enumerations(state: &mut State, subcommand: Subcommand) {
    let is_of_a_walk = (Subcommand::ENUMERATE_RPS_BEGIN.0
        ..=Subcommand::ENUMERATE_CREDENTIALS_GET_NEXT_CREDENTIAL.0)
        .contains(&subcommand.0);
    if !is_of_a_walk {
        state.enumerations = Enumerations::default();
    }
}

/// The token allows this subcommand, for one relying party or for all. Each subcommand first reads its parameters.
fn authorize(state: &mut State, request: &Request<'_>, rp_id_hash: Option<&[u8; 32]>) -> Result<(), Status> {
    let param = request.pin_uv_auth_param.ok_or(Status::PUAT_REQUIRED)?;
    let protocol = Protocol::requested(request.pin_uv_auth_protocol)?;
    let message: [&[u8]; 2] = [&[request.subcommand.0], request.encoded_parameters()];
    let param = PinUvAuthParam { protocol, param };
    let verified = state.pin_uv_auth.authorize_management(param, &message, rp_id_hash, state.now)?;
    verified.require(Status::PIN_AUTH_INVALID)
}

/// getCredsMetadata (§6.8.2).
fn metadata<F: NorFlash, R>(core: &mut Core<F, R>, request: &Request<'_>) -> Result<Response, Status> {
    authorize(&mut core.state, request, None)?;
    let store = core.store.reading();
    let mut response = Response::default();
    response.existing_resident_credentials_count = Some(count(store.credential_count())?);
    response.max_possible_remaining_residential_credentials_count =
        Some(count(store.remaining_credentials())?);
    Ok(response)
}

/// enumerateRPsBegin (§6.8.3).
fn rps_begin<F: NorFlash, R>(core: &mut Core<F, R>, request: &Request<'_>) -> Result<Response, Status> {
    authorize(&mut core.state, request, None)?;
    core.state.enumerations.rps = None;
    let total = core.store.reading().rp_count()?;
    let mut response = rp_after(core, None)?.ok_or(Status::NO_CREDENTIALS)?;
    response.total_rps = Some(count(total)?);
    Ok(response)
}

/// enumerateRPsGetNextRP (§6.8.3).
fn next_rp<F: NorFlash, R>(core: &mut Core<F, R>) -> Result<Response, Status> {
    let walk = core.state.enumerations.rps.take().filter(|walk| walk.turn.is_taken_by(&core.state));
    let walk = walk.ok_or(Status::NOT_ALLOWED)?;
    rp_after(core, Some(walk.last))?.ok_or(Status::NOT_ALLOWED)
}

/// The relying party behind `last`, from where the walk goes on.
fn rp_after<F: NorFlash, R>(
    core: &mut Core<F, R>,
    last: Option<CreationNumber>,
) -> Result<Option<Response>, Status> {
    let mut store = core.store.reading();
    let Some(found) = store.rps(last)? else { return Ok(None) };
    let credential = store.credential(found.number)?.ok_or(Status::OTHER)?;
    core.state.enumerations.rps = Some(Walk { turn: Turn::of(&core.state), last: found.number });
    let mut response = Response::default();
    response.rp =
        Some(PublicKeyCredentialRpEntity { id: credential.rp_id, name: credential.rp_name, icon: None });
    response.rp_id_hash = Some(credential.rp_id_hash.into());
    Ok(Some(response))
}

/// enumerateCredentialsBegin (§6.8.4).
fn credentials_begin<F: NorFlash, R>(
    core: &mut Core<F, R>,
    request: &Request<'_>,
) -> Result<Response, Status> {
    let rp_id_hash = *request.rp_id_hash()?;
    authorize(&mut core.state, request, Some(&rp_id_hash))?;
    core.state.enumerations.credentials = None;
    let total = core.store.reading().count_by_rp(&rp_id_hash, lookup::highest_level(true))?;
    let mut response = credential_before(core, &rp_id_hash, None)?.ok_or(Status::NO_CREDENTIALS)?;
    response.total_credentials = Some(count(total)?);
    Ok(response)
}

/// enumerateCredentialsGetNextCredential (§6.8.4).
fn next_credential<F: NorFlash, R>(core: &mut Core<F, R>) -> Result<Response, Status> {
    let walk = core.state.enumerations.credentials.take();
    let walk = walk.filter(|(walk, _)| walk.turn.is_taken_by(&core.state));
    let (walk, rp_id_hash) = walk.ok_or(Status::NOT_ALLOWED)?;
    credential_before(core, &rp_id_hash, Some(walk.last))?.ok_or(Status::NOT_ALLOWED)
}

/// The relying party's next older credential, from where the walk goes on.
fn credential_before<F: NorFlash, R>(
    core: &mut Core<F, R>,
    rp_id_hash: &[u8; 32],
    last: Option<CreationNumber>,
) -> Result<Option<Response>, Status> {
    let Some((number, credential)) = lookup::discoverable(&mut core.store.reading(), rp_id_hash, last, true)?
    else {
        return Ok(None);
    };
    let walk = Walk { turn: Turn::of(&core.state), last: number };
    core.state.enumerations.credentials = Some((walk, *rp_id_hash));
    describe(&core.state, credential).map(Some)
}

/// What the platform is told of a credential.
fn describe(state: &State, credential: Credential) -> Result<Response, Status> {
    let source = CredentialSource::unwrap(state.credential_key()?, &credential.rp_id_hash, &credential.id);
    let source = source.ok_or(Status::OTHER)?;
    let key = source.signing_key().ok_or(Status::OTHER)?;
    let mut user = PublicKeyCredentialUserEntity::from(
        Bytes::try_from(&*credential.user.id).map_err(|_| Status::OTHER)?,
    );
    user.name = credential.user.name;
    user.display_name = credential.user.display_name;
    let mut response = Response::default();
    response.user = Some(user);
    response.credential_id = Some(PublicKeyCredentialDescriptor {
        id: Bytes::try_from(&*credential.id).map_err(|_| Status::OTHER)?,
        key_type: PUBLIC_KEY.try_into().map_err(|_| Status::OTHER)?,
    });
    response.public_key = Some(cose_key(&key.public_key())?);
    response.cred_protect = Some(
        CredentialProtectionPolicy::try_from(source.policy.cred_protect.level())
            .map_err(|_| Status::OTHER)?,
    );
    Ok(response)
}

fn cose_key(key: &PublicKey) -> Result<CosePublicKey, Status> {
    match *key {
        PublicKey::Es256 { x, y } => {
            Ok(CosePublicKey::P256Key(P256PublicKey { x: Bytes::from(x), y: Bytes::from(y) }))
        }
        PublicKey::EdDsa { x } => Ok(CosePublicKey::Ed25519Key(Ed25519PublicKey { x: Bytes::from(x) })),
        PublicKey::EcdhEsHkdf256 { .. } => Err(Status::OTHER),
    }
}

/// deleteCredential (§6.8.5).
fn delete<F: NorFlash, R>(core: &mut Core<F, R>, request: &Request<'_>) -> Result<(), Status> {
    let number = authorized_credential(core, request)?;
    Ok(core.store.delete_credential(number)?)
}

/// updateUserInformation (§6.8.6).
fn update_user<F: NorFlash, R>(core: &mut Core<F, R>, request: &Request<'_>) -> Result<(), Status> {
    let user = User::try_from(&request.user()?)?;
    let number = authorized_credential(core, request)?;
    let stored = core.store.reading().credential(number)?.ok_or(Status::NO_CREDENTIALS)?;
    if stored.user.id != user.id {
        return Err(Status::INVALID_PARAMETER);
    }
    Ok(core.store.update_user(number, &user)?)
}

/// The credential that the request names, if the token allows it.
fn authorized_credential<F: NorFlash, R>(
    core: &mut Core<F, R>,
    request: &Request<'_>,
) -> Result<CreationNumber, Status> {
    let id = request.credential_id()?;
    let found = find(&mut core.store.reading(), id)?;
    // Without a credential there is no relying party: a token for one is refused, a token for all is told.
    authorize(&mut core.state, request, found.as_ref().map(|(_, credential)| &credential.rp_id_hash))?;
    found.map(|(number, _)| number).ok_or(Status::NO_CREDENTIALS)
}

/// The credential with an id, of whatever relying party.
fn find<F: NorFlash>(
    store: &mut Reading<'_, F>,
    id: &[u8],
) -> Result<Option<(CreationNumber, Credential)>, Status> {
    let mut last = None;
    while let Some(rp) = store.rps(last)? {
        last = Some(rp.number);
        let credential = store.credential(rp.number)?.ok_or(Status::OTHER)?;
        if let Some(found) = store.find_by_id(&credential.rp_id_hash, id)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn count(number: usize) -> Result<u32, Status> {
    u32::try_from(number).map_err(|_| Status::OTHER)
}

/// The longest response describes a credential: its id, the names of its account and its public key; or an RP.
const MAX_RESPONSE: usize = 640;
