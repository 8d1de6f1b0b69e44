//! The inputs and outputs of hmac-secret and hmac-secret-mc (§12.7, §12.8), which are encrypted on their way.

use ciborium::Value;
use zeroize::Zeroizing;

use super::Client;
use crate::cbor;
use crate::ctaphid::DeviceError;
use crate::error::ClientError;
use crate::pin_uv_auth::Protocol;
use crate::transport::Transport;

/// What a credential makes of one or two salts.
#[derive(Clone)]
pub struct HmacSecrets {
    /// For the first salt.
    pub first: Zeroizing<[u8; 32]>,
    /// For the second salt.
    pub second: Option<Zeroizing<[u8; 32]>>,
}

impl<T: Transport> Client<T> {
    /// The extension's input for one or two salts.
    ///
    /// # Errors
    /// [`ClientError`] if no key can be agreed.
    pub fn hmac_secret_input(
        &mut self,
        first: &[u8; 32],
        second: Option<&[u8; 32]>,
    ) -> Result<Value, ClientError> {
        let secret = self.shared_secret()?;
        let mut salts = Zeroizing::new(Vec::with_capacity(64));
        salts.extend(first);
        salts.extend(second.into_iter().flatten());
        let encrypted = secret.encrypt(&salts).ok_or(ClientError::Device(DeviceError::Random))?;
        let authentication = secret.authenticate(&encrypted);
        // CTAP 2.0 has no such member, and it is mandatory for every other protocol.
        let protocol = Some(secret.protocol()).filter(|protocol| *protocol != Protocol::One);
        let input = cbor::map([
            (1, Some(secret.key_agreement())),
            (2, Some(Value::Bytes(encrypted))),
            (3, Some(Value::Bytes(authentication))),
            (4, protocol.map(|protocol| Value::from(protocol.number()))),
        ]);
        self.secret = Some(secret);
        Ok(input)
    }

    /// Decrypts the extension's output.
    ///
    /// # Errors
    /// [`ClientError::Malformed`] if it is not one or two values of 32 bytes.
    pub fn hmac_secret_output(&self, encrypted: &[u8]) -> Result<HmacSecrets, ClientError> {
        let malformed = ClientError::Malformed("an hmac-secret output of a wrong length");
        let Some(plain) = self.secret.as_ref().and_then(|secret| secret.decrypt(encrypted)) else {
            return Err(malformed);
        };
        let (values, rest) = plain.as_chunks::<32>();
        match (values, rest) {
            ([first], []) => Ok(HmacSecrets { first: Zeroizing::new(*first), second: None }),
            ([first, second], []) => {
                Ok(HmacSecrets { first: Zeroizing::new(*first), second: Some(Zeroizing::new(*second)) })
            }
            _ => Err(malformed),
        }
    }
}
