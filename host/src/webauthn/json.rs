//! The shapes in which websites ask and are answered (WebAuthn Level 3 §5.1.8 to §5.1.10): unknown members are ignored,
//! unknown values of an enumeration are as if they had not been said.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes, in JSON as base64url. Padding is written nowhere and accepted everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Base64Url(pub Vec<u8>);

impl Serialize for Base64Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
        bytes.map(Self).map_err(|_| serde::de::Error::custom("not base64url"))
    }
}

/// `PublicKeyCredentialCreationOptionsJSON`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreationOptions {
    /// The relying party.
    pub rp: RelyingPartyEntity,
    /// The account.
    pub user: UserEntity,
    /// Random bytes of the relying party's.
    pub challenge: Base64Url,
    /// Algorithms, best first; empty: ES256 and RS256.
    #[serde(default, deserialize_with = "nullable")]
    pub pub_key_cred_params: Vec<CredentialParameter>,
    /// Credentials that must not be on the key.
    #[serde(default, deserialize_with = "nullable")]
    pub exclude_credentials: Vec<CredentialDescriptor>,
    /// What kind of key and credential is wanted.
    #[serde(default, deserialize_with = "nullable")]
    pub authenticator_selection: AuthenticatorSelection,
    /// Whether the key's model is to be proved.
    #[serde(default, deserialize_with = "nullable")]
    pub attestation: AttestationConveyance,
    /// Extensions.
    #[serde(default, deserialize_with = "nullable")]
    pub extensions: RegistrationExtensions,
}

/// `PublicKeyCredentialRequestOptionsJSON`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestOptions {
    /// Random bytes of the relying party's.
    pub challenge: Base64Url,
    /// The RP ID; absent: the origin's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rp_id: Option<String>,
    /// Credentials that may answer; empty: discoverable ones.
    #[serde(default, deserialize_with = "nullable")]
    pub allow_credentials: Vec<CredentialDescriptor>,
    /// Whether the user is to be verified.
    #[serde(default, deserialize_with = "nullable")]
    pub user_verification: UserVerification,
    /// Extensions.
    #[serde(default, deserialize_with = "nullable")]
    pub extensions: AuthenticationExtensions,
}

/// `PublicKeyCredentialRpEntity`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RelyingPartyEntity {
    /// The RP ID; absent: the origin's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A name to show.
    #[serde(default)]
    pub name: String,
}

/// `PublicKeyCredentialUserEntityJSON`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserEntity {
    /// The user handle, 1 to 64 bytes.
    pub id: Base64Url,
    /// The account's name.
    #[serde(default)]
    pub name: String,
    /// The person's name.
    #[serde(default)]
    pub display_name: String,
}

/// `PublicKeyCredentialParameters`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialParameter {
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The COSE algorithm identifier.
    pub alg: i64,
}

/// `PublicKeyCredentialDescriptorJSON`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialDescriptor {
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The credential id.
    pub id: Base64Url,
}

/// `AuthenticatorSelectionCriteria`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticatorSelection {
    /// Whether the credential is to be discoverable.
    #[serde(default, deserialize_with = "nullable")]
    pub resident_key: ResidentKey,
    /// What Level 1 had in its place; counts where `residentKey` is absent.
    #[serde(default)]
    pub require_resident_key: bool,
    /// Whether the user is to be verified.
    #[serde(default)]
    pub user_verification: UserVerification,
}

/// `ResidentKeyRequirement`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResidentKey {
    /// Nothing else will do.
    Required,
    /// If the key can.
    Preferred,
    /// Rather not.
    Discouraged,
    /// Absent or not known: `requireResidentKey` decides.
    #[default]
    #[serde(other)]
    Unspecified,
}

/// `UserVerificationRequirement`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserVerification {
    /// Nothing else will do.
    Required,
    /// Rather not.
    Discouraged,
    /// If the key can; also if absent or not known.
    #[default]
    #[serde(other)]
    Preferred,
}

/// `AttestationConveyancePreference`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttestationConveyance {
    /// As the key gives it, or made anonymous; here, as the key gives it.
    Indirect,
    /// As the key gives it.
    Direct,
    /// With what identifies this one key, where the key agrees.
    Enterprise,
    /// Not wanted; also if absent or not known.
    #[default]
    #[serde(other)]
    None,
}

/// Extension inputs of a registration.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RegistrationExtensions {
    /// `credProps`.
    pub cred_props: bool,
    /// `credentialProtectionPolicy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential_protection_policy: Option<CredentialProtection>,
    /// `enforceCredentialProtectionPolicy`.
    pub enforce_credential_protection_policy: bool,
    /// `hmacCreateSecret`.
    pub hmac_create_secret: bool,
    /// `prf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prf: Option<PrfInput>,
}

/// Values of `credentialProtectionPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CredentialProtection {
    /// Level 1.
    #[serde(rename = "userVerificationOptional")]
    Optional,
    /// Level 2.
    #[serde(rename = "userVerificationOptionalWithCredentialIDList")]
    OptionalWithCredentialIdList,
    /// Level 3.
    #[serde(rename = "userVerificationRequired")]
    Required,
}

/// Extension inputs of an authentication.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthenticationExtensions {
    /// `appid`: the AppID of a registration that was made with U2F.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appid: Option<String>,
    /// `prf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prf: Option<PrfInput>,
    /// `hmacGetSecret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hmac_get_secret: Option<HmacSalts>,
}

/// Inputs of `prf`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PrfInput {
    /// For whichever credential answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval: Option<PrfValues>,
    /// For the credential of this id, in base64url.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub eval_by_credential: BTreeMap<Base64Url, PrfValues>,
}

/// One or two values, as inputs or as results.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrfValues {
    /// The first.
    pub first: Base64Url,
    /// The second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Base64Url>,
}

/// Inputs of `hmacGetSecret`: salts of 32 bytes.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HmacSalts {
    /// The first.
    pub salt1: Base64Url,
    /// The second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt2: Option<Base64Url>,
}

/// `RegistrationResponseJSON`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationResponse {
    /// The credential id.
    pub id: Base64Url,
    /// The credential id.
    pub raw_id: Base64Url,
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the key answered.
    pub response: AttestationResponse,
    /// `cross-platform`: the key can be taken elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticator_attachment: Option<String>,
    /// Extension outputs.
    #[serde(default)]
    pub client_extension_results: ExtensionResults,
}

/// `AuthenticatorAttestationResponseJSON`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AttestationResponse {
    /// Client data; the key signed its hash.
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: Base64Url,
    /// Authenticator data: a copy of what is in the attestation object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticator_data: Option<Base64Url>,
    /// How the key can be reached.
    #[serde(default)]
    pub transports: Vec<String>,
    /// The public key as DER SubjectPublicKeyInfo, for algorithms that this program knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<Base64Url>,
    /// The COSE algorithm identifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_algorithm: Option<i64>,
    /// The attestation object.
    pub attestation_object: Base64Url,
}

/// `AuthenticationResponseJSON`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationResponse {
    /// The credential id.
    pub id: Base64Url,
    /// The credential id.
    pub raw_id: Base64Url,
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the key answered.
    pub response: AssertionResponse,
    /// `cross-platform`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticator_attachment: Option<String>,
    /// Extension outputs.
    #[serde(default)]
    pub client_extension_results: ExtensionResults,
}

/// `AuthenticatorAssertionResponseJSON`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AssertionResponse {
    /// Client data; the key signed its hash.
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: Base64Url,
    /// Authenticator data, which the key signed.
    pub authenticator_data: Base64Url,
    /// The signature.
    pub signature: Base64Url,
    /// The account of a discoverable credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_handle: Option<Base64Url>,
}

/// `AuthenticationExtensionsClientOutputsJSON`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExtensionResults {
    /// `appid`: whether the AppID was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appid: Option<bool>,
    /// `credProps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cred_props: Option<CredentialProperties>,
    /// `hmacCreateSecret`: whether there is a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hmac_create_secret: Option<bool>,
    /// `hmacGetSecret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hmac_get_secret: Option<HmacOutputs>,
    /// `prf`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prf: Option<PrfOutput>,
}

/// The output of `credProps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialProperties {
    /// Whether the credential is discoverable.
    pub rk: bool,
}

/// The output of `hmacGetSecret`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HmacOutputs {
    /// For the first salt.
    pub output1: Base64Url,
    /// For the second salt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output2: Option<Base64Url>,
}

/// The output of `prf`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrfOutput {
    /// In a registration, whether the credential has the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// The function's values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<PrfValues>,
}

macro_rules! redacted {
    ($($name:ident),*) => {$(
        /// Shows nothing: what a function of a secret is asked, and answers, is somebody's key to something.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )*};
}

redacted!(PrfValues, HmacSalts, HmacOutputs);

/// `null` stands for absence: some servers write every member that they know.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
