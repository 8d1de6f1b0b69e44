use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::cbor::Encoder;

const HEAD: Apdu<'_> = Apdu { class: 0, instruction: 1, p1: 2, p2: 3, data: &[], expected: 0 };

fn encoded(apdu: &Apdu<'_>, encoding: Encoding) -> Vec<u8> {
    let mut buffer = std::vec![0; 70_000];
    let mut encoder = Encoder::new(&mut buffer);
    apdu.encode(encoding, &mut encoder).unwrap();
    encoder.written().to_vec()
}

fn request_bytes(request: &Request<'_>, encoding: Encoding) -> Vec<u8> {
    let mut buffer = [0; 512];
    let mut encoder = Encoder::new(&mut buffer);
    request.encode(encoding, &mut encoder).unwrap();
    encoder.written().to_vec()
}

fn authenticate(key_handle: &[u8]) -> Request<'_> {
    Request::Authenticate(Authenticate {
        control: Control::EnforceUserPresenceAndSign,
        challenge: &[1; 32],
        application: &[2; 32],
        key_handle,
    })
}

#[test]
fn the_four_cases_have_the_bytes_of_iso_7816_4() {
    let data = Apdu { data: &[7, 8], ..HEAD };
    let cases = [
        (HEAD, Encoding::Short, &[0, 1, 2, 3][..]),
        (HEAD, Encoding::Extended, &[0, 1, 2, 3]),
        (Apdu { expected: 1, ..HEAD }, Encoding::Short, &[0, 1, 2, 3, 1]),
        (Apdu { expected: 256, ..HEAD }, Encoding::Short, &[0, 1, 2, 3, 0]),
        (Apdu { expected: 256, ..HEAD }, Encoding::Extended, &[0, 1, 2, 3, 0, 1, 0]),
        (Apdu { expected: 65536, ..HEAD }, Encoding::Extended, &[0, 1, 2, 3, 0, 0, 0]),
        (data, Encoding::Short, &[0, 1, 2, 3, 2, 7, 8]),
        (data, Encoding::Extended, &[0, 1, 2, 3, 0, 0, 2, 7, 8]),
        (Apdu { expected: 256, ..data }, Encoding::Short, &[0, 1, 2, 3, 2, 7, 8, 0]),
        (Apdu { expected: 65536, ..data }, Encoding::Extended, &[0, 1, 2, 3, 0, 0, 2, 7, 8, 0, 0]),
    ];
    for (apdu, encoding, bytes) in cases {
        assert_eq!(encoded(&apdu, encoding), bytes);
        assert_eq!(Apdu::parse(bytes), Ok(apdu));
    }
}

#[test]
fn lengths_that_do_not_agree_with_the_message_are_refused() {
    let bad: [&[u8]; 12] = [
        &[],
        &[0, 1, 2],
        // Short: data cut short, and one byte too many behind Le.
        &[0, 1, 2, 3, 2, 7],
        &[0, 1, 2, 3, 2, 7, 8, 0, 0],
        // Neither encoding: zero and one byte.
        &[0, 1, 2, 3, 0, 0],
        &[0, 1, 2, 3, 0, 1],
        // Extended: data cut short, half an Le, and bytes behind Le.
        &[0, 1, 2, 3, 0, 0, 2, 7],
        &[0, 1, 2, 3, 0, 0, 2, 7, 8, 0],
        &[0, 1, 2, 3, 0, 0, 2, 7, 8, 0, 0, 0],
        &[0, 1, 2, 3, 0, 0xff, 0xff, 7, 8, 0, 0],
        // Extended with an Lc of zero: half an Le, and bytes behind Le.
        &[0, 1, 2, 3, 0, 0, 0, 0],
        &[0, 1, 2, 3, 0, 0, 0, 0, 0, 0],
    ];
    for bytes in bad {
        assert_eq!(Apdu::parse(bytes), Err(StatusWord::WRONG_LENGTH), "{bytes:02x?}");
    }
}

#[test]
fn a_length_that_the_encoding_cannot_state_is_not_written() {
    let long = std::vec![0; 65536];
    let refused = [
        (Apdu { data: &long[..256], ..HEAD }, Encoding::Short),
        (Apdu { expected: 257, ..HEAD }, Encoding::Short),
        (Apdu { data: &long, ..HEAD }, Encoding::Extended),
        (Apdu { expected: 65537, ..HEAD }, Encoding::Extended),
    ];
    for (apdu, encoding) in refused {
        let mut buffer = std::vec![0; 70_000];
        assert!(apdu.encode(encoding, &mut Encoder::new(&mut buffer)).is_err());
    }
}

#[test]
fn version_is_understood_in_every_form_that_hosts_send() {
    let forms: [&[u8]; 5] = [
        &[0, 3, 0, 0],
        &[0, 3, 0, 0, 0],
        &[0, 3, 0, 0, 6],
        &[0, 3, 0, 0, 0, 0, 0],
        // With an Lc of zero, as early drafts wrote it.
        &[0, 3, 0, 0, 0, 0, 0, 0, 0],
    ];
    for form in forms {
        assert_eq!(Request::parse(form), Ok(Request::Version), "{form:02x?}");
    }
}

#[test]
fn requests_survive_the_way_there_and_back_in_both_encodings() {
    let register = Request::Register(Register { challenge: &[1; 32], application: &[2; 32] });
    for request in [Request::Version, register, authenticate(&[]), authenticate(&[9; 83])] {
        for encoding in [Encoding::Short, Encoding::Extended] {
            assert_eq!(Request::parse(&request_bytes(&request, encoding)), Ok(request));
        }
    }
    let longest = [9; 255];
    let request = authenticate(&longest);
    assert_eq!(Request::parse(&request_bytes(&request, Encoding::Extended)), Ok(request));
    let mut buffer = [0; 512];
    assert!(request.encode(Encoding::Short, &mut Encoder::new(&mut buffer)).is_err());
    assert!(authenticate(&[9; 256]).encode(Encoding::Extended, &mut Encoder::new(&mut buffer)).is_err());
}

#[test]
fn a_registration_has_the_bytes_of_the_specification() {
    let register = Request::Register(Register { challenge: &[1; 32], application: &[2; 32] });
    let bytes = request_bytes(&register, Encoding::Extended);
    assert_eq!(bytes[..7], [0, 1, 0, 0, 0, 0, 64]);
    assert_eq!((&bytes[7..39], &bytes[39..71], &bytes[71..]), (&[1; 32][..], &[2; 32][..], &[0, 0][..]));
}

#[test]
fn class_and_instruction_are_judged_before_the_lengths() {
    assert_eq!(Request::parse(&[0x80, 3, 0, 0, 9]), Err(StatusWord::CLA_NOT_SUPPORTED));
    assert_eq!(Request::parse(&[0, 0x40, 0, 0, 9, 9]), Err(StatusWord::INS_NOT_SUPPORTED));
    assert_eq!(Request::parse(&[0, 0, 0, 0]), Err(StatusWord::INS_NOT_SUPPORTED));
    assert_eq!(Request::parse(&[0]), Err(StatusWord::WRONG_LENGTH));
    assert_eq!(Request::parse(&[]), Err(StatusWord::WRONG_LENGTH));
}

#[test]
fn data_of_another_length_and_a_control_byte_that_is_none_are_refused() {
    let parse = |instruction, p1, data: &[u8]| {
        Request::parse(&encoded(
            &Apdu { instruction, p1, p2: 0, data, expected: 0, ..HEAD },
            Encoding::Extended,
        ))
        .err()
    };
    for length in [0, 1, 63, 65] {
        assert_eq!(parse(1, 0, &std::vec![0; length]), Some(StatusWord::WRONG_LENGTH));
    }
    assert_eq!(parse(3, 0, &[0]), Some(StatusWord::WRONG_LENGTH));
    assert_eq!(parse(2, 3, &[0; 64]), Some(StatusWord::WRONG_LENGTH));
    // The length of the key handle is 0, and one byte stands behind it.
    assert_eq!(parse(2, 3, &[0; 66]), Some(StatusWord::WRONG_LENGTH));
    for control in [0, 1, 2, 4, 6, 9, 0x83, 0xff] {
        assert_eq!(parse(2, control, &[0; 65]), Some(StatusWord::WRONG_DATA));
    }
}

fn registration(certificate: &[u8]) -> Vec<u8> {
    let mut public_key = [6; 65];
    public_key[0] = 4;
    let response =
        RegisterResponse { public_key: &public_key, key_handle: &[9; 83], certificate, signature: &[0x30] };
    let mut buffer = [0; 2048];
    let mut encoder = Encoder::new(&mut buffer);
    response.encode(&mut encoder).unwrap();
    encoder.written().to_vec()
}

#[test]
fn a_certificate_ends_where_its_der_says() {
    let long = [&[0x30, 0x82, 0x02, 0x00][..], &[5; 0x200]].concat();
    let middle = [&[0x30, 0x81, 0x80][..], &[5; 0x80]].concat();
    for certificate in [&long[..], &middle, &[0x30, 2, 5, 5]] {
        let bytes = registration(certificate);
        let response = RegisterResponse::parse(&bytes).unwrap();
        assert_eq!((response.certificate, response.signature), (certificate, &[0x30][..]));
        assert_eq!(response.key_handle, [9; 83]);
    }
}

#[test]
fn every_truncation_of_a_registration_is_refused() {
    let bytes = registration(&[0x30, 2, 5, 5]);
    for cut in 0..bytes.len() {
        assert_eq!(RegisterResponse::parse(&bytes[..cut]), Err(MalformedResponse), "{cut} bytes");
    }
}

#[test]
fn a_registration_of_another_form_is_refused() {
    for (at, value) in [(0, 4), (1, 2)] {
        let mut bytes = registration(&[0x30, 2, 5, 5]);
        bytes[at] = value;
        assert_eq!(RegisterResponse::parse(&bytes), Err(MalformedResponse));
    }
    for certificate in [&[0x31, 2, 5, 5][..], &[0x30, 0x80, 5, 5], &[0x30, 0x83, 0, 0, 2, 5, 5]] {
        assert_eq!(RegisterResponse::parse(&registration(certificate)), Err(MalformedResponse));
    }
}

#[test]
fn an_authentication_has_presence_counter_and_signature() {
    let mut buffer = [0; 16];
    let mut encoder = Encoder::new(&mut buffer);
    let response = AuthenticateResponse { user_presence: 1, counter: 0x0203_0405, signature: &[6, 7] };
    response.encode(&mut encoder).unwrap();
    assert_eq!(encoder.written(), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(AuthenticateResponse::parse(encoder.written()), Ok(response));
    for cut in 0..=5 {
        assert_eq!(AuthenticateResponse::parse(&[0; 7][..cut]), Err(MalformedResponse));
    }
}

#[test]
fn an_unknown_status_word_survives_and_half_a_one_is_refused() {
    assert_eq!(split_status(&[1, 0x6f, 0x42]), Ok((&[1][..], StatusWord(0x6f42))));
    assert_eq!(split_status(&[0x90, 0]), Ok((&[][..], StatusWord::NO_ERROR)));
    assert_eq!(split_status(&[0x90]), Err(MalformedResponse));
    assert_eq!(std::format!("{}", StatusWord::WRONG_DATA), "WRONG_DATA (6A80)");
    assert_eq!(std::format!("{}", StatusWord(0x6a82)), "status word 6A82");
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Apdu::parse(&bytes);
        let _ = Request::parse(&bytes);
        let _ = split_status(&bytes);
        let _ = RegisterResponse::parse(&bytes);
        let _ = AuthenticateResponse::parse(&bytes);
    }

    #[test]
    fn random_bytes_behind_a_good_head_never_panic(
        instruction in 1_u8..=3, bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let message = [&[0, instruction, 3, 0][..], &bytes].concat();
        let _ = Request::parse(&message);
        let mut registration = registration(&[0x30, 2, 5, 5]);
        registration.truncate(150);
        registration.extend(&bytes);
        let _ = RegisterResponse::parse(&registration);
    }

    #[test]
    fn what_is_read_from_random_bytes_is_written_so_that_it_reads_the_same(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Ok(apdu) = Apdu::parse(&bytes) {
            let again = encoded(&apdu, Encoding::Extended);
            prop_assert_eq!(Apdu::parse(&again), Ok(apdu));
        }
    }
}
