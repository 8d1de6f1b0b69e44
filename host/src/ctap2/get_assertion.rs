//! authenticatorGetAssertion and authenticatorGetNextAssertion (§6.2, §6.3).

use ciborium::Value;
use keywright_common::ctap2::Command;

use super::{Client, Verification, account, descriptors, extension_inputs, options};
use crate::cbor::{self, Members};
use crate::ctaphid::Interaction;
use crate::error::ClientError;
use crate::transport::Transport;
use crate::user::Account;

/// The request.
#[derive(Clone, Debug, Default)]
pub struct AssertionRequest {
    /// 0x01: the RP ID.
    pub rp_id: String,
    /// 0x02: SHA-256 of the client data.
    pub client_data_hash: [u8; 32],
    /// 0x03: ids of the credentials that may answer; empty: discoverable ones.
    pub allow_list: Vec<Vec<u8>>,
    /// 0x04: extension inputs.
    pub extensions: Vec<(String, Value)>,
    /// 0x05, `up`: `Some(false)` asks without a touch.
    pub user_presence: Option<bool>,
    /// 0x05, `uv`, or 0x06 and 0x07.
    pub verification: Verification,
}

/// One assertion.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    /// 0x01: the credential's id; keys of CTAP 2.0 leave it out if the list had one.
    pub credential_id: Option<Vec<u8>>,
    /// 0x02: authenticator data.
    pub auth_data: Vec<u8>,
    /// 0x03: the signature.
    pub signature: Vec<u8>,
    /// 0x04: the account of a discoverable credential.
    pub user: Option<Account>,
    /// 0x05: how many assertions there are, in the first of them.
    pub number_of_credentials: Option<usize>,
    /// 0x06: the user chose this one on the key.
    pub user_selected: bool,
    /// 0x07: the key of the credential's large blob.
    pub large_blob_key: Option<Vec<u8>>,
    /// 0x08: extension outputs that are not signed.
    pub unsigned_extension_outputs: Vec<(Value, Value)>,
}

impl AssertionRequest {
    pub(crate) fn encode(&self) -> Value {
        cbor::map([
            (0x01, Some(Value::from(self.rp_id.as_str()))),
            (0x02, Some(cbor::bytes(&self.client_data_hash))),
            (0x03, descriptors(&self.allow_list)),
            (0x04, extension_inputs(&self.extensions)),
            (0x05, options(None, self.user_presence, &self.verification)),
            (0x06, self.verification.param()),
            (0x07, self.verification.protocol()),
        ])
    }
}

impl Assertion {
    /// Reads the answer; `None` if a mandatory member is missing.
    pub fn parse(answer: &[u8]) -> Option<Self> {
        let mut members = Members::parse(answer)?;
        Some(Self {
            credential_id: members.members(0x01).and_then(|mut credential| credential.bytes("id")),
            auth_data: members.bytes(0x02)?,
            signature: members.bytes(0x03)?,
            user: members.members(0x04).and_then(account),
            number_of_credentials: members.unsigned(0x05),
            user_selected: members.boolean(0x06).unwrap_or_default(),
            large_blob_key: members.bytes(0x07),
            unsigned_extension_outputs: members.members(0x08).unwrap_or_default().rest(),
        })
    }
}

impl<T: Transport> Client<T> {
    /// Makes assertions: one, or all that the key has if none was named.
    ///
    /// # Errors
    /// [`ClientError`]; [`ClientError::NoCredential`] if there is none.
    pub fn get_assertions(
        &mut self,
        request: &AssertionRequest,
        user: &mut dyn Interaction,
    ) -> Result<Vec<Assertion>, ClientError> {
        let answer = self.command(Command::GET_ASSERTION, Some(request.encode()), user);
        if request.user_presence != Some(false) {
            self.after_use(&answer);
        }
        let malformed = ClientError::Malformed("getAssertion");
        let first = Assertion::parse(&answer?).ok_or(malformed)?;
        let count = first.number_of_credentials.unwrap_or(1).min(MAX_ASSERTIONS);
        let mut assertions = vec![first];
        while assertions.len() < count {
            let answer = self.command(Command::GET_NEXT_ASSERTION, None, user)?;
            assertions.push(Assertion::parse(&answer).ok_or(ClientError::Malformed("getNextAssertion"))?);
        }
        Ok(assertions)
    }
}

/// No key has more accounts at one relying party than a person can choose from; a broken one could say so.
const MAX_ASSERTIONS: usize = 1000;
