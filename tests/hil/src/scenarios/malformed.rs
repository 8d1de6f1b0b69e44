//! Requests that no key may take.

use ciborium::{Value, cbor};
use keywright_common::status::Status;

use super::credentials::creation;
use super::words;
use crate::rig::{Session, Touch, message};
use crate::scenario::expect;
use crate::{Rig, Stop};

/// What is cut short, lacks what is mandatory, or is no command, is refused without a touch.
pub(super) fn cbor(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let whole = message(0x01, &Value::Map(creation()?))?;
    let truncated = whole.split_last().map_or(&[][..], |(_, rest)| rest);
    refused(&mut session, "a request that is cut short", truncated, &[Status::INVALID_CBOR])?;
    refused(&mut session, "a command that there is none of", &[0x3f], &[Status::INVALID_COMMAND])?;
    let nothing = &[Status::MISSING_PARAMETER, Status::INVALID_CBOR];
    refused(&mut session, "makeCredential without parameters", &[0x01], nothing)?;
    refused(&mut session, "getAssertion without parameters", &[0x02], nothing)?;
    for (command, name, parameters) in [(1, "makeCredential", creation()?), (2, "getAssertion", assertion()?)]
    {
        for key in parameters.iter().map(|(key, _)| key) {
            let rest = parameters.iter().filter(|(found, _)| found != key).cloned().collect();
            let what = format!("{name} without member {key:?}");
            let request = message(command, &Value::Map(rest))?;
            refused(&mut session, &what, &request, &[Status::MISSING_PARAMETER])?;
        }
    }
    Ok(())
}

/// §8: a value of another type than the one that is asked for.
pub(super) fn types(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let unexpected = &[Status::CBOR_UNEXPECTED_TYPE, Status::INVALID_CBOR];
    let cases = [
        ("a client data hash that is text", 1, Value::from("x")),
        ("an rp that is a number", 2, Value::from(1)),
        ("a user that is a list", 3, Value::Array(Vec::new())),
        ("pubKeyCredParams that are no list", 4, Value::from(true)),
        ("an rp id that is a number", 2, cbor!({ "id" => 1 }).unwrap_or(Value::Null)),
        ("a user id that is text", 3, cbor!({ "id" => "ada" }).unwrap_or(Value::Null)),
    ];
    for (what, key, value) in cases {
        let replace =
            |(found, old)| if found == Value::from(key) { (found, value.clone()) } else { (found, old) };
        let parameters = creation()?.into_iter().map(replace).collect();
        refused(&mut session, what, &message(0x01, &Value::Map(parameters))?, unexpected)?;
    }
    Ok(())
}

/// §8 lets keys take what is not canonical, and asks them not to.
pub(super) fn canonical(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let whole = message(0x01, &Value::Map(creation()?))?;
    let mut reversed = creation()?;
    reversed.reverse();
    let mut twice = creation()?;
    twice.extend(creation()?.pop());
    let cases = [
        ("what follows a request", [&whole[..], &[0x00]].concat()),
        ("members in another order", message(0x01, &Value::Map(reversed))?),
        ("a member that is there twice", message(0x01, &Value::Map(twice))?),
        ("a map without a length", indefinite(&whole)),
    ];
    for (what, request) in cases {
        session.user.will_not_touch(Touch::Cancel)?;
        match session.cbor(&request)? {
            Ok(_) => return Err(Stop::Failed(format!("{what}: nothing may be made without a touch"))),
            Err(Status::INVALID_CBOR) => {}
            Err(_) if session.user.was_asked() => session.user.remark(format!("takes {what}")),
            Err(status) => session.user.remark(words(what, &status, &Status::INVALID_CBOR)),
        }
    }
    Ok(())
}

/// The same map, with a break at its end instead of a length at its beginning.
fn indefinite(request: &[u8]) -> Vec<u8> {
    let members = request.iter().skip(2).copied();
    request.iter().take(1).copied().chain([0xbf]).chain(members).chain([0xff]).collect()
}

fn refused(session: &mut Session<'_>, what: &str, request: &[u8], usual: &[Status]) -> Result<(), Stop> {
    // A key that asks for a touch has taken it for a request; it is not to be kept waiting.
    session.user.will(Touch::Cancel);
    let answer = session.cbor(request)?;
    expect(&format!("{what} must be refused before a touch is asked for"), !session.user.was_asked())?;
    match (answer, usual) {
        (Ok(_), _) => return Err(Stop::Failed(format!("{what} must be refused"))),
        (Err(status), [first, ..]) if !usual.contains(&status) => {
            session.user.remark(words(what, &status, first));
        }
        _ => {}
    }
    Ok(())
}

fn assertion() -> Result<Vec<(Value, Value)>, Stop> {
    let parameters = cbor!({ 1 => super::credentials::RP, 2 => Value::Bytes(vec![0x5a; 32]) });
    let parameters = parameters.map_err(|error| Stop::failed("CBOR", &error))?;
    parameters.into_map().map_err(|_| Stop::Failed("CBOR".to_owned()))
}
