//! Discoverable credentials: stored, found without being named, listed, renamed and deleted.

use keywright_common::status::Status;
use keywright_host::ctap2::{AssertionRequest, CredentialRequest};
use keywright_host::user::Account;
use keywright_host::verify::PublicKey;

use super::credentials::missed;
use crate::rig::{Credential, Session, allow, only, request, sha256};
use crate::scenario::expect;
use crate::{Rig, Stop};

/// §6.2.2 step 12, §6.3: two accounts at one relying party.
pub(super) fn accounts(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = session_with_pin(rig)?;
    let rp_id = "accounts.keywright.example";
    let mut made = [session.register(stored(rp_id, "ada"))?, session.register(stored(rp_id, "eve"))?];
    let (assertions, expected) = session.assert(discover(rp_id))??;
    if assertions.iter().any(|assertion| assertion.user_selected) {
        return Err(Stop::Skipped("the key lets the user choose the account by itself".to_owned()));
    }
    expect("both accounts must be found", assertions.len() == 2)?;
    for (name, credential) in ["ada", "eve"].into_iter().zip(&mut made) {
        let of_it = |id: &Option<Vec<u8>>| id.as_ref() == Some(&credential.id);
        let Some(assertion) = assertions.iter().find(|assertion| of_it(&assertion.credential_id)) else {
            return Err(Stop::Failed(format!("the account {name} must be found")));
        };
        let id = assertion.user.as_ref().map(|user| &user.id[..]);
        expect("an assertion must name its user", id == Some(&sha256(name.as_bytes())[..]))?;
        session.check(credential, assertion, &expected)?;
    }
    let newest = assertions.first().and_then(|assertion| assertion.credential_id.as_ref());
    if newest != made.last().map(|credential| &credential.id) {
        session.user.remark("does not give the newest account first");
    }
    match session.cbor(&[0x08])? {
        Err(Status::NOT_ALLOWED) => Ok(()),
        Err(status) => {
            let text = super::words("getNextAssertion after the last", &status, &Status::NOT_ALLOWED);
            session.user.remark(text);
            Ok(())
        }
        Ok(_) => Err(Stop::Failed("getNextAssertion after the last must be refused".to_owned())),
    }
}

/// §6.1.2 step 17: one credential an account.
pub(super) fn replaced(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = session_with_pin(rig)?;
    let rp_id = "replaced.keywright.example";
    let first = session.register(stored(rp_id, "ada"))?;
    let mut second = session.register(stored(rp_id, "ada"))?;
    let (assertions, expected) = session.assert(discover(rp_id))??;
    expect("a second credential of an account must replace the first", assertions.len() == 1)?;
    session.check(&mut second, only(&assertions)?, &expected)?;
    missed("a credential that was replaced", session.assert(allow(&first))?)
}

/// §6.8.
pub(super) fn management(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = session_with_pin(rig)?;
    session.have_pin()?;
    let rp_id = "management.keywright.example";
    let before = session.client.credential_counts(session.user)?;
    let made = [session.register(stored(rp_id, "ada"))?, session.register(stored(rp_id, "eve"))?];
    let counts = session.client.credential_counts(session.user)?;
    expect("two more credentials must be counted", counts.existing == before.existing.saturating_add(2))?;
    let rps = session.client.relying_parties(session.user)?;
    let hash = sha256(rp_id.as_bytes());
    expect("the relying party must be listed once", rps.iter().filter(|rp| rp.id_hash == hash).count() == 1)?;
    listed(&mut session, &hash, &made)?;
    if session.client.info().option("credMgmt") {
        rename(&mut session, &hash, &made)?;
    }
    for (left, credential) in [1, 0].into_iter().zip(&made) {
        session.client.delete_credential(&credential.id, session.user)?;
        let rest = session.client.stored_credentials(&hash, session.user)?;
        expect("a credential that was deleted must not be listed", rest.len() == left)?;
        missed("a credential that was deleted", session.assert(allow(credential))?)?;
    }
    let after = session.client.credential_counts(session.user)?;
    expect("as many credentials as before must be counted", after.existing == before.existing)
}

/// The credentials of a relying party are those that were made, each with its own user and public key.
fn listed(session: &mut Session<'_>, hash: &[u8; 32], made: &[Credential]) -> Result<(), Stop> {
    let found = session.client.stored_credentials(hash, session.user)?;
    expect("as many credentials as were made must be listed", found.len() == made.len())?;
    for (name, credential) in ["ada", "eve"].into_iter().zip(made) {
        let Some(stored) = found.iter().find(|stored| stored.id == credential.id) else {
            return Err(Stop::Failed(format!("the credential of {name} must be listed")));
        };
        expect("a credential must be listed with its user", stored.user.id == sha256(name.as_bytes()))?;
        let mut coded = Vec::new();
        ciborium::into_writer(&stored.public_key, &mut coded)
            .map_err(|error| Stop::failed("CBOR", &error))?;
        let is_same = PublicKey::parse(&coded).as_ref() == Some(&credential.public_key);
        expect("a credential must be listed with its public key", is_same)?;
    }
    Ok(())
}

/// §6.8.6.
fn rename(session: &mut Session<'_>, hash: &[u8; 32], made: &[Credential]) -> Result<(), Stop> {
    let [credential, ..] = made else { return Ok(()) };
    let id = sha256(b"ada").to_vec();
    let account = Account { id, name: Some("ada l".to_owned()), display_name: Some("Ada L.".to_owned()) };
    session.client.update_user(&credential.id, &account, session.user)?;
    let found = session.client.stored_credentials(hash, session.user)?;
    let names: Vec<_> = found.iter().filter_map(|stored| stored.user.name.as_deref()).collect();
    expect(
        "a new name must be listed in the place of the old",
        names.contains(&"ada l") && !names.contains(&"ada"),
    )
}

/// A conversation with a key that has the tests' PIN, if it takes one.
pub(super) fn session_with_pin(rig: &mut Rig) -> Result<Session<'_>, Stop> {
    let mut session = rig.session()?;
    if session.client.info().options.contains_key("clientPin") {
        session.have_pin()?;
    }
    Ok(session)
}

pub(super) fn stored(rp_id: &str, user: &str) -> CredentialRequest {
    CredentialRequest { discoverable: Some(true), ..request(rp_id, user) }
}

/// A request for whatever the key has for a relying party.
pub(super) fn discover(rp_id: &str) -> AssertionRequest {
    AssertionRequest { rp_id: rp_id.to_owned(), ..AssertionRequest::default() }
}
