//! makeCredential and getAssertion (§6.1, §6.2).

use keywright_common::cose::Algorithm;
use keywright_host::ctap2::CredentialRequest;

use crate::rig::request;
use crate::scenario::expect;
use crate::{Rig, Stop};

pub(super) fn es256(rig: &mut Rig) -> Result<(), Stop> {
    register_and_authenticate(rig, Algorithm::ES256)
}

pub(super) fn eddsa(rig: &mut Rig) -> Result<(), Stop> {
    register_and_authenticate(rig, Algorithm::EDDSA)
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

pub(super) const RP: &str = "hil.keywright.example";
