//! What a relying party checks (WebAuthn Level 3 §7.1, §7.2): the responses of ceremonies, and what they are signed with.
//!
//! ```no_run
//! use keywright_host::verify::{self, Expected};
//! use keywright_host::webauthn::RegistrationResponse;
//!
//! let response: RegistrationResponse = serde_json::from_reader(std::io::stdin())?;
//! let expected = Expected {
//!     challenge: b"sixteen random bytes",
//!     origin: "https://example.org",
//!     rp_id: "example.org",
//!     require_user_verification: false,
//! };
//! let credential = verify::registration(&response, &expected)?;
//! println!("{:?}, counter {}", credential.attestation, credential.sign_count);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attestation;
mod public_key;

use ciborium::Value;

use crate::auth_data::{AttestedCredential, AuthData};
use crate::cbor::Members;
use crate::webauthn::{AuthenticationResponse, ClientData, RegistrationResponse, sha256};

pub use attestation::{AttestationKind, verify_statement};
pub use public_key::PublicKey;

/// What a relying party knows of a ceremony.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The challenge that it gave out.
    pub challenge: &'a [u8],
    /// Its origin.
    pub origin: &'a str,
    /// Its RP ID.
    pub rp_id: &'a str,
    /// Whether it insists on user verification.
    pub require_user_verification: bool,
}

/// A credential that was registered.
#[derive(Clone, Debug, PartialEq)]
pub struct RegisteredCredential {
    /// Its id.
    pub id: Vec<u8>,
    /// Its public key, a COSE_Key: what the relying party keeps.
    pub public_key: Vec<u8>,
    /// The signature counter.
    pub sign_count: u32,
    /// The key's model; zeros if it is not told.
    pub aaguid: [u8; 16],
    /// How the key was attested.
    pub attestation: AttestationKind,
    /// The user was verified.
    pub user_verified: bool,
}

/// An assertion that was found right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifiedAssertion {
    /// The signature counter, to be kept.
    pub sign_count: u32,
    /// The user was verified.
    pub user_verified: bool,
}

/// What does not hold of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Client data cannot be read.
    #[error("the client data is no JSON of the form that WebAuthn has: use another client")]
    ClientData,
    /// Client data is of another kind of ceremony.
    #[error("the client data is of another ceremony: start again")]
    Ceremony,
    /// The challenge is another one.
    #[error("the challenge is not the one that was given out: start again")]
    Challenge,
    /// The origin is another one.
    #[error("the origin is another website's: somebody may be phishing")]
    Origin,
    /// The attestation object or authenticator data cannot be read.
    #[error("the key's answer cannot be read: use another key")]
    Malformed,
    /// The RP ID's hash is another one.
    #[error("the answer is for another RP ID: check the RP ID and the origin")]
    RpId,
    /// The user was not present.
    #[error("the key was not touched: try again and touch it")]
    UserPresence,
    /// The user was not verified.
    #[error("the user was not verified: set a PIN on the key, and try again")]
    UserVerification,
    /// The response's id is not the one that was signed.
    #[error("the credential id of the response is not the one of the key's answer: use another client")]
    CredentialId,
    /// The public key's algorithm is not known.
    #[error("the public key's algorithm is not known here: register with ES256 or EdDSA")]
    Algorithm,
    /// A signature is wrong.
    #[error("the signature is wrong: the answer was changed, or the key is another one")]
    Signature,
    /// The attestation statement breaks a rule of its format.
    #[error("the attestation statement breaks the rules of its format: use another key")]
    Statement,
    /// The attestation statement's format is not known.
    #[error("the attestation format is not known here: ask for attestation \"none\"")]
    Format,
    /// The model in the certificate is not the one in authenticator data.
    #[error("the attestation certificate is for another model: use another key")]
    Aaguid,
    /// The signature counter did not rise.
    #[error("the signature counter did not rise: there may be a copy of this key")]
    Counter,
}

/// Verifies a registration. Certificates are not followed to a root: whom to trust is the relying party's to say.
///
/// # Errors
/// [`VerifyError`]: the first rule that does not hold.
pub fn registration(
    response: &RegistrationResponse,
    expected: &Expected<'_>,
) -> Result<RegisteredCredential, VerifyError> {
    let client_data = &response.response.client_data_json.0;
    check_client_data(client_data, "webauthn.create", expected)?;
    let object = &response.response.attestation_object.0;
    let mut object = Members::parse(object).ok_or(VerifyError::Malformed)?;
    let auth_data = object.bytes("authData").ok_or(VerifyError::Malformed)?;
    let format = object.text("fmt").ok_or(VerifyError::Malformed)?;
    let statement = object.take("attStmt").ok_or(VerifyError::Malformed)?;
    let data = check_auth_data(&auth_data, expected)?;
    let credential = data.attested_credential.as_ref().ok_or(VerifyError::Malformed)?;
    if credential.id != response.raw_id.0 || credential.id != response.id.0 {
        return Err(VerifyError::CredentialId);
    }
    let attestation = verify_statement(&format, statement, &auth_data, &data, &sha256(client_data))?;
    let AttestedCredential { aaguid, id, public_key } = credential.clone();
    Ok(RegisteredCredential {
        id,
        public_key,
        sign_count: data.sign_count,
        aaguid,
        attestation,
        user_verified: data.user_verified(),
    })
}

/// Verifies an assertion with the public key that was registered; `last_count` is the counter that was last seen.
///
/// # Errors
/// [`VerifyError`]: the first rule that does not hold.
pub fn assertion(
    response: &AuthenticationResponse,
    expected: &Expected<'_>,
    credential_id: &[u8],
    public_key: &[u8],
    last_count: u32,
) -> Result<VerifiedAssertion, VerifyError> {
    let answer = &response.response;
    if response.raw_id.0 != credential_id || response.id.0 != credential_id {
        return Err(VerifyError::CredentialId);
    }
    check_client_data(&answer.client_data_json.0, "webauthn.get", expected)?;
    let data = check_auth_data(&answer.authenticator_data.0, expected)?;
    let signed = [&answer.authenticator_data.0[..], &sha256(&answer.client_data_json.0)].concat();
    let key = PublicKey::parse(public_key).ok_or(VerifyError::Malformed)?;
    key.verify(&signed, &answer.signature.0)?;
    // §7.2 step 22: keys that do not count say 0 for ever.
    if (data.sign_count != 0 || last_count != 0) && data.sign_count <= last_count {
        return Err(VerifyError::Counter);
    }
    Ok(VerifiedAssertion { sign_count: data.sign_count, user_verified: data.user_verified() })
}

fn check_client_data(bytes: &[u8], kind: &str, expected: &Expected<'_>) -> Result<(), VerifyError> {
    let data: ClientData = serde_json::from_slice(bytes).map_err(|_| VerifyError::ClientData)?;
    if data.kind != kind {
        return Err(VerifyError::Ceremony);
    }
    if data.challenge.0 != expected.challenge {
        return Err(VerifyError::Challenge);
    }
    if data.origin != expected.origin || data.cross_origin {
        return Err(VerifyError::Origin);
    }
    Ok(())
}

fn check_auth_data(bytes: &[u8], expected: &Expected<'_>) -> Result<AuthData, VerifyError> {
    let data = AuthData::parse(bytes).ok_or(VerifyError::Malformed)?;
    if data.rp_id_hash != sha256(expected.rp_id.as_bytes()) {
        return Err(VerifyError::RpId);
    }
    if !data.user_present() {
        return Err(VerifyError::UserPresence);
    }
    if expected.require_user_verification && !data.user_verified() {
        return Err(VerifyError::UserVerification);
    }
    Ok(data)
}

/// The certificates of a statement, the leaf first.
fn certificates(statement: &mut Members) -> Option<Vec<Vec<u8>>> {
    statement.list("x5c", |item: Value| item.into_bytes().ok())
}

#[cfg(test)]
mod tests;
