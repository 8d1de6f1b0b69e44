use super::*;
use crate::{
    DataDirectory,
    config::Data,
    store::Store,
    testing::{Hands, another_user, code, iam},
    totp::TwoCodes,
};

/// 20 bytes, as vendors have them.
const HEX: &str = "3132333435363738393031323334353637383930";
const BASE32: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const BASE64: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=";

fn csv(serial: &str) -> String {
    format!("serial,seed_hex\n{serial},{HEX}\n")
}

/// A PSKC file of one token, with some of it replaced.
fn pskc(from: &str, to: &str) -> String {
    let text = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc">
          <KeyPackage>
            <DeviceInfo><Manufacturer>Example</Manufacturer><SerialNo>GAKT12345678</SerialNo></DeviceInfo>
            <Key Id="1" Algorithm="urn:ietf:params:xml:ns:keyprov:pskc:totp">
              <AlgorithmParameters><ResponseFormat Length="6" Encoding="DECIMAL"/></AlgorithmParameters>
              <Data>
                <Secret><PlainValue>
                  {BASE64}
                </PlainValue></Secret>
                <Time><PlainValue>0</PlainValue></Time>
                <TimeInterval><PlainValue>30</PlainValue></TimeInterval>
              </Data>
            </Key>
          </KeyPackage>
        </KeyContainer>"#
    );
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

fn refused(file: &str) -> String {
    let refusal = parse(file).err().unwrap();
    assert_eq!(refusal.code, Code::InvalidInput);
    assert!(!refusal.message.contains(HEX) && !refusal.message.contains(BASE64), "{refusal}");
    refusal.message
}

#[test]
fn hexadecimal_base32_and_pskc_give_the_same_seed() {
    let files = [
        csv("GAKT12345678"),
        format!("\u{feff}Serial, Seed_Base32\r\n\r\n\"GAKT12345678\", \"{}====\"\r\n", BASE32.to_lowercase()),
        pskc("Example", "Example"),
    ];
    for file in files {
        let entries = parse(&file).unwrap();
        let [entry] = entries.as_slice() else { panic!("one token: {file}") };
        assert_eq!(
            (entry.serial.as_str(), entry.seed.as_slice()),
            ("GAKT12345678", b"12345678901234567890".as_slice())
        );
    }
}

#[test]
fn a_csv_file_without_its_header_or_with_a_bad_line_is_refused() {
    assert!(refused(&format!("GAKT12345678,{HEX}\n")).contains("serial,seed_hex"));
    for line in ["GAKT12345678", "GAKT12345678,zz", "GAKT12345678,31,32", "GAKT12345678,313"] {
        assert!(refused(&format!("serial,seed_hex\n\n{line}\n")).starts_with("Line 3: "), "{line}");
    }
    assert!(refused(&format!("serial,seed_base32\nGAKT12345678,{HEX}8\n")).starts_with("Line 2: "));
    for empty in ["", "serial,seed_hex\n"] {
        refused(empty);
    }
}

#[test]
fn a_serial_number_or_seed_out_of_bounds_or_twice_is_refused() {
    for serial in ["short", "", "with space", "arn:aws:iam::123456789012:mfa/x", &"x".repeat(257)] {
        assert!(refused(&csv(serial)).contains("not a serial number"), "{serial}");
    }
    for bytes in [15, 65] {
        let file = format!("serial,seed_hex\nGAKT12345678,{}\n", "31".repeat(bytes));
        assert!(refused(&file).contains("16 to 64 bytes"), "{bytes}");
    }
    let file = format!("{}GAKT12345678,{HEX}\n", csv("GAKT12345678"));
    assert!(refused(&file).contains("twice"));
}

#[test]
fn encrypted_seeds_are_refused_in_words() {
    let key = r#"<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc"><EncryptionKey/>"#;
    let files = [
        pskc(r#"<KeyContainer Version="1.0" xmlns="urn:ietf:params:xml:ns:keyprov:pskc">"#, key),
        pskc("<PlainValue>\n", "<EncryptedValue/><PlainValue>\n"),
    ];
    for file in files {
        assert!(refused(&file).contains("encrypted"));
    }
}

#[test]
fn a_token_of_another_profile_hash_length_or_time_is_refused() {
    for (from, to) in [
        ("pskc:totp", "pskc:hotp"),
        ("Length=\"6\"", "Length=\"8\""),
        ("\"DECIMAL\"", "\"HEXADECIMAL\""),
        ("<AlgorithmParameters>", "<AlgorithmParameters><Suite>HMAC-SHA256</Suite>"),
        (">30<", ">60<"),
        (">0<", ">1<"),
    ] {
        assert!(refused(&pskc(from, to)).contains("only TOTP with SHA-1"), "{to}");
    }
}

#[test]
fn what_is_not_a_whole_pskc_file_is_refused() {
    for (from, to) in [
        ("keyprov:pskc\"", "keyprov:other\""),
        ("</KeyContainer>", ""),
        ("PlainValue>\n", "Other>\n"),
        (BASE64, "not base64!"),
        ("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", "<!DOCTYPE x [<!ENTITY a \"b\">]>"),
    ] {
        refused(&pskc(from, to));
    }
    refused("<html/>");
    refused("<KeyContainer xmlns=\"urn:ietf:params:xml:ns:keyprov:pskc\"/>");
}

#[test]
fn an_import_is_whole_or_nothing_and_may_be_repeated() {
    let (iam, admin) = iam(&Hands::new());
    let actor = iam.actor(&admin);
    let import = |file: &str| iam.import_tokens(&actor, file);
    assert_eq!(import(&csv("GAKT12345678")).unwrap(), Imported { imported: 1, already: 0 });
    assert_eq!(import(&csv("GAKT12345678")).unwrap(), Imported { imported: 0, already: 1 });
    let other = format!("serial,seed_hex\nGAKT00000000,{HEX}\nGAKT12345678,{}\n", "32".repeat(20));
    assert_eq!(import(&other).unwrap_err().code, Code::EntityAlreadyExists);
    let tokens = iam.tokens(&actor, Wanted::parse(None, None).unwrap()).unwrap().items;
    assert_eq!(tokens, [Token { serial: "GAKT12345678".into(), user: None }]);
}

#[test]
fn only_an_administrator_imports_and_sees_tokens() {
    let (iam, admin) = iam(&Hands::new());
    let eve = another_user(&iam, &admin, "eve");
    let actor = iam.actor(&eve);
    assert_eq!(iam.import_tokens(&actor, &csv("GAKT12345678")).unwrap_err().code, Code::AccessDenied);
    assert!(iam.tokens(&actor, Wanted::parse(None, None).unwrap()).is_err());
}

#[test]
fn a_token_is_assigned_with_two_codes_even_when_its_clock_is_off_and_signs_in() {
    let hands = Hands::new();
    let (iam, admin) = iam(&hands);
    iam.import_tokens(&iam.actor(&admin), &csv("GAKT12345678")).unwrap();
    let (ann, bob) = (another_user(&iam, &admin, "ann"), another_user(&iam, &admin, "bob"));
    // Ten minutes slow.
    let shown = |at: u64| code(BASE32, at - 600);
    let now = hands.seconds();
    let assign = |who: &SignedIn, first: u64, second: u64| {
        let codes = TwoCodes { serial: "GAKT12345678", first: &shown(first), second: &shown(second) };
        iam.enable_totp(&iam.actor(who), &who.user, &codes, Some("desk"))
    };
    assert_eq!(assign(&ann, now, now).unwrap_err().code, Code::InvalidAuthenticationCode);
    let device = assign(&ann, now, now + 30).unwrap();
    assert_eq!((device.name.as_str(), device.kind), ("desk", crate::devices::Kind::Hardware));
    assert_eq!(assign(&bob, now + 30, now + 60).unwrap_err().code, Code::EntityAlreadyExists);
    hands.advance(60);
    assert!(iam.use_code(&bob.user, "GAKT12345678", &shown(hands.seconds())).is_err());
    iam.use_code(&ann.user, "GAKT12345678", &shown(hands.seconds())).unwrap();
    assert!(iam.use_code(&ann.user, "GAKT12345678", &shown(hands.seconds())).is_err());
    let token = Token { serial: "GAKT12345678".into(), user: Some("ann".into()) };
    let wanted = Wanted::parse(None, None).unwrap();
    assert_eq!(iam.tokens(&iam.actor(&admin), wanted).unwrap().items, [token]);
}

#[test]
fn a_file_is_imported_into_a_directory_with_a_server_and_without() {
    let directory = crate::testing::Directory::new();
    let data = directory.path().join("data");
    let beside = DataDirectory::new(&data);
    let server = Store::open(&Data::Directory(data)).unwrap();
    let imported = |imported, already| Imported { imported, already };
    assert_eq!(beside.import_tokens(&csv("GAKT12345678")).unwrap(), imported(1, 0));
    let found = server.transaction(|tx| totp::find(tx, &server.sealer, "GAKT12345678")).unwrap();
    assert!(found.is_some_and(|token| token.owner.is_none()));
    drop(server);
    assert_eq!(beside.import_tokens(&csv("GAKT12345678")).unwrap(), imported(0, 1));
    assert_eq!(beside.import_tokens(&csv("GAKT12345679")).unwrap(), imported(1, 0));
    let error = beside.import_tokens("nonsense").unwrap_err();
    assert!(error.to_string().contains("serial,seed_hex"), "{error}");
    let serials: Vec<_> =
        beside.tokens().unwrap().into_iter().map(|token| (token.serial, token.user)).collect();
    assert_eq!(serials, [("GAKT12345678".to_owned(), None), ("GAKT12345679".to_owned(), None)]);
}
