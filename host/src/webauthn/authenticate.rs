//! Authentication (§5.1.4, §6.3.3).

use keywright_common::ctap2::{Command, PUBLIC_KEY};

use super::extensions::{self, Salts};
use super::register::{CROSS_PLATFORM, PARAM_ROOM, ids, verification, verify_user, wants_token};
use super::{
    AssertionResponse, AuthenticationResponse, Authenticator, Base64Url, ClientData, ExtensionResults,
    Origin, RequestOptions, UserVerification, legacy, sha256, wants_verification,
};
use crate::auth_data::AuthData;
use crate::ctap2::lists::{self, Fitted};
use crate::ctap2::{Assertion, AssertionRequest, Client};
use crate::error::ClientError;
use crate::pin_uv_auth::permission;
use crate::transport::Transport;
use crate::user::{Account, UserInteraction};

impl<T: Transport> Authenticator<T> {
    /// Proves to a website that a credential is there.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::NoCredential`] if it is not on this key, [`ClientError::Request`] if the website may
    /// not ask for it.
    pub fn authenticate(
        &mut self,
        options: &RequestOptions,
        origin: &Origin,
        user: &mut dyn UserInteraction,
    ) -> Result<AuthenticationResponse, ClientError> {
        let rp_id = origin.rp_id(options.rp_id.as_deref())?;
        let app_id = options.extensions.appid.clone();
        if app_id.as_ref().is_some_and(|app_id| !origin.may_use_app_id(app_id)) {
            return Err(ClientError::Request(format!("{origin} may not use this appid")));
        }
        let client_data = ClientData::serialise("webauthn.get", &options.challenge.0, origin.as_str());
        let ceremony = Ceremony {
            options,
            client_data_hash: sha256(client_data.as_bytes()),
            allowed: ids(&options.allow_credentials),
            app_id,
            rp_id,
        };
        if ceremony.allowed.is_empty() && !options.allow_credentials.is_empty() {
            return Err(ClientError::Request(
                "allowCredentials has no credential of a known type".to_owned(),
            ));
        }
        let proof = match self {
            Self::Ctap2(key) => ceremony.run(key, user)?,
            Self::U2f(channel) => legacy::authenticate(channel, &ceremony, user)?,
        };
        Ok(proof.respond(&client_data))
    }
}

/// What is known before the key is asked.
pub(super) struct Ceremony<'a> {
    pub(super) options: &'a RequestOptions,
    pub(super) rp_id: String,
    pub(super) app_id: Option<String>,
    pub(super) client_data_hash: [u8; 32],
    pub(super) allowed: Vec<Vec<u8>>,
}

/// What the key answered.
pub(super) struct Proof {
    pub(super) id: Vec<u8>,
    pub(super) auth_data: Vec<u8>,
    pub(super) signature: Vec<u8>,
    pub(super) user_handle: Option<Vec<u8>>,
    pub(super) results: ExtensionResults,
}

impl Ceremony<'_> {
    fn run<T: Transport>(
        &self,
        key: &mut Client<T>,
        user: &mut dyn UserInteraction,
    ) -> Result<Proof, ClientError> {
        if self.allowed.is_empty() && !key.info().option("rk") {
            return Err(ClientError::Unsupported("credentials that need no user name"));
        }
        let mut is_verified = wants_verification(key, self.options.user_verification)?;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.assert(key, is_verified, user) {
                Err(error) if tries < 2 && wants_token(&error) && key.info().can_verify_user() => {
                    is_verified = true;
                }
                result => return result,
            }
        }
    }

    fn assert<T: Transport>(
        &self,
        key: &mut Client<T>,
        is_verified: bool,
        user: &mut dyn UserInteraction,
    ) -> Result<Proof, ClientError> {
        let has_token = verify_user(key, is_verified, permission::GET_ASSERTION, &self.rp_id, user)?;
        let mut request = AssertionRequest {
            rp_id: self.rp_id.clone(),
            client_data_hash: self.client_data_hash,
            ..AssertionRequest::default()
        };
        let Some(allow_list) = self.fit(key, &request, has_token)? else {
            return self.elsewhere(key, user);
        };
        request.allow_list = allow_list;
        let id = match request.allow_list.as_slice() {
            [id] => Some(id.clone()),
            _ => None,
        };
        let salts = Salts::choose(&self.options.extensions, id.as_deref())?;
        if let Some(salts) = &salts {
            request.extensions = salts.input(key)?;
        }
        request.verification = verification(key, is_verified, has_token, &self.client_data_hash)?;
        let assertions = match key.get_assertions(&request, user) {
            Err(ClientError::NoCredential) if self.app_id.is_some() => return self.elsewhere(key, user),
            assertions => assertions?,
        };
        let assertion = choose(assertions, user)?;
        self.proof(key, assertion, id, salts.as_ref())
    }

    /// The list that the request is sent with; `None` if the key has none of its credentials.
    fn fit<T: Transport>(
        &self,
        key: &mut Client<T>,
        request: &AssertionRequest,
        has_token: bool,
    ) -> Result<Option<Vec<Vec<u8>>>, ClientError> {
        let must_be_known = !self.allowed.is_empty()
            && (extensions::depends_on_credential(&self.options.extensions) || self.app_id.is_some());
        let overhead = lists::overhead(Command::GET_ASSERTION, request.encode())
            .saturating_add(PARAM_ROOM)
            .saturating_add(self.extension_room());
        let fitted = match key.fit_list(&self.rp_id, &self.allowed, overhead, has_token)? {
            Fitted::Whole(ids) if must_be_known => {
                key.find_credential(&self.rp_id, &ids, has_token)?.map_or(Fitted::NotThere, Fitted::Found)
            }
            fitted => fitted,
        };
        Ok(match fitted {
            Fitted::Whole(ids) => Some(ids),
            Fitted::Found(id) => Some(vec![id]),
            Fitted::NotThere => None,
        })
    }

    /// No credential of the list is this key's under the RP ID: it may have one under the AppID, that was made with U2F. If
    /// not, the user still touches it, so that nobody learns more without a touch.
    fn elsewhere<T: Transport>(
        &self,
        key: &mut Client<T>,
        user: &mut dyn UserInteraction,
    ) -> Result<Proof, ClientError> {
        let speaks_u2f = key.channel_mut().device().has_msg() && key.info().has_version("U2F_V2");
        if self.app_id.is_some() && speaks_u2f {
            return legacy::authenticate(key.channel_mut(), self, user);
        }
        key.wait_for_touch(user)?;
        Err(ClientError::NoCredential)
    }

    fn proof<T: Transport>(
        &self,
        key: &Client<T>,
        assertion: Assertion,
        id: Option<Vec<u8>>,
        salts: Option<&Salts>,
    ) -> Result<Proof, ClientError> {
        let data =
            AuthData::parse(&assertion.auth_data).ok_or(ClientError::Malformed("authenticator data"))?;
        if data.rp_id_hash != sha256(self.rp_id.as_bytes()) {
            return Err(ClientError::Malformed("an assertion for another website"));
        }
        if self.options.user_verification == UserVerification::Required && !data.user_verified() {
            return Err(ClientError::Malformed("an assertion without the verification that was asked for"));
        }
        let id = assertion.credential_id.or(id).ok_or(ClientError::Malformed("an assertion of nothing"))?;
        if !self.allowed.is_empty() && !self.allowed.contains(&id) {
            return Err(ClientError::Malformed("an assertion of a credential that was not asked for"));
        }
        let results = extensions::authentication_results(key, &self.options.extensions, salts, &data)?;
        Ok(Proof {
            id,
            auth_data: assertion.auth_data,
            signature: assertion.signature,
            user_handle: assertion.user.map(|user| user.id),
            results,
        })
    }

    /// Room for the inputs of hmac-secret: a public key, two salts and what authenticates them.
    fn extension_room(&self) -> usize {
        let wanted = &self.options.extensions;
        if wanted.prf.is_some() || wanted.hmac_get_secret.is_some() { 256 } else { 0 }
    }
}

impl Proof {
    fn respond(self, client_data: &str) -> AuthenticationResponse {
        AuthenticationResponse {
            id: Base64Url(self.id.clone()),
            raw_id: Base64Url(self.id),
            kind: PUBLIC_KEY.to_owned(),
            response: AssertionResponse {
                client_data_json: Base64Url(client_data.as_bytes().to_vec()),
                authenticator_data: Base64Url(self.auth_data),
                signature: Base64Url(self.signature),
                user_handle: self.user_handle.map(Base64Url),
            },
            authenticator_attachment: Some(CROSS_PLATFORM.to_owned()),
            client_extension_results: self.results,
        }
    }
}

/// Of several accounts, the user's choice; keys with a display have asked already.
fn choose(mut assertions: Vec<Assertion>, user: &mut dyn UserInteraction) -> Result<Assertion, ClientError> {
    let is_chosen = assertions.len() == 1 || assertions.first().is_some_and(|first| first.user_selected);
    let chosen = if is_chosen {
        0
    } else {
        let accounts: Vec<Account> =
            assertions.iter().map(|assertion| assertion.user.clone().unwrap_or_default()).collect();
        user.choose_account(&accounts).ok_or(ClientError::Cancelled)?
    };
    if chosen >= assertions.len() {
        return Err(ClientError::Cancelled);
    }
    Ok(assertions.swap_remove(chosen))
}
