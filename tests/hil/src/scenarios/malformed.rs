//! Requests that no key may take.

use ciborium::{Value, cbor};
use keywright_common::status::Status;

use crate::rig::Touch;
use crate::rig::{Session, message};
use crate::scenario::expect;
use crate::{Rig, Stop};

/// What is cut short, lacks what is mandatory, or is no command, is refused without a touch.
pub(super) fn cbor(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let whole = message(0x01, &creation()?)?;
    let truncated = whole.split_last().map_or(&[][..], |(_, rest)| rest);
    let types = |key: i64, value: Value| message(0x01, &with(&creation()?, key, value));
    refused(&mut session, "a request that is cut short", truncated, &[Status::INVALID_CBOR])?;
    let nothing = &[Status::MISSING_PARAMETER, Status::INVALID_CBOR];
    refused(&mut session, "makeCredential without parameters", &[0x01], nothing)?;
    refused(&mut session, "getAssertion without parameters", &[0x02], nothing)?;
    for key in 1..=4 {
        let parameters = message(0x01, &without(&creation()?, key))?;
        let what = format!("makeCredential without member {key}");
        refused(&mut session, &what, &parameters, &[Status::MISSING_PARAMETER])?;
    }
    let unexpected = &[Status::CBOR_UNEXPECTED_TYPE];
    refused(&mut session, "a client data hash that is text", &types(1, Value::from("x"))?, unexpected)?;
    refused(&mut session, "an rp that is a number", &types(2, Value::from(1))?, unexpected)?;
    refused(&mut session, "pubKeyCredParams that are no list", &types(4, Value::from(true))?, unexpected)?;
    refused(&mut session, "a command that there is none of", &[0x3f], &[Status::INVALID_COMMAND])?;
    Ok(())
}

fn refused(session: &mut Session<'_>, what: &str, request: &[u8], usual: &[Status]) -> Result<(), Stop> {
    // A key that asks for a touch has taken it for a request; it is not to be kept waiting.
    session.user.will(Touch::Cancel);
    let answer = session.cbor(request)?;
    expect(&format!("{what} must be refused before a touch is asked for"), !session.user.was_asked())?;
    match answer {
        Ok(_) => Err(Stop::Failed(format!("{what} must be refused"))),
        Err(status) if usual.contains(&status) => Ok(()),
        Err(status) => {
            let usual: Vec<_> = usual.iter().map(Status::to_string).collect();
            session.user.remark(format!("answers {what} with {status} rather than {}", usual.join(" or ")));
            Ok(())
        }
    }
}

fn creation() -> Result<Value, Stop> {
    let parameters = cbor!({
        1 => Value::Bytes(vec![0x5a; 32]),
        2 => { "id" => super::credentials::RP },
        3 => { "id" => Value::Bytes(vec![1, 2, 3]), "name" => "ada" },
        4 => [{ "alg" => -7, "type" => "public-key" }],
    });
    parameters.map_err(|error| Stop::failed("CBOR", &error))
}

fn without(parameters: &Value, key: i64) -> Value {
    let members = parameters.as_map().into_iter().flatten();
    Value::Map(members.filter(|(found, _)| *found != Value::from(key)).cloned().collect())
}

fn with(parameters: &Value, key: i64, value: Value) -> Value {
    let members = parameters.as_map().into_iter().flatten().cloned();
    let replace =
        |(found, old)| if found == Value::from(key) { (found, value.clone()) } else { (found, old) };
    Value::Map(members.map(replace).collect())
}
