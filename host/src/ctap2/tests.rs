//! The client against a reference authenticator, and against answers that no specification foresees.

use ciborium::cbor;
use keywright_common::cose::Algorithm;
use proptest::prelude::*;

use super::lists::Fitted;
use super::*;
use crate::pin_uv_auth::{Pin, permission};
use crate::testing::Script;
use crate::testing::reference::Reference;
use crate::user::{PinReason, PinRequest, UserInteraction};
use crate::webauthn::sha256;

/// A user with a list of PINs to enter.
struct Typist {
    pins: Vec<&'static str>,
    requests: Vec<PinRequest>,
}

impl Typist {
    fn new(pins: &[&'static str]) -> Self {
        Self { pins: pins.iter().rev().copied().collect(), requests: Vec::new() }
    }
}

impl Interaction for Typist {}

impl UserInteraction for Typist {
    fn pin(&mut self, request: PinRequest) -> Option<Pin> {
        self.requests.push(request);
        self.pins.pop().map(|pin| Pin::new(pin).unwrap())
    }
}

fn open(key: &Reference) -> Client<Script> {
    let client = Client::open(Channel::open(key.transport()).unwrap()).unwrap();
    key.clear_log();
    client
}

fn creation(rp_id: &str) -> CredentialRequest {
    CredentialRequest {
        client_data_hash: [3; 32],
        rp: RpEntity { id: rp_id.to_owned(), name: None },
        user: Account { id: vec![1, 2], name: Some("ada".to_owned()), display_name: None },
        algorithms: vec![Algorithm::ES256],
        ..CredentialRequest::default()
    }
}

fn assertion(rp_id: &str, allow_list: Vec<Vec<u8>>) -> AssertionRequest {
    AssertionRequest {
        rp_id: rp_id.to_owned(),
        client_data_hash: [4; 32],
        allow_list,
        ..AssertionRequest::default()
    }
}

fn create(client: &mut Client<Script>, rp_id: &str) -> Vec<u8> {
    let made = client.make_credential(&creation(rp_id), &mut Unattended).unwrap();
    let data = crate::auth_data::AuthData::parse(&made.auth_data).unwrap();
    data.attested_credential.unwrap().id
}

fn discoverable(client: &mut Client<Script>, rp_id: &str, user_id: u8, user: &mut Typist) {
    client.obtain_token(permission::MAKE_CREDENTIAL, Some(rp_id), user).unwrap();
    let mut request = creation(rp_id);
    request.user.id = vec![user_id];
    request.discoverable = Some(true);
    request.verification = client.authorise(&request.client_data_hash).unwrap();
    client.make_credential(&request, &mut Unattended).unwrap();
}

/// A client whose key answers getInfo and then these messages.
fn answering(info: Value, answers: &[Vec<u8>]) -> Client<Script> {
    let mut script = Script::new(keywright_common::ctaphid::ChannelId(5), 0x04);
    script.answer_cbor(&[vec![0], cbor::encode(info)].concat());
    answers.iter().for_each(|answer| script.answer_cbor(answer));
    Client::open(Channel::open(script).unwrap()).unwrap()
}

fn bare_info() -> Value {
    cbor!({ 1 => ["FIDO_2_0"], 3 => Value::Bytes(vec![0; 16]) }).unwrap()
}

#[test]
fn g37_a_get_info_of_the_future_is_read_and_what_is_not_known_is_kept() {
    let info = cbor!({
        1 => ["U2F_V2", "FIDO_2_2", "FIDO_9_9", 7],
        2 => ["hmac-secret", "teleport"],
        3 => Value::Bytes(vec![9; 16]),
        4 => { "rk" => true, "warp" => false, "strange" => "text" },
        6 => [2, 77, 1],
        10 => [{ "alg" => -7, "type" => "public-key" }, { "alg" => -2_147_483_900_i64, "type" => "public-key" },
               { "alg" => "text", "type" => "public-key" }, { "alg" => -257, "type" => "other" }],
        13 => "six",
        19 => { "FIPS" => 3 },
        0x55 => { "a" => [1.5, null] },
        "text" => 1
    });
    let info = Info::parse(&cbor::encode(info.unwrap())).unwrap();
    assert_eq!(info.versions, ["U2F_V2", "FIDO_2_2", "FIDO_9_9"]);
    assert_eq!(info.options.len(), 2);
    assert!(info.option("rk") && !info.option("warp") && !info.option("absent"));
    assert_eq!(info.algorithms.len(), 3);
    assert_eq!(info.algorithms[1].algorithm, -2_147_483_900);
    assert_eq!((info.max_msg_size, info.min_pin_length, info.max_pin_length), (1024, 4, 63));
    assert_eq!(info.certifications["FIPS"], 3);
    assert_eq!(info.unknown.len(), 2);
    assert!(info.has_extension("hmac-secret") && !info.has_extension("prf"));
}

#[test]
fn a_get_info_that_is_none_is_refused() {
    for answer in [&[][..], &[0x80], &[0xa0], &[0xa1, 1, 2], &[0xbf], &[0xa1, 1]] {
        assert_eq!(Info::parse(answer), None, "{answer:02x?}");
    }
}

#[test]
fn an_error_of_the_key_keeps_its_code_and_an_empty_answer_is_malformed() {
    let error =
        |answer: &[u8]| answering(bare_info(), &[answer.to_vec()]).select(&mut Unattended).unwrap_err();
    assert_eq!(error(&[0x27]).status(), Some(Status::OPERATION_DENIED));
    assert_eq!(error(&[0xe9, 1, 2]).status(), Some(Status(0xe9)));
    assert!(matches!(error(&[0x2d]), ClientError::Cancelled));
    assert!(matches!(error(&[]), ClientError::Malformed(_)));
}

#[test]
fn g37_uv_and_pin_uv_auth_param_never_go_together() {
    let token = Verification::Token { param: vec![1; 32], protocol: 2 };
    for (verification, has_uv, has_param) in
        [(Verification::None, false, false), (Verification::BuiltIn, true, false), (token, false, true)]
    {
        let mut made = creation("example.org");
        made.verification = verification.clone();
        let mut signed = assertion("example.org", Vec::new());
        signed.verification = verification;
        for (request, options, param) in [(made.encode(), 7, 8), (signed.encode(), 5, 6)] {
            let mut members = Members::from_value(request).unwrap();
            let uv = members.members(options).and_then(|mut options| options.boolean("uv"));
            assert_eq!(uv, has_uv.then_some(true));
            assert_eq!(members.bytes(param).is_some(), has_param);
            assert_eq!(members.integer(param + 1).is_some(), has_param);
        }
    }
}

#[test]
fn answers_that_lack_a_mandatory_member_are_malformed() {
    for body in [cbor!({}), cbor!({ 1 => "packed" }), cbor!({ 1 => "none", 2 => "text" }), cbor!([1])] {
        let answer = [vec![0], cbor::encode(body.unwrap())].concat();
        let mut client = answering(bare_info(), &[answer.clone(), answer]);
        let made = client.make_credential(&creation("example.org"), &mut Unattended);
        assert!(matches!(made, Err(ClientError::Malformed(_))));
        let signed = client.get_assertions(&assertion("example.org", Vec::new()), &mut Unattended);
        assert!(matches!(signed, Err(ClientError::Malformed(_))));
    }
}

#[test]
fn g37_members_that_are_not_known_do_not_spoil_an_answer() {
    let answer = cbor!({ 1 => { "id" => Value::Bytes(vec![7]), "type" => "public-key", "more" => 1.5 },
        2 => Value::Bytes(vec![0; 37]), 3 => Value::Bytes(vec![1]), 4 => { "name" => "without id" },
        5 => -3, 99 => [null], "x" => true });
    let parsed = Assertion::parse(&cbor::encode(answer.unwrap())).unwrap();
    assert_eq!(parsed.credential_id, Some(vec![7]));
    assert_eq!((parsed.user, parsed.number_of_credentials), (None, None));
    let made = cbor!({ 1 => "of-the-future", 2 => Value::Bytes(vec![1]), 3 => { "a" => 1 }, 77 => 1 });
    assert_eq!(CreatedCredential::parse(&cbor::encode(made.unwrap())).unwrap().format, "of-the-future");
}

#[test]
fn a_pin_is_set_changed_and_used_over_each_protocol() {
    for protocols in [vec![2, 1], vec![1], vec![2]] {
        let key = Reference::new();
        key.state(|state| state.pin.protocols = protocols);
        let mut client = open(&key);
        client.set_pin(&Pin::new("1234").unwrap()).unwrap();
        assert!(client.info().option("clientPin"));
        let (old, new) = (Pin::new("1234").unwrap(), Pin::new("caf\u{e9} 99").unwrap());
        client.change_pin(&old, &new).unwrap();
        assert!(client.token_using_pin(&new, permission::GET_ASSERTION, Some("example.org")).is_ok());
        let error = client.token_using_pin(&old, permission::GET_ASSERTION, None).unwrap_err();
        assert!(matches!(error, ClientError::Pin { status: Status::PIN_INVALID, retries: Some(7) }));
        assert_eq!(client.pin_retries().unwrap().retries, 7);
    }
}

#[test]
fn a_pin_that_breaks_a_rule_of_the_key_is_not_sent() {
    let key = Reference::new();
    key.state(|state| state.info.extend([(0x0d, Value::from(6)), (0x1d, Value::from(8))]));
    let mut client = open(&key);
    for pin in ["12345", "123456789"] {
        let error = client.set_pin(&Pin::new(pin).unwrap()).unwrap_err();
        assert!(matches!(error, ClientError::PinRule(_)), "{error}");
    }
    assert!(key.commands().is_empty());
}

#[test]
fn the_first_command_costs_three_messages_and_with_a_remembered_token_one() {
    let key = Reference::new().with_pin("1234");
    let mut client = open(&key);
    let mut user = Typist::new(&["1234", "1234"]);
    client.obtain_token(permission::CREDENTIAL_MANAGEMENT, None, &mut user).unwrap();
    client.credential_counts(&mut user).unwrap();
    assert_eq!(key.commands(), [6, 6, 0x0a]);
    key.clear_log();
    client.credential_counts(&mut user).unwrap();
    assert_eq!(key.commands(), [0x0a]);
    // Another permission needs another token, but the shared secret serves.
    key.clear_log();
    client.obtain_token(permission::GET_ASSERTION, Some("example.org"), &mut user).unwrap();
    assert_eq!(key.commands(), [6]);
    assert_eq!(user.requests.len(), 2);
}

#[test]
fn a_token_is_for_its_relying_party_and_for_one_use() {
    let key = Reference::new().with_pin("1234");
    let mut client = open(&key);
    let mut user = Typist::new(&["1234"; 4]);
    let request = |client: &mut Client<Script>, rp: &str, user: &mut Typist| {
        client.obtain_token(permission::MAKE_CREDENTIAL, Some(rp), user).unwrap();
        let mut request = creation(rp);
        request.verification = client.authorise(&request.client_data_hash).unwrap();
        client.make_credential(&request, &mut Unattended).unwrap();
    };
    request(&mut client, "example.org", &mut user);
    request(&mut client, "example.org", &mut user);
    assert_eq!(user.requests.len(), 2, "a token serves once");
    client.obtain_token(permission::MAKE_CREDENTIAL, Some("example.org"), &mut user).unwrap();
    client.obtain_token(permission::MAKE_CREDENTIAL, Some("example.com"), &mut user).unwrap();
    assert_eq!(user.requests.len(), 4, "a token is for one relying party");
}

#[test]
fn wrong_pins_are_asked_for_again_until_the_key_blocks() {
    let key = Reference::new().with_pin("1234");
    let mut client = open(&key);
    let mut user = Typist::new(&["1111", "2222", "3333", "1234"]);
    let error = client.obtain_token(permission::GET_ASSERTION, Some("example.org"), &mut user).unwrap_err();
    assert!(matches!(error, ClientError::Pin { status: Status::PIN_AUTH_BLOCKED, .. }), "{error}");
    let asked: Vec<_> = user.requests.iter().map(|request| (request.reason, request.retries)).collect();
    assert_eq!(asked, [(PinReason::Needed, None), (PinReason::Wrong, Some(7)), (PinReason::Wrong, Some(6))]);
}

#[test]
fn a_wrong_pin_is_followed_by_a_new_key_agreement() {
    let key = Reference::new().with_pin("1234");
    let mut client = open(&key);
    let mut user = Typist::new(&["1111", "1234"]);
    client.obtain_token(permission::GET_ASSERTION, Some("example.org"), &mut user).unwrap();
    // Agreement, token, retries; agreement, token.
    assert_eq!(key.commands(), [6; 5]);
}

#[test]
fn a_user_who_gives_no_pin_ends_it_and_a_key_without_one_says_so() {
    let key = Reference::new().with_pin("1234");
    let result = open(&key).obtain_token(permission::GET_ASSERTION, None, &mut Typist::new(&[]));
    assert!(matches!(result, Err(ClientError::Cancelled)));
    assert!(key.commands().is_empty());
    let mut client = open(&Reference::new());
    let result = client.obtain_token(permission::GET_ASSERTION, None, &mut Typist::new(&["1234"]));
    assert!(matches!(result, Err(ClientError::PinNotSet)));
    assert_eq!(client.authorise(b"x").unwrap_err().status(), Some(Status::PUAT_REQUIRED));
}

#[test]
fn a_key_of_ctap_2_0_gives_its_token_without_permissions() {
    let key = Reference::new().with_pin("1234");
    key.state(|state| {
        state.options.remove("pinUvAuthToken");
        state.pin.protocols = vec![1];
    });
    let mut client = open(&key);
    let mut user = Typist::new(&["1234"]);
    client.obtain_token(permission::MAKE_CREDENTIAL, Some("example.org"), &mut user).unwrap();
    client.obtain_token(permission::GET_ASSERTION, Some("example.com"), &mut user).unwrap();
    assert_eq!(user.requests.len(), 1, "that token serves everything");
    let log = key.state(|state| state.log.clone());
    let token = Members::parse(&log[1][1..]).map(|mut members| members.integer(2));
    assert_eq!(token, Some(Some(5)));
}

#[test]
fn the_keys_own_verification_comes_before_the_pin_and_the_pin_after_it_failed() {
    let key = Reference::new().with_pin("1234");
    key.state(|state| state.options.insert("uv", true));
    let mut user = Typist::new(&["1234"]);
    let mut client = open(&key);
    client.obtain_token(permission::GET_ASSERTION, Some("example.org"), &mut user).unwrap();
    assert!(user.requests.is_empty());
    assert_eq!(client.uv_retries().unwrap(), 3);
    client.forget();
    key.state(|state| state.pin.uv_refuses = Some(Status::UV_BLOCKED));
    client.obtain_token(permission::GET_ASSERTION, Some("example.org"), &mut user).unwrap();
    assert_eq!(user.requests[0].reason, PinReason::BuiltInVerificationFailed);
    key.state(|state| state.pin.uv_refuses = Some(Status::OPERATION_DENIED));
    client.forget();
    let error = client.obtain_token(permission::GET_ASSERTION, None, &mut user).unwrap_err();
    assert_eq!(error.status(), Some(Status::OPERATION_DENIED));
}

#[test]
fn a_key_agreement_key_that_is_no_point_is_malformed() {
    let info = cbor!({ 1 => ["FIDO_2_0"], 4 => { "clientPin" => true } }).unwrap();
    let off_curve = cbor!({ 1 => { 1 => 2, 3 => -25, -1 => 1, -2 => Value::Bytes(vec![1; 32]),
        -3 => Value::Bytes(vec![1; 32]) } });
    let short = cbor!({ 1 => { -2 => Value::Bytes(vec![1; 31]), -3 => Value::Bytes(vec![1; 32]) } });
    for body in [off_curve, short, cbor!({}), cbor!({ 1 => 5 })] {
        let answer = [vec![0], cbor::encode(body.unwrap())].concat();
        let result = answering(info.clone(), &[answer]).pin_token(&Pin::new("1234").unwrap());
        assert!(matches!(result, Err(ClientError::Malformed(_))));
    }
}

#[test]
fn all_assertions_of_a_relying_party_are_collected() {
    let key = Reference::new().with_pin("1234");
    let mut client = open(&key);
    let mut user = Typist::new(&["1234"; 3]);
    (1..=3).for_each(|id| discoverable(&mut client, "example.org", id, &mut user));
    let all = client.get_assertions(&assertion("example.org", Vec::new()), &mut Unattended).unwrap();
    let ids: Vec<_> = all.iter().map(|assertion| assertion.user.as_ref().unwrap().id[0]).collect();
    assert_eq!(ids, [3, 2, 1]);
    let one = vec![key.state(|state| state.credentials[0].id.clone())];
    assert_eq!(client.get_assertions(&assertion("example.org", one), &mut Unattended).unwrap().len(), 1);
}

#[test]
fn a_long_list_is_probed_in_chunks_and_one_touch_is_enough() {
    let key = Reference::new();
    let mut client = open(&key);
    let own = create(&mut client, "example.org");
    let mut ids: Vec<Vec<u8>> = (0..30).map(|n| vec![n; 60]).collect();
    ids.insert(20, own.clone());
    key.clear_log();
    let touches = key.state(|state| state.touches);
    assert_eq!(client.fit_list("example.org", &ids, 100, false).unwrap(), Fitted::Found(own));
    assert_eq!(key.commands(), [2, 2, 2], "chunks of 8; the third has it");
    assert_eq!(key.state(|state| state.touches), touches);
    ids.remove(20);
    assert_eq!(client.fit_list("example.org", &ids, 100, false).unwrap(), Fitted::NotThere);
    assert_eq!(client.fit_list("example.org", &[], 100, false).unwrap(), Fitted::Whole(Vec::new()));
}

#[test]
fn chunks_keep_to_the_longest_message_and_ids_that_are_too_long_are_left_out() {
    let key = Reference::new();
    key.state(|state| {
        state.max_list = 100;
        state.info.insert(8, Value::from(200));
    });
    let mut client = open(&key);
    let own = create(&mut client, "example.org");
    // 1024 bytes take four ids of 200; the reference authenticator asserts the length.
    let mut ids: Vec<Vec<u8>> = (0..12).map(|n| vec![n; 200]).collect();
    ids.push(vec![1; 201]);
    ids.push(own.clone());
    key.clear_log();
    assert_eq!(client.fit_list("example.org", &ids, 100, false).unwrap(), Fitted::Found(own));
    assert_eq!(key.commands().len(), 3);
    assert_eq!(client.fit_list("example.org", &[vec![1; 201]], 100, false).unwrap(), Fitted::NotThere);
}

#[test]
fn a_probe_with_the_token_finds_what_is_protected() {
    let key = Reference::new().with_pin("1234");
    let mut client = open(&key);
    let own = create(&mut client, "example.org");
    key.state(|state| state.credentials[0].cred_protect = 3);
    let ids = [own.clone()];
    assert_eq!(client.find_credential("example.org", &ids, false).unwrap(), None);
    let mut user = Typist::new(&["1234"]);
    client.obtain_token(permission::GET_ASSERTION, Some("example.org"), &mut user).unwrap();
    assert_eq!(client.find_credential("example.org", &ids, true).unwrap(), Some(own));
    assert!(client.authorise(b"x").is_ok(), "a probe does not spend the token");
}

#[test]
fn a_touch_is_asked_for_by_selection_or_by_an_empty_parameter() {
    let key = Reference::new().with_pin("1234");
    open(&key).wait_for_touch(&mut Unattended).unwrap();
    assert_eq!(key.commands(), [0x0b]);
    key.state(|state| state.versions = vec!["FIDO_2_0", "FIDO_2_1_PRE"]);
    open(&key).wait_for_touch(&mut Unattended).unwrap();
    assert_eq!(key.commands(), [1]);
    assert_eq!(key.state(|state| (state.touches, state.credentials.len())), (2, 0));
}

#[test]
fn credentials_are_listed_renamed_and_deleted() {
    for preview in [false, true] {
        let key = Reference::new().with_pin("1234");
        if preview {
            key.state(|state| {
                state.options.remove("credMgmt");
                state.options.insert("credentialMgmtPreview", true);
            });
        }
        let mut client = open(&key);
        let mut user = Typist::new(&["1234"; 5]);
        assert!(client.relying_parties(&mut user).unwrap().is_empty());
        for (rp_id, id) in [("a.example", 1), ("a.example", 2), ("b.example", 3)] {
            discoverable(&mut client, rp_id, id, &mut user);
        }
        let counts = client.credential_counts(&mut user).unwrap();
        assert_eq!((counts.existing, counts.remaining), (3, 25));
        let rps = client.relying_parties(&mut user).unwrap();
        assert_eq!(
            rps.iter().map(|rp| rp.entity.id.as_str()).collect::<Vec<_>>(),
            ["a.example", "b.example"]
        );
        let mut stored = client.stored_credentials(&rps[0].id_hash, &mut user).unwrap();
        assert_eq!(stored.len(), 2);
        let first = stored.remove(0);
        let renamed = Account { name: Some("eve".to_owned()), ..first.user.clone() };
        client.update_user(&first.id, &renamed, &mut user).unwrap();
        assert_eq!(client.stored_credentials(&rps[0].id_hash, &mut user).unwrap()[0].user, renamed);
        client.delete_credential(&first.id, &mut user).unwrap();
        let again = client.delete_credential(&first.id, &mut user);
        assert!(matches!(again, Err(ClientError::NoCredential)));
        assert!(client.stored_credentials(&sha256(b"c.example"), &mut user).unwrap().is_empty());
        let expected = if preview { 0x41 } else { 0x0a };
        assert!(key.commands().contains(&expected) && !key.commands().contains(&(0x4b - expected)));
    }
}

#[test]
fn a_key_without_credential_management_is_not_asked() {
    let mut client = answering(bare_info(), &[]);
    let result = client.credential_counts(&mut Typist::new(&["1234"]));
    assert!(matches!(result, Err(ClientError::Unsupported(_))));
}

#[test]
fn a_reset_forgets_the_token_and_reads_the_options_anew() {
    let key = Reference::new().with_pin("1234");
    let mut client = open(&key);
    client.obtain_token(permission::CREDENTIAL_MANAGEMENT, None, &mut Typist::new(&["1234"])).unwrap();
    client.reset(&mut Unattended).unwrap();
    assert!(!client.info().option("clientPin"));
    assert!(client.authorise(b"x").is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = (Info::parse(&bytes), CreatedCredential::parse(&bytes), Assertion::parse(&bytes));
    }

    #[test]
    fn no_change_of_an_answer_makes_the_readers_panic(at in 0_usize..200, byte in any::<u8>()) {
        let info = cbor!({ 1 => ["FIDO_2_0"], 4 => { "rk" => true }, 10 => [{ "alg" => -7, "type" => "public-key" }] });
        let mut bytes = cbor::encode(info.unwrap());
        let length = bytes.len();
        bytes[at % length] = byte;
        let _ = (Info::parse(&bytes), Assertion::parse(&bytes));
    }
}
