//! Lists of credentials that are longer than a key takes at once (§6.1.2, §6.2.2; WebAuthn has no limit).

use ciborium::Value;
use keywright_common::cose::Algorithm;
use keywright_common::ctap2::Command;

use super::{AssertionRequest, Client, CredentialRequest, RpEntity, Verification, descriptor, request};
use crate::cbor;
use crate::ctaphid::{Interaction, Unattended};
use crate::error::ClientError;
use crate::pin_uv_auth::Protocol;
use crate::transport::Transport;
use crate::user::Account;

/// What a list of ids comes to on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fitted {
    /// These can be sent with the request.
    Whole(Vec<Vec<u8>>),
    /// The list had to be probed, and this one is on the key.
    Found(Vec<u8>),
    /// The list had ids, and none of them is on the key.
    NotThere,
}

impl<T: Transport> Client<T> {
    /// Fits a list of ids to the key: leaves out ids that are too long to be its own, and probes with silent assertions
    /// if the rest does not fit one message with `overhead` other bytes in it. With `is_verified`, probes carry the token,
    /// so that credentials of protection level 3 are found too.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn fit_list(
        &mut self,
        rp_id: &str,
        ids: &[Vec<u8>],
        overhead: usize,
        is_verified: bool,
    ) -> Result<Fitted, ClientError> {
        if ids.is_empty() {
            return Ok(Fitted::Whole(Vec::new()));
        }
        let longest = self.info.max_credential_id_length.unwrap_or(usize::MAX);
        let possible: Vec<_> = ids.iter().filter(|id| id.len() <= longest).cloned().collect();
        if possible.is_empty() {
            return Ok(Fitted::NotThere);
        }
        if self.chunks(&possible, overhead).len() == 1 {
            return Ok(Fitted::Whole(possible));
        }
        Ok(self.find_credential(rp_id, &possible, is_verified)?.map_or(Fitted::NotThere, Fitted::Found))
    }

    /// The first of `ids` that is on the key, asked for in chunks and without a touch.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn find_credential(
        &mut self,
        rp_id: &str,
        ids: &[Vec<u8>],
        is_verified: bool,
    ) -> Result<Option<Vec<u8>>, ClientError> {
        let mut probe = AssertionRequest {
            rp_id: rp_id.to_owned(),
            client_data_hash: PROBE_HASH,
            user_presence: Some(false),
            ..AssertionRequest::default()
        };
        if is_verified {
            probe.verification = self.authorise(&PROBE_HASH)?;
        }
        let overhead = request(Command::GET_ASSERTION, Some(probe.encode())).len();
        for chunk in self.chunks(ids, overhead) {
            probe.allow_list = chunk;
            match self.get_assertions(&probe, &mut Unattended) {
                Ok(assertions) => {
                    let named = assertions.into_iter().next().and_then(|first| first.credential_id);
                    // A key may leave the id out if there was but one to choose from.
                    return Ok(named.or_else(|| probe.allow_list.pop()));
                }
                Err(ClientError::NoCredential) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Has the user touch this key although there is nothing to do on it, so that nobody learns without a touch what is
    /// on it, and the user learns that it was the wrong one.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn wait_for_touch(&mut self, user: &mut dyn Interaction) -> Result<(), ClientError> {
        match self.channel.cbor(&self.touch_request(), user).map_err(ClientError::from)?.split_first() {
            Some((status, _)) if !was_touched(*status) => {
                let status = keywright_common::status::Status(*status);
                Err(ClientError::refused(Command::SELECTION, status))
            }
            _ => Ok(()),
        }
    }

    /// The command that asks for nothing but a touch: selection, or for CTAP 2.0 a makeCredential with an empty
    /// pinUvAuthParam, which is answered after the touch and makes nothing (§6.1.2 step 1).
    pub(crate) fn touch_request(&self) -> Vec<u8> {
        let is_later = |version: &String| {
            version.strip_prefix("FIDO_2_").and_then(|minor| minor.parse::<u32>().ok()).is_some_and(|n| n > 0)
        };
        if self.info.versions.iter().any(is_later) {
            return request(Command::SELECTION, None);
        }
        let protocol = Protocol::choose(&self.info.pin_uv_auth_protocols).unwrap_or(Protocol::One);
        let dummy = CredentialRequest {
            rp: RpEntity { id: ".dummy".to_owned(), name: None },
            user: Account { id: vec![1], name: Some("dummy".to_owned()), display_name: None },
            algorithms: vec![Algorithm::ES256],
            verification: Verification::Token { param: Vec::new(), protocol: protocol.number() },
            ..CredentialRequest::default()
        };
        request(Command::MAKE_CREDENTIAL, Some(dummy.encode()))
    }

    /// Cuts a list where a message of the key's or its longest list would be exceeded. Never gives an empty chunk.
    fn chunks(&self, ids: &[Vec<u8>], overhead: usize) -> Vec<Vec<Vec<u8>>> {
        let most = self.info.max_credential_count_in_list.unwrap_or(usize::MAX).max(1);
        let room = self.info.max_msg_size.saturating_sub(overhead.saturating_add(LIST_HEAD));
        let mut chunks: Vec<Vec<Vec<u8>>> = Vec::new();
        let mut left = 0;
        for id in ids {
            let size = cbor::encode(descriptor(id)).len();
            match chunks.last_mut() {
                Some(chunk) if chunk.len() < most && size <= left => {
                    chunk.push(id.clone());
                    left = left.saturating_sub(size);
                }
                _ => {
                    chunks.push(vec![id.clone()]);
                    left = room.saturating_sub(size);
                }
            }
        }
        chunks
    }
}

/// Whether a status tells that the user touched the key: the answers that [`Client::touch_request`] has after a touch.
pub(crate) fn was_touched(status: u8) -> bool {
    use keywright_common::status::Status;
    matches!(
        Status(status),
        Status::OK | Status::PIN_INVALID | Status::PIN_NOT_SET | Status::PIN_AUTH_INVALID
    )
}

/// Nothing is known of a challenge in a probe; nobody is sent its signature.
const PROBE_HASH: [u8; 32] = [0; 32];
/// The list's own key and head.
const LIST_HEAD: usize = 4;

/// How many bytes a request takes without its list.
pub(crate) fn overhead(command: Command, parameters: Value) -> usize {
    request(command, Some(parameters)).len()
}
