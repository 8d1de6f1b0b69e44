//! U2F: register, authenticate and version as CTAPHID_MSG, and the touch that they do not wait for.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use ciborium::{Value, cbor};
use keywright_common::auth_data::AuthData;
use keywright_common::cbor::Encoder;
use keywright_common::ctaphid::{ChannelId, Command, ErrorCode};
use keywright_common::status::Status;
use keywright_common::time::Millis;
use keywright_common::u2f::{
    Apdu, Authenticate, AuthenticateResponse, Control, Encoding, Register, RegisterResponse, Request,
    StatusWord, split_status,
};
use keywright_firmware::authenticator::{Start, Touch};
use keywright_firmware::key::Indication;
use keywright_tests::{IDENTITY, RamFlash, Simulation, TestRandom, User, map, value_at};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{DerSignature, VerifyingKey};
use sha2::{Digest, Sha256};

const CHALLENGE: [u8; 32] = [0x5a; 32];
const RP_ID: &str = "example.org";
const WANTED: Indication = Indication::TouchWanted(Touch::Press);
const WAITS: Answer = Err(StatusWord::CONDITIONS_NOT_SATISFIED);
const UNKNOWN: Answer = Err(StatusWord::WRONG_DATA);

type Answer = Result<Vec<u8>, StatusWord>;

fn application() -> [u8; 32] {
    Sha256::digest(RP_ID).into()
}

fn ask_on(key: &mut Simulation, channel: ChannelId, apdu: &[u8]) -> Answer {
    let response = key.transact_on(channel, Command::MSG, apdu).unwrap();
    let (data, word) = split_status(&response).unwrap();
    if word == StatusWord::NO_ERROR {
        return Ok(data.to_vec());
    }
    assert!(data.is_empty(), "an error has no data");
    Err(word)
}

fn ask(key: &mut Simulation, apdu: &[u8]) -> Answer {
    let channel = key.channel();
    ask_on(key, channel, apdu)
}

fn bytes_of(request: &Request<'_>) -> Vec<u8> {
    let mut buffer = [0; 512];
    let mut out = Encoder::new(&mut buffer);
    request.encode(Encoding::Extended, &mut out).unwrap();
    out.written().to_vec()
}

fn register_apdu() -> Vec<u8> {
    bytes_of(&Request::Register(Register { challenge: &CHALLENGE, application: &application() }))
}

fn authenticate_apdu(control: Control, application: &[u8; 32], key_handle: &[u8]) -> Vec<u8> {
    bytes_of(&Request::Authenticate(Authenticate { control, challenge: &CHALLENGE, application, key_handle }))
}

fn enforce(key_handle: &[u8]) -> Vec<u8> {
    authenticate_apdu(Control::EnforceUserPresenceAndSign, &application(), key_handle)
}

fn check(key_handle: &[u8]) -> Vec<u8> {
    authenticate_apdu(Control::CheckOnly, &application(), key_handle)
}

/// Asks, touches a little later and asks again, as a host does.
fn ask_with_touch(key: &mut Simulation, apdu: &[u8]) -> Vec<u8> {
    assert_eq!(ask(key, apdu), WAITS);
    key.advance(200);
    assert_eq!(key.key.indication(), WANTED);
    key.key.touch(key.now);
    key.advance(100);
    ask(key, apdu).unwrap()
}

struct Registered {
    key_handle: Vec<u8>,
    public_key: VerifyingKey,
}

fn register(key: &mut Simulation) -> Registered {
    let data = ask_with_touch(key, &register_apdu());
    let response = RegisterResponse::parse(&data).unwrap();
    let public_key = VerifyingKey::from_sec1_bytes(response.public_key).unwrap();
    Registered { key_handle: response.key_handle.to_vec(), public_key }
}

/// Checks an authentication over the bytes of Raw Message Formats §5.4 and gives its counter.
fn verify(data: &[u8], public_key: &VerifyingKey, user_presence: u8) -> u32 {
    let response = AuthenticateResponse::parse(data).unwrap();
    assert_eq!(response.user_presence, user_presence);
    let signed = [&application()[..], &data[..5], &CHALLENGE].concat();
    assert_eq!(signed.len(), 32 + 1 + 4 + 32);
    public_key.verify(&signed, &DerSignature::from_bytes(response.signature).unwrap()).unwrap();
    response.counter
}

#[test]
fn version_is_answered_in_every_form_and_without_the_user() {
    let mut key = Simulation::new();
    for apdu in [&[0, 3, 0, 0][..], &[0, 3, 0, 0, 0], &[0, 3, 0, 0, 0, 0, 0], &[0, 3, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(ask(&mut key, apdu).unwrap(), b"U2F_V2");
    }
    assert_eq!(key.key.indication(), Indication::Idle);
    assert!(key.keepalives.is_empty());
}

#[test]
fn get_info_names_u2f_before_fido2() {
    let info = Simulation::new().cbor(4, None).unwrap();
    assert_eq!(value_at(&info, 1), &cbor!(["U2F_V2", "FIDO_2_0", "FIDO_2_1"]).unwrap());
}

#[test]
fn a_registration_is_signed_over_the_bytes_of_the_specification() {
    let mut key = Simulation::new();
    let data = ask_with_touch(&mut key, &register_apdu());
    let response = RegisterResponse::parse(&data).unwrap();
    // 05 || public key || length || key handle || certificate || signature
    assert_eq!((data[0], &data[1..66]), (0x05, &response.public_key[..]));
    assert_eq!(usize::from(data[66]), response.key_handle.len());
    let signed = [&[0][..], &application(), &CHALLENGE, response.key_handle, response.public_key].concat();
    // Where no batch attests, the certificate is for the credential's own key.
    let public_key = VerifyingKey::from_sec1_bytes(response.public_key).unwrap();
    public_key.verify(&signed, &DerSignature::from_bytes(response.signature).unwrap()).unwrap();
}

#[test]
fn two_registrations_share_neither_key_handle_nor_key() {
    let mut key = Simulation::new();
    let (first, second) = (register(&mut key), register(&mut key));
    assert_ne!(first.public_key, second.public_key);
    let common = first.key_handle.iter().zip(&second.key_handle).filter(|(a, b)| a == b).count();
    assert!(common < first.key_handle.len() / 4, "key handles look random");
}

#[test]
fn an_authentication_is_signed_over_the_bytes_of_the_specification_and_the_counter_rises() {
    let mut key = Simulation::new();
    let registered = register(&mut key);
    let mut last = 0;
    for _ in 0..3 {
        let data = ask_with_touch(&mut key, &enforce(&registered.key_handle));
        let counter = verify(&data, &registered.public_key, 1);
        assert!(counter > last);
        last = counter;
    }
}

#[test]
fn short_and_extended_encodings_are_served_alike() {
    let mut key = Simulation::new();
    let registered = register(&mut key);
    let data = [&CHALLENGE[..], &application(), &[83], &registered.key_handle].concat();
    assert_eq!(registered.key_handle.len(), 83);
    for (encoding, expected) in
        [(Encoding::Short, 0), (Encoding::Short, 256), (Encoding::Extended, 0), (Encoding::Extended, 65536)]
    {
        let mut buffer = [0; 512];
        let mut out = Encoder::new(&mut buffer);
        let apdu = Apdu { class: 0, instruction: 2, p1: 3, p2: 0, data: &data, expected };
        apdu.encode(encoding, &mut out).unwrap();
        let answer = ask_with_touch(&mut key, out.written());
        verify(&answer, &registered.public_key, 1);
    }
}

#[test]
fn a_check_tells_a_known_key_handle_from_another_and_never_asks_the_user() {
    let mut key = Simulation::new();
    let registered = register(&mut key);
    assert_eq!(ask(&mut key, &check(&registered.key_handle)), WAITS);
    assert_eq!(key.key.indication(), Indication::Idle);
    key.key.touch(key.now);
    assert_eq!(ask(&mut key, &check(&registered.key_handle)), WAITS);
    assert_eq!(ask(&mut key, &check(&registered.key_handle[1..])), UNKNOWN);
}

#[test]
fn g14_a_key_handle_counts_for_its_application_and_unchanged_only() {
    let mut key = Simulation::new();
    let Registered { key_handle, .. } = register(&mut key);
    for at in 0..key_handle.len() {
        let mut changed = key_handle.clone();
        changed[at] ^= 1;
        assert_eq!(ask(&mut key, &enforce(&changed)), UNKNOWN, "byte {at}");
    }
    for foreign in [&[][..], &[0; 83], &[0; 64], &[0; 255], &key_handle[..82]] {
        assert_eq!(ask(&mut key, &enforce(foreign)), UNKNOWN);
    }
    for control in
        [Control::CheckOnly, Control::EnforceUserPresenceAndSign, Control::DontEnforceUserPresenceAndSign]
    {
        let apdu = authenticate_apdu(control, &Sha256::digest("example.com").into(), &key_handle);
        assert_eq!(ask(&mut key, &apdu), UNKNOWN);
    }
    let mut other = Simulation::with_random(IDENTITY, RamFlash::default(), TestRandom(8), Start::PowerUp);
    let of_another_key = register(&mut other).key_handle;
    assert_eq!(ask(&mut key, &enforce(&of_another_key)), UNKNOWN);
    assert_eq!(key.key.indication(), Indication::Idle, "an unknown key handle is told without the user");
}

#[test]
fn g07_a_signature_without_enforced_presence_claims_none_and_spends_no_touch() {
    let mut key = Simulation::new();
    let registered = register(&mut key);
    let silent =
        authenticate_apdu(Control::DontEnforceUserPresenceAndSign, &application(), &registered.key_handle);
    let data = ask(&mut key, &silent).unwrap();
    verify(&data, &registered.public_key, 0);
    assert_eq!(key.key.indication(), Indication::Idle);

    assert_eq!(ask(&mut key, &enforce(&registered.key_handle)), WAITS);
    key.key.touch(key.now);
    let data = ask(&mut key, &silent).unwrap();
    verify(&data, &registered.public_key, 0);
    let data = ask(&mut key, &enforce(&registered.key_handle)).unwrap();
    verify(&data, &registered.public_key, 1);
}

#[test]
fn g24_each_fault_of_an_apdu_has_its_status_word() {
    let mut key = Simulation::new();
    let mut word = |apdu: &[u8]| ask(&mut key, apdu).unwrap_err();
    for class in [1, 0x80, 0xff] {
        assert_eq!(word(&[class, 3, 0, 0]), StatusWord::CLA_NOT_SUPPORTED);
    }
    for instruction in [0, 4, 0x40, 0xc0, 0xff] {
        assert_eq!(word(&[0, instruction, 0, 0]), StatusWord::INS_NOT_SUPPORTED);
    }
    for apdu in [&[0][..], &[0, 3], &[0, 3, 0], &[0, 3, 0, 0, 1, 9], &[0, 1, 0, 0], &[0, 2, 3, 0, 0]] {
        assert_eq!(word(apdu), StatusWord::WRONG_LENGTH, "{apdu:02x?}");
    }
    let register = register_apdu();
    for cut in 4..register.len() {
        // Without its Le the command is whole: case 3.
        let is_whole = cut == register.len() - 2;
        let expected = if is_whole { StatusWord::CONDITIONS_NOT_SATISFIED } else { StatusWord::WRONG_LENGTH };
        assert_eq!(word(&register[..cut]), expected, "{cut} bytes");
    }
    assert_eq!(word(&[&register[..], &[0]].concat()), StatusWord::WRONG_LENGTH);
    let mut authenticate = enforce(&[9; 83]);
    authenticate[2] = 0x04;
    assert_eq!(word(&authenticate), StatusWord::WRONG_DATA);
    authenticate[2] = 0x03;
    authenticate[7 + 64] = 84;
    assert_eq!(word(&authenticate), StatusWord::WRONG_LENGTH);
}

#[test]
fn g24_the_longest_and_the_empty_message_are_refused_and_the_next_request_works() {
    let mut key = Simulation::new();
    let channel = key.channel();
    let mut longest = vec![0; 7609];
    longest[1] = 1;
    assert_eq!(ask(&mut key, &longest), Err(StatusWord::WRONG_LENGTH));
    // 7602 bytes of data that agree with their Lc, for an instruction that wants 64.
    longest[5..7].copy_from_slice(&7602_u16.to_be_bytes());
    assert_eq!(ask(&mut key, &longest), Err(StatusWord::WRONG_LENGTH));
    assert_eq!(key.transact_on(channel, Command::MSG, &[]), Err(ErrorCode::INVALID_LEN.0));
    register(&mut key);
}

#[test]
fn the_key_asks_for_a_touch_until_the_window_ends_and_no_longer() {
    let mut key = Simulation::new();
    assert_eq!(ask(&mut key, &register_apdu()), WAITS);
    let end = key.now + Millis(2000);
    assert_eq!(key.key.poll_timeout(), Some(end));
    key.advance(1999);
    assert_eq!(key.key.indication(), WANTED);
    key.advance(1);
    assert_eq!(key.key.indication(), Indication::Idle);
    assert_eq!(key.key.poll_timeout(), None);
    key.key.touch(key.now);
    assert_eq!(ask(&mut key, &register_apdu()), WAITS);
}

#[test]
fn a_touch_serves_one_request_and_only_until_the_window_ends() {
    let mut key = Simulation::new();
    let Registered { key_handle, .. } = register(&mut key);
    assert_eq!(ask(&mut key, &enforce(&key_handle)), WAITS, "the touch of the registration is used up");
    for (late, is_served) in [(0, true), (1, false)] {
        key.advance(5000);
        assert_eq!(ask(&mut key, &enforce(&key_handle)), WAITS);
        key.advance(1500);
        key.key.touch(key.now);
        assert_eq!(key.key.indication(), Indication::Idle, "a touch that was given is not asked for");
        key.advance(499 + late);
        assert_eq!(ask(&mut key, &enforce(&key_handle)).is_ok(), is_served);
    }
}

#[test]
fn touches_before_a_request_count_for_nothing() {
    let mut key = Simulation::new();
    for _ in 0..3 {
        key.key.touch(key.now);
        key.advance(1);
    }
    assert_eq!(ask(&mut key, &register_apdu()), WAITS);
    key.key.decline(key.now);
    assert_eq!(key.key.indication(), Indication::Idle);
    key.key.touch(key.now);
    assert_eq!(ask(&mut key, &register_apdu()), WAITS);
}

#[test]
fn a_touch_for_u2f_is_none_for_ctap2_and_the_other_way_round() {
    let mut key = Simulation::new();
    assert_eq!(ask(&mut key, &register_apdu()), WAITS);
    key.key.touch(key.now);
    key.user = User::Absent;
    assert_eq!(key.cbor(0x0b, None), Err(Status::USER_ACTION_TIMEOUT));
    assert_eq!(ask(&mut key, &register_apdu()), WAITS);

    key.user = User::Touches;
    key.cbor(0x0b, None).unwrap();
    assert_eq!(key.touches, 1);
    assert_eq!(ask(&mut key, &register_apdu()), WAITS);
}

#[test]
fn a_ctap2_request_that_waits_for_the_user_takes_the_window_of_u2f_with_it() {
    for touches in [0, 1] {
        let mut key = Simulation::new();
        let channel = key.channel();
        assert_eq!(ask(&mut key, &register_apdu()), WAITS);
        (0..touches).for_each(|_| key.key.touch(key.now));
        key.send(channel, Command::CBOR, &[0x0b]);
        key.send(channel, Command::CANCEL, &[]);
        while key.key.poll_transmit().is_some() {}
        assert_eq!(key.key.indication(), Indication::Idle);
        key.key.touch(key.now);
        assert_eq!(ask(&mut key, &register_apdu()), WAITS);
    }
}

#[test]
fn what_needs_no_user_between_two_attempts_does_not_spend_the_touch() {
    let mut key = Simulation::new();
    let registered = register(&mut key);
    assert_eq!(ask(&mut key, &enforce(&registered.key_handle)), WAITS);
    key.key.touch(key.now);
    assert_eq!(ask(&mut key, &check(&registered.key_handle)), WAITS);
    assert_eq!(ask(&mut key, &enforce(b"foreign")), UNKNOWN);
    ask(&mut key, &[0, 3, 0, 0]).unwrap();
    key.cbor(4, None).unwrap();
    let data = ask(&mut key, &enforce(&registered.key_handle)).unwrap();
    verify(&data, &registered.public_key, 1);
}

#[test]
fn g07_another_channel_cannot_use_the_touch_that_was_given_for_one() {
    let mut key = Simulation::new();
    let other = key.open_channel();
    assert_eq!(ask(&mut key, &register_apdu()), WAITS);
    key.key.touch(key.now);
    assert_eq!(ask_on(&mut key, other, &register_apdu()), WAITS);
    assert!(ask(&mut key, &register_apdu()).is_ok());
    assert_eq!(ask_on(&mut key, other, &register_apdu()), WAITS);
}

#[test]
fn g21_a_message_is_told_busy_while_a_request_waits_and_cancel_does_not_end_u2f() {
    let mut key = Simulation::new();
    let (own, other) = (key.channel(), key.open_channel());
    key.send(own, Command::CBOR, &[0x0b]);
    for channel in [other, own] {
        key.send(channel, Command::MSG, &register_apdu()[..57]);
        let report = loop {
            let report = key.key.poll_transmit().unwrap();
            if report[4] != 0x80 | Command::KEEPALIVE.0 {
                break report;
            }
        };
        assert_eq!(report[..4], channel.0.to_be_bytes());
        assert_eq!((report[4], report[7]), (0x80 | Command::ERROR.0, ErrorCode::CHANNEL_BUSY.0));
    }
    key.key.touch(key.now);
    assert_eq!(key.key.poll_transmit().unwrap()[4..8], [0x90, 0, 1, 0]);

    assert_eq!(ask(&mut key, &register_apdu()), WAITS);
    key.send(own, Command::CANCEL, &[]);
    assert!(key.key.poll_transmit().is_none());
    key.key.touch(key.now);
    assert!(ask(&mut key, &register_apdu()).is_ok());
}

#[test]
fn nothing_is_written_before_the_touch() {
    let flash = RamFlash::default();
    let mut key = Simulation::with(IDENTITY, flash, Start::PowerUp);
    let registered = register(&mut key);
    let first =
        verify(&ask_with_touch(&mut key, &enforce(&registered.key_handle)), &registered.public_key, 1);
    let before = key.flash.changes();
    for _ in 0..200 {
        assert_eq!(ask(&mut key, &register_apdu()), WAITS);
        assert_eq!(ask(&mut key, &enforce(&registered.key_handle)), WAITS);
        assert_eq!(ask(&mut key, &check(&registered.key_handle)), WAITS);
        assert_eq!(ask(&mut key, &enforce(b"foreign")), UNKNOWN);
        key.advance(700);
    }
    assert_eq!(key.flash.changes(), before);
    let next = verify(&ask_with_touch(&mut key, &enforce(&registered.key_handle)), &registered.public_key, 1);
    assert_eq!(next, first + 1, "no refused request took a counter");
}

fn assertion(id: &[u8]) -> Value {
    let list = cbor!([{ "id" => Value::from(id), "type" => "public-key" }]).unwrap();
    map([(1, Value::from(RP_ID)), (2, Value::from(&CHALLENGE[..])), (3, list)])
}

#[test]
fn what_u2f_registered_signs_in_ctap2() {
    let mut key = Simulation::new();
    let registered = register(&mut key);
    let response = key.cbor(2, Some(assertion(&registered.key_handle))).unwrap();
    let auth_data = value_at(&response, 2).as_bytes().unwrap();
    let signature = DerSignature::from_bytes(value_at(&response, 3).as_bytes().unwrap()).unwrap();
    registered.public_key.verify(&[auth_data, &CHALLENGE[..]].concat(), &signature).unwrap();
}

fn create(key: &mut Simulation, algorithm: i32) -> Vec<u8> {
    let request = map([
        (1, Value::from(&CHALLENGE[..])),
        (2, cbor!({ "id" => RP_ID }).unwrap()),
        (3, cbor!({ "id" => Value::Bytes(vec![1]), "name" => "ada" }).unwrap()),
        (4, cbor!([{ "alg" => algorithm, "type" => "public-key" }]).unwrap()),
    ]);
    let response = key.cbor(1, Some(request)).unwrap();
    value_at(&response, 2).as_bytes().unwrap().clone()
}

#[test]
fn what_ctap2_made_signs_in_u2f_with_one_counter_for_both() {
    let mut key = Simulation::new();
    let auth_data = create(&mut key, -7);
    let created = AuthData::parse(&auth_data).unwrap();
    let credential = created.attested_credential.unwrap();
    let cose: Value = ciborium::from_reader(credential.public_key).unwrap();
    let coordinate = |key| value_at(&cose, key).as_bytes().unwrap().clone();
    let point = [vec![4], coordinate(-2), coordinate(-3)].concat();
    let public_key = VerifyingKey::from_sec1_bytes(&point).unwrap();
    let data = ask_with_touch(&mut key, &enforce(credential.credential_id));
    assert!(verify(&data, &public_key, 1) > created.fixed.sign_count);
}

#[test]
fn an_eddsa_credential_is_unknown_to_u2f() {
    let mut key = Simulation::new();
    let auth_data = create(&mut key, -8);
    let id = AuthData::parse(&auth_data).unwrap().attested_credential.unwrap().credential_id;
    assert_eq!(ask(&mut key, &enforce(id)), UNKNOWN);
    assert_eq!(ask(&mut key, &check(id)), UNKNOWN);
}
