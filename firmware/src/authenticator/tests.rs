//! Credentials that a platform cannot make through every command, brought to U2F.

use core::convert::Infallible;
use std::boxed::Box;
use std::vec::Vec;

use embedded_storage::nor_flash::{ErrorType, ReadNorFlash};
use keywright_common::cose::Algorithm;
use keywright_common::ctap2::extensions::CredProtect;
use keywright_common::ctaphid::ChannelId;
use keywright_common::u2f::{Authenticate, Control, Encoding, Request as U2fRequest};
use rand_core::{TryCryptoRng, TryRng};

use super::*;
use crate::credential::{CredentialSource, Policy};
use crate::ctaphid::DeviceVersion;
use crate::identity::Attestation;

const IDENTITY: Identity = Identity {
    aaguid: [1; 16],
    firmware_version: 1,
    device_version: DeviceVersion { major: 1, minor: 0, build: 0 },
    max_message: 7609,
    attestation: Attestation::PackedSelf,
};
const APPLICATION: [u8; 32] = [2; 32];
const LEVEL_1: Policy = Policy { discoverable: false, cred_protect: CredProtect::UserVerificationOptional };

type TestAuthenticator = Authenticator<Flash, Counting, Box<Message>>;

fn authenticator() -> TestAuthenticator {
    let flash = Flash(std::vec![0xff; 16 * 4096]);
    Authenticator::new(IDENTITY, flash, Counting(0), Box::default(), Start::PowerUp, Instant::ZERO)
}

/// The status word of an authentication with a credential of this kind: of a check, of one that enforces presence after
/// a touch, and of one that does not.
fn answers(algorithm: Algorithm, policy: Policy) -> [StatusWord; 3] {
    let mut authenticator = authenticator();
    let Core { state, random, .. } = &mut authenticator.core;
    let source = CredentialSource::generate(algorithm, policy, random);
    let id = source.wrap(state.credential_key().unwrap(), &APPLICATION, random).unwrap();
    let mut ask = |control| {
        let request =
            Authenticate { control, challenge: &[3; 32], application: &APPLICATION, key_handle: &id };
        let _ = send(&mut authenticator, &U2fRequest::Authenticate(request));
        assert!(authenticator.touch(Instant::ZERO).is_none());
        send(&mut authenticator, &U2fRequest::Authenticate(request))
    };
    [
        ask(Control::CheckOnly),
        ask(Control::EnforceUserPresenceAndSign),
        ask(Control::DontEnforceUserPresenceAndSign),
    ]
}

fn send(authenticator: &mut TestAuthenticator, request: &U2fRequest<'_>) -> StatusWord {
    let mut message = Box::new(Message::new());
    let mut out = Encoder::new(message.buffer_mut());
    request.encode(Encoding::Extended, &mut out).unwrap();
    let length = out.len();
    message.set_length(length);
    let request = Request { channel: ChannelId(1), command: Command::MSG, message };
    let Progress::Done(response) = authenticator.start(request, Instant::ZERO) else { panic!("it waits") };
    keywright_common::u2f::split_status(response.message.as_slice()).unwrap().1
}

const KNOWN: [StatusWord; 3] =
    [StatusWord::CONDITIONS_NOT_SATISFIED, StatusWord::NO_ERROR, StatusWord::NO_ERROR];
const UNKNOWN: [StatusWord; 3] = [StatusWord::WRONG_DATA; 3];

#[test]
fn g10_a_credential_of_level_3_is_unknown_to_u2f_and_one_of_level_2_is_not() {
    assert_eq!(answers(Algorithm::ES256, LEVEL_1), KNOWN);
    let level_2 = CredProtect::UserVerificationOptionalWithCredentialIdList;
    assert_eq!(answers(Algorithm::ES256, Policy { cred_protect: level_2, ..LEVEL_1 }), KNOWN);
    let level_3 = CredProtect::UserVerificationRequired;
    assert_eq!(answers(Algorithm::ES256, Policy { cred_protect: level_3, ..LEVEL_1 }), UNKNOWN);
}

#[test]
fn g10_a_discoverable_credential_that_the_store_does_not_hold_is_unknown_to_u2f() {
    for level in 1..=3 {
        let cred_protect = CredProtect::from_level(level).unwrap();
        assert_eq!(answers(Algorithm::ES256, Policy { discoverable: true, cred_protect }), UNKNOWN);
    }
}

#[test]
fn a_credential_of_another_algorithm_is_unknown_to_u2f() {
    assert_eq!(answers(Algorithm::EDDSA, LEVEL_1), UNKNOWN);
}

/// A request that waits for the user, and the plan that is left.
fn waiting(message: &[u8]) -> (TestAuthenticator, Pending<Box<Message>>) {
    let mut authenticator = authenticator();
    let mut buffer = Box::new(Message::new());
    buffer.set(message).unwrap();
    let request = Request { channel: ChannelId(1), command: Command::CBOR, message: buffer };
    assert!(matches!(authenticator.start(request, Instant::ZERO), Progress::TouchWanted(_)));
    let pending = authenticator.pending.take().unwrap();
    (authenticator, pending)
}

/// A makeCredential of ES256 for the relying party `a`.
fn creation() -> Vec<u8> {
    let mut out = std::vec![0; 256];
    let mut encoder = Encoder::new(&mut out);
    encoder.raw(&[1]).unwrap().map(4).unwrap().integer(1).unwrap().bytes(&[9; 32]).unwrap();
    encoder.integer(2).unwrap().map(1).unwrap().text("id").unwrap().text("a").unwrap();
    encoder.integer(3).unwrap().map(1).unwrap().text("id").unwrap().bytes(&[1]).unwrap();
    encoder.integer(4).unwrap().array(1).unwrap().map(2).unwrap();
    encoder.text("alg").unwrap().integer(-7).unwrap().text("type").unwrap().text("public-key").unwrap();
    encoder.written().to_vec()
}

/// As if the branch that waits for the touch had been skipped.
#[test]
fn g31_what_needs_a_touch_asks_for_it_once_more_where_it_is_carried_out() {
    for message in [creation(), std::vec![0x07], std::vec![0x0b]] {
        let (mut authenticator, pending) = waiting(&message);
        let Progress::Done(response) = authenticator.act(pending) else { panic!("it is not refused") };
        assert_eq!(response.message.as_slice(), [Status::OPERATION_DENIED.0]);

        let (mut authenticator, pending) = waiting(&message);
        authenticator.pending = Some(pending);
        assert!(!matches!(
            authenticator.touch(Instant::ZERO),
            Some(Progress::Done(response)) if response.message.as_slice() == [Status::OPERATION_DENIED.0]
        ));
    }
}

#[test]
fn g31_a_touch_is_not_kept_for_the_next_request() {
    let (mut authenticator, pending) = waiting(&creation());
    authenticator.pending = Some(pending);
    assert!(matches!(authenticator.touch(Instant::ZERO), Some(Progress::Done(_))));
    let (_, pending) = waiting(&creation());
    assert!(!pending.touched.holds());
}

struct Flash(Vec<u8>);

impl ErrorType for Flash {
    type Error = Infallible;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        let offset = offset as usize;
        bytes.copy_from_slice(&self.0[offset..offset + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        self.0[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        let offset = offset as usize;
        self.0[offset..offset + bytes.len()].iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
        Ok(())
    }
}

/// Bytes that differ, for a test to whom that is enough.
struct Counting(u64);

impl TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| (word >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        Ok(self.0)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}
