//! What a driver would not do: PINs that break a rule, and each PIN/UV auth protocol of a key.

use ciborium::Value;
use keywright_common::status::Status;
use keywright_host::ctap2::{CredentialRequest, Verification};
use keywright_host::pin_uv_auth::{Protocol, SharedSecret, Token};

use super::super::credentials::RP;
use super::super::words;
use crate::rig::{Session, message, request};
use crate::scenario::expect;
use crate::wire::random;
use crate::{Rig, Stop};

/// §6.5.5.5 steps 7 and 9: a PIN of three characters, one of 64 bytes, and one that is not padded.
pub(in super::super) fn policy(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    expect("a key that was reset has no PIN", !session.client.info().option("clientPin"))?;
    let protocol = Protocol::choose(&session.client.info().pin_uv_auth_protocols)
        .ok_or_else(|| Stop::Skipped("the key has no PIN/UV auth protocol that is known here".to_owned()))?;
    let mut three = [0; 64];
    three.iter_mut().zip(b"123").for_each(|(to, from)| *to = *from);
    let cases: [(&str, &[u8], Status); 3] = [
        ("a PIN of three characters", &three, Status::PIN_POLICY_VIOLATION),
        ("a PIN of 64 bytes", &[b'1'; 64], Status::PIN_POLICY_VIOLATION),
        ("a PIN that is not padded to 64 bytes", &[b'1'; 16], Status::INVALID_PARAMETER),
    ];
    for (what, padded, usual) in cases {
        let secret = agree(&mut session, protocol)?;
        let encrypted = secret.encrypt(padded).ok_or_else(no_random)?;
        let param = secret.authenticate(&encrypted);
        let parameters =
            [(3, secret.key_agreement()), (4, Value::Bytes(param)), (5, Value::Bytes(encrypted))];
        match client_pin(&mut session, protocol, SET_PIN, parameters)? {
            // It is reset at the end of the run; until then nobody needs to know this PIN.
            Ok(_) => return Err(Stop::Failed(format!("{what} must be refused"))),
            Err(status) if status == usual => {}
            Err(status) => session.user.remark(words(what, &status, &usual)),
        }
    }
    Ok(())
}

/// Each protocol that the key names gives a token that makes a credential.
pub(in super::super) fn both(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let pin = session.have_pin()?;
    let named = session.client.info().pin_uv_auth_protocols.clone();
    // Keys of CTAP 2.0 name none, and have 1.
    let has = |protocol: Protocol| match &named[..] {
        [] => protocol == Protocol::One,
        named => named.contains(&protocol.number()),
    };
    for protocol in [Protocol::One, Protocol::Two].into_iter().filter(|protocol| has(*protocol)) {
        let secret = agree(&mut session, protocol)?;
        let hash = secret.encrypt(&*pin.hash()).ok_or_else(no_random)?;
        let parameters = [(3, secret.key_agreement()), (6, Value::Bytes(hash))];
        let answer = client_pin(&mut session, protocol, GET_PIN_TOKEN, parameters)?;
        let answer = answer.map_err(|status| Stop::failed("getPinToken", &status))?;
        let token = member(&answer, 2).and_then(|value| value.into_bytes().ok());
        let token = token.and_then(|encrypted| Token::new(protocol, secret.decrypt(&encrypted)?));
        let token = token.ok_or_else(|| Stop::Failed("a token of a wrong length".to_owned()))?;
        let client_data_hash = random()?;
        let verification =
            Verification::Token { param: token.authenticate(&client_data_hash), protocol: protocol.number() };
        session.make(CredentialRequest { client_data_hash, verification, ..request(RP, "ada") })??;
    }
    Ok(())
}

/// getKeyAgreement (§6.5.5.4).
fn agree(session: &mut Session<'_>, protocol: Protocol) -> Result<SharedSecret, Stop> {
    let answer = client_pin(session, protocol, GET_KEY_AGREEMENT, [])?;
    let answer = answer.map_err(|status| Stop::failed("getKeyAgreement", &status))?;
    let key = member(&answer, 1).unwrap_or(Value::Null);
    let mut coded = Vec::new();
    ciborium::into_writer(&key, &mut coded).map_err(|error| Stop::failed("CBOR", &error))?;
    let coordinate = |label| <[u8; 32]>::try_from(member(&coded, label)?.into_bytes().ok()?).ok();
    let point = coordinate(-2).zip(coordinate(-3));
    point
        .and_then(|(x, y)| SharedSecret::encapsulate(protocol, &x, &y))
        .ok_or_else(|| Stop::Failed("a key agreement key must be a point of P-256".to_owned()))
}

fn client_pin<const N: usize>(
    session: &mut Session<'_>,
    protocol: Protocol,
    subcommand: u8,
    parameters: [(i64, Value); N],
) -> Result<Result<Vec<u8>, Status>, Stop> {
    let head = [(1, Value::from(protocol.number())), (2, Value::from(subcommand))];
    let members = head.into_iter().chain(parameters).map(|(key, value)| (Value::from(key), value));
    let request = message(0x06, &Value::Map(members.collect()))?;
    session.cbor(&request)
}

fn member(map: &[u8], key: i64) -> Option<Value> {
    let members: Value = ciborium::from_reader(map).ok()?;
    members.into_map().ok()?.into_iter().find(|(found, _)| *found == Value::from(key)).map(|(_, value)| value)
}

fn no_random() -> Stop {
    Stop::Failed("the system gave no random bytes".to_owned())
}

const GET_KEY_AGREEMENT: u8 = 0x02;
const SET_PIN: u8 = 0x03;
const GET_PIN_TOKEN: u8 = 0x05;
