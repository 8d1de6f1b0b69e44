//! authenticatorClientPIN (§6.5).

mod protocols;

use keywright_common::cose::Algorithm;
use keywright_common::status::Status;
use keywright_host::ClientError;
use keywright_host::ctap2::{CredentialRequest, Verification};
use keywright_host::pin_uv_auth::{Pin, Token, permission};

use super::credentials::{OTHER_RP, RP};
use super::{refused, words};
use crate::rig::{Session, Touch, pins, request};
use crate::scenario::expect;
use crate::wire::random;
use crate::{Rig, Stop};

pub(super) use protocols::{both, policy};

/// §6.5.5.5.
pub(super) fn set(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    expect("a key that was reset has no PIN", !session.client.info().option("clientPin"))?;
    let pin = session.have_pin()?;
    expect("a PIN that was set must show in getInfo", session.client.info().option("clientPin"))?;
    let retries = session.client.pin_retries()?.retries;
    if retries != 8 {
        session.user.remark(format!("gives {retries} tries for the PIN, where 8 are usual"));
    }
    let [_, other] = pins(session.client.info())?;
    let again = session.client.set_pin(&other);
    refused(session.user, "setPIN where there is a PIN", again, Status::PIN_AUTH_INVALID)?;
    session.token(&pin, permission::MAKE_CREDENTIAL, RP)?;
    Ok(())
}

/// §6.5.5.6.
pub(super) fn change(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let old = session.have_pin()?;
    let [_, new] = pins(session.client.info())?;
    session.client.change_pin(&old, &new)?;
    session.user.pin = Some(new.clone());
    wrong(&mut session, &old, "the PIN of before")?;
    session.token(&new, permission::MAKE_CREDENTIAL, RP)?;
    session.client.change_pin(&new, &old)?;
    session.user.pin = Some(old);
    Ok(())
}

/// §6.5.5.7: each wrong PIN costs a try, three in a row need a power-up, and the right one gives the tries back.
pub(super) fn wrong_entries(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let right = session.have_pin()?;
    let [_, other] = pins(session.client.info())?;
    let all = session.client.pin_retries()?.retries;
    wrong(&mut session, &other, "a wrong PIN")?;
    expect("a wrong PIN must cost a try", session.client.pin_retries()?.retries == all.saturating_sub(1))?;
    session.token(&right, permission::MAKE_CREDENTIAL, RP)?;
    expect("the right PIN must give the tries back", session.client.pin_retries()?.retries == all)?;
    for _ in 0..2 {
        wrong(&mut session, &other, "a wrong PIN")?;
    }
    blocked(session.token(&other, permission::MAKE_CREDENTIAL, RP), "the third wrong PIN in a row")?;
    let left = session.client.pin_retries()?;
    expect("three wrong PINs must cost three tries", left.retries == all.saturating_sub(3))?;
    if left.power_cycle_needed != Some(true) {
        session.user.remark("does not say in getPINRetries that it must be plugged in again");
    }
    blocked(session.token(&right, permission::MAKE_CREDENTIAL, RP), "the right PIN before a power-up")?;
    let same = session.client.pin_retries()?.retries == left.retries;
    expect("a PIN that is not looked at must cost nothing", same)?;
    rig.replug()?;
    let mut session = rig.session()?;
    session.token(&right, permission::MAKE_CREDENTIAL, RP)?;
    expect("the right PIN must give the tries back", session.client.pin_retries()?.retries == all)
}

/// §6.1.2 step 11: a token is good for what it was given for, once.
pub(super) fn tokens(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let pin = session.have_pin()?;
    session.user.will(Touch::Cancel);
    let token = session.token(&pin, permission::GET_ASSERTION, RP)?;
    let answer = make_with(&mut session, &token, RP, |_| {})?;
    refused(session.user, "a token for getAssertion in makeCredential", answer, Status::PIN_AUTH_INVALID)?;
    let token = session.token(&pin, permission::MAKE_CREDENTIAL, RP)?;
    let answer = make_with(&mut session, &token, OTHER_RP, |_| {})?;
    refused(session.user, "a token of another relying party", answer, Status::PIN_AUTH_INVALID)?;
    let token = session.token(&pin, permission::MAKE_CREDENTIAL, RP)?;
    let answer = make_with(&mut session, &token, RP, |param| param.reverse())?;
    refused(session.user, "a pinUvAuthParam that is wrong", answer, Status::PIN_AUTH_INVALID)?;
    let answer = make_with(&mut session, &token, RP, |param| param.truncate(8))?;
    refused(session.user, "a pinUvAuthParam that is too short", answer, Status::PIN_AUTH_INVALID)?;
    session.user.will(Touch::Give);
    let token = session.token(&pin, permission::MAKE_CREDENTIAL, RP)?;
    let made = make_with(&mut session, &token, RP, |_| {})??;
    expect("a credential by token must say that the user was verified", made.created.user_verified())?;
    session.user.will(Touch::Cancel);
    let answer = make_with(&mut session, &token, RP, |_| {})?;
    refused(session.user, "a token that made a credential already", answer, Status::PIN_AUTH_INVALID)
}

/// §6.1.2 steps 6 and 7: what is stored on a key with a PIN needs the PIN.
pub(super) fn required(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    session.have_pin()?;
    session.user.will(Touch::Cancel);
    let stored = CredentialRequest {
        discoverable: Some(true),
        algorithms: vec![Algorithm::ES256],
        client_data_hash: random()?,
        ..request(RP, "ada")
    };
    let answer = session.make(stored)?;
    refused(session.user, "a discoverable credential without the PIN", answer, Status::PUAT_REQUIRED)
}

fn make_with(
    session: &mut Session<'_>,
    token: &Token,
    rp_id: &str,
    spoil: fn(&mut Vec<u8>),
) -> Result<Result<crate::rig::Credential, ClientError>, Stop> {
    let client_data_hash = random()?;
    let mut param = token.authenticate(&client_data_hash);
    spoil(&mut param);
    let verification = Verification::Token { param, protocol: token.protocol().number() };
    session.make(CredentialRequest { client_data_hash, verification, ..request(rp_id, "ada") })
}

/// Fails unless the key says that a PIN is wrong.
fn wrong(session: &mut Session<'_>, pin: &Pin, what: &str) -> Result<(), Stop> {
    let answer = session.token(pin, permission::MAKE_CREDENTIAL, RP);
    match answer {
        Err(error) if error.status() == Some(Status::PIN_INVALID) => Ok(()),
        Err(error) => Err(Stop::failed(&format!("{what} is answered PIN_INVALID"), &error)),
        Ok(_) => Err(Stop::Failed(format!("{what} must not be taken"))),
    }
}

fn blocked(answer: Result<Token, ClientError>, what: &str) -> Result<(), Stop> {
    match answer {
        Err(error) if error.status() == Some(Status::PIN_AUTH_BLOCKED) => Ok(()),
        Err(error) => Err(Stop::Failed(words(what, &error, &Status::PIN_AUTH_BLOCKED))),
        Ok(_) => Err(Stop::Failed(format!("{what} must not be taken"))),
    }
}
