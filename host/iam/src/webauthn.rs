//! Passkeys and security keys: registration and sign-in, verified by `webauthn-rs-core`.
//!
//! What that crate leaves to its caller is checked here: the origin as a whole string, framed pages at
//! sign-in, the user handle, the identity of the credential, and counters kept in one place.

pub(crate) mod stored;
pub(crate) mod u2f;

use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tracing::info;
use url::Url;
use webauthn_rs_core::{
    WebauthnCore,
    error::WebauthnError,
    proto::{
        AttestationConveyancePreference, AuthenticationResult, AuthenticationState, AuthenticatorTransport,
        COSEAlgorithm, Credential, PublicKeyCredential, PublicKeyCredentialCreationOptions,
        PublicKeyCredentialRequestOptions, RegisterPublicKeyCredential, RegistrationState,
        RequestAuthenticationExtensions, UserVerificationPolicy,
    },
};

use crate::{
    config::{Attestation, UserVerification},
    devices::{self, Device, Kind},
    error::Error,
    events,
    iam::{Iam, Pending, SignedIn},
    names::DeviceName,
    origin::Origin,
    refusal::{Code, Refusal},
};
use stored::{Key, keys_of, require_unknown};

/// A challenge that a session has asked for and not yet answered.
pub(crate) struct Ceremony {
    purpose: Purpose,
    expires: i64,
}

enum Purpose {
    Register { name: DeviceName, state: Box<RegistrationState> },
    SignIn { keys: Vec<Key>, state: Box<AuthenticationState> },
}

/// The relying party of the console's origin.
pub(crate) fn relying_party(console_url: &Origin) -> Result<WebauthnCore, Error> {
    let origin = Url::parse(console_url).map_err(|_| Error::Origin(console_url.to_string()))?;
    let (name, id) = ("Keywright local IAM", console_url.rp_id());
    // "Experts only": what it does not check is in this module's header.
    Ok(WebauthnCore::new_unsafe_experts_only(name, id, vec![origin], CEREMONY, Some(false), Some(false)))
}

impl Iam {
    /// Options for `navigator.credentials.create()`.
    pub(crate) fn begin_registration(
        &self,
        caller: &SignedIn,
        name: &str,
    ) -> Result<PublicKeyCredentialCreationOptions, Refusal> {
        self.require_keys_allowed()?;
        let name = DeviceName::parse(name)?;
        let user = &caller.user;
        let own = self.store.transaction(|tx| {
            caller.require_proof(tx)?;
            devices::require_room(tx, user)?;
            devices::require_free_name(tx, user, &name)?;
            keys_of(tx, user)
        })?;
        let excluded = own.into_iter().map(|key| key.credential.cred_id).collect();
        let builder = self.relying_party.new_challenge_register_builder(&user.handle, &user.name, &user.name);
        let builder = builder
            .map_err(Refusal::failure)?
            .attestation(conveyance(self.attestation))
            .user_verification_policy(policy(self.user_verification))
            .credential_algorithms(vec![COSEAlgorithm::ES256, COSEAlgorithm::RS256])
            .exclude_credentials(Some(excluded))
            .require_resident_key(false);
        let challenge = self.relying_party.generate_challenge_register(builder);
        let (options, state) = challenge.map_err(Refusal::failure)?;
        let purpose = Purpose::Register { name, state: Box::new(state) };
        self.sessions.begin(caller.key, Ceremony { purpose, expires: self.now() + ANSWERED_WITHIN });
        Ok(options.public_key)
    }

    /// Registers the key that answered, and takes it into use.
    pub(crate) fn register_key(
        &self,
        caller: &SignedIn,
        name: &str,
        answer: &RegisterPublicKeyCredential,
    ) -> Result<Device, Refusal> {
        let result = self.verify_registration(caller, name, answer);
        let serial = result.as_ref().map(|device| device.serial.as_str()).unwrap_or(name);
        let asked = json!({"userName": caller.user.name, "serialNumber": serial});
        self.record_action(caller, "EnableMFADevice", asked, events::outcome(&result));
        result
    }

    fn verify_registration(
        &self,
        caller: &SignedIn,
        name: &str,
        answer: &RegisterPublicKeyCredential,
    ) -> Result<Device, Refusal> {
        let ceremony = self.sessions.take_ceremony(caller.key);
        let Some(Purpose::Register { name: asked, state }) = self.still_open(ceremony) else {
            return Err(no_challenge());
        };
        if asked.as_str() != name {
            return Err(Refusal::invalid("The device name is not the one that the options were asked for."));
        }
        self.require_keys_allowed()?;
        self.check_client_data(&answer.response.client_data_json)?;
        self.store.transaction(|tx| require_unknown(tx, &answer.raw_id))?;
        let mut credential = self.relying_party.register_credential(answer, &state, None).map_err(refused)?;
        if credential.cred_id.as_slice() != answer.raw_id {
            return Err(Refusal::denied("The answer names another credential than the key made. Try again."));
        }
        if let Some(transports) = &mut credential.transports {
            transports.retain(|transport| *transport != AuthenticatorTransport::Unknown);
        }
        self.check_certification(&credential)?;
        self.add_key(caller, &asked, credential, &answer.response.attestation_object)
    }

    fn add_key(
        &self,
        caller: &SignedIn,
        name: &DeviceName,
        credential: Credential,
        attestation_object: &[u8],
    ) -> Result<Device, Refusal> {
        let (user, now) = (&caller.user, self.now());
        let serial = self.account.key_serial(&user.name, name)?;
        let key = Key { serial, credential, is_u2f: false };
        self.store.transaction(|tx| {
            caller.require_proof(tx)?;
            devices::require_room(tx, user)?;
            devices::require_free_name(tx, user, name)?;
            require_unknown(tx, &key.credential.cred_id)?;
            devices::insert(tx, user, (&key.serial, Kind::Webauthn, name), now, Some(now))?;
            stored::insert(tx, &key, attestation_object)
        })?;
        let serial = key.serial;
        info!(user = user.name, serial, "a security key was registered");
        Ok(Device { serial, kind: Kind::Webauthn, name: name.as_str().into(), enabled_at: now })
    }

    /// Options for `navigator.credentials.get()`: all keys of the user, or the one named.
    pub(crate) fn begin_proof(
        &self,
        pending: &Pending,
        serial: Option<&str>,
    ) -> Result<PublicKeyCredentialRequestOptions, Refusal> {
        let mut keys = self.store.transaction(|tx| keys_of(tx, &pending.user))?;
        keys.retain(|key| pending.first.allows(&key.serial));
        keys.retain(|key| serial.is_none_or(|serial| serial == key.serial));
        if keys.is_empty() {
            let text = "There is no such passkey or security key of yours. Choose another MFA device.";
            return Err(Refusal::new(Code::NoSuchEntity, text));
        }
        let policy = policy(self.user_verification);
        // A browser refuses an AppID of another site: it is asked for only where a key needs it.
        let app_id = keys.iter().any(|key| key.is_u2f).then(|| self.app_id.clone());
        let extensions = app_id.map(|app_id| RequestAuthenticationExtensions {
            appid: Some(app_id),
            uvm: None,
            hmac_get_secret: None,
        });
        let credentials = keys.iter().map(|key| key.credential.clone()).collect();
        let builder = self.relying_party.new_challenge_authenticate_builder(credentials, Some(policy));
        let builder = builder.map_err(Refusal::failure)?.extensions(extensions);
        let challenge = self.relying_party.generate_challenge_authenticate(builder);
        let (options, state) = challenge.map_err(Refusal::failure)?;
        let purpose = Purpose::SignIn { keys, state: Box::new(state) };
        self.sessions.begin(pending.key, Ceremony { purpose, expires: self.now() + ANSWERED_WITHIN });
        Ok(options.public_key)
    }

    /// The second step of sign-in with a key. The answer is the new session's id.
    pub(crate) fn sign_in_with_key(
        &self,
        pending: &Pending,
        answer: &PublicKeyCredential,
    ) -> Result<String, Refusal> {
        // The signature is looked at before the database is locked: what it cannot tell is whether the counter rose.
        let verified = self.verify_proof(pending, answer);
        self.finish_sign_in(pending, |tx| {
            let raised = verified.and_then(|(key, proof)| key.raise_counter(tx, &pending.user, &proof));
            (Kind::Webauthn, raised)
        })
    }

    fn verify_proof(
        &self,
        pending: &Pending,
        answer: &PublicKeyCredential,
    ) -> Result<(Key, AuthenticationResult), Refusal> {
        let ceremony = self.sessions.take_ceremony(pending.key);
        let Some(Purpose::SignIn { keys, state }) = self.still_open(ceremony) else {
            return Err(no_challenge());
        };
        self.check_client_data(&answer.response.client_data_json)?;
        let named = answer.response.user_handle.as_deref().filter(|handle| !handle.is_empty());
        if named.is_some_and(|handle| handle != pending.user.handle) {
            return Err(Refusal::denied("The key answered for another user. Choose a key of yours."));
        }
        let key = keys.into_iter().find(|key| key.credential.cred_id.as_slice() == answer.raw_id);
        let key = key.ok_or_else(not_asked)?;
        // The AppID is for keys of U2F's time: no other key signs for it.
        if answer.extensions.appid == Some(true) && !key.is_u2f {
            return Err(Refusal::denied("The key answered for the AppID, and was not registered with U2F."));
        }
        let credential = key.under(policy(self.user_verification));
        let proof = self.relying_party.authenticate_single_credential(answer, &state, &credential);
        let proof = proof.map_err(|error| match error {
            WebauthnError::CredentialPossibleCompromise => key.copied(),
            error => refused(error),
        })?;
        Ok((key, proof))
    }

    fn still_open(&self, ceremony: Option<Ceremony>) -> Option<Purpose> {
        ceremony.filter(|ceremony| self.now() < ceremony.expires).map(|ceremony| ceremony.purpose)
    }

    /// The origin as a whole string, and not from within another page: `webauthn-rs-core` compares parsed
    /// URLs and looks at `crossOrigin` at registration only.
    fn check_client_data(&self, json: &[u8]) -> Result<(), Refusal> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct ClientData {
            origin: String,
            cross_origin: Option<bool>,
        }
        let data: ClientData = serde_json::from_slice(json)
            .map_err(|error| Refusal::invalid(format!("clientDataJSON cannot be read: {error}")))?;
        if data.origin != *self.console_url {
            let text =
                format!("The key answered for another origin. Open the console at {}.", self.console_url);
            return Err(Refusal::denied(text));
        }
        if data.cross_origin == Some(true) {
            return Err(Refusal::denied(
                "The key was asked from within another site's page. Open the console itself.",
            ));
        }
        Ok(())
    }
}

fn refused(error: WebauthnError) -> Refusal {
    info!(%error, "a security key's answer was refused");
    Refusal::denied(format!("The key's answer was refused: {error}. Ask for new options and try again."))
}

fn no_challenge() -> Refusal {
    Refusal::denied("There is no challenge to answer: it was used or took too long. Ask for new options.")
}

pub(crate) fn not_asked() -> Refusal {
    Refusal::denied("The key that answered is not one that was asked. Choose a key of yours.")
}

fn policy(verification: UserVerification) -> UserVerificationPolicy {
    match verification {
        UserVerification::Required => UserVerificationPolicy::Required,
        UserVerification::Preferred => UserVerificationPolicy::Preferred,
        UserVerification::Discouraged => UserVerificationPolicy::Discouraged_DO_NOT_USE,
    }
}

fn conveyance(attestation: Attestation) -> AttestationConveyancePreference {
    match attestation {
        Attestation::None => AttestationConveyancePreference::None,
        Attestation::Indirect => AttestationConveyancePreference::Indirect,
        Attestation::Direct => AttestationConveyancePreference::Direct,
    }
}

/// What the client is told.
const CEREMONY: Duration = Duration::from_secs(60);
/// Seconds that the server waits: the client's minute, and the way back.
const ANSWERED_WITHIN: i64 = 75;
