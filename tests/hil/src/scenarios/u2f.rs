//! U2F (CTAP1, §7).

use ciborium::Value;
use keywright_common::auth_data::flag;
use keywright_host::ClientError;
use keywright_host::auth_data::AuthData;
use keywright_host::u2f::{Authentication, Control, Registration, StatusWord, U2f};
use keywright_host::verify::{PublicKey, verify_statement};

use crate::rig::{Touch, sha256};
use crate::scenario::expect;
use crate::wire::random;
use crate::{Rig, Stop};

/// Registration, authentication and check-only, with their signatures.
pub(super) fn register(rig: &mut Rig) -> Result<(), Stop> {
    let (mut channel, user) = rig.channel()?;
    let mut u2f = U2f::new(&mut channel);
    let version = u2f.version()?;
    expect("the version must be U2F_V2", version == "U2F_V2")?;
    let application = sha256(super::credentials::RP.as_bytes());
    let challenge = random()?;
    let made = u2f.register(&challenge, &application, user)?;
    let key = verified(&made, &application, &challenge)?;
    let mut count = 0;
    for _ in 0..2 {
        let challenge = random()?;
        let handle = &made.key_handle;
        let signed =
            u2f.authenticate(Control::EnforceUserPresence, &challenge, &application, handle, user)?;
        check(&key, &signed, &application, &challenge)?;
        expect("the user must be said to be present", signed.user_presence & 1 == 1)?;
        expect("the counter must rise", signed.counter > count)?;
        count = signed.counter;
    }
    let mut stranger = made.key_handle.clone();
    stranger.reverse();
    let other = sha256(super::credentials::OTHER_RP.as_bytes());
    expect("check-only must know an own key handle", u2f.knows(&application, &made.key_handle)?)?;
    expect("check-only must not know a strange key handle", !u2f.knows(&application, &stranger)?)?;
    expect("check-only must not know another application's", !u2f.knows(&other, &made.key_handle)?)?;
    let enforce = Control::EnforceUserPresence;
    match u2f.authenticate(enforce, &random()?, &other, &made.key_handle, user) {
        Err(ClientError::NoCredential) => Ok(()),
        Err(error) => Err(Stop::failed("another application's key handle is answered WRONG_DATA", &error)),
        Ok(_) => Err(Stop::Failed("another application's key handle must not sign".to_owned())),
    }
}

/// Nothing is made or signed without a touch.
pub(super) fn presence(rig: &mut Rig) -> Result<(), Stop> {
    let (mut channel, user) = rig.channel()?;
    user.will_not_touch(Touch::Withhold)?;
    let request = [&[0, 1, 0, 0, 0, 0, 64][..], &random::<64>()?, &[0, 0]].concat();
    let word = status_word(&channel.msg(&request, user)?)?;
    expect("a registration must not be made without a touch", word != StatusWord::NO_ERROR)?;
    if word != StatusWord::CONDITIONS_NOT_SATISFIED {
        user.remark(super::words("a registration without a touch", &hex(word), &"0x6985"));
    }
    Ok(())
}

/// Messages that are none of U2F's.
pub(super) fn refusals(rig: &mut Rig) -> Result<(), Stop> {
    let (mut channel, user) = rig.channel()?;
    let cases: [(&str, &[u8], u16); 3] = [
        ("an instruction that there is none of", &[0, 0x77, 0, 0, 0, 0, 0], 0x6d00),
        ("a class that there is none of", &[0x6a, 3, 0, 0, 0, 0, 0], 0x6e00),
        ("a registration of 10 bytes", &[0, 1, 0, 0, 0, 0, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0], 0x6700),
    ];
    for (what, apdu, usual) in cases {
        user.will(Touch::Withhold);
        match channel.msg(apdu, user) {
            Ok(answer) => {
                let word = status_word(&answer)?;
                expect(&format!("{what} must be refused"), word != StatusWord::NO_ERROR)?;
                if word.0 != usual {
                    user.remark(super::words(what, &hex(word), &hex(StatusWord(usual))));
                }
            }
            Err(error) => user.remark(super::words(what, &error, &hex(StatusWord(usual)))),
        }
    }
    Ok(())
}

/// What was signed at registration is what a fido-u2f attestation is over (WebAuthn §8.6); gives the public key.
fn verified(made: &Registration, application: &[u8; 32], challenge: &[u8; 32]) -> Result<PublicKey, Stop> {
    let [4, point @ ..] = &made.public_key else {
        return Err(Stop::Failed("the public key must be an uncompressed point".to_owned()));
    };
    let (x, y) = point.split_at(32);
    let cose = [&[0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], x, &[0x22, 0x58, 32], y].concat();
    let length =
        u16::try_from(made.key_handle.len()).map_err(|error| Stop::failed("a key handle", &error))?;
    let head =
        [&application[..], &[flag::UP | flag::AT, 0, 0, 0, 0], &[0; 16], &length.to_be_bytes()].concat();
    let auth_data = [head, made.key_handle.clone(), cose.clone()].concat();
    let data = AuthData::parse(&auth_data).ok_or_else(|| Stop::Failed("a U2F registration".to_owned()))?;
    let statement = Value::Map(vec![
        ("x5c".into(), Value::Array(vec![Value::Bytes(made.certificate.clone())])),
        ("sig".into(), Value::Bytes(made.signature.clone())),
    ]);
    verify_statement("fido-u2f", statement, &auth_data, &data, challenge)
        .map_err(|error| Stop::failed("the attestation", &error))?;
    PublicKey::parse(&cose).ok_or_else(|| Stop::Failed("the public key".to_owned()))
}

fn check(
    key: &PublicKey,
    signed: &Authentication,
    application: &[u8; 32],
    challenge: &[u8; 32],
) -> Result<(), Stop> {
    let message =
        [&application[..], &[signed.user_presence], &signed.counter.to_be_bytes(), challenge].concat();
    key.verify(&message, &signed.signature).map_err(|error| Stop::failed("an assertion's signature", &error))
}

fn status_word(answer: &[u8]) -> Result<StatusWord, Stop> {
    let Some((_, word)) = answer.split_last_chunk::<2>() else {
        return Err(Stop::Failed("a U2F answer must end with a status word".to_owned()));
    };
    Ok(StatusWord(u16::from_be_bytes(*word)))
}

fn hex(word: StatusWord) -> String {
    format!("{:#06x}", word.0)
}
