//! The driver's side of PIN and hmac-secret against the real key's.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod simulated;

use keywright_common::status::Status;
use keywright_host::ClientError;
use keywright_host::ctap2::Client;
use keywright_host::ctaphid::{Channel, Interaction};
use keywright_host::pin_uv_auth::{Pin, permission};
use keywright_host::user::{PinRequest, UserInteraction};
use keywright_host::verify::{self, Expected};
use keywright_host::webauthn::{
    Authenticator, CreationOptions, Origin, PrfInput, RequestOptions, UserVerification,
};
use keywright_tests::User;
use simulated::SimulatedTransport;

const RIGHT: &str = "caf\u{e9}9";

/// Enters these PINs, the last first.
struct Typist(Vec<&'static str>);

impl Interaction for Typist {}

impl UserInteraction for Typist {
    fn pin(&mut self, _: PinRequest) -> Option<Pin> {
        self.0.pop().map(|pin| Pin::new(pin).unwrap())
    }
}

fn with_pin() -> Client<SimulatedTransport> {
    let mut key = Client::open(Channel::open(SimulatedTransport::new(User::Touches)).unwrap()).unwrap();
    key.set_pin(&Pin::new("1234").unwrap()).unwrap();
    // In decomposed form: the key has to take it for the same PIN.
    key.change_pin(&Pin::new("1234").unwrap(), &Pin::new("cafe\u{301}9").unwrap()).unwrap();
    key
}

#[test]
fn a_pin_verifies_the_user_in_both_ceremonies_and_prf_gives_the_same_twice() {
    let mut key = Authenticator::Ctap2(with_pin());
    let origin: Origin = "https://example.org".parse().unwrap();
    let mut creation: CreationOptions = serde_json::from_str(
        r#"{ "rp": {}, "user": { "id": "AQID" }, "challenge": "AQIDBA",
             "authenticatorSelection": { "userVerification": "required" }, "attestation": "direct" }"#,
    )
    .unwrap();
    creation.extensions.prf = Some(PrfInput::default());
    let mut user = Typist(vec![RIGHT, RIGHT, RIGHT, "wrong"]);
    let made = key.register(&creation, &origin, &mut user).unwrap();
    let expected = Expected {
        challenge: &[1, 2, 3, 4],
        origin: origin.as_str(),
        rp_id: "example.org",
        require_user_verification: true,
    };
    let credential = verify::registration(&made, &expected).unwrap();
    assert_eq!(made.client_extension_results.prf.unwrap().enabled, Some(true));
    let id = serde_json::to_string(&made.id).unwrap();
    let mut request: RequestOptions = serde_json::from_str(&format!(
        r#"{{ "challenge": "AQIDBA", "allowCredentials": [{{ "type": "public-key", "id": {id} }}] }}"#
    ))
    .unwrap();
    request.user_verification = UserVerification::Required;
    request.extensions.prf =
        serde_json::from_str(r#"{ "eval": { "first": "AAAA", "second": "BBBB" } }"#).unwrap();
    let mut count = credential.sign_count;
    let mut results = Vec::new();
    for _ in 0..2 {
        let answer = key.authenticate(&request, &origin, &mut user).unwrap();
        let (id, public_key) = (&credential.id, &credential.public_key);
        count = verify::assertion(&answer, &expected, id, public_key, count).unwrap().sign_count;
        results.push(answer.client_extension_results.prf.unwrap().results.unwrap());
    }
    assert_eq!(results[0], results[1]);
    assert_ne!(Some(&results[0].first), results[0].second.as_ref());
    assert!(user.0.is_empty(), "one wrong entry and three right ones");
}

#[test]
fn wrong_entries_are_counted_and_block_until_the_key_is_plugged_in_again() {
    let mut key = with_pin();
    let wrong = key.change_pin(&Pin::new("1234").unwrap(), &Pin::new("5678").unwrap()).unwrap_err();
    assert!(matches!(wrong, ClientError::Pin { status: Status::PIN_INVALID, retries: Some(7) }), "{wrong}");
    let mut user = Typist(vec![RIGHT, "3333", "2222"]);
    let blocked = key.obtain_token(permission::GET_ASSERTION, Some("example.org"), &mut user).unwrap_err();
    assert!(blocked.to_string().contains("plugged in again"), "{blocked}");
    assert_eq!(user.0, [RIGHT], "the right PIN is no longer asked for");
    assert_eq!(key.pin_retries().unwrap().retries, 5);
}
