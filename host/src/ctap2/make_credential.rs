//! authenticatorMakeCredential (§6.1).

use ciborium::Value;
use keywright_common::cose::Algorithm;
use keywright_common::ctap2::{Command, PUBLIC_KEY};

use super::{Client, Verification, descriptors, extension_inputs, options, user_entity};
use crate::cbor::{self, Members};
use crate::ctaphid::Interaction;
use crate::error::ClientError;
use crate::transport::Transport;
use crate::user::Account;

/// The request.
#[derive(Clone, Debug, Default)]
pub struct CredentialRequest {
    /// 0x01: SHA-256 of the client data.
    pub client_data_hash: [u8; 32],
    /// 0x02: the relying party.
    pub rp: RpEntity,
    /// 0x03: the account.
    pub user: Account,
    /// 0x04: the algorithms that the relying party takes, best first.
    pub algorithms: Vec<Algorithm>,
    /// 0x05: ids of credentials that must not be on the key.
    pub exclude_list: Vec<Vec<u8>>,
    /// 0x06: extension inputs.
    pub extensions: Vec<(String, Value)>,
    /// 0x07, `rk`: whether the credential is to be discoverable.
    pub discoverable: Option<bool>,
    /// 0x07, `uv`, or 0x08 and 0x09.
    pub verification: Verification,
    /// 0x0A: enterprise attestation.
    pub enterprise_attestation: Option<u64>,
    /// 0x0B: attestation formats, best first.
    pub attestation_formats_preference: Vec<String>,
}

/// A relying party.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RpEntity {
    /// The RP ID.
    pub id: String,
    /// A name to show.
    pub name: Option<String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct CreatedCredential {
    /// 0x01: the attestation statement's format.
    pub format: String,
    /// 0x02: authenticator data.
    pub auth_data: Vec<u8>,
    /// 0x03: the attestation statement, as the format has it.
    pub statement: Value,
    /// 0x04: enterprise attestation was given.
    pub enterprise_attestation: bool,
    /// 0x05: the key of the credential's large blob.
    pub large_blob_key: Option<Vec<u8>>,
    /// 0x06: extension outputs that are not signed.
    pub unsigned_extension_outputs: Vec<(Value, Value)>,
}

impl CredentialRequest {
    pub(crate) fn encode(&self) -> Value {
        let formats = self.attestation_formats_preference.iter().map(|name| Value::from(name.as_str()));
        let formats: Vec<_> = formats.collect();
        cbor::map([
            (0x01, Some(cbor::bytes(&self.client_data_hash))),
            (0x02, Some(self.rp.encode())),
            (0x03, Some(user_entity(&self.user))),
            (0x04, Some(Value::Array(self.algorithms.iter().map(parameter).collect()))),
            (0x05, descriptors(&self.exclude_list)),
            (0x06, extension_inputs(&self.extensions)),
            (0x07, options(self.discoverable, None, &self.verification)),
            (0x08, self.verification.param()),
            (0x09, self.verification.protocol()),
            (0x0a, self.enterprise_attestation.map(Value::from)),
            (0x0b, (!formats.is_empty()).then_some(Value::Array(formats))),
        ])
    }
}

impl RpEntity {
    fn encode(&self) -> Value {
        cbor::text_map([
            ("id", Some(Value::from(self.id.as_str()))),
            ("name", self.name.as_deref().map(Value::from)),
        ])
    }
}

impl CreatedCredential {
    /// Reads the answer; `None` if a mandatory member is missing.
    pub fn parse(answer: &[u8]) -> Option<Self> {
        let mut members = Members::parse(answer)?;
        Some(Self {
            format: members.text(0x01)?,
            auth_data: members.bytes(0x02)?,
            // §6.1: optional since 2.1, where the format needs none.
            statement: members.take(0x03).filter(Value::is_map).unwrap_or(Value::Map(Vec::new())),
            enterprise_attestation: members.boolean(0x04).unwrap_or_default(),
            large_blob_key: members.bytes(0x05),
            unsigned_extension_outputs: members.members(0x06).unwrap_or_default().rest(),
        })
    }
}

impl<T: Transport> Client<T> {
    /// Makes a credential.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn make_credential(
        &mut self,
        request: &CredentialRequest,
        user: &mut dyn Interaction,
    ) -> Result<CreatedCredential, ClientError> {
        let answer = self.command(Command::MAKE_CREDENTIAL, Some(request.encode()), user);
        self.after_use(&answer);
        CreatedCredential::parse(&answer?).ok_or(ClientError::Malformed("makeCredential"))
    }
}

fn parameter(algorithm: &Algorithm) -> Value {
    cbor::text_map([("alg", Some(Value::from(algorithm.0))), ("type", Some(Value::from(PUBLIC_KEY)))])
}
