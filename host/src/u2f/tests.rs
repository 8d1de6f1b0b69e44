use keywright_common::ctaphid::ChannelId;
use proptest::prelude::*;

use super::*;
use crate::testing::Script;

const APPLICATION: [u8; 32] = [2; 32];

fn channel(answers: &[&[u8]]) -> Channel<Script> {
    let mut script = Script::new(ChannelId(9), 0);
    answers.iter().for_each(|answer| script.answer_msg(answer));
    Channel::open(script).unwrap()
}

fn registration() -> Vec<u8> {
    let certificate = [&[0x30, 0x82, 1, 44][..], &[8; 300]].concat();
    [&[5, 4][..], &[7; 64], &[3, 1, 2, 3], &certificate, &[0x30, 1, 0]].concat()
}

fn with_word(data: &[u8], word: u16) -> Vec<u8> {
    [data, &word.to_be_bytes()].concat()
}

struct Counting {
    touches: usize,
    cancels: bool,
}

impl Interaction for Counting {
    fn touch_needed(&mut self) {
        self.touches += 1;
    }

    fn is_cancelled(&mut self) -> bool {
        self.cancels && self.touches > 0
    }
}

#[test]
fn a_registration_is_polled_until_the_touch_and_read_in_its_parts() {
    let done = with_word(&registration(), 0x9000);
    let mut channel = channel(&[&[0x69, 0x85], &[0x69, 0x85], &done]);
    let begun = channel.transport_mut().now();
    let mut user = Counting { touches: 0, cancels: false };
    let made = U2f::new(&mut channel).register(&[1; 32], &APPLICATION, &mut user).unwrap();
    assert_eq!((made.key_handle, made.certificate.len()), (vec![1, 2, 3], 304));
    assert_eq!(made.signature, [0x30, 1, 0]);
    assert_eq!(user.touches, 1);
    assert_eq!(channel.transport_mut().now() - begun, Duration::from_millis(400));
    let request = &channel.transport_mut().requests()[0];
    assert_eq!(request[..7], [0, 1, 0, 0, 0, 0, 64]);
    assert_eq!(request.len(), 7 + 64 + 2);
}

#[test]
fn a_key_that_is_not_touched_is_given_up() {
    let answers = vec![&[0x69_u8, 0x85][..]; 200];
    let error =
        U2f::new(&mut channel(&answers)).register(&[1; 32], &APPLICATION, &mut Unattended).unwrap_err();
    assert_eq!(error.status(), Some(Status::USER_ACTION_TIMEOUT));
}

#[test]
fn a_user_who_cancels_is_heard_between_two_polls() {
    let answers = vec![&[0x69_u8, 0x85][..]; 200];
    let mut channel = channel(&answers);
    let mut user = Counting { touches: 0, cancels: true };
    let result = U2f::new(&mut channel).register(&[1; 32], &APPLICATION, &mut user);
    assert!(matches!(result, Err(ClientError::Device(crate::ctaphid::DeviceError::Cancelled))));
    assert_eq!(channel.transport_mut().requests().len(), 1);
}

#[test]
fn a_check_tells_a_known_handle_by_the_touch_that_it_would_need() {
    let mut channel = channel(&[&[0x69, 0x85], &[0x6a, 0x80], &[0x6f, 0x00]]);
    let mut u2f = U2f::new(&mut channel);
    assert!(u2f.knows(&APPLICATION, &[1; 64]).unwrap());
    assert!(!u2f.knows(&APPLICATION, &[1; 64]).unwrap());
    assert!(!u2f.knows(&APPLICATION, &[1; 256]).unwrap(), "no handle is that long");
    assert!(matches!(u2f.knows(&APPLICATION, &[1; 64]), Err(ClientError::StatusWord(0x6f00))));
    let requests = channel.transport_mut().requests();
    assert!(requests.iter().all(|request| request[1..3] == [2, 7]));
    assert_eq!(requests.len(), 3);
}

#[test]
fn a_key_that_takes_short_apdus_only_is_asked_again_and_its_long_answer_collected() {
    let whole = registration();
    let (first, rest) = whole.split_at(256);
    let mut channel =
        channel(&[&[0x67, 0], &with_word(first, 0x6100), &with_word(rest, 0x9000), &[0x69, 0x85]]);
    let mut u2f = U2f::new(&mut channel);
    let made = u2f.register(&[1; 32], &APPLICATION, &mut Unattended).unwrap();
    assert_eq!(made.certificate.len(), 304);
    u2f.knows(&APPLICATION, &[1; 64]).unwrap();
    let requests = channel.transport_mut().requests();
    assert_eq!(requests[1][..5], [0, 1, 0, 0, 64]);
    assert_eq!(requests[2], [0, 0xc0, 0, 0, 0]);
    assert_eq!(requests[3][..5], [0, 2, 7, 0, 129], "the short form is remembered");
}

#[test]
fn an_answer_without_an_end_is_refused() {
    let mut channel = channel(&[&[0x67, 0], &[1, 0x61, 5], &[0x61, 5]]);
    let result = U2f::new(&mut channel).version();
    assert!(matches!(result, Err(ClientError::Malformed(_))));
}

#[test]
fn signing_sends_the_control_byte_and_reads_presence_and_counter() {
    let answer = with_word(&[1, 0, 0, 1, 2, 0x30, 0], 0x9000);
    for (control, byte) in [(Control::EnforceUserPresence, 3), (Control::DoNotEnforce, 8)] {
        let mut channel = channel(&[&answer]);
        let signed = U2f::new(&mut channel)
            .authenticate(control, &[1; 32], &APPLICATION, &[9; 64], &mut Unattended)
            .unwrap();
        assert_eq!((signed.user_presence, signed.counter), (1, 258));
        assert_eq!(channel.transport_mut().requests()[0][1..3], [2, byte]);
    }
}

#[test]
fn a_foreign_handle_is_no_credential_and_another_word_survives() {
    for (word, is_foreign) in [(0x6a80, true), (0x6d00, false), (0x1234, false)] {
        let mut channel = channel(&[&with_word(&[], word)]);
        let control = Control::EnforceUserPresence;
        let error = U2f::new(&mut channel)
            .authenticate(control, &[1; 32], &APPLICATION, &[9; 64], &mut Unattended)
            .unwrap_err();
        assert_eq!(matches!(error, ClientError::NoCredential), is_foreign);
        assert_eq!(matches!(error, ClientError::StatusWord(found) if found == word), !is_foreign);
    }
}

#[test]
fn every_truncation_of_an_answer_is_refused() {
    let whole = registration();
    for cut in 0..whole.len() - 2 {
        assert_eq!(apdu::registration(&whole[..cut]), None, "{cut}");
    }
    for cut in 0..6 {
        assert_eq!(apdu::authentication(&[1, 0, 0, 0, 1, 0x30][..cut]), None);
    }
    assert_eq!(StatusWord::split(&[0x90]), None);
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = apdu::authentication(&bytes);
        let _ = apdu::registration(&bytes);
        let _ = apdu::registration(&[&registration()[..72], &bytes].concat());
    }
}
