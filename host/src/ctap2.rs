//! The CTAP2 client (§6): requests out, answers read tolerantly.
//!
//! ```no_run
//! use keywright_host::ctap2::Client;
//! use keywright_host::ctaphid::{Channel, Unattended};
//! use keywright_host::transport::hid::Hid;
//!
//! let mut key = Client::open(Channel::open(Hid::open("/dev/hidraw0")?)?)?;
//! println!("{:?}", key.info().versions);
//! key.select(&mut Unattended)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client_pin;
mod credential_management;
mod get_assertion;
mod get_info;
mod hmac_secret;
pub(crate) mod lists;
mod make_credential;
mod token;

use ciborium::Value;
use keywright_common::ctap2::Command;
use keywright_common::status::Status;

use crate::cbor::{self, Members};
use crate::ctaphid::{Channel, Interaction, Unattended};
use crate::error::ClientError;
use crate::pin_uv_auth::SharedSecret;
use crate::transport::Transport;
use crate::user::Account;
use token::CachedToken;

pub use client_pin::PinRetries;
pub use credential_management::{CredentialCounts, RelyingParty, StoredCredential};
pub use get_assertion::{Assertion, AssertionRequest};
pub use get_info::{Info, OfferedAlgorithm};
pub use hmac_secret::HmacSecrets;
pub use lists::Fitted;
pub use make_credential::{CreatedCredential, CredentialRequest, RpEntity};

/// A CTAP2 key, and what is remembered between commands: its getInfo, the shared secret, and the token.
pub struct Client<T> {
    channel: Channel<T>,
    info: Info,
    secret: Option<SharedSecret>,
    token: Option<CachedToken>,
}

/// How the user is verified in a command. `uv` and `pinUvAuthParam` never go together (§6.1.2 step 5, §6.2.2 step 4):
/// there is no value that holds both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verification {
    /// Not at all.
    #[default]
    None,
    /// By the key itself: the option `uv`.
    BuiltIn,
    /// By a pinUvAuthToken that was obtained with a PIN or otherwise.
    Token {
        /// `pinUvAuthParam`.
        param: Vec<u8>,
        /// `pinUvAuthProtocol`.
        protocol: u64,
    },
}

impl<T: Transport> Client<T> {
    /// Asks the key what it is.
    ///
    /// # Errors
    /// [`ClientError`]; `Unsupported("CTAP2")` in it if the key speaks U2F only.
    pub fn open(channel: Channel<T>) -> Result<Self, ClientError> {
        let mut client = Self { channel, info: Info::default(), secret: None, token: None };
        client.refresh_info()?;
        Ok(client)
    }

    /// What the key last said of itself.
    pub const fn info(&self) -> &Info {
        &self.info
    }

    /// Asks the key again what it is (getInfo, §6.4): after a PIN was set, or whatever else changes options.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn refresh_info(&mut self) -> Result<&Info, ClientError> {
        let answer = self.command(Command::GET_INFO, None, &mut Unattended)?;
        self.info = Info::parse(&answer).ok_or(ClientError::Malformed("getInfo"))?;
        Ok(&self.info)
    }

    /// The channel below.
    pub const fn channel_mut(&mut self) -> &mut Channel<T> {
        &mut self.channel
    }

    /// Gives the channel back; what was remembered is wiped.
    pub fn into_channel(self) -> Channel<T> {
        self.channel
    }

    /// authenticatorReset (§6.6): deletes every credential and the PIN. Keys allow it shortly after being plugged in.
    ///
    /// # Errors
    /// [`ClientError`]; NOT_ALLOWED if it is too late.
    pub fn reset(&mut self, user: &mut dyn Interaction) -> Result<(), ClientError> {
        self.forget();
        self.command(Command::RESET, None, user)?;
        self.refresh_info()?;
        Ok(())
    }

    /// authenticatorSelection (§6.9): succeeds when the user touches this key.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn select(&mut self, user: &mut dyn Interaction) -> Result<(), ClientError> {
        self.command(Command::SELECTION, None, user).map(drop)
    }

    /// Wipes the shared secret and the token.
    pub fn forget(&mut self) {
        self.secret = None;
        self.token = None;
    }

    /// Runs a command; gives what stands behind the status.
    pub(crate) fn command(
        &mut self,
        command: Command,
        parameters: Option<Value>,
        user: &mut dyn Interaction,
    ) -> Result<Vec<u8>, ClientError> {
        let request = request(command, parameters);
        let answer = self.channel.cbor(&request, user)?;
        body(command, &answer).map(<[u8]>::to_vec)
    }

    /// As [`Client::command`], for an answer that is a map.
    fn members(
        &mut self,
        command: Command,
        parameters: Option<Value>,
        user: &mut dyn Interaction,
    ) -> Result<Members, ClientError> {
        let answer = self.command(command, parameters, user)?;
        Members::parse(&answer).ok_or(ClientError::Malformed("an answer that is no map"))
    }
}

/// A command's message: its byte and its parameters.
pub(crate) fn request(command: Command, parameters: Option<Value>) -> Vec<u8> {
    let mut request = vec![command.0];
    request.extend(parameters.map(cbor::encode).unwrap_or_default());
    request
}

/// What stands behind the status of an answer.
pub(crate) fn body(command: Command, answer: &[u8]) -> Result<&[u8], ClientError> {
    match answer.split_first() {
        Some((0, body)) => Ok(body),
        Some((status, _)) => Err(ClientError::refused(command, Status(*status))),
        None => Err(ClientError::Malformed("an empty answer")),
    }
}

/// A list of credential descriptors; `None` if there is none, since keys refuse an empty one.
fn descriptors(ids: &[Vec<u8>]) -> Option<Value> {
    let list: Vec<_> = ids.iter().map(|id| descriptor(id)).collect();
    (!list.is_empty()).then_some(Value::Array(list))
}

fn descriptor(id: &[u8]) -> Value {
    cbor::text_map([
        ("id", Some(cbor::bytes(id))),
        ("type", Some(Value::from(keywright_common::ctap2::PUBLIC_KEY))),
    ])
}

fn account(mut members: Members) -> Option<Account> {
    Some(Account {
        id: members.bytes("id")?,
        name: members.text("name"),
        display_name: members.text("displayName"),
    })
}

fn user_entity(account: &Account) -> Value {
    cbor::text_map([
        ("id", Some(cbor::bytes(&account.id))),
        ("name", account.name.as_deref().map(Value::from)),
        ("displayName", account.display_name.as_deref().map(Value::from)),
    ])
}

/// The options map with those that are said.
fn options(rk: Option<bool>, up: Option<bool>, verification: &Verification) -> Option<Value> {
    let uv = (*verification == Verification::BuiltIn).then_some(true);
    let options = cbor::text_map([
        ("rk", rk.map(Value::from)),
        ("up", up.map(Value::from)),
        ("uv", uv.map(Value::from)),
    ]);
    options.as_map().is_some_and(|options| !options.is_empty()).then_some(options)
}

impl Verification {
    fn param(&self) -> Option<Value> {
        match self {
            Self::Token { param, .. } => Some(cbor::bytes(param)),
            _ => None,
        }
    }

    fn protocol(&self) -> Option<Value> {
        match self {
            Self::Token { protocol, .. } => Some(Value::from(*protocol)),
            _ => None,
        }
    }
}

fn extension_inputs(extensions: &[(String, Value)]) -> Option<Value> {
    let inputs: Vec<_> =
        extensions.iter().map(|(name, input)| (Value::from(name.as_str()), input.clone())).collect();
    (!inputs.is_empty()).then_some(Value::Map(inputs))
}

#[cfg(test)]
mod tests;
