//! Keys from the time of U2F: taken over by an administrator, proven through WebAuthn's `appid` extension.

use serde_json::json;
use tracing::info;
use webauthn_rs_core::{
    error::WebauthnError,
    proto::{
        COSEAlgorithm, COSEEC2Key, COSEKey, COSEKeyType, Credential, CredentialV3, ECDSACurve,
        UserVerificationPolicy,
    },
};

use super::stored::{self, Key};
use crate::{
    devices::{self, Device, Kind},
    events,
    iam::{Iam, SignedIn},
    names::DeviceName,
    refusal::Refusal,
    users,
};

/// What a relying party kept of a U2F registration.
pub(crate) struct U2fRegistration<'a> {
    pub(crate) user: &'a str,
    pub(crate) name: &'a str,
    /// At most 255 bytes.
    pub(crate) key_handle: &'a [u8],
    /// A point of P-256, uncompressed: 65 bytes.
    pub(crate) public_key: &'a [u8],
    pub(crate) counter: u32,
}

impl Iam {
    /// Takes over a key that was registered with U2F elsewhere. Only an administrator may: nothing proves that the
    /// user has it before they sign in with it.
    pub(crate) fn import_u2f(&self, caller: &SignedIn, key: &U2fRegistration<'_>) -> Result<Device, Refusal> {
        let result = self.add_u2f(caller, key);
        let serial = result.as_ref().map(|device| device.serial.as_str()).ok();
        let asked = json!({"userName": key.user, "serialNumber": serial});
        self.record_action(caller, "ImportU2FRegistration", asked, events::outcome(&result));
        result
    }

    fn add_u2f(&self, caller: &SignedIn, key: &U2fRegistration<'_>) -> Result<Device, Refusal> {
        let actor = self.actor(caller);
        actor.require_administrator("iam:EnableMFADevice")?;
        let name = DeviceName::parse(key.name)?;
        let credential = credential(key)?;
        let now = self.now();
        self.store.transaction(|tx| {
            actor.require_proof(tx)?;
            let user = users::require(tx, key.user)?;
            devices::require_room(tx, &user)?;
            devices::require_free_name(tx, &user, &name)?;
            stored::require_unknown(tx, &credential.cred_id)?;
            let serial = self.account.key_serial(&user.name, &name)?;
            devices::insert(tx, &user, (&serial, Kind::Webauthn, &name), now, Some(now))?;
            let key = Key { serial, credential, is_u2f: true };
            stored::insert(tx, &key, &[])?;
            info!(by = caller.user.name, user = user.name, serial = key.serial, "a U2F key was taken over");
            let Key { serial, .. } = key;
            Ok(Device { serial, kind: Kind::Webauthn, name: name.as_str().into(), enabled_at: now })
        })
    }
}

fn credential(key: &U2fRegistration<'_>) -> Result<Credential, Refusal> {
    let not_a_point =
        || Refusal::invalid("The public key is a point of P-256: 65 bytes, of which the first is 4.");
    let (x, y) = match key.public_key.split_first() {
        Some((4, point)) if point.len() == 64 => point.split_at(32),
        _ => return Err(not_a_point()),
    };
    if !(1..=255).contains(&key.key_handle.len()) {
        return Err(Refusal::invalid("A key handle is 1 to 255 bytes."));
    }
    let point = COSEEC2Key { curve: ECDSACurve::SECP256R1, x: x.to_vec(), y: y.to_vec() };
    let public_key = COSEKey { type_: COSEAlgorithm::ES256, key: COSEKeyType::EC_EC2(point) };
    // Whether the point is on the curve shows when a signature is to be verified with it.
    if matches!(public_key.verify_signature(&[], &[]), Err(WebauthnError::EcdsaPointInvalid)) {
        return Err(not_a_point());
    }
    Ok(Credential::from(CredentialV3 {
        cred_id: key.key_handle.to_vec(),
        cred: public_key,
        counter: key.counter,
        verified: false,
        registration_policy: UserVerificationPolicy::Discouraged_DO_NOT_USE,
    }))
}
