use super::*;
use crate::testing::{Hands, another_user, code, iam};

/// An app in use, whose last accepted step is the current one.
fn enabled(iam: &Iam, caller: &SignedIn, hands: &Hands, name: &str) -> Setup {
    let setup = iam.create_app(caller, name).unwrap();
    let now = hands.seconds();
    let (first, second) = (code(&setup.seed_base32, now - 30), code(&setup.seed_base32, now));
    iam.enable_app(caller, &setup.serial, &first, &second).unwrap();
    setup
}

fn refusal<T>(result: Result<T, Refusal>) -> Code {
    result.map(|_| ()).unwrap_err().code
}

#[test]
fn the_codes_are_those_of_rfc_6238() {
    let seed = b"12345678901234567890";
    for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
        assert!(is_code_of(seed, code, seconds / STEP));
        assert!(!is_code_of(seed, code, seconds / STEP + 1));
    }
    assert!(!is_code_of(seed, "287082", -1));
}

#[test]
fn a_set_up_has_64_base32_characters_and_the_uri_that_apps_read() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let setup = iam.create_app(&admin, "my+phone").unwrap();
    let (account, seed) = (iam.account.as_str(), setup.seed_base32.as_str());
    assert_eq!(setup.serial, format!("arn:aws:iam::{account}:mfa/my+phone"));
    assert_eq!(seed.len(), 64);
    let uri = format!(
        "otpauth://totp/Amazon%20Web%20Services:my%2Bphone@{account}?secret={seed}&issuer=Amazon%20Web%20Services"
    );
    assert_eq!(*setup.otpauth_uri, uri);
}

#[test]
fn the_seed_is_not_readable_in_the_database() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let setup = iam.create_app(&admin, "phone").unwrap();
    let query = "SELECT sealed_seed FROM totp_seeds";
    let sealed: Vec<u8> = iam.store.transaction(|tx| tx.query_row(query, [], |row| row.get(0))).unwrap();
    let seed = BASE32_NOPAD.decode(setup.seed_base32.as_bytes()).unwrap();
    assert!(!sealed.windows(8).any(|window| window == &seed[..8]));
    assert!(iam.store.sealer.open("another serial", &sealed).is_none());
}

#[test]
fn codes_that_are_swapped_equal_apart_stale_early_or_wrong_do_not_enable() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let setup = iam.create_app(&admin, "phone").unwrap();
    let now = hands.seconds();
    let at = |seconds: u64| code(&setup.seed_base32, seconds);
    let wrong = [
        (at(now), at(now - 30)),
        (at(now), at(now)),
        (at(now - 60), at(now)),
        (at(now - 90), at(now - 60)),
        (at(now + 30), at(now + 60)),
        (at(now - 30), "000000".into()),
        ("000000".into(), at(now)),
        ("000000".into(), "000000".into()),
    ];
    for (first, second) in wrong {
        let result = iam.enable_app(&admin, &setup.serial, &first, &second);
        assert_eq!(refusal(result), Code::InvalidAuthenticationCode, "{first} {second}");
    }
    assert!(iam.devices_of(&admin).unwrap().is_empty());
}

#[test]
fn the_next_code_may_be_computed_instead_of_waited_for() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let setup = iam.create_app(&admin, "phone").unwrap();
    let now = hands.seconds();
    let (first, second) = (code(&setup.seed_base32, now), code(&setup.seed_base32, now + 30));
    iam.enable_app(&admin, &setup.serial, &first, &second).unwrap();
    // Both are used up, although the second one's time is still to come.
    hands.advance(30);
    assert_eq!(refusal(iam.use_code(&admin.user, &setup.serial, &second)), Code::InvalidAuthenticationCode);
}

#[test]
fn a_code_that_is_not_six_digits_is_refused_as_input() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let setup = enabled(&iam, &admin, &hands, "phone");
    for code in ["", "12345", "1234567", "12345a", "+12345", " 12345", "١٢٣٤٥٦"] {
        assert_eq!(refusal(iam.use_code(&admin.user, &setup.serial, code)), Code::InvalidInput, "{code:?}");
    }
}

#[test]
fn a_code_is_good_once_and_an_older_one_never_after_it() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let setup = enabled(&iam, &admin, &hands, "phone");
    let last = code(&setup.seed_base32, hands.seconds());
    assert!(iam.use_code(&admin.user, &setup.serial, &last).is_err());
    hands.advance(60);
    let now = hands.seconds();
    let (older, current) = (code(&setup.seed_base32, now - 30), code(&setup.seed_base32, now));
    iam.use_code(&admin.user, &setup.serial, &current).unwrap();
    assert!(iam.use_code(&admin.user, &setup.serial, &current).is_err());
    assert!(iam.use_code(&admin.user, &setup.serial, &older).is_err());
}

#[test]
fn a_code_drifts_one_step_either_way_and_no_more() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let setup = enabled(&iam, &admin, &hands, "phone");
    hands.advance(300);
    let now = hands.seconds();
    for far in [now - 60, now + 60] {
        let result = iam.use_code(&admin.user, &setup.serial, &code(&setup.seed_base32, far));
        assert_eq!(refusal(result), Code::InvalidAuthenticationCode);
    }
    for near in [now - 30, now + 30] {
        iam.use_code(&admin.user, &setup.serial, &code(&setup.seed_base32, near)).unwrap();
    }
}

#[test]
fn guesses_are_slowed_down_even_when_the_last_one_is_right() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let setup = enabled(&iam, &admin, &hands, "phone");
    hands.advance(300);
    let right = code(&setup.seed_base32, hands.seconds());
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        let result = iam.use_code(&admin.user, &setup.serial, wrong);
        assert_eq!(refusal(result), Code::InvalidAuthenticationCode);
    }
    assert_eq!(refusal(iam.use_code(&admin.user, &setup.serial, &right)), Code::Throttling);
    hands.advance(30);
    iam.use_code(&admin.user, &setup.serial, &code(&setup.seed_base32, hands.seconds())).unwrap();
}

#[test]
fn an_app_that_is_not_enabled_proves_nothing() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let setup = iam.create_app(&admin, "phone").unwrap();
    let current = code(&setup.seed_base32, hands.seconds());
    assert_eq!(refusal(iam.use_code(&admin.user, &setup.serial, &current)), Code::NoSuchEntity);
}

#[test]
fn another_users_app_can_be_neither_seen_enabled_nor_used() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let eve = another_user(&iam, &admin, "eve");
    let setup = iam.create_app(&admin, "phone").unwrap();
    let now = hands.seconds();
    let (first, second) = (code(&setup.seed_base32, now - 30), code(&setup.seed_base32, now));
    assert_eq!(refusal(iam.unfinished_app(&eve, &setup.serial)), Code::NoSuchEntity);
    assert_eq!(refusal(iam.enable_app(&eve, &setup.serial, &first, &second)), Code::NoSuchEntity);
    iam.enable_app(&admin, &setup.serial, &first, &second).unwrap();
    hands.advance(60);
    let current = code(&setup.seed_base32, hands.seconds());
    assert_eq!(refusal(iam.use_code(&eve.user, &setup.serial, &current)), Code::NoSuchEntity);
}

#[test]
fn an_enabled_app_is_not_shown_or_enabled_again() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let setup = iam.create_app(&admin, "phone").unwrap();
    let now = hands.seconds();
    let (first, second) = (code(&setup.seed_base32, now - 30), code(&setup.seed_base32, now));
    iam.enable_app(&admin, &setup.serial, &first, &second).unwrap();
    assert_eq!(refusal(iam.unfinished_app(&admin, &setup.serial)), Code::NoSuchEntity);
    let proven = SignedIn { mfa_serial: Some(setup.serial.clone()), ..admin };
    let again = iam.enable_app(&proven, &setup.serial, &first, &second);
    assert_eq!(refusal(again), Code::EntityAlreadyExists);
}

#[test]
fn a_taken_name_is_refused_but_an_unfinished_set_up_of_ones_own_is_begun_anew() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let eve = another_user(&iam, &admin, "eve");
    let first = iam.create_app(&admin, "phone").unwrap();
    assert_eq!(refusal(iam.create_app(&eve, "phone")), Code::EntityAlreadyExists);
    let second = iam.create_app(&admin, "phone").unwrap();
    assert_ne!(*first.seed_base32, *second.seed_base32);
    hands.advance(3600);
    iam.create_app(&eve, "phone").unwrap();
}

#[test]
fn a_session_without_mfa_adds_no_second_device() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let waiting = iam.create_app(&admin, "waiting").unwrap();
    let setup = enabled(&iam, &admin, &hands, "phone");
    assert_eq!(refusal(iam.create_app(&admin, "tablet")), Code::AccessDenied);
    let now = hands.seconds();
    let (first, second) = (code(&waiting.seed_base32, now - 30), code(&waiting.seed_base32, now));
    let result = iam.enable_app(&admin, &waiting.serial, &first, &second);
    assert_eq!(refusal(result), Code::AccessDenied);
    let proven = SignedIn { mfa_serial: Some(setup.serial), ..admin };
    iam.create_app(&proven, "tablet").unwrap();
}

#[test]
fn a_ninth_device_is_refused_when_it_is_begun_and_when_it_is_enabled() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    let admin = SignedIn { mfa_serial: Some("proven".into()), ..admin };
    let begun = iam.create_app(&admin, "begun").unwrap();
    for n in 0..8 {
        enabled(&iam, &admin, &hands, &format!("device-{n}"));
    }
    assert_eq!(refusal(iam.create_app(&admin, "ninth")), Code::LimitExceeded);
    let now = hands.seconds();
    let (first, second) = (code(&begun.seed_base32, now - 30), code(&begun.seed_base32, now));
    assert_eq!(refusal(iam.enable_app(&admin, &begun.serial, &first, &second)), Code::LimitExceeded);
    assert_eq!(iam.devices_of(&admin).unwrap().len(), 8);
}

#[test]
fn a_ninth_set_up_beside_eight_unfinished_ones_is_refused() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    for n in 0..8 {
        iam.create_app(&admin, &format!("device-{n}")).unwrap();
    }
    assert_eq!(refusal(iam.create_app(&admin, "ninth")), Code::LimitExceeded);
    iam.create_app(&admin, "device-3").unwrap();
}
