//! authenticatorCredentialManagement (§6.8), and the preview of it that older keys offer.

use ciborium::Value;
use keywright_common::ctap2::Command;
use keywright_common::status::Status;

use super::{Client, RpEntity, Verification, account, descriptor, user_entity};
use crate::cbor::{self, Members};
use crate::ctaphid::{Interaction, Unattended};
use crate::error::ClientError;
use crate::pin_uv_auth::permission;
use crate::transport::Transport;
use crate::user::{Account, UserInteraction};

/// How many discoverable credentials there are, and how many more there can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CredentialCounts {
    /// Credentials on the key.
    pub existing: u64,
    /// About how many more can be made.
    pub remaining: u64,
}

/// A relying party that has credentials on the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    /// Its entity; keys may shorten the id.
    pub entity: RpEntity,
    /// SHA-256 of its id, by which its credentials are asked for.
    pub id_hash: [u8; 32],
}

/// A discoverable credential.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCredential {
    /// Its id.
    pub id: Vec<u8>,
    /// Its account.
    pub user: Account,
    /// Its public key, a COSE_Key of whatever algorithm.
    pub public_key: Option<Value>,
    /// Its protection level, 1 to 3, if the key tells.
    pub cred_protect: Option<u64>,
    /// The key of its large blob.
    pub large_blob_key: Option<Vec<u8>>,
    /// It may be used for payments by third parties.
    pub third_party_payment: Option<bool>,
}

impl<T: Transport> Client<T> {
    /// getCredsMetadata (§6.8.2).
    ///
    /// # Errors
    /// [`ClientError::Unsupported`] if the key has no credential management.
    pub fn credential_counts(
        &mut self,
        user: &mut dyn UserInteraction,
    ) -> Result<CredentialCounts, ClientError> {
        let mut answer = self.manage(GET_CREDS_METADATA, None, user)?;
        let mut count = |key| answer.unsigned(key).ok_or(ClientError::Malformed("credential counts"));
        Ok(CredentialCounts { existing: count(EXISTING)?, remaining: count(REMAINING)? })
    }

    /// enumerateRPsBegin and all of enumerateRPsGetNextRP (§6.8.3).
    ///
    /// # Errors
    /// [`ClientError`]; a key without credentials gives an empty list.
    pub fn relying_parties(
        &mut self,
        user: &mut dyn UserInteraction,
    ) -> Result<Vec<RelyingParty>, ClientError> {
        let first = self.manage(ENUMERATE_RPS_BEGIN, None, user);
        self.enumerate(first, TOTAL_RPS, ENUMERATE_RPS_NEXT, RelyingParty::read)
    }

    /// enumerateCredentialsBegin and all of enumerateCredentialsGetNextCredential (§6.8.4).
    ///
    /// # Errors
    /// [`ClientError`]; a relying party without credentials gives an empty list.
    pub fn stored_credentials(
        &mut self,
        rp_id_hash: &[u8; 32],
        user: &mut dyn UserInteraction,
    ) -> Result<Vec<StoredCredential>, ClientError> {
        let parameters = cbor::map([(PARAM_RP_ID_HASH, Some(cbor::bytes(rp_id_hash)))]);
        let first = self.manage(ENUMERATE_CREDENTIALS_BEGIN, Some(parameters), user);
        self.enumerate(first, TOTAL_CREDENTIALS, ENUMERATE_CREDENTIALS_NEXT, StoredCredential::read)
    }

    /// deleteCredential (§6.8.5).
    ///
    /// # Errors
    /// [`ClientError::NoCredential`] if there is none of this id.
    pub fn delete_credential(
        &mut self,
        id: &[u8],
        user: &mut dyn UserInteraction,
    ) -> Result<(), ClientError> {
        let parameters = cbor::map([(PARAM_CREDENTIAL_ID, Some(descriptor(id)))]);
        self.manage(DELETE_CREDENTIAL, Some(parameters), user).map(drop)
    }

    /// updateUserInformation (§6.8.6): new names for the same user handle.
    ///
    /// # Errors
    /// [`ClientError`]; INVALID_PARAMETER if the user handle is another one.
    pub fn update_user(
        &mut self,
        id: &[u8],
        account: &Account,
        user: &mut dyn UserInteraction,
    ) -> Result<(), ClientError> {
        let parameters = cbor::map([
            (PARAM_CREDENTIAL_ID, Some(descriptor(id))),
            (PARAM_USER, Some(user_entity(account))),
        ]);
        self.manage(UPDATE_USER, Some(parameters), user).map(drop)
    }

    /// A subcommand that a token authorises: over its number and its parameters (§6.8.2 to §6.8.6).
    fn manage(
        &mut self,
        subcommand: u8,
        parameters: Option<Value>,
        user: &mut dyn UserInteraction,
    ) -> Result<Members, ClientError> {
        let command = self.management_command()?;
        self.obtain_token(permission::CREDENTIAL_MANAGEMENT, None, user)?;
        let mut message = vec![subcommand];
        message.extend(parameters.clone().map(cbor::encode).unwrap_or_default());
        let verification = self.authorise(&message)?;
        let answer = self.management(command, subcommand, parameters, &verification, user);
        if answer.as_ref().err().and_then(ClientError::status) == Some(Status::PIN_AUTH_INVALID) {
            self.token = None;
        }
        answer
    }

    fn management(
        &mut self,
        command: Command,
        subcommand: u8,
        parameters: Option<Value>,
        verification: &Verification,
        user: &mut dyn Interaction,
    ) -> Result<Members, ClientError> {
        let request = cbor::map([
            (0x01, Some(Value::from(subcommand))),
            (0x02, parameters),
            (0x03, verification.protocol()),
            (0x04, verification.param()),
        ]);
        self.members(command, Some(request), user)
    }

    /// The first of an enumeration and those that follow it.
    fn enumerate<R>(
        &mut self,
        first: Result<Members, ClientError>,
        total: i64,
        next: u8,
        read: fn(&mut Members) -> Option<R>,
    ) -> Result<Vec<R>, ClientError> {
        let malformed = ClientError::Malformed("an enumeration");
        let mut answer = match first {
            Ok(answer) => answer,
            Err(ClientError::NoCredential) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let count: usize = answer.unsigned(total).unwrap_or(1).min(MAX_ENTRIES);
        // Keys of CTAP 2.0 say "none" with a count of 0 and nothing else.
        if count == 0 {
            return Ok(Vec::new());
        }
        let command = self.management_command()?;
        let mut found = vec![read(&mut answer).ok_or(malformed)?];
        while found.len() < count {
            let mut answer = self.management(command, next, None, &Verification::None, &mut Unattended)?;
            found.push(read(&mut answer).ok_or(ClientError::Malformed("an enumeration"))?);
        }
        Ok(found)
    }

    fn management_command(&self) -> Result<Command, ClientError> {
        if self.info.option("credMgmt") {
            Ok(Command::CREDENTIAL_MANAGEMENT)
        } else if self.info.option("credentialMgmtPreview") {
            Ok(Command::CREDENTIAL_MANAGEMENT_PREVIEW)
        } else {
            Err(ClientError::Unsupported("credential management"))
        }
    }
}

impl RelyingParty {
    fn read(members: &mut Members) -> Option<Self> {
        let mut entity = members.members(0x03).unwrap_or_default();
        Some(Self {
            id_hash: members.bytes(0x04)?.try_into().ok()?,
            entity: RpEntity { id: entity.text("id").unwrap_or_default(), name: entity.text("name") },
        })
    }
}

impl StoredCredential {
    fn read(members: &mut Members) -> Option<Self> {
        Some(Self {
            user: account(members.members(0x06)?)?,
            id: members.members(0x07)?.bytes("id")?,
            public_key: members.take(0x08),
            cred_protect: members.unsigned(0x0a),
            large_blob_key: members.bytes(0x0b),
            third_party_payment: members.boolean(0x0c),
        })
    }
}

const GET_CREDS_METADATA: u8 = 0x01;
const ENUMERATE_RPS_BEGIN: u8 = 0x02;
const ENUMERATE_RPS_NEXT: u8 = 0x03;
const ENUMERATE_CREDENTIALS_BEGIN: u8 = 0x04;
const ENUMERATE_CREDENTIALS_NEXT: u8 = 0x05;
const DELETE_CREDENTIAL: u8 = 0x06;
const UPDATE_USER: u8 = 0x07;

const PARAM_RP_ID_HASH: i64 = 0x01;
const PARAM_CREDENTIAL_ID: i64 = 0x02;
const PARAM_USER: i64 = 0x03;

const EXISTING: i64 = 0x01;
const REMAINING: i64 = 0x02;
const TOTAL_RPS: i64 = 0x05;
const TOTAL_CREDENTIALS: i64 = 0x09;
/// More than any key stores; a broken one could say so.
const MAX_ENTRIES: usize = 100_000;
