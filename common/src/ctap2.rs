//! CTAP2 commands (§6): their numbers, and their requests as values that borrow from the message.

pub mod client_pin;
pub mod credential_management;
pub mod extensions;
pub mod get_assertion;
pub mod make_credential;
mod member;

pub use member::{Credentials, Options};

/// A command byte (§8.1). Open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command(pub u8);

impl Command {
    /// authenticatorMakeCredential.
    pub const MAKE_CREDENTIAL: Self = Self(0x01);
    /// authenticatorGetAssertion.
    pub const GET_ASSERTION: Self = Self(0x02);
    /// authenticatorGetInfo.
    pub const GET_INFO: Self = Self(0x04);
    /// authenticatorClientPIN.
    pub const CLIENT_PIN: Self = Self(0x06);
    /// authenticatorReset.
    pub const RESET: Self = Self(0x07);
    /// authenticatorGetNextAssertion.
    pub const GET_NEXT_ASSERTION: Self = Self(0x08);
    /// authenticatorCredentialManagement.
    pub const CREDENTIAL_MANAGEMENT: Self = Self(0x0a);
    /// authenticatorSelection.
    pub const SELECTION: Self = Self(0x0b);
    /// Credential management as CTAP 2.0 products offered it; OpenSSH and older libfido2 still probe it.
    pub const CREDENTIAL_MANAGEMENT_PREVIEW: Self = Self(0x41);
}

/// `public-key`: the only type of credential.
pub const PUBLIC_KEY: &str = "public-key";
