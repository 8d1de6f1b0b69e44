//! makeCredential and getAssertion (§6.1, §6.2) with credentials that are not discoverable.

use ciborium::{Value, cbor};
use keywright_common::cose::Algorithm;
use keywright_common::status::Status;
use keywright_host::ClientError;
use keywright_host::ctap2::{AssertionRequest, CredentialRequest};

use super::refused;
use crate::rig::{Touch, allow, only, request};
use crate::scenario::expect;
use crate::wire::random;
use crate::{Rig, Stop};

pub(super) fn es256(rig: &mut Rig) -> Result<(), Stop> {
    register_and_authenticate(rig, Algorithm::ES256)
}

pub(super) fn eddsa(rig: &mut Rig) -> Result<(), Stop> {
    register_and_authenticate(rig, Algorithm::EDDSA)
}

/// Those that a key offers beyond the two above; their signatures are not verified here.
pub(super) fn others(rig: &mut Rig) -> Result<(), Stop> {
    let info = rig.session()?.client.info().clone();
    let offered =
        info.algorithms.iter().filter_map(|offered| i32::try_from(offered.algorithm).ok().map(Algorithm));
    let others: Vec<_> =
        offered.filter(|offered| ![Algorithm::ES256, Algorithm::EDDSA].contains(offered)).collect();
    if others.is_empty() {
        return Err(Stop::Skipped("the key offers no other algorithm than ES256 and EdDSA".to_owned()));
    }
    others.into_iter().try_for_each(|other| register_and_authenticate(rig, other))
}

fn register_and_authenticate(rig: &mut Rig, algorithm: Algorithm) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let wanted = CredentialRequest { algorithms: vec![algorithm], ..request(RP, "ada") };
    let mut credential = session.register(wanted)?;
    if !session.user.was_asked() {
        session.user.remark("does not say that it waits for a touch");
    }
    for _ in 0..2 {
        let data = session.authenticate(&mut credential)?;
        expect("an assertion must say that the user was present", data.user_present())?;
    }
    Ok(())
}

/// §6.1.2 step 3: what a key does not have is passed over, and refused where there is nothing else.
pub(super) fn unknown_algorithm(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    session.user.will(Touch::Cancel);
    let wanted = CredentialRequest { algorithms: vec![UNKNOWN], ..request(RP, "ada") };
    let answer = session.try_register(wanted)?;
    refused(session.user, "an algorithm that there is none of", answer, Status::UNSUPPORTED_ALGORITHM)?;
    session.user.will(Touch::Give);
    let wanted = CredentialRequest { algorithms: vec![UNKNOWN, Algorithm::ES256], ..request(RP, "ada") };
    session.register(wanted).map(drop)
}

/// §6.1.2 step 12.
pub(super) fn exclude_list(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let credential = session.register(request(RP, "ada"))?;
    let mut stranger = credential.id.clone();
    stranger.reverse();
    let excluded = vec![stranger.clone(), credential.id.clone()];
    let again = CredentialRequest { exclude_list: excluded, ..request(RP, "eve") };
    match session.try_register(again)? {
        Err(ClientError::Excluded) => {}
        Err(error) => {
            return Err(Stop::failed("an excluded credential is answered CREDENTIAL_EXCLUDED", &error));
        }
        Ok(_) => return Err(Stop::Failed("a credential that is excluded must be found".to_owned())),
    }
    let elsewhere = CredentialRequest { exclude_list: vec![credential.id], ..request(OTHER_RP, "ada") };
    session.register(elsewhere)?;
    let strangers = CredentialRequest { exclude_list: vec![stranger], ..request(RP, "ada") };
    session.register(strangers).map(drop)
}

/// §6.2.2 steps 7 and 11.
pub(super) fn allow_list(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let mut credential = session.register(request(RP, "ada"))?;
    let mut stranger = credential.id.clone();
    stranger.reverse();
    let unknown = AssertionRequest { allow_list: vec![stranger.clone()], ..allow(&credential) };
    missed("a credential of another key", session.assert(unknown)?)?;
    let elsewhere = AssertionRequest { rp_id: OTHER_RP.to_owned(), ..allow(&credential) };
    missed("a credential under another relying party", session.assert(elsewhere)?)?;
    let both = AssertionRequest { allow_list: vec![stranger, credential.id.clone()], ..allow(&credential) };
    let (assertions, expected) = session.assert(both)??;
    let assertion = only(&assertions)?;
    let is_named = assertion.credential_id.as_ref() == Some(&credential.id);
    expect("of several credentials, the one that signed must be named", is_named)?;
    session.check(&mut credential, assertion, &expected).map(drop)
}

/// §6.2.2 step 4.5: clients look for credentials without a touch, as browsers do first.
pub(super) fn silent(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let mut credential = session.register(request(RP, "ada"))?;
    session.user.will(Touch::Cancel);
    let quiet = AssertionRequest { user_presence: Some(false), ..allow(&credential) };
    let (assertions, expected) = session.assert(quiet.clone())??;
    let assertion = only(&assertions)?;
    let data = session.check(&mut credential, assertion, &expected)?;
    expect("without a touch, nobody may be said to be present", !data.user_present())?;
    let unknown = AssertionRequest { allow_list: vec![random::<64>()?.to_vec()], ..quiet };
    missed("a credential of another key", session.assert(unknown)?)?;
    expect("what is asked for without a touch must not ask for one", !session.user.was_asked())
}

/// Fails unless there was no such credential.
pub(super) fn missed<T>(what: &str, answer: Result<T, ClientError>) -> Result<(), Stop> {
    match answer {
        Err(ClientError::NoCredential) => Ok(()),
        Err(error) => Err(Stop::failed(&format!("{what} is answered NO_CREDENTIALS"), &error)),
        Ok(_) => Err(Stop::Failed(format!("{what} must not sign"))),
    }
}

/// Parameters of a makeCredential that every key takes.
pub(super) fn creation() -> Result<Vec<(Value, Value)>, Stop> {
    let parameters = cbor!({
        1 => Value::Bytes(vec![0x5a; 32]),
        2 => { "id" => RP },
        3 => { "id" => Value::Bytes(vec![1, 2, 3]), "name" => "ada" },
        4 => [{ "alg" => -7, "type" => "public-key" }],
    });
    let parameters = parameters.map_err(|error| Stop::failed("CBOR", &error))?;
    parameters.into_map().map_err(|_| Stop::Failed("CBOR".to_owned()))
}

pub(super) const RP: &str = "hil.keywright.example";
pub(super) const OTHER_RP: &str = "elsewhere.keywright.example";
/// Of COSE's range for private use.
const UNKNOWN: Algorithm = Algorithm(-70000);
