//! Vectors that another implementation computed (pyca/cryptography), from the scalars 0102…20 and 2122…40.

use proptest::prelude::*;

use super::*;

const KEY_X: &str = "1f140146bfb1b251f84f4ddbe0d4cdcfd77afd984a9520e35794021f8312bb9e";
const KEY_Y: &str = "ec995a08b1fa7704df3dcc0b50a9665263fb7711f95f9f8a449c5096e47c892b";
const PLATFORM_X: &str = "515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f";
const PLATFORM_Y: &str = "4536be3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9354";
const PLAINTEXT: &str = "03ac674216f3e15c761ee1a5e255f067000102030405060708090a0b0c0d0e0f";
const ENCRYPTED_1: &str = "82e62eebf69563c7c685ef8160bc917c23c96d18645cb931d2ea62b4108c0da2";
const MAC_1: &str = "19f5a14f31853f7abafab168da07b9cd";
const ENCRYPTED_2: &str =
    "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5ec5e3142af33635b34b6911263cde4d0e34bf5f0d2906aed8bd21a6d3e54f377";
const MAC_2: &str = "492cd11c1df0f7630e4f587c819037b0ec291e1079828aeda8850b90cc76b371";
const TOKEN_MAC_1: &str = "1010f5d73b61ad351b25ca5085d36f42";
const TOKEN_MAC_2: &str = "bca40e084cc929a220c1452dfe13886aebeb9abc2f55ff5154c78b024be21064";
const HASH_OF_CAFE: &str = "850f7dc43910ff890f8879c0ed26fe69";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn key_point() -> ([u8; 32], [u8; 32]) {
    (hex(KEY_X).try_into().unwrap(), hex(KEY_Y).try_into().unwrap())
}

fn agreed(protocol: Protocol) -> SharedSecret {
    let scalar: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap() + 1);
    let secret = SecretKey::from_slice(&scalar).unwrap();
    let (x, y) = key_point();
    SharedSecret::agree(protocol, &secret, &x, &y).unwrap()
}

#[test]
fn protocol_1_agrees_with_another_implementation() {
    let secret = agreed(Protocol::One);
    assert_eq!((secret.platform.0.to_vec(), secret.platform.1.to_vec()), (hex(PLATFORM_X), hex(PLATFORM_Y)));
    assert_eq!(secret.encrypt(&hex(PLAINTEXT)).unwrap(), hex(ENCRYPTED_1));
    assert_eq!(secret.decrypt(&hex(ENCRYPTED_1)).unwrap()[..], hex(PLAINTEXT));
    assert_eq!(secret.authenticate(b"message"), hex(MAC_1));
}

#[test]
fn protocol_2_agrees_with_another_implementation() {
    let secret = agreed(Protocol::Two);
    assert_eq!(secret.encrypt_with([0xa5; 16], &hex(PLAINTEXT)).unwrap(), hex(ENCRYPTED_2));
    assert_eq!(secret.decrypt(&hex(ENCRYPTED_2)).unwrap()[..], hex(PLAINTEXT));
    assert_eq!(secret.authenticate(b"message"), hex(MAC_2));
}

#[test]
fn tokens_agree_with_another_implementation_and_have_no_other_length() {
    let token = |protocol, length| Token::new(protocol, Zeroizing::new(vec![7; length]));
    assert_eq!(token(Protocol::One, 16).unwrap().authenticate(b"message"), hex(TOKEN_MAC_1));
    assert_eq!(token(Protocol::Two, 32).unwrap().authenticate(b"message"), hex(TOKEN_MAC_2));
    for length in [0, 15, 17, 31, 33, 64] {
        assert!(token(Protocol::One, length).is_none() && token(Protocol::Two, length).is_none());
    }
    assert!(token(Protocol::Two, 16).is_none());
}

#[test]
fn a_pin_is_hashed_in_its_normal_form() {
    assert_eq!(Pin::new("cafe\u{301}").unwrap().hash()[..], hex(HASH_OF_CAFE));
    assert_eq!(Pin::new("caf\u{e9}").unwrap().hash()[..], hex(HASH_OF_CAFE));
    assert_eq!(Pin::new("1234").unwrap().hash()[..], hex(PLAINTEXT)[..16]);
}

#[test]
fn a_pin_is_counted_in_code_points_and_padded_in_bytes() {
    assert_eq!(Pin::new("e\u{301}bc").unwrap_err(), PinRule::TooShort { minimum: 4, found: 3 });
    assert_eq!(Pin::new("").unwrap_err(), PinRule::TooShort { minimum: 4, found: 0 });
    assert!(Pin::new("\u{1f511}\u{1f511}\u{1f511}\u{1f511}").is_ok());
    assert_eq!(Pin::new(&"a".repeat(64)).unwrap_err(), PinRule::TooManyBytes(64));
    assert_eq!(Pin::new(&"\u{1f511}".repeat(16)).unwrap_err(), PinRule::TooManyBytes(64));
    assert_eq!(Pin::new("123\0").unwrap_err(), PinRule::Nul);
    let padded = Pin::new(&"a".repeat(63)).unwrap().padded();
    assert_eq!((padded[62], padded[63]), (b'a', 0));
    let six = Pin::new("123456").unwrap();
    assert_eq!(six.check_new(8, 63).unwrap_err(), PinRule::TooShort { minimum: 8, found: 6 });
    assert_eq!(six.check_new(4, 5).unwrap_err(), PinRule::TooLong { maximum: 5, found: 6 });
}

#[test]
fn a_point_that_is_not_on_the_curve_is_refused() {
    let (x, mut y) = key_point();
    assert!(SharedSecret::encapsulate(Protocol::Two, &x, &y).is_some());
    y[31] ^= 1;
    assert!(SharedSecret::encapsulate(Protocol::Two, &x, &y).is_none());
    assert!(SharedSecret::encapsulate(Protocol::One, &[0; 32], &[0; 32]).is_none());
}

#[test]
fn two_encapsulations_and_two_encryptions_have_nothing_in_common() {
    let (x, y) = key_point();
    let secret = SharedSecret::encapsulate(Protocol::Two, &x, &y).unwrap();
    let other = SharedSecret::encapsulate(Protocol::Two, &x, &y).unwrap();
    assert_ne!(secret.platform, other.platform);
    assert_ne!(secret.encrypt(&[0; 16]), secret.encrypt(&[0; 16]));
}

#[test]
fn a_length_that_is_no_multiple_of_the_block_is_refused() {
    for protocol in [Protocol::One, Protocol::Two] {
        let secret = agreed(protocol);
        for length in [1, 15, 17, 33] {
            assert!(secret.encrypt(&vec![0; length]).is_none() && secret.decrypt(&vec![0; length]).is_none());
        }
    }
    assert!(agreed(Protocol::Two).decrypt(&[0; 15]).is_none());
}

#[test]
fn g37_no_secret_shows_itself_in_a_trace() {
    let token = Token::new(Protocol::One, Zeroizing::new(vec![7; 16])).unwrap();
    let pin = Pin::new("geheim").unwrap();
    let shown = format!("{:?} {token:?} {pin:?}", agreed(Protocol::Two));
    assert_eq!(shown, "SharedSecret(Two, redacted) Token(One, redacted) Pin(redacted)");
}

#[test]
fn protocol_2_is_chosen_where_it_is_offered_and_unknown_ones_are_passed_over() {
    assert_eq!(Protocol::choose(&[1, 2]), Some(Protocol::Two));
    assert_eq!(Protocol::choose(&[9, 1]), Some(Protocol::One));
    assert_eq!(Protocol::choose(&[]), Some(Protocol::One));
    assert_eq!(Protocol::choose(&[9]), None);
}

proptest! {
    #[test]
    fn what_is_encrypted_can_be_decrypted(blocks in 0_usize..8, byte in any::<u8>()) {
        for protocol in [Protocol::One, Protocol::Two] {
            let (secret, plaintext) = (agreed(protocol), vec![byte; blocks * 16]);
            let encrypted = secret.encrypt(&plaintext).unwrap();
            prop_assert_eq!(&secret.decrypt(&encrypted).unwrap()[..], &plaintext[..]);
        }
    }
}
