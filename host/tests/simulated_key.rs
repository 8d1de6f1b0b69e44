//! The driver and the real key, in one process and in simulated time: what each layer makes of the other's bytes.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod simulated;

use keywright_common::cose::Algorithm;
use keywright_common::ctaphid::{Command, ErrorCode};
use keywright_common::status::Status;
use keywright_firmware::key::Indication;
use keywright_host::ctap2::{AssertionRequest, Client, CredentialRequest, RpEntity};
use keywright_host::ctaphid::{Channel, DeviceError, Interaction, Unattended};
use keywright_host::pin_uv_auth::Pin;
use keywright_host::user::{Account, PinRequest, UserInteraction};
use keywright_host::verify::{self, AttestationKind, Expected};
use keywright_host::webauthn::{
    Authenticator, CreationOptions, Origin, RegistrationResponse, RequestOptions,
};
use keywright_host::{ClientError, choose};
use keywright_tests::User;
use simulated::SimulatedTransport;

#[derive(Default)]
struct Person {
    touches: usize,
    cancels: bool,
}

impl Interaction for Person {
    fn touch_needed(&mut self) {
        self.touches += 1;
    }

    fn is_cancelled(&mut self) -> bool {
        self.cancels && self.touches > 0
    }
}

impl UserInteraction for Person {
    fn pin(&mut self, _: PinRequest) -> Option<Pin> {
        None
    }
}

const EXPECTED: Expected<'static> = Expected {
    challenge: &[1, 2, 3, 4],
    origin: "https://example.org",
    rp_id: "example.org",
    require_user_verification: false,
};

fn origin() -> Origin {
    EXPECTED.origin.parse().unwrap()
}

fn creation(excluded: &str, algorithm: i32) -> CreationOptions {
    serde_json::from_str(&format!(
        r#"{{ "rp": {{ "name": "Example" }}, "user": {{ "id": "AQID", "name": "ada", "displayName": "Ada" }},
              "challenge": "AQIDBA", "pubKeyCredParams": [{{ "type": "public-key", "alg": {algorithm} }}],
              "excludeCredentials": [{excluded}], "attestation": "direct" }}"#
    ))
    .unwrap()
}

fn request(ids: &[&RegistrationResponse]) -> RequestOptions {
    let list: Vec<_> = ids.iter().map(|response| descriptor(response)).collect();
    let json = format!(r#"{{ "challenge": "AQIDBA", "allowCredentials": [{}] }}"#, list.join(","));
    serde_json::from_str(&json).unwrap()
}

fn descriptor(response: &RegistrationResponse) -> String {
    format!(r#"{{ "type": "public-key", "id": {} }}"#, serde_json::to_string(&response.id).unwrap())
}

/// A credential that no key has made.
fn foreign(response: &RegistrationResponse) -> RegistrationResponse {
    let mut foreign = response.clone();
    foreign.id.0.reverse();
    foreign
}

fn authenticator(user: User) -> Authenticator<SimulatedTransport> {
    Authenticator::open(SimulatedTransport::new(user)).unwrap()
}

fn client(user: User) -> Client<SimulatedTransport> {
    Client::open(Channel::open(SimulatedTransport::new(user)).unwrap()).unwrap()
}

#[test]
fn a_relying_party_accepts_what_the_key_registers_and_signs() {
    let mut key = authenticator(User::Touches);
    let mut person = Person::default();
    let made = key.register(&creation("", -7), &origin(), &mut person).unwrap();
    let credential = verify::registration(&made, &EXPECTED).unwrap();
    assert_eq!(credential.attestation, AttestationKind::PackedSelf);
    assert_eq!(credential.aaguid, keywright_tests::IDENTITY.aaguid);
    let other = foreign(&made);
    let mut count = credential.sign_count;
    for ids in [&[&made][..], &[&other, &made]] {
        let answer = key.authenticate(&request(ids), &origin(), &mut person).unwrap();
        let (id, public_key) = (&credential.id, &credential.public_key);
        count = verify::assertion(&answer, &EXPECTED, id, public_key, count).unwrap().sign_count;
    }
    assert_eq!(person.touches, 3);
}

#[test]
fn an_excluded_key_and_a_foreign_credential_are_told_after_a_touch() {
    let mut key = authenticator(User::Touches);
    let mut person = Person::default();
    let made = key.register(&creation("", -7), &origin(), &mut person).unwrap();
    let again = key.register(&creation(&descriptor(&made), -7), &origin(), &mut person);
    assert!(matches!(again, Err(ClientError::Excluded)));
    let elsewhere = key.authenticate(&request(&[&foreign(&made)]), &origin(), &mut person);
    assert!(matches!(elsewhere, Err(ClientError::NoCredential)));
    assert_eq!(person.touches, 3);
}

#[test]
fn an_algorithm_that_the_key_does_not_have_is_said() {
    let result = authenticator(User::MustNotBeAsked).register(
        &creation("", -65000),
        &origin(),
        &mut Person::default(),
    );
    let error = result.unwrap_err();
    assert_eq!(error.status(), Some(Status::UNSUPPORTED_ALGORITHM));
    assert!(error.to_string().contains("use another key"), "{error}");
}

#[test]
fn a_user_who_declines_and_one_who_is_absent_are_told_what_to_do() {
    for user in [User::Declines, User::Absent] {
        let result = authenticator(user).register(&creation("", -7), &origin(), &mut Person::default());
        let error = result.unwrap_err();
        assert_eq!(error.status(), Some(Status::OPERATION_DENIED));
        assert!(error.to_string().contains("touch it"), "{error}");
    }
}

#[test]
fn a_user_who_cancels_is_heard_by_the_key_and_the_channel_stays_usable() {
    let mut key = authenticator(User::Absent);
    let mut person = Person { cancels: true, ..Person::default() };
    let before = key.channel_mut().transport_mut().millis();
    let result = key.register(&creation("", -7), &origin(), &mut person);
    assert!(matches!(result, Err(ClientError::Cancelled)));
    let channel = key.channel_mut();
    assert!(channel.transport_mut().millis() - before < 1000, "cancelled, not timed out");
    channel.transport_mut().world.user = User::Touches;
    assert!(key.register(&creation("", -7), &origin(), &mut Person::default()).is_ok());
}

#[test]
fn silent_assertions_and_long_lists_need_no_touch() {
    let mut key = client(User::Touches);
    let creation = CredentialRequest {
        client_data_hash: [5; 32],
        rp: RpEntity { id: "example.org".to_owned(), name: None },
        user: Account { id: vec![1], name: Some("ada".to_owned()), display_name: None },
        algorithms: vec![Algorithm::ES256],
        ..CredentialRequest::default()
    };
    let made = key.make_credential(&creation, &mut Unattended).unwrap();
    let data = keywright_host::auth_data::AuthData::parse(&made.auth_data).unwrap();
    let own = data.attested_credential.unwrap().id;
    key.channel_mut().transport_mut().world.user = User::MustNotBeAsked;
    let mut ids: Vec<Vec<u8>> = (0..200_u8).map(|n| vec![n; own.len()]).collect();
    assert_eq!(key.find_credential("example.org", &ids, false).unwrap(), None);
    ids.push(own.clone());
    assert_eq!(key.find_credential("example.org", &ids, false).unwrap(), Some(own.clone()));
    assert_eq!(key.find_credential("example.com", std::slice::from_ref(&own), false).unwrap(), None);
    let silent = AssertionRequest {
        rp_id: "example.org".to_owned(),
        allow_list: vec![own],
        user_presence: Some(false),
        ..AssertionRequest::default()
    };
    let assertion = key.get_assertions(&silent, &mut Unattended).unwrap().remove(0);
    let data = keywright_host::auth_data::AuthData::parse(&assertion.auth_data).unwrap();
    assert!(!data.user_present());
}

#[test]
fn the_key_echoes_winks_locks_and_refuses_by_name() {
    let mut channel = Channel::open(SimulatedTransport::new(User::MustNotBeAsked)).unwrap();
    let payload = vec![0xa5; 7609];
    assert_eq!(channel.ping(&payload).unwrap(), payload);
    channel.wink().unwrap();
    assert_eq!(channel.transport_mut().world.key.indication(), Indication::Wink);
    channel.lock(3).unwrap();
    channel.lock(0).unwrap();
    assert!(matches!(channel.lock(11), Err(DeviceError::Refused(ErrorCode::INVALID_PAR))));
    let unknown = channel.transact(Command(0x20), &[], &mut Unattended);
    assert!(matches!(unknown, Err(DeviceError::Refused(ErrorCode::INVALID_CMD))));
    assert_eq!(channel.ping(b"still there").unwrap(), b"still there");
}

#[test]
fn a_key_that_serves_another_channel_is_waited_for() {
    let mut channel = Channel::open(SimulatedTransport::new(User::Absent)).unwrap();
    let world = &mut channel.transport_mut().world;
    let other = world.open_channel();
    world.send(other, Command::LOCK, &[2]);
    let before = channel.transport_mut().millis();
    assert_eq!(channel.ping(b"a").unwrap(), b"a");
    assert!(channel.transport_mut().millis() - before >= 2000);
}

#[test]
fn of_two_keys_the_touched_one_is_taken_and_the_other_is_left_idle() {
    let mut keys = [authenticator(User::Absent), authenticator(User::Touches)];
    let mut person = Person::default();
    assert_eq!(choose::choose(&mut keys, &mut person).unwrap(), 1);
    assert_eq!(person.touches, 1);
    let [left, _] = &mut keys;
    assert_eq!(left.channel_mut().transport_mut().world.key.indication(), Indication::Idle);
    assert!(left.channel_mut().ping(b"fit for use").is_ok());
}
