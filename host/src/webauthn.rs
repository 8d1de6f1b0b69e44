//! WebAuthn ceremonies (WebAuthn Level 3 §5.1.3, §5.1.4, §7.1, §7.2) with a key, for whoever is a client without being a
//! browser.
//!
//! ```no_run
//! use keywright_host::ctaphid::Interaction;
//! use keywright_host::pin_uv_auth::Pin;
//! use keywright_host::transport::{self, DeviceAddress};
//! use keywright_host::user::{PinRequest, UserInteraction};
//! use keywright_host::webauthn::{Authenticator, CreationOptions, Origin};
//!
//! struct Terminal;
//! impl Interaction for Terminal {
//!     fn touch_needed(&mut self) {
//!         eprintln!("touch the key");
//!     }
//! }
//! impl UserInteraction for Terminal {
//!     fn pin(&mut self, _: PinRequest) -> Option<Pin> {
//!         None
//!     }
//! }
//!
//! let options: CreationOptions = serde_json::from_str(
//!     r#"{ "rp": { "name": "Example" },
//!          "user": { "id": "AQID", "name": "ada", "displayName": "Ada" },
//!          "challenge": "c2l4dGVlbiByYW5kb20gYnl0ZXM",
//!          "pubKeyCredParams": [{ "type": "public-key", "alg": -7 }] }"#,
//! )?;
//! let origin: Origin = "https://example.org".parse()?;
//! let address: DeviceAddress = "hid:/dev/hidraw0".parse()?;
//! let mut key = Authenticator::open(transport::open(&address)?)?;
//! let response = key.register(&options, &origin, &mut Terminal)?;
//! println!("{}", serde_json::to_string(&response)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authenticate;
mod client_data;
mod extensions;
mod json;
mod legacy;
mod origin;
mod register;

use sha2::{Digest, Sha256};

use crate::ctap2::Client;
use crate::ctaphid::Channel;
use crate::error::ClientError;
use crate::transport::Transport;

pub use client_data::ClientData;
pub use json::*;
pub use origin::{Origin, OriginError};

/// A key, by the protocol that it is spoken to with.
#[expect(clippy::large_enum_variant, reason = "there is one of it a key, and it is not moved about")]
pub enum Authenticator<T> {
    /// A CTAP2 key.
    Ctap2(Client<T>),
    /// A key that speaks U2F only.
    U2f(Channel<T>),
}

impl<T: Transport> Authenticator<T> {
    /// Opens a channel to the key and finds out what it speaks.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn open(transport: T) -> Result<Self, ClientError> {
        Self::over(Channel::open(transport)?)
    }

    /// Finds out what the key at the other end of a channel speaks.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn over(channel: Channel<T>) -> Result<Self, ClientError> {
        if channel.device().has_cbor() {
            Ok(Self::Ctap2(Client::open(channel)?))
        } else {
            Ok(Self::U2f(channel))
        }
    }

    /// The channel below.
    pub const fn channel_mut(&mut self) -> &mut Channel<T> {
        match self {
            Self::Ctap2(client) => client.channel_mut(),
            Self::U2f(channel) => channel,
        }
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Whether the user is to be verified, from what the website wants and the key has set up.
fn wants_verification<T: Transport>(key: &Client<T>, wish: UserVerification) -> Result<bool, ClientError> {
    let info = key.info();
    let is_mandatory = wish == UserVerification::Required || info.option("alwaysUv");
    if is_mandatory && !info.can_verify_user() {
        return Err(if info.options.contains_key("clientPin") {
            ClientError::PinNotSet
        } else {
            ClientError::Unsupported("user verification")
        });
    }
    Ok(is_mandatory || (wish == UserVerification::Preferred && info.can_verify_user()))
}

#[cfg(test)]
mod tests;
