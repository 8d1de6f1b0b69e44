//! Ceremonies with keys that speak U2F, and with credentials that were made with it (WebAuthn §6.1.2, CTAP §7.2, §7.3).

use ciborium::Value;
use keywright_common::auth_data::flag;
use keywright_common::cose::Algorithm;

use super::{ExtensionResults, UserVerification, authenticate, register, sha256};
use crate::cbor;
use crate::ctap2::CreatedCredential;
use crate::ctaphid::Channel;
use crate::error::ClientError;
use crate::transport::Transport;
use crate::u2f::{Control, Registration, U2f};
use crate::user::UserInteraction;

/// Makes a credential; it is attested as `fido-u2f`.
pub(super) fn register<T: Transport>(
    channel: &mut Channel<T>,
    ceremony: &mut register::Ceremony<'_>,
    user: &mut dyn UserInteraction,
) -> Result<(CreatedCredential, ExtensionResults), ClientError> {
    let wanted = &ceremony.options.extensions;
    check_verification(ceremony.options.authenticator_selection.user_verification)?;
    if wanted.enforce_credential_protection_policy && wanted.credential_protection_policy.is_some() {
        return Err(ClientError::Unsupported("the protection of credentials that is asked for"));
    }
    if !ceremony.algorithms.contains(&Algorithm::ES256) {
        return Err(ClientError::Unsupported("the algorithms that are asked for"));
    }
    let application = sha256(ceremony.rp_id.as_bytes());
    let mut u2f = U2f::new(channel);
    if find(&mut u2f, &application, &ceremony.excluded)?.is_some() {
        dummy_touch(&mut u2f, user)?;
        return Err(ClientError::Excluded);
    }
    let made = u2f.register(&ceremony.client_data_hash, &application, user)?;
    let results = ExtensionResults {
        cred_props: wanted.cred_props.then_some(super::CredentialProperties { rk: false }),
        hmac_create_secret: wanted.hmac_create_secret.then_some(false),
        prf: wanted.prf.as_ref().map(|_| super::PrfOutput { enabled: Some(false), results: None }),
        ..ExtensionResults::default()
    };
    Ok((attestation(&made, &application)?, results))
}

/// Signs with a credential of the list: under the RP ID, else under the AppID.
pub(super) fn authenticate<T: Transport>(
    channel: &mut Channel<T>,
    ceremony: &authenticate::Ceremony<'_>,
    user: &mut dyn UserInteraction,
) -> Result<authenticate::Proof, ClientError> {
    check_verification(ceremony.options.user_verification)?;
    if ceremony.allowed.is_empty() {
        return Err(ClientError::Unsupported("credentials that need no user name"));
    }
    let mut u2f = U2f::new(channel);
    let names = [Some(&ceremony.rp_id), ceremony.app_id.as_ref()];
    for (is_app_id, name) in [false, true].into_iter().zip(names) {
        let Some(name) = name else { continue };
        let application = sha256(name.as_bytes());
        let Some(id) = find(&mut u2f, &application, &ceremony.allowed)? else { continue };
        let hash = &ceremony.client_data_hash;
        let signed = u2f.authenticate(Control::EnforceUserPresence, hash, &application, &id, user)?;
        let flags = signed.user_presence & flag::UP;
        return Ok(authenticate::Proof {
            id,
            auth_data: [&application[..], &[flags], &signed.counter.to_be_bytes()].concat(),
            signature: signed.signature,
            user_handle: None,
            results: ExtensionResults {
                appid: ceremony.app_id.as_ref().map(|_| is_app_id),
                ..ExtensionResults::default()
            },
        });
    }
    dummy_touch(&mut u2f, user)?;
    Err(ClientError::NoCredential)
}

fn check_verification(wish: UserVerification) -> Result<(), ClientError> {
    if wish == UserVerification::Required {
        return Err(ClientError::Unsupported("user verification"));
    }
    Ok(())
}

fn find<T: Transport>(
    u2f: &mut U2f<'_, T>,
    application: &[u8; 32],
    ids: &[Vec<u8>],
) -> Result<Option<Vec<u8>>, ClientError> {
    for id in ids {
        if u2f.knows(application, id)? {
            return Ok(Some(id.clone()));
        }
    }
    Ok(None)
}

/// A registration that nobody hears of: what is on a key is told only once the user has touched it.
fn dummy_touch<T: Transport>(
    u2f: &mut U2f<'_, T>,
    user: &mut dyn UserInteraction,
) -> Result<(), ClientError> {
    u2f.register(&[0; 32], &sha256(b".dummy"), user).map(drop)
}

/// The registration in the shape that CTAP2 has for it (WebAuthn §8.6, CTAP §7.2.2).
fn attestation(made: &Registration, application: &[u8; 32]) -> Result<CreatedCredential, ClientError> {
    let malformed = ClientError::Malformed("a U2F public key");
    let (4, point) = made.public_key.split_first().map(|(form, point)| (*form, point)).unwrap_or_default()
    else {
        return Err(malformed);
    };
    let (x, y) = point.split_first_chunk::<32>().ok_or(malformed)?;
    let key = cbor::encode(cbor::map([
        (1, Some(Value::from(2))),
        (3, Some(Value::from(Algorithm::ES256.0))),
        (-1, Some(Value::from(1))),
        (-2, Some(cbor::bytes(x))),
        (-3, Some(cbor::bytes(y))),
    ]));
    let length = u16::try_from(made.key_handle.len())
        .map_err(|_| ClientError::Malformed("a U2F key handle"))?
        .to_be_bytes();
    let fixed = [&application[..], &[flag::UP | flag::AT], &[0; 4], &[0; 16], &length].concat();
    Ok(CreatedCredential {
        format: "fido-u2f".to_owned(),
        auth_data: [&fixed[..], &made.key_handle, &key].concat(),
        statement: cbor::text_map([
            ("x5c", Some(Value::Array(vec![cbor::bytes(&made.certificate)]))),
            ("sig", Some(cbor::bytes(&made.signature))),
        ]),
        enterprise_attestation: false,
        large_blob_key: None,
        unsigned_extension_outputs: Vec::new(),
    })
}
