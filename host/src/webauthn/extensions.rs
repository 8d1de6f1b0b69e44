//! Extensions: from what the website asks to what the key is asked, and back.

use ciborium::Value;

use super::{
    AuthenticationExtensions, Base64Url, CredentialProperties, CredentialProtection, ExtensionResults,
    HmacOutputs, HmacSalts, PrfInput, PrfOutput, PrfValues, RegistrationExtensions, sha256,
};
use crate::auth_data::AuthData;
use crate::ctap2::{Client, HmacSecrets};
use crate::error::ClientError;
use crate::transport::Transport;

/// Inputs for the key, in a registration.
pub(super) fn registration_inputs<T: Transport>(
    key: &mut Client<T>,
    wanted: &RegistrationExtensions,
) -> Result<Vec<(String, Value)>, ClientError> {
    let mut inputs = Vec::new();
    if let Some(level) = wanted.credential_protection_policy {
        if key.info().has_extension(CRED_PROTECT) {
            inputs.push((CRED_PROTECT.to_owned(), Value::from(level.number())));
        } else if wanted.enforce_credential_protection_policy && level != CredentialProtection::Optional {
            return Err(ClientError::Unsupported("the protection of credentials that is asked for"));
        }
    }
    if key.info().has_extension(HMAC_SECRET) && (wanted.hmac_create_secret || wanted.prf.is_some()) {
        inputs.push((HMAC_SECRET.to_owned(), Value::from(true)));
        let values = wanted.prf.as_ref().and_then(|prf| prf.eval.as_ref());
        if let Some(values) = values.filter(|_| key.info().has_extension(HMAC_SECRET_MC)) {
            let (first, second) = prf_salts(values);
            inputs.push((HMAC_SECRET_MC.to_owned(), key.hmac_secret_input(&first, second.as_ref())?));
        }
    }
    Ok(inputs)
}

/// What the website learns after a registration.
pub(super) fn registration_results<T: Transport>(
    key: &Client<T>,
    wanted: &RegistrationExtensions,
    is_discoverable: bool,
    data: &AuthData,
) -> Result<ExtensionResults, ClientError> {
    let has_secret = data.extension(HMAC_SECRET).and_then(Value::as_bool).unwrap_or_default();
    let secrets = match data.extension(HMAC_SECRET_MC) {
        Some(Value::Bytes(output)) => Some(key.hmac_secret_output(output)?),
        _ => None,
    };
    Ok(ExtensionResults {
        cred_props: wanted.cred_props.then_some(CredentialProperties { rk: is_discoverable }),
        hmac_create_secret: wanted.hmac_create_secret.then_some(has_secret),
        prf: wanted
            .prf
            .as_ref()
            .map(|_| PrfOutput { enabled: Some(has_secret), results: secrets.as_ref().map(prf_results) }),
        ..ExtensionResults::default()
    })
}

/// The salts that are sent in an authentication, and what they are for.
pub(super) struct Salts {
    first: [u8; 32],
    second: Option<[u8; 32]>,
    is_prf: bool,
}

impl Salts {
    /// The salts for whichever credential answers, or for the one that will (`id`).
    ///
    /// # Errors
    /// [`ClientError::Request`] if a salt of `hmacGetSecret` is not 32 bytes.
    pub(super) fn choose(
        wanted: &AuthenticationExtensions,
        id: Option<&[u8]>,
    ) -> Result<Option<Self>, ClientError> {
        if let Some(prf) = &wanted.prf {
            let own = id.and_then(|id| prf.eval_by_credential.get(&Base64Url(id.to_vec())));
            return Ok(own.or(prf.eval.as_ref()).map(|values| {
                let (first, second) = prf_salts(values);
                Self { first, second, is_prf: true }
            }));
        }
        wanted.hmac_get_secret.as_ref().map(Self::given).transpose()
    }

    fn given(salts: &HmacSalts) -> Result<Self, ClientError> {
        let salt = |value: &Base64Url| {
            <[u8; 32]>::try_from(&value.0[..])
                .map_err(|_| ClientError::Request("a salt of hmacGetSecret is not 32 bytes".to_owned()))
        };
        let second = salts.salt2.as_ref().map(salt).transpose()?;
        Ok(Self { first: salt(&salts.salt1)?, second, is_prf: false })
    }

    /// The input for the key; none if it does not have the extension.
    pub(super) fn input<T: Transport>(
        &self,
        key: &mut Client<T>,
    ) -> Result<Vec<(String, Value)>, ClientError> {
        if !key.info().has_extension(HMAC_SECRET) {
            return Ok(Vec::new());
        }
        let input = key.hmac_secret_input(&self.first, self.second.as_ref())?;
        Ok(vec![(HMAC_SECRET.to_owned(), input)])
    }
}

/// What the website learns after an authentication.
pub(super) fn authentication_results<T: Transport>(
    key: &Client<T>,
    wanted: &AuthenticationExtensions,
    salts: Option<&Salts>,
    data: &AuthData,
) -> Result<ExtensionResults, ClientError> {
    let mut results = ExtensionResults {
        appid: wanted.appid.as_ref().map(|_| false),
        prf: wanted.prf.as_ref().map(|_| PrfOutput::default()),
        ..ExtensionResults::default()
    };
    let (Some(salts), Some(Value::Bytes(output))) = (salts, data.extension(HMAC_SECRET)) else {
        return Ok(results);
    };
    let secrets = key.hmac_secret_output(output)?;
    if salts.is_prf {
        results.prf = Some(PrfOutput { enabled: None, results: Some(prf_results(&secrets)) });
    } else {
        results.hmac_get_secret = Some(HmacOutputs {
            output1: Base64Url(secrets.first.to_vec()),
            output2: secrets.second.as_ref().map(|second| Base64Url(second.to_vec())),
        });
    }
    Ok(results)
}

/// Whether the credential that will answer must be known before it is asked, to choose its inputs.
pub(super) fn depends_on_credential(wanted: &AuthenticationExtensions) -> bool {
    wanted.prf.as_ref().is_some_and(|prf: &PrfInput| !prf.eval_by_credential.is_empty())
}

impl CredentialProtection {
    const fn number(self) -> u64 {
        match self {
            Self::Optional => 1,
            Self::OptionalWithCredentialIdList => 2,
            Self::Required => 3,
        }
    }
}

/// WebAuthn §10.1.4: inputs of `prf` are hashed under a name of their own, so that no website can ask for salts that another
/// use of hmac-secret has, such as unlocking a disk.
fn prf_salts(values: &PrfValues) -> ([u8; 32], Option<[u8; 32]>) {
    let salt = |input: &Base64Url| sha256(&[b"WebAuthn PRF\0", &input.0[..]].concat());
    (salt(&values.first), values.second.as_ref().map(salt))
}

fn prf_results(secrets: &HmacSecrets) -> PrfValues {
    PrfValues {
        first: Base64Url(secrets.first.to_vec()),
        second: secrets.second.as_ref().map(|second| Base64Url(second.to_vec())),
    }
}

const CRED_PROTECT: &str = "credProtect";
const HMAC_SECRET: &str = "hmac-secret";
const HMAC_SECRET_MC: &str = "hmac-secret-mc";
