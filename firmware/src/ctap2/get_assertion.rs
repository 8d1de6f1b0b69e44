//! authenticatorGetAssertion (§6.2).

use embedded_storage::nor_flash::NorFlash;
use keywright_common::auth_data::{FIXED_LENGTH, Fixed, flag};
use keywright_common::cbor::{Encoder, Full};
use keywright_common::ctap2::PUBLIC_KEY;
use keywright_common::ctap2::client_pin::Permissions;
use keywright_common::ctap2::extensions::AssertionInputs;
use keywright_common::ctap2::get_assertion::Request;
use keywright_common::status::Status;
use rand_core::CryptoRng;

use super::extensions::{self, Salts};
use super::get_next_assertion::Assertions;
use super::pin_uv_auth_param::Verification;
use super::{Next, Plan as AnyPlan};
use crate::authenticator::Core;
use crate::credential::CredentialSource;
use crate::crypto::{Prepared, sha256};
use crate::decision::Grant;
use crate::lookup::{self, Named};
use crate::state::{State, Turn};
use crate::store::{CreationNumber, CredentialId, Reading, User};

/// The assertion to make.
pub(crate) struct Plan {
    id: CredentialId,
    credential: Named,
    rp_id_hash: [u8; 32],
    flags: u8,
    /// How many credentials the platform may ask for, this one among them.
    count: usize,
    prepared: Option<Prepared>,
}

impl Plan {
    /// Whether the assertion will say that the user was there.
    pub(super) const fn needs_presence(&self) -> bool {
        self.flags & flag::UP != 0
    }
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
        plan @ AnyPlan::Answer(Status::PIN_INVALID | Status::PIN_NOT_SET) => Ok(Next::Wait(plan)),
        plan if wants_presence => Ok(Next::Wait(plan)),
        plan => super::act(core, plan, Grant::NONE, parameters, out),
    }
}

fn check<F: NorFlash>(
    state: &mut State,
    request: &Request<'_>,
    mut store: Reading<'_, F>,
) -> Result<AnyPlan, Status> {
    let pin_is_set = store.pin()?.is_some();
    let verification =
        Verification::read(request.pin_uv_auth_param, request.pin_uv_auth_protocol, pin_is_set)?;
    if let Verification::Probe(status) = verification {
        return Ok(AnyPlan::Answer(status));
    }
    check_options(request)?;
    check_extensions(request)?;
    let rp_id_hash = sha256(&[request.rp_id.as_bytes()]);
    let verified =
        verification.user_verified(state, request.client_data_hash, Permissions::GA, &rp_id_hash)?;
    let Some((id, credential, count)) = find(state, &mut store, request, &rp_id_hash, verified != 0)? else {
        // Chrome tries a legacy U2F AppID beside the RP ID, for which nobody should have to touch the key. Other schemes are
        // RP IDs like any: pam_u2f's is `pam://HOST`.
        if ["https://", "http://"].iter().any(|scheme| request.rp_id.starts_with(scheme)) {
            return Err(Status::NO_CREDENTIALS);
        }
        return Ok(AnyPlan::Answer(Status::NO_CREDENTIALS));
    };
    let present = if request.options.up == Some(false) { 0 } else { flag::UP };
    let flags = present | verified;
    Ok(AnyPlan::GetAssertion(Plan { id, credential, rp_id_hash, flags, count, prepared: None }))
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

/// §12.7: hmac-secret needs presence. Its salts are looked at after the touch.
fn check_extensions(request: &Request<'_>) -> Result<(), Status> {
    let Some(input) = AssertionInputs::read(request.extensions)?.hmac_secret else { return Ok(()) };
    extensions::protocol(&input)?;
    if request.options.up == Some(false) {
        return Err(Status::UNSUPPORTED_OPTION);
    }
    Ok(())
}

/// §6.2.2 steps 7, 8 and 11: the first of the list, or the newest of the discoverable ones, and how many there are to
/// choose among.
fn find<F: NorFlash>(
    state: &State,
    store: &mut Reading<'_, F>,
    request: &Request<'_>,
    rp_id_hash: &[u8; 32],
    is_user_verified: bool,
) -> Result<Option<(CredentialId, Named, usize)>, Status> {
    if let Some(list) = request.allow_list {
        let found = lookup::first_named(state, store, rp_id_hash, list.ids(), is_user_verified)?;
        return Ok(found.and_then(|(id, named)| Some((CredentialId::from_slice(id).ok()?, named, 1))));
    }
    let Some((number, credential)) = lookup::discoverable(store, rp_id_hash, None, is_user_verified)? else {
        return Ok(None);
    };
    let count = store.count_by_rp(rp_id_hash, lookup::highest_level(is_user_verified))?;
    let source = CredentialSource::unwrap(state.credential_key()?, rp_id_hash, &credential.id);
    let named = Named { source: source.ok_or(Status::OTHER)?, number: Some(number) };
    Ok(Some((credential.id, named, count)))
}

/// What will be signed is known before the touch, unless hmac-secret adds to it.
pub(super) fn prepare<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    plan: &mut Plan,
    parameters: &[u8],
) -> Result<(), Status> {
    let request = Request::parse(parameters)?;
    if AssertionInputs::read(request.extensions)?.hmac_secret.is_some() {
        return Ok(());
    }
    let key = plan.credential.source.signing_key().ok_or(Status::OTHER)?;
    let mut auth_data = [0; FIXED_LENGTH];
    let sign_count = core.store.coming_sign_count()?;
    let Plan { rp_id_hash, flags, .. } = *plan;
    Fixed { rp_id_hash, flags, sign_count }.encode(&mut Encoder::new(&mut auth_data))?;
    plan.prepared = key.prepare(&[&auth_data, request.client_data_hash], &mut core.random);
    Ok(())
}

pub(super) fn act<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    plan: Plan,
    parameters: &[u8],
    out: &mut Encoder<'_>,
) -> Result<Next, Status> {
    let request = Request::parse(parameters)?;
    let Plan { id, credential: Named { source, number }, rp_id_hash, flags, count, prepared } = plan;
    if flags & flag::UP != 0 {
        // Step 9.4: what the user confirmed serves this request and no other.
        core.state.pin_uv_auth.end_verification();
    }
    let salts = open_salts(core, &request)?;
    let client_data_hash = request.client_data_hash;
    let assertion = Assertion { id, source, number, rp_id_hash, client_data_hash, flags, prepared };
    write(core, assertion, salts.as_ref(), Some(count).filter(|count| *count > 1), out)?;
    core.state.assertions = number.filter(|_| count > 1).map(|last| Assertions {
        turn: Turn::of(&core.state),
        rp_id_hash,
        client_data_hash: *client_data_hash,
        flags,
        is_user_verified: flags & flag::UV != 0,
        salts,
        last,
        left: count.saturating_sub(1),
    });
    Ok(Next::Done)
}

/// hmac-secret's salts, if the platform sent some.
fn open_salts<F, R: CryptoRng>(
    core: &mut Core<F, R>,
    request: &Request<'_>,
) -> Result<Option<Salts>, Status> {
    let input = AssertionInputs::read(request.extensions)?.hmac_secret;
    input.map(|input| Salts::open(&mut core.state.pin_uv_auth, &input, &mut core.random)).transpose()
}

/// An assertion that is to be signed.
pub(super) struct Assertion<'a> {
    pub(super) id: CredentialId,
    pub(super) source: CredentialSource,
    /// The record of a discoverable credential.
    pub(super) number: Option<CreationNumber>,
    pub(super) rp_id_hash: [u8; 32],
    pub(super) client_data_hash: &'a [u8; 32],
    pub(super) flags: u8,
    pub(super) prepared: Option<Prepared>,
}

/// §6.2.2 steps 10 to 13: signs, and writes the response.
pub(super) fn write<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    assertion: Assertion<'_>,
    salts: Option<&Salts>,
    number_of_credentials: Option<usize>,
    out: &mut Encoder<'_>,
) -> Result<(), Status> {
    let Assertion { id, source, number, rp_id_hash, client_data_hash, flags, prepared } = assertion;
    let is_user_verified = flags & flag::UV != 0;
    let user = user_of(core, number)?;
    let key = source.signing_key().ok_or(Status::OTHER)?;
    let sign_count = core.store.next_sign_count()?;

    let mut buffer = [0; MAX_AUTH_DATA];
    let mut auth_data = Encoder::new(&mut buffer);
    let flags = flags | if salts.is_some() { flag::ED } else { 0 };
    Fixed { rp_id_hash, flags, sign_count }.encode(&mut auth_data)?;
    if let Some(salts) = salts {
        let output = salts.output(&source.cred_random(is_user_verified), &mut core.random);
        extensions::encode_assertion_outputs(&output.ok_or(Status::OTHER)?, &mut auth_data)?;
    }
    let signature = key.finish(prepared, &[auth_data.written(), client_data_hash], &mut core.random);

    out.map(3 + usize::from(user.is_some()) + usize::from(number_of_credentials.is_some()))?;
    out.integer(CREDENTIAL)?.map(2)?.text("id")?.bytes(&id)?.text("type")?.text(PUBLIC_KEY)?;
    out.integer(AUTH_DATA)?.bytes(auth_data.written())?.integer(SIGNATURE)?.bytes(&signature)?;
    if let Some(user) = &user {
        out.integer(USER)?;
        encode_user(user, is_user_verified, out)?;
    }
    if let Some(count) = number_of_credentials {
        out.integer(NUMBER_OF_CREDENTIALS)?.integer(count as u64)?;
    }
    Ok(())
}

/// The account of a discoverable credential.
fn user_of<F: NorFlash, R>(
    core: &mut Core<F, R>,
    number: Option<CreationNumber>,
) -> Result<Option<User>, Status> {
    let Some(number) = number else { return Ok(None) };
    let credential = core.store.reading().credential(number)?;
    credential.map(|credential| Some(credential.user)).ok_or(Status::OTHER)
}

/// §6.2.2 step 12.3: names are for a user who was verified.
fn encode_user(user: &User, with_names: bool, out: &mut Encoder<'_>) -> Result<(), Full> {
    let names = [("name", &user.name), ("displayName", &user.display_name)];
    let names =
        || names.iter().filter_map(|(key, name)| name.as_ref().filter(|_| with_names).map(|n| (key, n)));
    out.map(1 + names().count())?.text("id")?.bytes(&user.id)?;
    for (key, name) in names() {
        out.text(key)?.text(name)?;
    }
    Ok(())
}

const CREDENTIAL: i32 = 0x01;
const AUTH_DATA: i32 = 0x02;
const SIGNATURE: i32 = 0x03;
const USER: i32 = 0x04;
const NUMBER_OF_CREDENTIALS: i32 = 0x05;
/// The fixed part and the longest output of extensions: two encrypted outputs of hmac-secret.
const MAX_AUTH_DATA: usize = FIXED_LENGTH + 96;
