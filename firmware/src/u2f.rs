//! U2F, which CTAP calls CTAP1 (FIDO U2F Raw Message Formats 1.2; CTAP §7).
//!
//! A key handle is a credential id: what was registered here serves in CTAP2, and the other way round, for the relying
//! party whose RP ID hashes to the application parameter. A request never waits. One that needs the user and does not
//! have them is answered at once, and asks again.

mod presence;

use embedded_storage::nor_flash::NorFlash;
use keywright_common::cbor::Encoder;
use keywright_common::cose::{Algorithm, PublicKey};
use keywright_common::ctap2::extensions::CredProtect;
use keywright_common::ctaphid::ChannelId;
use keywright_common::u2f::{
    Authenticate, AuthenticateResponse, Control, Register, RegisterResponse, Request, StatusWord,
    USER_PRESENT, VERSION,
};
use rand_core::CryptoRng;

use crate::authenticator::Core;
use crate::credential::{CredentialSource, Policy, SigningKey};
use crate::decision::Grant;
use crate::lookup;
use crate::state::State;
use crate::store::{Reading, StoreError};

pub(crate) use presence::Presence;

/// What is left to do.
enum Plan<'a> {
    Version,
    Register(Register<'a>),
    Authenticate { request: Authenticate<'a>, key: SigningKey, user_presence: u8 },
}

/// Answers the APDU of a CTAPHID_MSG, all but the status word of success.
pub(crate) fn run<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    presence: &mut Presence,
    channel: ChannelId,
    message: &[u8],
    out: &mut Encoder<'_>,
) -> Result<(), StatusWord> {
    let request = Request::parse(message)?;
    let plan = check(&core.state, &request, &mut core.store.reading())?;
    let mut touched = Grant::NONE;
    if plan.needs_presence() {
        touched = presence.take(channel, core.state.now);
        touched.require(StatusWord::CONDITIONS_NOT_SATISFIED)?;
    }
    act(core, &plan, touched, out)
}

fn check<'a, F: NorFlash>(
    state: &State,
    request: &Request<'a>,
    store: &mut Reading<'_, F>,
) -> Result<Plan<'a>, StatusWord> {
    let request = match request {
        Request::Version => return Ok(Plan::Version),
        Request::Register(request) => return Ok(Plan::Register(*request)),
        Request::Authenticate(request) => *request,
    };
    // Raw Message Formats §5.1: a key handle that is not known is told without the user.
    let key = find(state, &request, store)?.ok_or(StatusWord::WRONG_DATA)?;
    let user_presence = match request.control {
        Control::CheckOnly => return Err(StatusWord::CONDITIONS_NOT_SATISFIED),
        Control::EnforceUserPresenceAndSign => USER_PRESENT,
        // It does not ask for the user, so it does not spend a touch that was given for another request.
        Control::DontEnforceUserPresenceAndSign => 0,
    };
    Ok(Plan::Authenticate { request, key, user_presence })
}

/// The key behind a key handle, if U2F may use it: it verifies no user, and knows one algorithm.
fn find<F: NorFlash>(
    state: &State,
    request: &Authenticate<'_>,
    store: &mut Reading<'_, F>,
) -> Result<Option<SigningKey>, StatusWord> {
    let named = lookup::named(state, store, request.application, request.key_handle, false);
    let named = named.map_err(|_| FAILED)?.filter(|named| named.source.algorithm == Algorithm::ES256);
    Ok(named.and_then(|named| named.source.signing_key()))
}

impl Plan<'_> {
    const fn needs_presence(&self) -> bool {
        match self {
            Self::Version => false,
            Self::Register(_) => true,
            Self::Authenticate { user_presence, .. } => *user_presence & USER_PRESENT != 0,
        }
    }
}

fn act<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    plan: &Plan<'_>,
    touched: Grant,
    out: &mut Encoder<'_>,
) -> Result<(), StatusWord> {
    // Decided by [`run`], and here again.
    if plan.needs_presence() {
        touched.require(StatusWord::CONDITIONS_NOT_SATISFIED)?;
    }
    match plan {
        Plan::Version => out.raw(VERSION).map(drop).map_err(StatusWord::from),
        Plan::Register(request) => register(core, request, out),
        Plan::Authenticate { request, key, user_presence } => {
            authenticate(core, request, key, *user_presence, out)
        }
    }
}

/// Raw Message Formats §4.
fn register<F, R: CryptoRng>(
    core: &mut Core<F, R>,
    request: &Register<'_>,
    out: &mut Encoder<'_>,
) -> Result<(), StatusWord> {
    let Core { state, random, .. } = core;
    let policy = Policy { discoverable: false, cred_protect: CredProtect::default() };
    let source = CredentialSource::generate(Algorithm::ES256, policy, random);
    let id = source
        .wrap(state.credential_key().map_err(|_| FAILED)?, request.application, random)
        .ok_or(FAILED)?;
    let key = source.signing_key().ok_or(FAILED)?;
    let public_key = uncompressed(&key.public_key()).ok_or(FAILED)?;
    let signed: [&[u8]; 5] = [&[0x00], request.application, request.challenge, &id, &public_key];
    let attestation = state.identity.attestation.of_registration(&key, &signed, random);
    let (certificate, signature) = attestation.ok_or(FAILED)?;
    let response = RegisterResponse {
        public_key: &public_key,
        key_handle: &id,
        certificate: certificate.as_slice(),
        signature: &signature,
    };
    Ok(response.encode(out)?)
}

/// Raw Message Formats §5.
fn authenticate<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    request: &Authenticate<'_>,
    key: &SigningKey,
    user_presence: u8,
    out: &mut Encoder<'_>,
) -> Result<(), StatusWord> {
    let counter = core.store.next_sign_count()?;
    let signed: [&[u8]; 4] =
        [request.application, &[user_presence], &counter.to_be_bytes(), request.challenge];
    let signature = key.sign(&signed, &mut core.random);
    Ok(AuthenticateResponse { user_presence, counter, signature: &signature }.encode(out)?)
}

/// `04 || x || y`; `None` for a key of another kind.
fn uncompressed(key: &PublicKey) -> Option<[u8; 65]> {
    let PublicKey::Es256 { x, y } = key else { return None };
    let mut point = [0x04; 65];
    point.iter_mut().skip(1).zip(x.iter().chain(y)).for_each(|(to, from)| *to = *from);
    Some(point)
}

impl From<StoreError> for StatusWord {
    fn from(_: StoreError) -> Self {
        FAILED
    }
}

const FAILED: StatusWord = StatusWord::NO_PRECISE_DIAGNOSIS;
