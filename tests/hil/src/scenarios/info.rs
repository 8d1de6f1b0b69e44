//! authenticatorGetInfo (§6.4).

use std::collections::BTreeSet;

use keywright_common::cbor::Item;
use keywright_host::ctap2::Info;

use crate::rig::Session;
use crate::scenario::expect;
use crate::{Rig, Stop};

pub(super) fn members(rig: &mut Rig) -> Result<(), Stop> {
    let mut session = rig.session()?;
    let first = get_info(&mut session)?;
    let second = get_info(&mut session)?;
    expect(
        "getInfo must say the same twice but for what is encrypted anew",
        stable(&first) == stable(&second),
    )?;
    mandatory(&first)?;
    let info = session.client.info().clone();
    expect("a version of CTAP2 must be named", info.versions.iter().any(|name| name.starts_with("FIDO_2_")))?;
    expect("maxMsgSize is at least 1024", info.max_msg_size >= 1024)?;
    expect("minPINLength is at least 4", info.min_pin_length >= 4)?;
    let protocols: BTreeSet<_> = info.pin_uv_auth_protocols.iter().collect();
    expect("pinUvAuthProtocols names each once", protocols.len() == info.pin_uv_auth_protocols.len())?;
    let always = info.option("alwaysUv");
    expect("alwaysUv and makeCredUvNotRqd exclude each other", !always || !info.option("makeCredUvNotRqd"))?;
    for text in unusual(&info) {
        session.user.remark(text);
    }
    for (key, _) in &info.unknown {
        session.user.remark(format!("has a member {key:?} that is not known here, or of another type"));
    }
    Ok(())
}

/// Members 0x01 and 0x03 in their types.
fn mandatory(answer: &[u8]) -> Result<(), Stop> {
    let unreadable = |_| Stop::Failed("getInfo must be a map".to_owned());
    let map = Item::parse(answer).map_err(|_| Stop::Failed("getInfo must be canonical CBOR".to_owned()))?;
    let map = map.map().map_err(unreadable)?;
    let versions = map.get(0x01).is_some_and(|item| item.array().is_ok());
    expect("versions (0x01) must be there, as an array", versions)?;
    let aaguid = map.get(0x03).and_then(|item| item.bytes().ok());
    expect("aaguid (0x03) must be there, with 16 bytes", aaguid.is_some_and(|bytes| bytes.len() == 16))
}

/// What the specification asks of a key that claims a version, and what clients stumble over.
fn unusual(info: &Info) -> Vec<String> {
    let is_2_1 = info.has_version("FIDO_2_1");
    let mut remarks = Vec::new();
    let mut note = |is_so: bool, text: &str| {
        if is_so {
            remarks.push(text.to_owned());
        }
    };
    note(info.has_version("FIDO_2_2"), "claims FIDO_2_2, which no key is to claim");
    note(is_2_1 && !info.has_extension("hmac-secret"), "claims FIDO_2_1 without hmac-secret");
    note(
        is_2_1 && !info.pin_uv_auth_protocols.contains(&2),
        "claims FIDO_2_1 without PIN/UV auth protocol 2",
    );
    note(
        is_2_1 && info.option("rk") && !info.option("credMgmt"),
        "claims FIDO_2_1 and stores credentials without credential management",
    );
    note(
        info.option("rk") && !info.options.contains_key("clientPin") && !info.options.contains_key("uv"),
        "stores credentials without a way to verify the user",
    );
    note(info.algorithms.is_empty() && is_2_1, "does not say which algorithms it has");
    remarks
}

/// The answer without encIdentifier and encCredStoreState, which differ each time.
fn stable(answer: &[u8]) -> Vec<(i64, Vec<u8>)> {
    let Ok(map) = Item::parse(answer).map_err(drop).and_then(|item| item.map().map_err(drop)) else {
        return Vec::new();
    };
    let members = (0..=0xff).filter(|key| ![0x19, 0x1e].contains(key));
    members.filter_map(|key| Some((key, map.get(key)?.encoded().to_vec()))).collect()
}

fn get_info(session: &mut Session<'_>) -> Result<Vec<u8>, Stop> {
    session.cbor(&[0x04])?.map_err(|status| Stop::failed("getInfo", &status))
}
