//! U2F's bytes: APDUs out, answers in (U2F raw message formats; ISO 7816-4).

use super::{Authentication, REGISTER, Registration};

/// A command APDU of class 0.
pub(super) struct Apdu<'a> {
    instruction: u8,
    p1: u8,
    data: &'a [u8],
}

impl<'a> Apdu<'a> {
    /// `data` is at most 65535 bytes; U2F has no command of more than 320.
    pub(super) const fn new(instruction: u8, p1: u8, data: &'a [u8]) -> Self {
        Self { instruction, p1, data }
    }

    /// With lengths of two bytes; the longest answer is asked for.
    pub(super) fn extended(&self) -> Vec<u8> {
        let mut apdu = vec![0, self.instruction, self.p1, 0, 0];
        if !self.data.is_empty() {
            apdu.extend(u16::try_from(self.data.len()).unwrap_or(u16::MAX).to_be_bytes());
            apdu.extend(self.data);
        }
        apdu.extend([0, 0]);
        apdu
    }

    /// With lengths of one byte; `None` if the data does not fit.
    pub(super) fn short(&self) -> Option<Vec<u8>> {
        let length = u8::try_from(self.data.len()).ok()?;
        let mut apdu = vec![0, self.instruction, self.p1, 0];
        if length > 0 {
            apdu.push(length);
            apdu.extend(self.data);
        }
        apdu.push(0);
        Some(apdu)
    }
}

/// The request of a registration, for whoever polls by itself.
pub(crate) fn registration_message(challenge: &[u8; 32], application: &[u8; 32]) -> Vec<u8> {
    Apdu::new(REGISTER, 0, &[&challenge[..], application].concat()).extended()
}

/// The last two bytes of an answer. Open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusWord(pub u16);

impl StatusWord {
    /// Done.
    pub const NO_ERROR: Self = Self(0x9000);
    /// A touch is needed.
    pub const CONDITIONS_NOT_SATISFIED: Self = Self(0x6985);
    /// The key handle is not this key's.
    pub const WRONG_DATA: Self = Self(0x6a80);
    /// The length is not acceptable.
    pub const WRONG_LENGTH: Self = Self(0x6700);

    /// Parts an answer from its status word; `None` if it is shorter than that.
    pub fn split(answer: &[u8]) -> Option<(Vec<u8>, Self)> {
        let (data, word) = answer.split_last_chunk::<2>()?;
        Some((data.to_vec(), Self(u16::from_be_bytes(*word))))
    }

    /// How many bytes of the answer are left, 0 for 256 or more; `None` if it was whole.
    pub(super) const fn bytes_left(self) -> Option<u8> {
        let [high, low] = self.0.to_be_bytes();
        if high == 0x61 { Some(low) } else { None }
    }
}

/// `0x05 || public key[65] || L || key handle[L] || certificate || signature` (§4.3).
pub(super) fn registration(answer: &[u8]) -> Option<Registration> {
    let (5, rest) = answer.split_first().map(|(head, rest)| (*head, rest))? else { return None };
    let (public_key, rest) = rest.split_first_chunk::<65>()?;
    let (length, rest) = rest.split_first()?;
    let (key_handle, rest) = rest.split_at_checked(usize::from(*length))?;
    let (certificate, signature) = rest.split_at_checked(der_length(rest)?)?;
    if signature.is_empty() {
        return None;
    }
    Some(Registration {
        public_key: *public_key,
        key_handle: key_handle.to_vec(),
        certificate: certificate.to_vec(),
        signature: signature.to_vec(),
    })
}

/// `presence || counter[4] || signature` (§5.4).
pub(super) fn authentication(answer: &[u8]) -> Option<Authentication> {
    let (user_presence, rest) = answer.split_first()?;
    let (counter, signature) = rest.split_first_chunk::<4>()?;
    (!signature.is_empty()).then(|| Authentication {
        user_presence: *user_presence,
        counter: u32::from_be_bytes(*counter),
        signature: signature.to_vec(),
    })
}

/// How many bytes the DER sequence at the beginning takes, its head included.
fn der_length(bytes: &[u8]) -> Option<usize> {
    let ([0x30, first], rest) = bytes.split_first_chunk::<2>()? else { return None };
    let count = usize::from(first & 0x7f);
    if *first < 0x80 {
        return count.checked_add(2);
    }
    let length = rest.get(..count).filter(|_| (1..=3).contains(&count))?;
    let length = length.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    length.checked_add(2)?.checked_add(count)
}
