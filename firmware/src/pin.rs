//! The PIN: its verifier, its retries and its policy.
//!
//! The store holds an HMAC of the PIN's hash under a key derived from the device secret, so that what is read from
//! flash without that secret does not let a PIN be guessed.

use embedded_storage::nor_flash::NorFlash;
use keywright_common::ctap2::client_pin::{
    MAX_CONSECUTIVE_MISMATCHES, MAX_PIN_BYTES, MAX_PIN_RETRIES, MIN_PIN_CODE_POINTS, PADDED_PIN_BYTES,
};
use keywright_common::status::Status;

use crate::authenticator::Start;
use crate::crypto::seal::SealingKey;
use crate::crypto::{Secret, sha256};
use crate::decision::Grant;
use crate::store::{DeviceSecret, PinRecord, Store, StoreError};

/// LEFT(SHA-256(PIN), 16): what the platform proves to know.
pub(crate) type PinHash = Secret<16>;

/// Ends a block that lasts until power-up (§6.5.5.6). A warm restart ends nothing: who can cause one could otherwise
/// guess on.
///
/// # Errors
/// Whatever keeps the store from reading or writing.
pub(crate) fn start<F: NorFlash>(store: &mut Store<F>, start: Start) -> Result<(), StoreError> {
    match store.reading().pin()? {
        Some(mut record) if start == Start::PowerUp && record.consecutive_mismatches != 0 => {
            record.consecutive_mismatches = 0;
            store.set_pin(&record)
        }
        _ => Ok(()),
    }
}

/// The record, if the PIN may be tried.
///
/// # Errors
/// `PIN_NOT_SET`; `PIN_BLOCKED` without retries; `PIN_AUTH_BLOCKED` until power-up.
pub(crate) fn usable(record: Option<PinRecord>) -> Result<PinRecord, Status> {
    let record = record.ok_or(Status::PIN_NOT_SET)?;
    match blocked(&record) {
        Some(status) => Err(status),
        None => Ok(record),
    }
}

/// Whether only a power-up lets a PIN be tried again.
pub(crate) const fn needs_power_cycle(record: &PinRecord) -> bool {
    record.consecutive_mismatches >= MAX_CONSECUTIVE_MISMATCHES
}

/// Tries the PIN whose hash is `candidate`. What is given for the PIN is given for the grant.
///
/// # Errors
/// As [`usable`], which is asked again about what is on flash now; `PIN_BLOCKED`, `PIN_AUTH_BLOCKED` or `PIN_INVALID` if it is
/// another PIN; `OTHER` if the retry was not spent.
// A function of its own in every build: a test on the emulated board skips its instructions one by one.
#[inline(never)]
pub(crate) fn compare<F: NorFlash>(store: &mut Store<F>, candidate: &PinHash) -> Result<Grant, Status> {
    let mut record = usable(store.reading().pin()?)?;
    // §6.5.5.6 step 6: spent before it is known whether the PIN is right, or power could be cut in between.
    record.retries = record.retries.checked_sub(1).ok_or(Status::PIN_BLOCKED)?;
    record.consecutive_mismatches = record.consecutive_mismatches.saturating_add(1);
    store.set_pin(&record)?;
    is_spent(store, &record).require(Status::OTHER)?;
    let entered = verifier(store.secret()?, candidate);
    let is_right = Grant::if_twice(|| record.verifier == entered);
    is_right.require(blocked(&record).unwrap_or(Status::PIN_INVALID))?;
    record.retries = MAX_PIN_RETRIES;
    record.consecutive_mismatches = 0;
    store.set_pin(&record)?;
    Ok(is_right)
}

/// Whether what was written is what is on flash: a write that was skipped has spent nothing.
fn is_spent<F: NorFlash>(store: &mut Store<F>, record: &PinRecord) -> Grant {
    Grant::if_twice(|| store.reading().pin().is_ok_and(|written| written.as_ref() == Some(record)))
}

/// Sets a PIN that is padded with zeros to 64 bytes, in place of any other.
///
/// # Errors
/// `PIN_POLICY_VIOLATION` if it is shorter than 4 code points, longer than 63 bytes, or not UTF-8.
pub(crate) fn set<F: NorFlash>(
    store: &mut Store<F>,
    padded: &Secret<PADDED_PIN_BYTES>,
) -> Result<(), Status> {
    let (pin, length_code_points) = unpad(padded).ok_or(Status::PIN_POLICY_VIOLATION)?;
    let verifier = verifier(store.secret()?, &hash(pin));
    let record =
        PinRecord { verifier, retries: MAX_PIN_RETRIES, consecutive_mismatches: 0, length_code_points };
    Ok(store.set_pin(&record)?)
}

/// §6.5.5.5 steps 8 and 9: the PIN without the zeros behind it, and its length in code points; `None` if it is against
/// the policy.
fn unpad(padded: &Secret<PADDED_PIN_BYTES>) -> Option<(&str, u8)> {
    let padded = padded.expose();
    let length = padded.iter().rposition(|byte| *byte != 0).map_or(0, |last| last.saturating_add(1));
    let pin = padded.get(..length).filter(|pin| pin.len() <= MAX_PIN_BYTES)?;
    let pin = core::str::from_utf8(pin).ok()?;
    let code_points = u8::try_from(pin.chars().count()).ok()?;
    (code_points >= MIN_PIN_CODE_POINTS).then_some((pin, code_points))
}

fn hash(pin: &str) -> PinHash {
    let whole = Secret::new(sha256(&[pin.as_bytes()]));
    let mut hash = PinHash::new([0; 16]);
    hash.expose_mut().iter_mut().zip(whole.expose()).for_each(|(to, from)| *to = *from);
    hash
}

fn verifier(secret: &DeviceSecret, hash: &PinHash) -> Secret<32> {
    Secret::new(SealingKey::derive(secret.expose(), b"PIN verifier").fingerprint(&[hash.expose()]))
}

const fn blocked(record: &PinRecord) -> Option<Status> {
    if record.retries == 0 {
        Some(Status::PIN_BLOCKED)
    } else if needs_power_cycle(record) {
        Some(Status::PIN_AUTH_BLOCKED)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Counting, PowerCutFlash};

    fn length_of(bytes: &[u8]) -> Option<u8> {
        let mut padded = [0; PADDED_PIN_BYTES];
        padded[..bytes.len()].copy_from_slice(bytes);
        unpad(&Secret::new(padded)).map(|(_, length)| length)
    }

    #[test]
    fn g24_a_pin_is_measured_in_code_points_from_below_and_in_bytes_from_above() {
        assert_eq!(length_of("1234".as_bytes()), Some(4));
        assert_eq!(length_of("ä€𝄞x".as_bytes()), Some(4));
        assert_eq!(length_of(&[b'x'; 63]), Some(63));
        assert_eq!(length_of("€".repeat(21).as_bytes()), Some(21));
        for short in ["", "1", "123", "€€€", "𝄞𝄞𝄞"] {
            assert_eq!(length_of(short.as_bytes()), None, "{short}");
        }
        assert_eq!(length_of(&[b'x'; 64]), None);
    }

    #[test]
    fn only_zeros_at_the_end_are_padding_and_what_is_not_utf_8_is_no_pin() {
        assert_eq!(length_of(b"12\x00\x0034"), Some(6));
        assert_eq!(length_of(b"123\x00"), None);
        assert_eq!(length_of(b"1234\xff"), None);
        assert_eq!(length_of(b"\xc0\xb1\xc0\xb2\xc0\xb3\xc0\xb4"), None);
        assert_eq!(length_of(b"123\xe2\x82"), None);
    }

    /// A store with the PIN 1234.
    fn with_pin() -> Store<PowerCutFlash<4, 4096, 4>> {
        let mut store = Store::open_or_fault(PowerCutFlash::new(), &mut Counting::default());
        let mut padded = Secret::new([0; PADDED_PIN_BYTES]);
        padded.expose_mut()[..4].copy_from_slice(b"1234");
        set(&mut store, &padded).unwrap();
        store
    }

    /// As where the write is skipped: it seems done, and flash is as it was.
    #[test]
    fn g31_a_pin_is_not_compared_where_the_retry_was_not_spent_on_flash() {
        let mut store = with_pin();
        assert!(compare(&mut store, &hash("1234")).unwrap().holds());
        let record = usable(store.reading().pin().unwrap()).unwrap();
        assert!(is_spent(&mut store, &record).holds());
        let unspent = PinRecord { retries: record.retries - 1, ..record };
        assert!(!is_spent(&mut store, &unspent).holds());
        store.flash_mut().forget_writes(true);
        for pin in ["1234", "9999"] {
            assert_eq!(compare(&mut store, &hash(pin)).err(), Some(Status::OTHER), "{pin}");
        }
    }

    #[test]
    fn g31_a_blocked_pin_is_refused_once_more_where_it_is_compared() {
        let mut store = with_pin();
        let record = usable(store.reading().pin().unwrap()).unwrap();
        for (retries, consecutive_mismatches, status) in
            [(0, 0, Status::PIN_BLOCKED), (5, 3, Status::PIN_AUTH_BLOCKED)]
        {
            let record = PinRecord { retries, consecutive_mismatches, ..record.clone() };
            store.set_pin(&record).unwrap();
            assert_eq!(compare(&mut store, &hash("1234")).err(), Some(status));
            assert_eq!(store.reading().pin().unwrap(), Some(record), "it costs nothing");
        }
    }

    #[test]
    fn the_verifier_depends_on_the_device_and_on_every_bit_of_the_hash() {
        let right = verifier(&Secret::new([1; 32]), &hash("1234"));
        assert!(right == verifier(&Secret::new([1; 32]), &hash("1234")));
        assert!(right != verifier(&Secret::new([2; 32]), &hash("1234")));
        for bit in 0..128 {
            let mut other = hash("1234");
            other.expose_mut()[bit / 8] ^= 1 << (bit % 8);
            assert!(right != verifier(&Secret::new([1; 32]), &other), "bit {bit}");
        }
    }
}
