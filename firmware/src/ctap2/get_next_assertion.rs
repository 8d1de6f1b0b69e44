//! authenticatorGetNextAssertion (§6.3).

use embedded_storage::nor_flash::NorFlash;
use keywright_common::cbor::Encoder;
use keywright_common::status::Status;
use rand_core::CryptoRng;

use super::Next;
use super::extensions::Salts;
use super::get_assertion::{Assertion, write};
use crate::authenticator::Core;
use crate::credential::CredentialSource;
use crate::lookup;
use crate::state::{State, Turn};
use crate::store::{CreationNumber, Reading};

/// What is left of a getAssertion that found several credentials.
pub(crate) struct Assertions {
    pub(crate) turn: Turn,
    pub(super) rp_id_hash: [u8; 32],
    pub(super) client_data_hash: [u8; 32],
    pub(super) flags: u8,
    pub(super) is_user_verified: bool,
    /// hmac-secret's salts, if the platform wants its output.
    pub(super) salts: Option<Salts>,
    /// The credential that was used last.
    pub(super) last: CreationNumber,
    /// How many are left.
    pub(super) left: usize,
}

pub(super) fn run<F: NorFlash, R: CryptoRng>(
    core: &mut Core<F, R>,
    out: &mut Encoder<'_>,
) -> Result<Next, Status> {
    let mine = core.state.assertions.take().filter(|found| found.turn.is_taken_by(&core.state));
    let mut assertions = mine.filter(|found| found.left > 0).ok_or(Status::NOT_ALLOWED)?;
    let assertion = next(&core.state, &mut core.store.reading(), &assertions)?;
    let number = assertion.number.ok_or(Status::OTHER)?;
    write(core, assertion, assertions.salts.as_ref(), None, out)?;

    assertions.last = number;
    assertions.left = assertions.left.saturating_sub(1);
    assertions.turn = Turn::of(&core.state);
    core.state.assertions = Some(assertions);
    Ok(Next::Done)
}

fn next<'a, F: NorFlash>(
    state: &State,
    store: &mut Reading<'_, F>,
    assertions: &'a Assertions,
) -> Result<Assertion<'a>, Status> {
    let Assertions { rp_id_hash, client_data_hash, is_user_verified, flags, last, .. } = assertions;
    let found = lookup::discoverable(store, rp_id_hash, Some(*last), *is_user_verified)?;
    let (number, credential) = found.ok_or(Status::NOT_ALLOWED)?;
    let source = CredentialSource::unwrap(state.credential_key()?, rp_id_hash, &credential.id);
    Ok(Assertion {
        id: credential.id,
        source: source.ok_or(Status::OTHER)?,
        number: Some(number),
        rp_id_hash: *rp_id_hash,
        client_data_hash,
        flags: *flags,
        prepared: None,
    })
}
