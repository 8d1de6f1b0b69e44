//! Ceremonies with the reference authenticator and with a U2F key, checked as a relying party checks them.

use std::cell::RefCell;
use std::rc::Rc;

use keywright_common::ctaphid::Command;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};

use super::*;
use crate::auth_data::AuthData;
use crate::ctaphid::Interaction;
use crate::pin_uv_auth::Pin;
use crate::testing::Script;
use crate::testing::reference::Reference;
use crate::user::{Account, PinRequest, UserInteraction};
use crate::verify::{self, AttestationKind, Expected, VerifyError};

const CHALLENGE: &[u8] = b"sixteen random b";

#[derive(Default)]
struct Person {
    pin: Option<&'static str>,
    asked: usize,
    touches: usize,
    choice: Option<usize>,
    accounts: Vec<Account>,
}

impl Interaction for Person {
    fn touch_needed(&mut self) {
        self.touches += 1;
    }
}

impl UserInteraction for Person {
    fn pin(&mut self, _: PinRequest) -> Option<Pin> {
        self.asked += 1;
        self.pin.map(|pin| Pin::new(pin).unwrap())
    }

    fn choose_account(&mut self, accounts: &[Account]) -> Option<usize> {
        self.accounts = accounts.to_vec();
        self.choice
    }
}

fn with_pin() -> Person {
    Person { pin: Some("1234"), choice: Some(0), ..Person::default() }
}

fn origin() -> Origin {
    "https://login.example.org".parse().unwrap()
}

fn creation(more: serde_json::Value) -> CreationOptions {
    let mut options = serde_json::json!({
        "rp": { "id": "example.org", "name": "Example", "icon": "ignored" },
        "user": { "id": "AQID", "name": "ada", "displayName": "Ada" },
        "challenge": Base64Url(CHALLENGE.to_vec()),
        "pubKeyCredParams": [{ "type": "of-the-future", "alg": -7 }, { "type": "public-key", "alg": -7 }],
        "attestation": "direct",
        "hints": ["security-key"],
    });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(options).unwrap()
}

fn request(ids: &[&[u8]], more: serde_json::Value) -> RequestOptions {
    let list: Vec<_> = ids
        .iter()
        .map(|id| serde_json::json!({ "type": "public-key", "id": Base64Url(id.to_vec()), "transports": ["usb"] }))
        .collect();
    let mut options = serde_json::json!({
        "rpId": "example.org", "challenge": Base64Url(CHALLENGE.to_vec()), "allowCredentials": list,
        "timeout": 60000,
    });
    options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(options).unwrap()
}

fn none() -> serde_json::Value {
    serde_json::json!({})
}

fn expected(require_user_verification: bool) -> Expected<'static> {
    Expected {
        challenge: CHALLENGE,
        origin: "https://login.example.org",
        rp_id: "example.org",
        require_user_verification,
    }
}

fn open(key: &Reference) -> Authenticator<Script> {
    Authenticator::open(key.transport()).unwrap()
}

fn registered(key: &mut Authenticator<Script>, more: serde_json::Value) -> RegistrationResponse {
    key.register(&creation(more), &origin(), &mut with_pin()).unwrap()
}

#[test]
fn what_is_registered_can_be_used_and_a_relying_party_accepts_both() {
    let mut key = open(&Reference::new());
    let response = registered(&mut key, none());
    let credential = verify::registration(&response, &expected(false)).unwrap();
    assert_eq!(credential.attestation, AttestationKind::PackedSelf);
    assert_eq!((credential.aaguid, credential.user_verified), ([0x11; 16], false));
    assert_eq!(response.response.public_key_algorithm, Some(-7));
    assert_eq!(response.response.public_key.as_ref().unwrap().0.len(), 91);
    let options = request(&[b"foreign", &credential.id], none());
    let answer = key.authenticate(&options, &origin(), &mut with_pin()).unwrap();
    let counter = credential.sign_count;
    let (id, public_key) = (&credential.id[..], &credential.public_key[..]);
    let verified = verify::assertion(&answer, &expected(false), id, public_key, counter).unwrap();
    assert!(verified.sign_count > counter);
    let replayed = verify::assertion(&answer, &expected(false), id, public_key, verified.sign_count);
    assert_eq!(replayed, Err(VerifyError::Counter));
}

#[test]
fn responses_have_the_shapes_that_websites_read() {
    let mut key = open(&Reference::new());
    let response =
        registered(&mut key, serde_json::json!({ "extensions": { "credProps": true, "unknown": 1 } }));
    let json = serde_json::to_value(&response).unwrap();
    assert_eq!(json["id"], json["rawId"]);
    assert_eq!(
        (&json["type"], &json["authenticatorAttachment"]),
        (&"public-key".into(), &"cross-platform".into())
    );
    assert_eq!(json["clientExtensionResults"], serde_json::json!({ "credProps": { "rk": false } }));
    assert!(
        json["response"]["clientDataJSON"].is_string() && json["response"]["attestationObject"].is_string()
    );
    assert_eq!(serde_json::from_value::<RegistrationResponse>(json).unwrap(), response);
    let answer = key.authenticate(&request(&[&response.id.0], none()), &origin(), &mut with_pin()).unwrap();
    let json = serde_json::to_value(&answer).unwrap();
    assert!(json["response"].get("userHandle").is_none());
    assert_eq!(json["clientExtensionResults"], none());
    assert_eq!(serde_json::from_value::<AuthenticationResponse>(json).unwrap(), answer);
}

#[test]
fn options_with_nulls_and_unknown_values_are_read() {
    let options = creation(serde_json::json!({
        "excludeCredentials": null, "authenticatorSelection": { "residentKey": "of-the-future",
        "userVerification": "perhaps" }, "attestation": "quantum", "extensions": null, "timeout": "x",
    }));
    assert_eq!(options.attestation, AttestationConveyance::None);
    assert_eq!(options.authenticator_selection.resident_key, ResidentKey::Unspecified);
    assert_eq!(options.authenticator_selection.user_verification, UserVerification::Preferred);
    assert!(serde_json::from_str::<Base64Url>("\"AQID\"").is_ok());
    assert!(serde_json::from_str::<Base64Url>("\"AQ==\"").is_ok());
    assert!(serde_json::from_str::<Base64Url>("\"A+/B\"").is_err(), "base64 is not base64url");
    assert!(serde_json::from_str::<CreationOptions>("{}").is_err());
}

#[test]
fn without_attestation_the_model_is_taken_out() {
    let mut key = open(&Reference::new());
    let response = registered(&mut key, serde_json::json!({ "attestation": "none" }));
    let credential = verify::registration(&response, &expected(false)).unwrap();
    assert_eq!((credential.attestation, credential.aaguid), (AttestationKind::None, [0; 16]));
    let copy = &response.response.authenticator_data.as_ref().unwrap().0;
    assert_eq!(AuthData::parse(copy).unwrap().attested_credential.unwrap().aaguid, [0; 16]);
}

#[test]
fn verification_follows_the_websites_wish_and_what_the_key_has() {
    let wish = |wish: &str| serde_json::json!({ "authenticatorSelection": { "userVerification": wish } });
    let bit = |key: &Reference, selection: serde_json::Value, person: &mut Person| {
        let response = open(key).register(&creation(selection), &origin(), person)?;
        Ok::<_, ClientError>(verify::registration(&response, &expected(false)).unwrap().user_verified)
    };
    let bare = Reference::new();
    assert!(!bit(&bare, wish("preferred"), &mut with_pin()).unwrap());
    assert!(matches!(bit(&bare, wish("required"), &mut with_pin()), Err(ClientError::PinNotSet)));
    let pinned = Reference::new().with_pin("1234");
    let mut person = with_pin();
    assert!(bit(&pinned, wish("preferred"), &mut person).unwrap());
    assert!(bit(&pinned, wish("required"), &mut person).unwrap());
    assert_eq!(person.asked, 2);
    assert!(!bit(&pinned, wish("discouraged"), &mut person).unwrap());
    assert_eq!(person.asked, 2);
    pinned.state(|state| state.options.insert("makeCredUvNotRqd", false));
    assert!(bit(&pinned, wish("discouraged"), &mut person).unwrap(), "the key insists");
    pinned.state(|state| state.options.insert("alwaysUv", true));
    let options = request(&[&[1]], serde_json::json!({ "userVerification": "discouraged" }));
    let _ = open(&pinned).authenticate(&options, &origin(), &mut person);
    assert_eq!(person.asked, 4, "alwaysUv");
}

#[test]
fn a_key_of_ctap_2_0_with_a_sensor_verifies_within_the_command() {
    let key = Reference::new();
    key.state(|state| {
        state.options.remove("pinUvAuthToken");
        state.options.insert("uv", true);
    });
    let more = serde_json::json!({ "authenticatorSelection": { "userVerification": "required" } });
    let mut person = with_pin();
    let response = open(&key).register(&creation(more), &origin(), &mut person).unwrap();
    assert!(verify::registration(&response, &expected(true)).is_ok());
    assert_eq!(person.asked, 0);
    assert!(!key.commands().contains(&6));
}

#[test]
fn a_user_who_gives_no_pin_cancels() {
    let key = Reference::new().with_pin("1234");
    let result = open(&key).register(&creation(none()), &origin(), &mut Person::default());
    assert!(matches!(result, Err(ClientError::Cancelled)));
    assert!(key.state(|state| state.credentials.is_empty()));
}

#[test]
fn a_discoverable_credential_answers_without_a_list_and_the_user_chooses() {
    let key = Reference::new().with_pin("1234");
    let mut client = open(&key);
    for id in ["AQ", "Ag"] {
        let response = registered(
            &mut client,
            serde_json::json!({ "user": { "id": id, "name": id },
            "authenticatorSelection": { "residentKey": "required" }, "extensions": { "credProps": true } }),
        );
        assert_eq!(response.client_extension_results.cred_props, Some(CredentialProperties { rk: true }));
    }
    let mut person = Person { choice: Some(1), ..with_pin() };
    let answer = client.authenticate(&request(&[], none()), &origin(), &mut person).unwrap();
    assert_eq!(person.accounts.len(), 2);
    assert_eq!(answer.response.user_handle, Some(Base64Url(vec![1])), "the older one is the second");
    for choice in [None, Some(2)] {
        let mut person = Person { choice, ..with_pin() };
        let result = client.authenticate(&request(&[], none()), &origin(), &mut person);
        assert!(matches!(result, Err(ClientError::Cancelled)));
    }
}

#[test]
fn a_key_that_cannot_keep_credentials_is_not_asked_to() {
    let key = Reference::new();
    key.state(|state| state.options.insert("rk", false));
    let mut client = open(&key);
    key.clear_log();
    for selection in
        [serde_json::json!({ "residentKey": "required" }), serde_json::json!({ "requireResidentKey": true })]
    {
        let options = creation(serde_json::json!({ "authenticatorSelection": selection }));
        let result = client.register(&options, &origin(), &mut with_pin());
        assert!(matches!(result, Err(ClientError::Unsupported(_))));
    }
    let result = client.authenticate(&request(&[], none()), &origin(), &mut with_pin());
    assert!(matches!(result, Err(ClientError::Unsupported(_))));
    assert!(key.commands().is_empty());
    let preferred = serde_json::json!({ "authenticatorSelection": { "residentKey": "preferred" } });
    registered(&mut client, preferred);
}

#[test]
fn a_website_that_may_not_ask_reaches_no_key() {
    let key = Reference::new();
    let mut client = open(&key);
    key.clear_log();
    let foreign: Origin = "https://example.com".parse().unwrap();
    let refused = |result: Result<(), ClientError>| matches!(result, Err(ClientError::Request(_)));
    assert!(refused(client.register(&creation(none()), &foreign, &mut with_pin()).map(drop)));
    assert!(refused(client.authenticate(&request(&[&[1]], none()), &foreign, &mut with_pin()).map(drop)));
    for wrong in [
        serde_json::json!({ "user": { "id": "", "name": "" } }),
        serde_json::json!({ "user": { "id": Base64Url(vec![0; 65]), "name": "" } }),
        serde_json::json!({ "pubKeyCredParams": [{ "type": "other", "alg": -7 }] }),
    ] {
        assert!(refused(client.register(&creation(wrong), &origin(), &mut with_pin()).map(drop)));
    }
    let unknown = request(&[], serde_json::json!({ "allowCredentials": [{ "type": "other", "id": "AQ" }] }));
    assert!(refused(client.authenticate(&unknown, &origin(), &mut with_pin()).map(drop)));
    let app_id = request(&[&[1]], serde_json::json!({ "extensions": { "appid": "https://example.com" } }));
    assert!(refused(client.authenticate(&app_id, &origin(), &mut with_pin()).map(drop)));
    assert!(key.commands().is_empty());
}

#[test]
fn a_key_that_is_registered_already_is_refused_after_a_touch_even_in_a_long_list() {
    let key = Reference::new();
    let mut client = open(&key);
    let own = registered(&mut client, none()).id;
    for foreign in [1_u8, 40] {
        let mut list: Vec<_> = (0..foreign).map(|n| Base64Url(vec![n; 64])).collect();
        list.push(own.clone());
        let list: Vec<_> =
            list.iter().map(|id| serde_json::json!({ "type": "public-key", "id": id })).collect();
        let before = key.state(|state| state.touches);
        let options = creation(serde_json::json!({ "excludeCredentials": list }));
        let result = client.register(&options, &origin(), &mut with_pin());
        assert!(matches!(result, Err(ClientError::Excluded)));
        assert_eq!(key.state(|state| state.touches), before + 1);
    }
}

#[test]
fn a_long_list_without_an_own_credential_costs_one_touch_and_tells_nothing() {
    let key = Reference::new();
    let mut client = open(&key);
    let ids: Vec<_> = (0..40_u8).map(|n| vec![n; 64]).collect();
    let ids: Vec<_> = ids.iter().map(Vec::as_slice).collect();
    let result = client.authenticate(&request(&ids, none()), &origin(), &mut with_pin());
    assert!(matches!(result, Err(ClientError::NoCredential)));
    assert_eq!(key.state(|state| state.touches), 1);
}

#[test]
fn a_long_list_with_an_own_credential_is_answered_with_verification() {
    let key = Reference::new().with_pin("1234");
    let mut client = open(&key);
    let level = serde_json::json!({ "extensions": { "credentialProtectionPolicy": "userVerificationRequired",
        "enforceCredentialProtectionPolicy": true } });
    key.state(|state| state.info.insert(2, vec![ciborium::Value::from("credProtect")].into()));
    let mut client2 = open(&key);
    let own = registered(&mut client2, level).id.0;
    assert_eq!(key.state(|state| state.credentials[0].cred_protect), 3);
    let foreign: Vec<_> = (0..40_u8).map(|n| vec![n; 64]).collect();
    let mut ids: Vec<_> = foreign.iter().map(Vec::as_slice).collect();
    ids.push(&own);
    let mut person = with_pin();
    let answer = client.authenticate(&request(&ids, none()), &origin(), &mut person).unwrap();
    assert_eq!((answer.id.0, person.asked), (own, 1));
}

#[test]
fn a_protection_that_must_be_is_not_left_out() {
    let level = |enforced: bool| {
        creation(serde_json::json!({ "extensions": {
            "credentialProtectionPolicy": "userVerificationOptionalWithCredentialIDList",
            "enforceCredentialProtectionPolicy": enforced } }))
    };
    let mut client = open(&Reference::new());
    let result = client.register(&level(true), &origin(), &mut with_pin());
    assert!(matches!(result, Err(ClientError::Unsupported(_))));
    assert!(client.register(&level(false), &origin(), &mut with_pin()).is_ok());
}

#[test]
fn prf_and_hmac_secret_come_back_decrypted_and_prf_has_salts_of_its_own() {
    for protocols in [vec![1], vec![2, 1]] {
        let key = Reference::new();
        key.state(|state| {
            state.pin.protocols = protocols;
            state.info.insert(2, vec![ciborium::Value::from("hmac-secret")].into());
        });
        let mut client = open(&key);
        let made = registered(
            &mut client,
            serde_json::json!({ "extensions": { "prf": {}, "hmacCreateSecret": true } }),
        );
        assert_eq!(made.client_extension_results.prf.as_ref().unwrap().enabled, Some(true));
        assert_eq!(made.client_extension_results.hmac_create_secret, Some(true));
        let mut ask = |extensions: serde_json::Value| {
            let options = request(&[&made.id.0], serde_json::json!({ "extensions": extensions }));
            client
                .authenticate(&options, &origin(), &mut with_pin())
                .map(|answer| answer.client_extension_results)
        };
        let salt = Base64Url(sha256(b"WebAuthn PRF\0input").to_vec());
        let prf =
            ask(serde_json::json!({ "prf": { "eval": { "first": Base64Url(b"input".to_vec()) } } })).unwrap();
        let hmac =
            ask(serde_json::json!({ "hmacGetSecret": { "salt1": salt, "salt2": Base64Url(vec![9; 32]) } }))
                .unwrap();
        let results = prf.prf.unwrap().results.unwrap();
        let outputs = hmac.hmac_get_secret.unwrap();
        assert_eq!(results.first, outputs.output1, "the same salt, hashed by prf and given to hmac-secret");
        assert_eq!((results.first.0.len(), results.second), (32, None));
        assert_ne!(Some(outputs.output1), outputs.output2);
        let own = made.id.clone();
        let by_credential = ask(serde_json::json!({ "prf": { "eval": { "first": "AAAA" },
            "evalByCredential": { serde_json::to_value(own).unwrap().as_str().unwrap(): { "first": Base64Url(b"input".to_vec()) } } } }));
        assert_eq!(by_credential.unwrap().prf.unwrap().results.unwrap().first, results.first);
        let short = ask(serde_json::json!({ "hmacGetSecret": { "salt1": "AQID" } }));
        assert!(matches!(short, Err(ClientError::Request(_))));
    }
}

#[test]
fn g37_what_prf_gives_does_not_show_in_a_trace() {
    let secret = Base64Url(vec![0xab; 32]);
    let values = PrfValues { first: secret.clone(), second: None };
    let results = ExtensionResults {
        hmac_get_secret: Some(HmacOutputs { output1: secret, output2: None }),
        prf: Some(PrfOutput { enabled: None, results: Some(values) }),
        ..ExtensionResults::default()
    };
    let shown = format!("{results:?}");
    assert!(shown.contains("HmacOutputs(redacted)") && shown.contains("PrfValues(redacted)"), "{shown}");
    assert!(!shown.contains("171"), "{shown}");
}

/// A U2F key; `app_id` is where its one credential was made.
struct U2fKey {
    handle: Vec<u8>,
    application: [u8; 32],
    key: SigningKey,
    counter: u32,
    wants_touch: bool,
    touches: usize,
}

impl U2fKey {
    fn new() -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            handle: Vec::new(),
            application: [0; 32],
            key: SigningKey::from_slice(&[5; 32]).unwrap(),
            counter: 7,
            wants_touch: true,
            touches: 0,
        }))
    }

    fn respond(&mut self, apdu: &[u8]) -> Vec<u8> {
        let data = &apdu[7..apdu.len() - 2];
        if apdu[1] == 2 && (data[32..64] != self.application || data[65..] != self.handle) {
            return vec![0x6a, 0x80];
        }
        if apdu[2] == 7 || std::mem::replace(&mut self.wants_touch, false) {
            return vec![0x69, 0x85];
        }
        (self.wants_touch, self.touches) = (true, self.touches + 1);
        let body = if apdu[1] == 1 { self.register(data) } else { self.authenticate(data) };
        [&body[..], &[0x90, 0]].concat()
    }

    fn register(&mut self, data: &[u8]) -> Vec<u8> {
        let (challenge, application) = data.split_at(32);
        self.handle = sha256(application).repeat(2);
        self.application = application.try_into().unwrap();
        let point = self.key.verifying_key().to_sec1_point(false);
        let signed = [&[0], application, challenge, &self.handle, point.as_bytes()].concat();
        let signature: DerSignature = SigningKey::from_slice(&[0x21; 32]).unwrap().sign(&signed);
        let length = [u8::try_from(self.handle.len()).unwrap()];
        let certificate = include_bytes!("../../testdata/leaf.der");
        [&[5], point.as_bytes(), &length, &self.handle, certificate, signature.as_bytes()].concat()
    }

    fn authenticate(&mut self, data: &[u8]) -> Vec<u8> {
        self.counter += 1;
        let counter = self.counter.to_be_bytes();
        let signature: DerSignature = self.key.sign(&[&data[32..64], &[1], &counter, &data[..32]].concat());
        [&[1], &counter[..], signature.as_bytes()].concat()
    }
}

fn open_u2f(key: &Rc<RefCell<U2fKey>>) -> Authenticator<Script> {
    let key = Rc::clone(key);
    Authenticator::open(Script::responding(0, move |command, apdu| {
        assert_eq!(command, Command::MSG);
        key.borrow_mut().respond(apdu)
    }))
    .unwrap()
}

#[test]
fn a_u2f_key_serves_both_ceremonies() {
    let key = U2fKey::new();
    let mut client = open_u2f(&key);
    let mut person = Person::default();
    let response = client.register(&creation(none()), &origin(), &mut person).unwrap();
    let credential = verify::registration(&response, &expected(false)).unwrap();
    assert!(matches!(credential.attestation, AttestationKind::FidoU2f { .. }));
    let options = request(&[b"foreign", &credential.id], none());
    let answer = client.authenticate(&options, &origin(), &mut person).unwrap();
    verify::assertion(&answer, &expected(false), &credential.id, &credential.public_key, 7).unwrap();
    assert_eq!((person.touches, key.borrow().touches), (2, 2));
    let strict = verify::assertion(&answer, &expected(true), &credential.id, &credential.public_key, 7);
    assert_eq!(strict, Err(VerifyError::UserVerification));
}

#[test]
fn what_a_u2f_key_cannot_do_is_not_asked_of_it() {
    let key = U2fKey::new();
    let mut client = open_u2f(&key);
    for more in [
        serde_json::json!({ "authenticatorSelection": { "userVerification": "required" } }),
        serde_json::json!({ "authenticatorSelection": { "residentKey": "required" } }),
        serde_json::json!({ "pubKeyCredParams": [{ "type": "public-key", "alg": -8 }] }),
        serde_json::json!({ "extensions": { "credentialProtectionPolicy": "userVerificationRequired",
            "enforceCredentialProtectionPolicy": true } }),
    ] {
        let result = client.register(&creation(more), &origin(), &mut Person::default());
        assert!(matches!(result, Err(ClientError::Unsupported(_))));
    }
    let result = client.authenticate(&request(&[], none()), &origin(), &mut Person::default());
    assert!(matches!(result, Err(ClientError::Unsupported(_))));
    assert_eq!(key.borrow().touches, 0);
}

#[test]
fn a_u2f_key_tells_what_it_knows_only_after_a_touch() {
    let key = U2fKey::new();
    let mut client = open_u2f(&key);
    let made = client.register(&creation(none()), &origin(), &mut Person::default()).unwrap();
    let excluding =
        creation(serde_json::json!({ "excludeCredentials": [{ "type": "public-key", "id": made.id }] }));
    let result = client.register(&excluding, &origin(), &mut Person::default());
    assert!(matches!(result, Err(ClientError::Excluded)));
    assert_eq!(key.borrow().touches, 2);
    let result = client.authenticate(&request(&[b"foreign"], none()), &origin(), &mut Person::default());
    assert!(matches!(result, Err(ClientError::NoCredential)));
    assert_eq!(key.borrow().touches, 3);
}

#[test]
fn a_credential_of_an_app_id_is_found_and_said_to_be() {
    let key = U2fKey::new();
    let app_id = "https://example.org/app-id.json";
    key.borrow_mut().register(&[[1; 32], sha256(app_id.as_bytes())].concat());
    let handle = key.borrow().handle.clone();
    let mut client = open_u2f(&key);
    let options = request(&[&handle], serde_json::json!({ "extensions": { "appid": app_id } }));
    let answer = client.authenticate(&options, &origin(), &mut Person::default()).unwrap();
    assert_eq!(answer.client_extension_results.appid, Some(true));
    let data = AuthData::parse(&answer.response.authenticator_data.0).unwrap();
    assert_eq!(data.rp_id_hash, sha256(app_id.as_bytes()));
    let without = client.authenticate(&request(&[&handle], none()), &origin(), &mut Person::default());
    assert!(matches!(without, Err(ClientError::NoCredential)));
}

#[test]
fn a_self_attestation_of_no_model_is_kept() {
    let key = Reference::new();
    let mut client = open(&key);
    let response = registered(&mut client, none());
    let object = &response.response.attestation_object.0;
    let mut members = crate::cbor::Members::parse(object).unwrap();
    let auth_data = members.bytes("authData").unwrap();
    let created = |auth_data: Vec<u8>, format: &str, x5c: bool| crate::ctap2::CreatedCredential {
        format: format.to_owned(),
        auth_data,
        statement: crate::cbor::text_map([("x5c", x5c.then(|| ciborium::Value::Array(Vec::new())))]),
        enterprise_attestation: false,
        large_blob_key: None,
        unsigned_extension_outputs: Vec::new(),
    };
    let nameless = crate::auth_data::without_aaguid(&auth_data);
    let kept = register::anonymous(created(nameless.clone(), "packed", false), &[0; 16]);
    assert_eq!(kept.format, "packed");
    for (auth_data, format, x5c, aaguid) in [
        (auth_data, "packed", false, [0x11; 16]),
        (nameless.clone(), "packed", true, [0; 16]),
        (nameless.clone(), "fido-u2f", true, [0; 16]),
    ] {
        let replaced = register::anonymous(created(auth_data, format, x5c), &aaguid);
        assert_eq!((replaced.format.as_str(), &replaced.auth_data), ("none", &nameless));
    }
}
