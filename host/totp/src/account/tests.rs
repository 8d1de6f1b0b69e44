//! RFC 6238's vectors, secrets as people copy them, and URIs good and bad.

use super::*;

const SHA1: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn seed(algorithm: Algorithm) -> String {
    let length = match algorithm {
        Algorithm::Sha1 => 20,
        Algorithm::Sha256 => 32,
        Algorithm::Sha512 => 64,
    };
    let digits: Vec<u8> = b"1234567890".iter().copied().cycle().take(length).collect();
    BASE32_NOPAD.encode(&digits)
}

fn parameters(algorithm: Algorithm, digits: u8) -> Parameters {
    Parameters { algorithm, digits, period: 30 }
}

#[test]
fn codes_are_those_of_rfc_6238() {
    // Appendix B.
    let vectors = [
        (59, "94287082", "46119246", "90693936"),
        (1_111_111_109, "07081804", "68084774", "25091201"),
        (1_111_111_111, "14050471", "67062674", "99943326"),
        (1_234_567_890, "89005924", "91819424", "93441116"),
        (2_000_000_000, "69279037", "90698825", "38618901"),
        (20_000_000_000, "65353130", "77737706", "47863826"),
    ];
    for (time, sha1, sha256, sha512) in vectors {
        for (algorithm, expected) in
            [(Algorithm::Sha1, sha1), (Algorithm::Sha256, sha256), (Algorithm::Sha512, sha512)]
        {
            for digits in 6..=8_u8 {
                let account =
                    Account::from_base32("a", &seed(algorithm), parameters(algorithm, digits)).unwrap();
                // Fewer digits are the last ones.
                assert_eq!(account.code(time).text.as_str(), &expected[8 - usize::from(digits)..], "{time}");
            }
        }
    }
}

#[test]
fn a_code_is_shown_to_the_end_of_its_period() {
    for (period, time, left) in [(30, 0, 30), (30, 29, 1), (30, 30, 30), (60, 59, 1), (1, 7, 1), (7, 13, 1)] {
        let account =
            Account::from_base32("a", SHA1, Parameters { period, ..Parameters::default() }).unwrap();
        let code = account.code(time);
        assert_eq!(code.seconds_left, left, "{period} {time}");
        assert_eq!(code.text, account.code(time + left - 1).text);
        assert_ne!(code.text, account.code(time + left).text);
    }
}

#[test]
fn a_secret_is_read_as_sites_show_it() {
    let plain = Account::from_base32("a", SHA1, Parameters::default()).unwrap();
    for shown in [
        "gezd gnbv gy3t qojq gezd gnbv gy3t qojq",
        " GEZDGNBV-GY3TQOJQ-GEZDGNBV-GY3TQOJQ\n",
        "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ======",
    ] {
        assert_eq!(Account::from_base32("a", shown, Parameters::default()).unwrap(), plain, "{shown}");
    }
    for (given, bytes) in [("MZXW6===", b"foo".as_slice()), ("mzxw7", b"foo")] {
        assert_eq!(decoded(given).unwrap().as_slice(), bytes, "{given}");
    }
}

#[test]
fn what_is_no_secret_is_refused_and_not_repeated() {
    for text in ["", "   ", "====", "GEZDGNB1", "GEZDGNB8", "GEZDÄ", "A", "GEZD_GNBV", "otpauth:"] {
        let error = Account::from_base32("a", text, Parameters::default()).unwrap_err().to_string();
        assert!(text.trim().len() < 2 || text == "====" || !error.contains(text), "{error}");
    }
    assert!(Account::from_base32("a", &"A".repeat(8000), Parameters::default()).is_err());
}

#[test]
fn names_and_parameters_that_cannot_be_are_refused() {
    for name in ["", " ", "a:b", "a\nb", " a", "a\u{9b}", &"a".repeat(257)] {
        assert!(
            matches!(Account::from_base32(name, SHA1, Parameters::default()), Err(Error::Name)),
            "{name:?}"
        );
    }
    for (digits, period) in [(5, 30), (9, 30), (0, 30), (6, 0)] {
        let parameters = Parameters { digits, period, ..Parameters::default() };
        assert!(matches!(Account::from_base32("a", SHA1, parameters), Err(Error::Parameters(_))));
    }
}

#[test]
fn a_uri_of_aws_is_read() {
    let uri = format!(
        "otpauth://totp/Amazon%20Web%20Services:phone@123456789012?secret={SHA1}&issuer=Amazon%20Web%20Services"
    );
    let account = Account::from_uri(&uri, None).unwrap();
    assert_eq!(account.name(), "phone@123456789012");
    assert_eq!(account.issuer(), Some("Amazon Web Services"));
    assert_eq!(account.parameters(), Parameters::default());
    assert_eq!(account.uri().as_str(), uri);
    assert_eq!(Account::from_uri(&uri, Some("work")).unwrap().name(), "work");
}

#[test]
fn a_uri_says_it_all_and_comes_back_the_same() {
    for (algorithm, digits, period) in
        [(Algorithm::Sha1, 6, 30), (Algorithm::Sha256, 7, 60), (Algorithm::Sha512, 8, 1)]
    {
        for (name, issuer) in [("ada", None), ("ä/?&#%@ 1", Some("Ö & Co: x".replace(':', "")))] {
            let parameters = Parameters { algorithm, digits, period };
            let account = Account::new(name, issuer, b"12345678901234567890", parameters).unwrap();
            assert_eq!(
                Account::from_uri(&account.uri(), None).unwrap(),
                account,
                "{}",
                account.uri().as_str()
            );
        }
    }
}

#[test]
fn uris_of_other_programs_are_understood() {
    for (uri, name, issuer) in [
        ("OTPAUTH://TOTP/ada?secret=MZXW6&algorithm=sha-256&image=x&color=", "ada", None),
        ("otpauth://totp/Site%3Aada?secret=mzxw6%3D%3D%3D", "ada", Some("Site")),
        ("otpauth://totp/Old:%20ada?issuer=New+Site&secret=MZXW6#x", "ada", Some("New Site")),
        ("  otpauth://totp/ada?secret=MZXW6&issuer=\r\n", "ada", None),
        ("otpauth://totp/ada?secret=MZXW6&algorithm=HMACSHA512", "ada", None),
    ] {
        let account = Account::from_uri(uri, None).unwrap();
        assert_eq!((account.name(), account.issuer()), (name, issuer), "{uri}");
    }
}

#[test]
fn what_is_no_uri_of_an_account_is_refused_and_its_secret_not_repeated() {
    for uri in [
        "",
        "otpauth",
        "http://totp/ada?secret=MZXW6YTB",
        "otpauth://hotp/ada?secret=MZXW6YTB&counter=1",
        "otpauth://steam/ada?secret=MZXW6YTB",
        "otpauth-migration://offline?data=MZXW6YTB",
        "otpauth://totp",
        "otpauth://totp/",
        "otpauth://totp/ada",
        "otpauth://totp/ada?",
        "otpauth://totp/ada?secret=",
        "otpauth://totp/ada?secret=MZXW6YTB&secret=MZXW6YTB",
        "otpauth://totp/ada?secret=MZXW6YTB1",
        "otpauth://totp/?secret=MZXW6YTB",
        "otpauth://totp/a:b:c?secret=MZXW6YTB",
        "otpauth://totp/ada?secret=MZXW6YTB&digits=9",
        "otpauth://totp/ada?secret=MZXW6YTB&digits=",
        "otpauth://totp/ada?secret=MZXW6YTB&period=0",
        "otpauth://totp/ada?secret=MZXW6YTB&period=-1",
        "otpauth://totp/ada?secret=MZXW6YTB&algorithm=MD5",
        "otpauth://totp/%ff?secret=MZXW6YTB",
        "otpauth://totp/ada?secret=%ff",
    ] {
        let error = Account::from_uri(uri, None).unwrap_err();
        assert!(!error.to_string().contains("MZXW"), "{error}");
        assert!(!format!("{error:?}").contains("MZXW"), "{error:?}");
    }
}

#[test]
fn nothing_that_is_printed_for_the_programmer_shows_a_secret() {
    let account = Account::from_base32("ada", SHA1, Parameters::default()).unwrap();
    assert!(!format!("{account:?}").contains("GEZD"));
    assert!(!format!("{account:?}").contains("12345"));
    assert!(!format!("{:?}", account.code(59)).contains("287082"));
}
