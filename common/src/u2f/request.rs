//! The three requests.

use super::{Apdu, Encoding, StatusWord};
use crate::cbor::{Encoder, Full};

/// A request; borrows from the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request<'a> {
    /// U2F_REGISTER.
    Register(Register<'a>),
    /// U2F_AUTHENTICATE.
    Authenticate(Authenticate<'a>),
    /// U2F_VERSION.
    Version,
}

/// U2F_REGISTER (Raw Message Formats §4.1). P1 and P2 mean nothing and are not looked at: hosts send several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register<'a> {
    /// SHA-256 of the client data.
    pub challenge: &'a [u8; 32],
    /// SHA-256 of the application's identity: what CTAP2 calls the RP ID's hash.
    pub application: &'a [u8; 32],
}

/// U2F_AUTHENTICATE (Raw Message Formats §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authenticate<'a> {
    /// What is asked for.
    pub control: Control,
    /// SHA-256 of the client data.
    pub challenge: &'a [u8; 32],
    /// SHA-256 of the application's identity.
    pub application: &'a [u8; 32],
    /// What registration gave, at most 255 bytes.
    pub key_handle: &'a [u8],
}

/// The control byte, P1 of U2F_AUTHENTICATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Control {
    /// Is the key handle one of this key? Nothing is signed.
    CheckOnly = 0x07,
    /// Sign when the user is present.
    EnforceUserPresenceAndSign = 0x03,
    /// Sign at once, and say whether the user is present.
    DontEnforceUserPresenceAndSign = 0x08,
}

/// An instruction byte. Open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction(pub u8);

impl Instruction {
    /// U2F_REGISTER.
    pub const REGISTER: Self = Self(0x01);
    /// U2F_AUTHENTICATE.
    pub const AUTHENTICATE: Self = Self(0x02);
    /// U2F_VERSION.
    pub const VERSION: Self = Self(0x03);
}

impl<'a> Request<'a> {
    /// Reads the APDU of a CTAPHID_MSG.
    ///
    /// Class and instruction are judged first: without them the lengths mean nothing.
    ///
    /// # Errors
    /// `WRONG_LENGTH`, `CLA_NOT_SUPPORTED`, `INS_NOT_SUPPORTED`, or `WRONG_DATA` for a control byte that is none.
    pub fn parse(message: &'a [u8]) -> Result<Self, StatusWord> {
        let [class, instruction, ..] = *message else { return Err(StatusWord::WRONG_LENGTH) };
        if class != 0 {
            return Err(StatusWord::CLA_NOT_SUPPORTED);
        }
        match Instruction(instruction) {
            Instruction::REGISTER => Register::read(&Apdu::parse(message)?).map(Self::Register),
            Instruction::AUTHENTICATE => Authenticate::read(&Apdu::parse(message)?).map(Self::Authenticate),
            Instruction::VERSION if Apdu::parse(message)?.data.is_empty() => Ok(Self::Version),
            Instruction::VERSION => Err(StatusWord::WRONG_LENGTH),
            _ => Err(StatusWord::INS_NOT_SUPPORTED),
        }
    }

    /// Writes the APDU, with the largest Le of the encoding.
    ///
    /// A key that heeds Le cannot answer a registration in the short encoding: its response has more than 256 bytes.
    ///
    /// # Errors
    /// [`Full`] if the buffer has no room, or if the key handle is longer than 255 bytes or makes the data longer than
    /// the encoding can state.
    pub fn encode(&self, encoding: Encoding, encoder: &mut Encoder<'_>) -> Result<(), Full> {
        let mut buffer = [0; MAX_REQUEST_DATA];
        let mut data = Encoder::new(&mut buffer);
        let (instruction, p1) = match self {
            Self::Register(request) => {
                data.raw(request.challenge)?.raw(request.application)?;
                (Instruction::REGISTER, 0)
            }
            Self::Authenticate(request) => {
                let length = u8::try_from(request.key_handle.len()).map_err(|_| Full)?;
                data.raw(request.challenge)?.raw(request.application)?;
                data.raw(&[length])?.raw(request.key_handle)?;
                (Instruction::AUTHENTICATE, request.control as u8)
            }
            Self::Version => (Instruction::VERSION, 0),
        };
        let expected = match encoding {
            Encoding::Short => 256,
            Encoding::Extended => 65536,
        };
        let Instruction(instruction) = instruction;
        Apdu { class: 0, instruction, p1, p2: 0, data: data.written(), expected }.encode(encoding, encoder)
    }
}

impl<'a> Register<'a> {
    fn read(apdu: &Apdu<'a>) -> Result<Self, StatusWord> {
        let (challenge, rest) = hash(apdu.data)?;
        let (application, rest) = hash(rest)?;
        if rest.is_empty() { Ok(Self { challenge, application }) } else { Err(StatusWord::WRONG_LENGTH) }
    }
}

impl<'a> Authenticate<'a> {
    fn read(apdu: &Apdu<'a>) -> Result<Self, StatusWord> {
        let (challenge, rest) = hash(apdu.data)?;
        let (application, rest) = hash(rest)?;
        let (length, key_handle) = rest.split_first().ok_or(StatusWord::WRONG_LENGTH)?;
        if key_handle.len() != usize::from(*length) {
            return Err(StatusWord::WRONG_LENGTH);
        }
        let control = Control::from_byte(apdu.p1).ok_or(StatusWord::WRONG_DATA)?;
        Ok(Self { control, challenge, application, key_handle })
    }
}

impl Control {
    /// The control byte with this value.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x07 => Some(Self::CheckOnly),
            0x03 => Some(Self::EnforceUserPresenceAndSign),
            0x08 => Some(Self::DontEnforceUserPresenceAndSign),
            _ => None,
        }
    }
}

fn hash(bytes: &[u8]) -> Result<(&[u8; 32], &[u8]), StatusWord> {
    bytes.split_first_chunk().ok_or(StatusWord::WRONG_LENGTH)
}

/// Two hashes, a length and the longest key handle.
const MAX_REQUEST_DATA: usize = 32 + 32 + 1 + 255;
