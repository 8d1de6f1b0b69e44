//! Registration (§5.1.3, §6.3.2).

use ciborium::Value;
use keywright_common::cose::Algorithm;
use keywright_common::ctap2::{Command, PUBLIC_KEY};
use keywright_common::status::Status;

use super::{
    AttestationConveyance, AttestationResponse, Authenticator, Base64Url, ClientData, CreationOptions,
    CredentialDescriptor, ExtensionResults, Origin, RegistrationResponse, ResidentKey, UserVerification,
    extensions, legacy, sha256, wants_verification,
};
use crate::auth_data::{self, AuthData};
use crate::cbor;
use crate::ctap2::lists::{self, Fitted};
use crate::ctap2::{Client, CreatedCredential, CredentialRequest, RpEntity, Verification};
use crate::error::ClientError;
use crate::pin_uv_auth::permission;
use crate::transport::Transport;
use crate::user::{Account, UserInteraction};
use crate::verify;

impl<T: Transport> Authenticator<T> {
    /// Makes a credential as a website asks for it.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::Request`] if the website may not ask for that.
    pub fn register(
        &mut self,
        options: &CreationOptions,
        origin: &Origin,
        user: &mut dyn UserInteraction,
    ) -> Result<RegistrationResponse, ClientError> {
        let rp_id = origin.rp_id(options.rp.id.as_deref())?;
        check_user(&options.user.id.0)?;
        let client_data = ClientData::serialise("webauthn.create", &options.challenge.0, origin.as_str());
        let mut ceremony = Ceremony {
            options,
            client_data_hash: sha256(client_data.as_bytes()),
            algorithms: algorithms(options)?,
            excluded: ids(&options.exclude_credentials),
            rp_id,
        };
        let (created, results) = match self {
            Self::Ctap2(key) => ceremony.run(key, user)?,
            Self::U2f(channel) => {
                let selection = &options.authenticator_selection;
                if is_discoverable(selection.resident_key, selection.require_resident_key, false)? {
                    return Err(ClientError::Unsupported("credentials that need no user name"));
                }
                legacy::register(channel, &mut ceremony, user)?
            }
        };
        let transports = self.transports();
        respond(created, results, options.attestation, &client_data, transports, &ceremony)
    }

    fn transports(&self) -> Vec<String> {
        match self {
            Self::Ctap2(key) if !key.info().transports.is_empty() => key.info().transports.clone(),
            _ => vec!["usb".to_owned()],
        }
    }
}

/// What is known before the key is asked.
pub(super) struct Ceremony<'a> {
    pub(super) options: &'a CreationOptions,
    pub(super) rp_id: String,
    pub(super) client_data_hash: [u8; 32],
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) excluded: Vec<Vec<u8>>,
}

impl Ceremony<'_> {
    fn run<T: Transport>(
        &mut self,
        key: &mut Client<T>,
        user: &mut dyn UserInteraction,
    ) -> Result<(CreatedCredential, ExtensionResults), ClientError> {
        let selection = &self.options.authenticator_selection;
        let rk =
            is_discoverable(selection.resident_key, selection.require_resident_key, key.info().option("rk"))?;
        let mut is_verified = wants_verification(key, selection.user_verification)?
            // §6.1.2 steps 7 and 10: keys with a PIN want it for these whatever the website wants.
            || (key.info().can_verify_user() && (rk || !key.info().option("makeCredUvNotRqd")));
        // The second try is for a key that wants verification after all, or whose remembered token has run out.
        let mut tries = 0;
        let created = loop {
            tries += 1;
            match self.make(key, rk, is_verified, user) {
                Err(error) if tries < 2 && wants_token(&error) && key.info().can_verify_user() => {
                    is_verified = true;
                }
                result => break result?,
            }
        };
        let data = self.check(&created)?;
        if selection.user_verification == UserVerification::Required && !data.user_verified() {
            return Err(ClientError::Malformed("a credential without the verification that was asked for"));
        }
        let results = extensions::registration_results(key, &self.options.extensions, rk, &data)?;
        Ok((created, results))
    }

    fn make<T: Transport>(
        &self,
        key: &mut Client<T>,
        rk: bool,
        is_verified: bool,
        user: &mut dyn UserInteraction,
    ) -> Result<CreatedCredential, ClientError> {
        let extensions = extensions::registration_inputs(key, &self.options.extensions)?;
        let is_enterprise = self.options.attestation == AttestationConveyance::Enterprise;
        let mut request = CredentialRequest {
            client_data_hash: self.client_data_hash,
            rp: RpEntity { id: self.rp_id.clone(), name: named(&self.options.rp.name) },
            user: Account {
                id: self.options.user.id.0.clone(),
                name: named(&self.options.user.name),
                display_name: named(&self.options.user.display_name),
            },
            algorithms: self.algorithms.clone(),
            extensions,
            // Keys of CTAP 2.0 without this option refuse it even when it is off.
            discoverable: rk.then_some(true),
            enterprise_attestation: (is_enterprise && key.info().option("ep")).then_some(1),
            ..CredentialRequest::default()
        };
        let permissions = match self.excluded.len() {
            0 => permission::MAKE_CREDENTIAL,
            _ => permission::MAKE_CREDENTIAL | permission::GET_ASSERTION,
        };
        let has_token = verify_user(key, is_verified, permissions, &self.rp_id, user)?;
        // The parameter is not there yet; its room is left.
        let overhead = lists::overhead(Command::MAKE_CREDENTIAL, request.encode()).saturating_add(PARAM_ROOM);
        request.exclude_list = match key.fit_list(&self.rp_id, &self.excluded, overhead, has_token)? {
            Fitted::Whole(ids) => ids,
            Fitted::Found(id) => vec![id],
            Fitted::NotThere => Vec::new(),
        };
        request.verification = verification(key, is_verified, has_token, &self.client_data_hash)?;
        key.make_credential(&request, user)
    }

    /// Holds the answer against the request.
    fn check(&self, created: &CreatedCredential) -> Result<AuthData, ClientError> {
        let data = AuthData::parse(&created.auth_data).ok_or(ClientError::Malformed("authenticator data"))?;
        if data.rp_id_hash != sha256(self.rp_id.as_bytes()) {
            return Err(ClientError::Malformed("a credential for another website"));
        }
        if data.attested_credential.is_none() {
            return Err(ClientError::Malformed("a registration without a credential"));
        }
        Ok(data)
    }
}

/// Has the user verified if that is wanted; whether a token is there then, or the key verifies by itself in the command.
pub(super) fn verify_user<T: Transport>(
    key: &mut Client<T>,
    is_verified: bool,
    permissions: u8,
    rp_id: &str,
    user: &mut dyn UserInteraction,
) -> Result<bool, ClientError> {
    // Keys of CTAP 2.0 with a sensor have no token for it: they verify when the command says `uv`.
    let is_built_in = key.info().option("uv") && !key.info().option("pinUvAuthToken");
    let takes_token = is_verified && !is_built_in;
    if takes_token {
        key.obtain_token(permissions, Some(rp_id), user)?;
    }
    Ok(takes_token)
}

/// How a command carries the verification.
pub(super) fn verification<T: Transport>(
    key: &Client<T>,
    is_verified: bool,
    has_token: bool,
    client_data_hash: &[u8; 32],
) -> Result<Verification, ClientError> {
    match (is_verified, has_token) {
        (false, _) => Ok(Verification::None),
        (true, true) => key.authorise(client_data_hash),
        (true, false) => Ok(Verification::BuiltIn),
    }
}

/// Whether a second try with a new token may succeed.
pub(super) fn wants_token(error: &ClientError) -> bool {
    matches!(error.status(), Some(Status::PUAT_REQUIRED | Status::PIN_AUTH_INVALID))
}

/// The ids of the descriptors whose type is known.
pub(super) fn ids(descriptors: &[CredentialDescriptor]) -> Vec<Vec<u8>> {
    descriptors
        .iter()
        .filter(|descriptor| descriptor.kind == PUBLIC_KEY)
        .map(|descriptor| descriptor.id.0.clone())
        .collect()
}

fn is_discoverable(wish: ResidentKey, is_required: bool, can: bool) -> Result<bool, ClientError> {
    match wish {
        ResidentKey::Required if !can => Err(ClientError::Unsupported("credentials that need no user name")),
        ResidentKey::Required | ResidentKey::Preferred => Ok(can),
        ResidentKey::Discouraged => Ok(false),
        ResidentKey::Unspecified if is_required => is_discoverable(ResidentKey::Required, false, can),
        ResidentKey::Unspecified => Ok(false),
    }
}

/// §5.1.3 step 10: an empty list stands for ES256 and RS256; one without a known type is an error.
fn algorithms(options: &CreationOptions) -> Result<Vec<Algorithm>, ClientError> {
    if options.pub_key_cred_params.is_empty() {
        return Ok(vec![Algorithm::ES256, RS256]);
    }
    let known = options.pub_key_cred_params.iter().filter(|parameter| parameter.kind == PUBLIC_KEY);
    let algorithms: Vec<_> =
        known.filter_map(|parameter| i32::try_from(parameter.alg).ok().map(Algorithm)).collect();
    if algorithms.is_empty() {
        return Err(ClientError::Request("pubKeyCredParams has no public-key algorithm".to_owned()));
    }
    Ok(algorithms)
}

/// §5.4.3.
fn check_user(id: &[u8]) -> Result<(), ClientError> {
    if (1..=64).contains(&id.len()) {
        return Ok(());
    }
    Err(ClientError::Request(format!("user.id has {} bytes and must have 1 to 64", id.len())))
}

fn named(name: &str) -> Option<String> {
    Some(name).filter(|name| !name.is_empty()).map(str::to_owned)
}

fn respond(
    created: CreatedCredential,
    results: ExtensionResults,
    conveyance: AttestationConveyance,
    client_data: &str,
    transports: Vec<String>,
    ceremony: &Ceremony<'_>,
) -> Result<RegistrationResponse, ClientError> {
    let credential = ceremony
        .check(&created)?
        .attested_credential
        .ok_or(ClientError::Malformed("a registration without a credential"))?;
    let created = if conveyance == AttestationConveyance::None {
        anonymous(created, &credential.aaguid)
    } else {
        created
    };
    let attestation_object = cbor::encode(cbor::text_map([
        ("fmt", Some(Value::from(created.format))),
        ("attStmt", Some(created.statement)),
        ("authData", Some(cbor::bytes(&created.auth_data))),
    ]));
    let key = verify::PublicKey::parse(&credential.public_key);
    Ok(RegistrationResponse {
        id: Base64Url(credential.id.clone()),
        raw_id: Base64Url(credential.id),
        kind: PUBLIC_KEY.to_owned(),
        response: AttestationResponse {
            client_data_json: Base64Url(client_data.as_bytes().to_vec()),
            authenticator_data: Some(Base64Url(created.auth_data)),
            transports,
            public_key: key.as_ref().and_then(verify::PublicKey::to_spki).map(Base64Url),
            public_key_algorithm: key.as_ref().map(verify::PublicKey::algorithm),
            attestation_object: Base64Url(attestation_object),
        },
        authenticator_attachment: Some(CROSS_PLATFORM.to_owned()),
        client_extension_results: results,
    })
}

/// §5.1.3 step 22, conveyance `none`: the model and what proves it are taken out. A self attestation of no model tells
/// nothing and is kept.
pub(super) fn anonymous(created: CreatedCredential, aaguid: &[u8; 16]) -> CreatedCredential {
    let has_certificate = created
        .statement
        .as_map()
        .is_some_and(|statement| statement.iter().any(|(name, _)| name.as_text() == Some("x5c")));
    if created.format == "packed" && !has_certificate && *aaguid == [0; 16] {
        return created;
    }
    CreatedCredential {
        format: "none".to_owned(),
        statement: Value::Map(Vec::new()),
        auth_data: auth_data::without_aaguid(&created.auth_data),
        ..created
    }
}

const RS256: Algorithm = Algorithm(-257);
pub(super) const CROSS_PLATFORM: &str = "cross-platform";
/// `pinUvAuthParam`, `pinUvAuthProtocol` and `uv`, with their keys and heads.
pub(super) const PARAM_ROOM: usize = 48;
