//! authenticatorClientPIN (§6.5.5): its subcommands, one method each.

use ciborium::Value;
use keywright_common::ctap2::Command;
use keywright_common::status::Status;

use super::Client;
use crate::cbor::Members;
use crate::ctaphid::{Interaction, Unattended};
use crate::error::ClientError;
use crate::pin_uv_auth::{Pin, Protocol, SharedSecret, Token};
use crate::transport::Transport;

/// How many wrong entries are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PinRetries {
    /// Until the PIN is blocked for good.
    pub retries: u8,
    /// The key must be plugged in again before another try, if it tells.
    pub power_cycle_needed: Option<bool>,
}

impl<T: Transport> Client<T> {
    /// getPINRetries (§6.5.5.2).
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn pin_retries(&mut self) -> Result<PinRetries, ClientError> {
        let protocol = self.protocol()?;
        let mut answer = self.client_pin(protocol, GET_PIN_RETRIES, [], &mut Unattended)?;
        Ok(PinRetries {
            retries: answer.unsigned(PIN_RETRIES).ok_or(ClientError::Malformed("pinRetries"))?,
            power_cycle_needed: answer.boolean(POWER_CYCLE_STATE),
        })
    }

    /// getUVRetries (§6.5.5.3): tries that the key's own verification has left.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn uv_retries(&mut self) -> Result<u8, ClientError> {
        let protocol = self.protocol()?;
        let mut answer = self.client_pin(protocol, GET_UV_RETRIES, [], &mut Unattended)?;
        answer.unsigned(UV_RETRIES).ok_or(ClientError::Malformed("uvRetries"))
    }

    /// setPIN (§6.5.5.5), for a key that has none.
    ///
    /// # Errors
    /// [`ClientError::PinRule`] before anything is sent, if the PIN breaks a rule of this key.
    pub fn set_pin(&mut self, new: &Pin) -> Result<(), ClientError> {
        new.check_new(self.info.min_pin_length, self.info.max_pin_length)?;
        let secret = self.shared_secret()?;
        let encrypted = encrypt(&secret, &*new.padded())?;
        let param = secret.authenticate(&encrypted);
        let parameters = [
            (KEY_AGREEMENT, Some(secret.key_agreement())),
            (PIN_UV_AUTH_PARAM, Some(Value::Bytes(param))),
            (NEW_PIN_ENC, Some(Value::Bytes(encrypted))),
        ];
        self.client_pin(secret.protocol(), SET_PIN, parameters, &mut Unattended)?;
        self.secret = Some(secret);
        self.refresh_info()?;
        Ok(())
    }

    /// changePIN (§6.5.5.6). Tokens end with it.
    ///
    /// # Errors
    /// [`ClientError::Pin`] if `current` is wrong, [`ClientError::PinRule`] if `new` breaks a rule of this key.
    pub fn change_pin(&mut self, current: &Pin, new: &Pin) -> Result<(), ClientError> {
        new.check_new(self.info.min_pin_length, self.info.max_pin_length)?;
        self.token = None;
        let secret = self.shared_secret()?;
        let new_pin = encrypt(&secret, &*new.padded())?;
        let current = encrypt(&secret, &*current.hash())?;
        let param = secret.authenticate(&[&new_pin[..], &current].concat());
        let parameters = [
            (KEY_AGREEMENT, Some(secret.key_agreement())),
            (PIN_UV_AUTH_PARAM, Some(Value::Bytes(param))),
            (NEW_PIN_ENC, Some(Value::Bytes(new_pin))),
            (PIN_HASH_ENC, Some(Value::Bytes(current))),
        ];
        let changed = self.client_pin(secret.protocol(), CHANGE_PIN, parameters, &mut Unattended);
        changed.map_err(|error| self.with_retries(error))?;
        self.secret = Some(secret);
        self.refresh_info()?;
        Ok(())
    }

    /// getPinToken (§6.5.5.7.1): the token of CTAP 2.0, which serves makeCredential and getAssertion.
    ///
    /// # Errors
    /// [`ClientError::Pin`] if the PIN is wrong.
    pub fn pin_token(&mut self, pin: &Pin) -> Result<Token, ClientError> {
        self.token_for_pin(GET_PIN_TOKEN, pin, None, None)
    }

    /// getPinUvAuthTokenUsingPinWithPermissions (§6.5.5.7.2).
    ///
    /// # Errors
    /// [`ClientError::Pin`] if the PIN is wrong.
    pub fn token_using_pin(
        &mut self,
        pin: &Pin,
        permissions: u8,
        rp_id: Option<&str>,
    ) -> Result<Token, ClientError> {
        self.token_for_pin(GET_TOKEN_USING_PIN, pin, Some(permissions), rp_id)
    }

    /// getPinUvAuthTokenUsingUvWithPermissions (§6.5.5.7.3): the user is verified by the key itself.
    ///
    /// # Errors
    /// [`ClientError`]; UV_INVALID or UV_BLOCKED if the user was not recognised.
    pub fn token_using_uv(
        &mut self,
        permissions: u8,
        rp_id: Option<&str>,
        user: &mut dyn Interaction,
    ) -> Result<Token, ClientError> {
        let secret = self.shared_secret()?;
        let parameters = [
            (KEY_AGREEMENT, Some(secret.key_agreement())),
            (PERMISSIONS, Some(Value::from(permissions))),
            (RP_ID, rp_id.map(Value::from)),
        ];
        let answer = self.client_pin(secret.protocol(), GET_TOKEN_USING_UV, parameters, user)?;
        let token = read_token(&secret, answer)?;
        self.secret = Some(secret);
        Ok(token)
    }

    fn token_for_pin(
        &mut self,
        subcommand: u8,
        pin: &Pin,
        permissions: Option<u8>,
        rp_id: Option<&str>,
    ) -> Result<Token, ClientError> {
        let secret = self.shared_secret()?;
        let hash = encrypt(&secret, &*pin.hash())?;
        let parameters = [
            (KEY_AGREEMENT, Some(secret.key_agreement())),
            (PIN_HASH_ENC, Some(Value::Bytes(hash))),
            (PERMISSIONS, permissions.map(Value::from)),
            (RP_ID, rp_id.map(Value::from)),
        ];
        let answer = self.client_pin(secret.protocol(), subcommand, parameters, &mut Unattended);
        let token = read_token(&secret, answer.map_err(|error| self.with_retries(error))?)?;
        self.secret = Some(secret);
        Ok(token)
    }

    /// The shared secret: the one that is remembered, or a new one (getKeyAgreement, §6.5.5.4). It is taken out; whoever
    /// succeeds with it puts it back, since a key renews its own part after a wrong PIN.
    pub(super) fn shared_secret(&mut self) -> Result<SharedSecret, ClientError> {
        if let Some(secret) = self.secret.take() {
            return Ok(secret);
        }
        let protocol = self.protocol()?;
        let mut answer = self.client_pin(protocol, GET_KEY_AGREEMENT, [], &mut Unattended)?;
        let mut key = answer.members(KEY_AGREEMENT_ANSWER).unwrap_or_default();
        let mut coordinate = |label| <[u8; 32]>::try_from(key.bytes(label)?).ok();
        let point = coordinate(-2).zip(coordinate(-3));
        point
            .and_then(|(x, y)| SharedSecret::encapsulate(protocol, &x, &y))
            .ok_or(ClientError::Malformed("a key agreement key that is no point of P-256"))
    }

    fn protocol(&self) -> Result<Protocol, ClientError> {
        Protocol::choose(&self.info.pin_uv_auth_protocols)
            .ok_or(ClientError::Unsupported("any PIN/UV auth protocol of this program"))
    }

    /// Adds to a wrong PIN how many tries are left, if the key tells.
    fn with_retries(&mut self, error: ClientError) -> ClientError {
        match error {
            ClientError::Pin { status: Status::PIN_INVALID, .. } => {
                let retries = self.pin_retries().ok().map(|retries| retries.retries);
                ClientError::Pin { status: Status::PIN_INVALID, retries }
            }
            error => error,
        }
    }

    fn client_pin<const N: usize>(
        &mut self,
        protocol: Protocol,
        subcommand: u8,
        parameters: [(i64, Option<Value>); N],
        user: &mut dyn Interaction,
    ) -> Result<Members, ClientError> {
        let head =
            [(PROTOCOL, Some(Value::from(protocol.number()))), (SUBCOMMAND, Some(Value::from(subcommand)))];
        let members = head.into_iter().chain(parameters);
        let request = members.filter_map(|(key, value)| Some((Value::from(key), value?))).collect();
        self.members(Command::CLIENT_PIN, Some(Value::Map(request)), user)
    }
}

fn encrypt(secret: &SharedSecret, plaintext: &[u8]) -> Result<Vec<u8>, ClientError> {
    secret.encrypt(plaintext).ok_or(ClientError::Device(crate::ctaphid::DeviceError::Random))
}

fn read_token(secret: &SharedSecret, mut answer: Members) -> Result<Token, ClientError> {
    answer
        .bytes(TOKEN)
        .and_then(|encrypted| Token::new(secret.protocol(), secret.decrypt(&encrypted)?))
        .ok_or(ClientError::Malformed("a pinUvAuthToken of a wrong length"))
}

const PROTOCOL: i64 = 0x01;
const SUBCOMMAND: i64 = 0x02;
const KEY_AGREEMENT: i64 = 0x03;
const PIN_UV_AUTH_PARAM: i64 = 0x04;
const NEW_PIN_ENC: i64 = 0x05;
const PIN_HASH_ENC: i64 = 0x06;
const PERMISSIONS: i64 = 0x09;
const RP_ID: i64 = 0x0a;

const KEY_AGREEMENT_ANSWER: i64 = 0x01;
const TOKEN: i64 = 0x02;
const PIN_RETRIES: i64 = 0x03;
const POWER_CYCLE_STATE: i64 = 0x04;
const UV_RETRIES: i64 = 0x05;

const GET_PIN_RETRIES: u8 = 0x01;
const GET_KEY_AGREEMENT: u8 = 0x02;
const SET_PIN: u8 = 0x03;
const CHANGE_PIN: u8 = 0x04;
const GET_PIN_TOKEN: u8 = 0x05;
const GET_TOKEN_USING_UV: u8 = 0x06;
const GET_UV_RETRIES: u8 = 0x07;
const GET_TOKEN_USING_PIN: u8 = 0x09;
