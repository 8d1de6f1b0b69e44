//! credProtect and hmac-secret (§12.1, §12.7).

use ciborium::Value;
use keywright_common::status::Status;
use keywright_host::ctap2::{Assertion, AssertionRequest, CredentialRequest, HmacSecrets};

use super::credentials::{RP, missed};
use super::discoverable::{discover, session_with_pin, stored};
use super::refused;
use crate::rig::{Credential, Expected, Session, Touch, allow, only, request};
use crate::scenario::expect;
use crate::wire::random;
use crate::{Rig, Stop};

/// Level 2 hides a credential that is not named from those who are not verified, level 3 also one that is.
pub(super) fn cred_protect(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = session_with_pin(rig)?;
    if session.client.info().option("alwaysUv") {
        return Err(Stop::Skipped("the key verifies the user always".to_owned()));
    }
    for level in [2_u8, 3] {
        let rp_id = format!("protect{level}.keywright.example");
        let extensions = vec![("credProtect".to_owned(), Value::from(level))];
        let mut credential = session.register(CredentialRequest { extensions, ..stored(&rp_id, "ada") })?;
        let told = credential.created.extension("credProtect") == Some(&Value::from(level));
        expect("the level that was asked for must be confirmed", told)?;
        let hidden = format!("a credential of level {level}, without the PIN");
        missed(&hidden, session.assert(discover(&rp_id))?)?;
        if level == 2 {
            session.authenticate(&mut credential)?;
        } else {
            missed(&hidden, session.assert(allow(&credential))?)?;
        }
        let (assertions, expected) = session.assert_verified(discover(&rp_id))??;
        session.check(&mut credential, only(&assertions)?, &expected)?;
    }
    Ok(())
}

/// The same salt gives the same secret, and everything else another one.
pub(super) fn hmac_secret(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let ada = session.register(with_secret("ada"))?;
    let eve = session.register(with_secret("eve"))?;
    for credential in [&ada, &eve] {
        let told = credential.created.extension("hmac-secret") == Some(&Value::from(true));
        expect("a registration must confirm hmac-secret", told)?;
    }
    let (first, second) = (random()?, random()?);
    let one = secrets(&mut session, &ada, &first, None)?;
    let two = secrets(&mut session, &ada, &second, Some(&first))?;
    let other = secrets(&mut session, &eve, &first, None)?;
    let again = two.second.as_ref().ok_or_else(|| Stop::Failed("two salts give two secrets".to_owned()))?;
    expect("the same salt must give the same secret", **again == *one.first)?;
    expect("another salt must give another secret", *two.first != *one.first)?;
    expect("another credential must give another secret", *other.first != *one.first)?;
    let salted = with_salts(&mut session, &ada, &first, None)?;
    let silent = AssertionRequest { user_presence: Some(false), ..salted };
    session.user.will(Touch::Cancel);
    let answer = session.assert(silent)?;
    refused(session.user, "hmac-secret without a touch", answer, Status::UNSUPPORTED_OPTION)
}

/// §12.7: with the PIN, the secret is another one than without.
pub(super) fn hmac_secret_verified(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = session_with_pin(rig)?;
    if session.client.info().option("alwaysUv") {
        return Err(Stop::Skipped("the key verifies the user always".to_owned()));
    }
    let credential = session.register(with_secret("ada"))?;
    let salt = random()?;
    let without = secrets(&mut session, &credential, &salt, None)?;
    let request = with_salts(&mut session, &credential, &salt, None)?;
    let asserted = session.assert_verified(request)??;
    let with = opened(&mut session, &credential, asserted)?;
    // CTAP 2.0 knew one secret only.
    let is_one = *with.first == *without.first;
    if is_one && !session.client.info().has_version("FIDO_2_1") {
        session.user.remark("gives the same secret with and without the PIN, as CTAP 2.0 did");
        return Ok(());
    }
    expect("a user who is verified must get another secret", !is_one)
}

/// What a credential makes of salts, without the user being verified.
fn secrets(
    session: &mut Session<'_>,
    credential: &Credential,
    first: &[u8; 32],
    second: Option<&[u8; 32]>,
) -> Result<HmacSecrets, Stop> {
    let request = with_salts(session, credential, first, second)?;
    let asserted = session.assert(request)??;
    opened(session, credential, asserted)
}

fn with_salts(
    session: &mut Session<'_>,
    credential: &Credential,
    first: &[u8; 32],
    second: Option<&[u8; 32]>,
) -> Result<AssertionRequest, Stop> {
    let salts = session.client.hmac_secret_input(first, second)?;
    Ok(AssertionRequest { extensions: vec![("hmac-secret".to_owned(), salts)], ..allow(credential) })
}

fn opened(
    session: &mut Session<'_>,
    credential: &Credential,
    (assertions, expected): (Vec<Assertion>, Expected),
) -> Result<HmacSecrets, Stop> {
    let data = session.check(&mut credential.clone(), only(&assertions)?, &expected)?;
    let output = data.extension("hmac-secret").and_then(Value::as_bytes);
    let output = output.ok_or_else(|| Stop::Failed("an assertion must hold the secret".to_owned()))?;
    Ok(session.client.hmac_secret_output(output)?)
}

fn with_secret(user: &str) -> CredentialRequest {
    let extensions = vec![("hmac-secret".to_owned(), Value::from(true))];
    CredentialRequest { extensions, ..request(RP, user) }
}
