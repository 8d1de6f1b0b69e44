//! The U2F client (CTAP1, §7): register, authenticate and version, carried by CTAPHID_MSG.
//!
//! ```no_run
//! use keywright_host::ctaphid::{Channel, Unattended};
//! use keywright_host::transport::hid::Hid;
//! use keywright_host::u2f::U2f;
//!
//! let mut channel = Channel::open(Hid::open("/dev/hidraw0")?)?;
//! let mut u2f = U2f::new(&mut channel);
//! assert_eq!(u2f.version()?, "U2F_V2");
//! let registration = u2f.register(&[1; 32], &[2; 32], &mut Unattended)?;
//! assert!(u2f.knows(&[2; 32], &registration.key_handle)?);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apdu;

use std::time::Duration;

use keywright_common::ctap2::Command;
use keywright_common::status::Status;

use crate::ctaphid::{Channel, Interaction, Unattended};
use crate::error::ClientError;
use crate::transport::Transport;
use apdu::Apdu;

pub use apdu::StatusWord;
pub(crate) use apdu::registration_message;

/// A U2F conversation over a channel.
pub struct U2f<'c, T> {
    channel: &'c mut Channel<T>,
    /// The key takes short APDUs only.
    is_short: bool,
}

/// A new credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The public key: an uncompressed point of P-256.
    pub public_key: [u8; 65],
    /// What the key wants to see again.
    pub key_handle: Vec<u8>,
    /// The attestation certificate, DER.
    pub certificate: Vec<u8>,
    /// By the attestation key: ASN.1 DER.
    pub signature: Vec<u8>,
}

/// An assertion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    /// Bit 0: the user touched the key.
    pub user_presence: u8,
    /// The signature counter.
    pub counter: u32,
    /// ASN.1 DER.
    pub signature: Vec<u8>,
}

/// The control byte of an authentication (U2F raw message formats §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    /// Sign once the user has touched the key.
    EnforceUserPresence,
    /// Sign without a touch.
    DoNotEnforce,
}

impl<'c, T: Transport> U2f<'c, T> {
    /// Speaks U2F over `channel`.
    pub const fn new(channel: &'c mut Channel<T>) -> Self {
        Self { channel, is_short: false }
    }

    /// The version: `U2F_V2`.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn version(&mut self) -> Result<String, ClientError> {
        let answer = self.transmit(&Apdu::new(VERSION, 0, &[]), &mut Unattended)?;
        let bytes = accepted(answer)?;
        String::from_utf8(bytes).map_err(|_| ClientError::Malformed("a U2F version that is no text"))
    }

    /// Makes a credential for an application, once the user has touched the key.
    ///
    /// # Errors
    /// [`ClientError`]; USER_ACTION_TIMEOUT if the key is not touched for 30 seconds.
    pub fn register(
        &mut self,
        challenge: &[u8; 32],
        application: &[u8; 32],
        user: &mut dyn Interaction,
    ) -> Result<Registration, ClientError> {
        let data = [&challenge[..], application].concat();
        let answer = self.until_touched(&Apdu::new(REGISTER, 0, &data), user)?;
        apdu::registration(&answer).ok_or(ClientError::Malformed("a U2F registration"))
    }

    /// Signs with a credential.
    ///
    /// # Errors
    /// [`ClientError::NoCredential`] if the key handle is not this key's for this application.
    pub fn authenticate(
        &mut self,
        control: Control,
        challenge: &[u8; 32],
        application: &[u8; 32],
        key_handle: &[u8],
        user: &mut dyn Interaction,
    ) -> Result<Authentication, ClientError> {
        let data = authentication_data(challenge, application, key_handle)?;
        let p1 = match control {
            Control::EnforceUserPresence => ENFORCE,
            Control::DoNotEnforce => DO_NOT_ENFORCE,
        };
        let answer = self.until_touched(&Apdu::new(AUTHENTICATE, p1, &data), user)?;
        apdu::authentication(&answer).ok_or(ClientError::Malformed("a U2F authentication"))
    }

    /// Whether a key handle is this key's for this application; nothing is signed and no touch is needed.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn knows(&mut self, application: &[u8; 32], key_handle: &[u8]) -> Result<bool, ClientError> {
        let Ok(data) = authentication_data(&[0; 32], application, key_handle) else { return Ok(false) };
        let (_, word) = self.transmit(&Apdu::new(AUTHENTICATE, CHECK_ONLY, &data), &mut Unattended)?;
        match word {
            // The check succeeds with what otherwise would be a failure (§5.1).
            StatusWord::CONDITIONS_NOT_SATISFIED | StatusWord::NO_ERROR => Ok(true),
            StatusWord::WRONG_DATA | StatusWord::WRONG_LENGTH => Ok(false),
            word => Err(ClientError::StatusWord(word.0)),
        }
    }

    /// Asks again until the key was touched: U2F keys answer at once, and remember a touch for a while.
    fn until_touched(&mut self, apdu: &Apdu<'_>, user: &mut dyn Interaction) -> Result<Vec<u8>, ClientError> {
        let mut was_told = false;
        for _ in 0..MAX_POLLS {
            match self.transmit(apdu, user)? {
                (_, StatusWord::CONDITIONS_NOT_SATISFIED) => {
                    if !was_told {
                        user.touch_needed();
                        was_told = true;
                    }
                    self.channel.pause(POLL_INTERVAL, user)?;
                }
                answer => return accepted(answer),
            }
        }
        Err(ClientError::Status { command: Command::SELECTION, status: Status::USER_ACTION_TIMEOUT })
    }

    /// Carries an APDU in extended form, which is what U2F has over HID, and in short form once the key refused that.
    fn transmit(
        &mut self,
        apdu: &Apdu<'_>,
        user: &mut dyn Interaction,
    ) -> Result<(Vec<u8>, StatusWord), ClientError> {
        if !self.is_short {
            let answer = self.exchange(&apdu.extended(), user)?;
            if answer.1 != StatusWord::WRONG_LENGTH {
                return Ok(answer);
            }
        }
        let Some(short) = apdu.short() else { return Ok((Vec::new(), StatusWord::WRONG_LENGTH)) };
        let answer = self.exchange(&short, user)?;
        self.is_short = answer.1 != StatusWord::WRONG_LENGTH;
        self.collect(answer, user)
    }

    /// The rest of an answer that is longer than a short APDU carries (ISO 7816-4: 61xx and GET RESPONSE).
    fn collect(
        &mut self,
        (mut data, mut word): (Vec<u8>, StatusWord),
        user: &mut dyn Interaction,
    ) -> Result<(Vec<u8>, StatusWord), ClientError> {
        while let Some(left) = word.bytes_left() {
            let (more, next) = self.exchange(&[0, GET_RESPONSE, 0, 0, left], user)?;
            if more.is_empty() || data.len() > MAX_ANSWER {
                return Err(ClientError::Malformed("a U2F answer without an end"));
            }
            data.extend(more);
            word = next;
        }
        Ok((data, word))
    }

    fn exchange(
        &mut self,
        apdu: &[u8],
        user: &mut dyn Interaction,
    ) -> Result<(Vec<u8>, StatusWord), ClientError> {
        let answer = self.channel.msg(apdu, user)?;
        StatusWord::split(&answer).ok_or(ClientError::Malformed("a U2F answer without status word"))
    }
}

fn authentication_data(
    challenge: &[u8; 32],
    application: &[u8; 32],
    key_handle: &[u8],
) -> Result<Vec<u8>, ClientError> {
    // A credential of another kind may have an id that no U2F key handle can be.
    let length = u8::try_from(key_handle.len()).map_err(|_| ClientError::NoCredential)?;
    Ok([&challenge[..], application, &[length], key_handle].concat())
}

fn accepted((data, word): (Vec<u8>, StatusWord)) -> Result<Vec<u8>, ClientError> {
    match word {
        StatusWord::NO_ERROR => Ok(data),
        StatusWord::WRONG_DATA => Err(ClientError::NoCredential),
        word => Err(ClientError::StatusWord(word.0)),
    }
}

const REGISTER: u8 = 0x01;
const AUTHENTICATE: u8 = 0x02;
const VERSION: u8 = 0x03;
const GET_RESPONSE: u8 = 0xc0;
const ENFORCE: u8 = 0x03;
const CHECK_ONLY: u8 = 0x07;
const DO_NOT_ENFORCE: u8 = 0x08;
/// A touch may be as short as a blink, and keys remember it for longer than this.
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// 30 seconds.
const MAX_POLLS: u32 = 150;
const MAX_ANSWER: usize = 8192;

#[cfg(test)]
mod tests;
