//! Which credentials a request may use.

use embedded_storage::nor_flash::NorFlash;
use keywright_common::ctap2::extensions::CredProtect;
use keywright_common::status::Status;

use crate::credential::CredentialSource;
use crate::state::State;
use crate::store::{CreationNumber, Credential, Reading};

/// A credential that the platform named.
pub(crate) struct Named {
    pub(crate) source: CredentialSource,
    /// Its record, if it is discoverable.
    pub(crate) number: Option<CreationNumber>,
}

/// The credential behind an id. `None` if this key did not make it for this relying party, if credProtect hides it, or if
/// it was discoverable and has been deleted.
///
/// # Errors
/// `OTHER` if the store could not be read: that is not the same as there being none (G27).
pub(crate) fn named<F: NorFlash>(
    state: &State,
    store: &mut Reading<'_, F>,
    rp_id_hash: &[u8; 32],
    id: &[u8],
    is_user_verified: bool,
) -> Result<Option<Named>, Status> {
    let source = CredentialSource::unwrap(state.credential_key()?, rp_id_hash, id);
    let Some(source) = source.filter(|source| source.policy.shows(is_user_verified, true)) else {
        return Ok(None);
    };
    if !source.policy.discoverable {
        return Ok(Some(Named { source, number: None }));
    }
    let record = store.find_by_id(rp_id_hash, id)?;
    Ok(record.map(|(number, _)| Named { source, number: Some(number) }))
}

/// The first credential of a list that [`named`] finds, with its id.
///
/// # Errors
/// As [`named`].
pub(crate) fn first_named<'a, F: NorFlash>(
    state: &State,
    store: &mut Reading<'_, F>,
    rp_id_hash: &[u8; 32],
    ids: impl Iterator<Item = &'a [u8]>,
    is_user_verified: bool,
) -> Result<Option<(&'a [u8], Named)>, Status> {
    for id in ids {
        if let Some(found) = named(state, store, rp_id_hash, id, is_user_verified)? {
            return Ok(Some((id, found)));
        }
    }
    Ok(None)
}

/// The newest discoverable credential of a relying party that is older than `before`, or the newest of all; hidden ones
/// are passed over.
///
/// # Errors
/// `OTHER` if the store could not be read.
pub(crate) fn discoverable<F: NorFlash>(
    store: &mut Reading<'_, F>,
    rp_id_hash: &[u8; 32],
    mut before: Option<CreationNumber>,
    is_user_verified: bool,
) -> Result<Option<(CreationNumber, Credential)>, Status> {
    let highest = highest_level(is_user_verified);
    while let Some(candidate) = store.find_by_rp(rp_id_hash, before)? {
        before = Some(candidate.number);
        if candidate.cred_protect > highest {
            continue;
        }
        let credential = store.credential(candidate.number)?;
        if let Some(credential) = credential.filter(|credential| credential.rp_id_hash == *rp_id_hash) {
            return Ok(Some((candidate.number, credential)));
        }
    }
    Ok(None)
}

/// The highest credProtect level that shows a credential which the platform did not name (§12.1).
pub(crate) const fn highest_level(is_user_verified: bool) -> u8 {
    let level = if is_user_verified {
        CredProtect::UserVerificationRequired
    } else {
        CredProtect::UserVerificationOptional
    };
    level.level()
}
