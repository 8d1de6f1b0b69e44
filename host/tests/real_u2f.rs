//! The driver's U2F client, and what it makes of batch attestation, against the real key.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod simulated;

use keywright_emulator::attestation::{AAGUID, ATTESTATION};
use keywright_firmware::Identity;
use keywright_firmware::authenticator::Start;
use keywright_host::ctaphid::{Channel, Interaction};
use keywright_host::pin_uv_auth::Pin;
use keywright_host::user::{PinRequest, UserInteraction};
use keywright_host::verify::{self, AttestationKind, Expected, RegisteredCredential};
use keywright_host::webauthn::{
    Authenticator, CreationOptions, Origin, RegistrationResponse, RequestOptions,
};
use keywright_tests::{IDENTITY, RamFlash, Simulation, User};
use simulated::SimulatedTransport;

#[derive(Default)]
struct Person(usize);

impl Interaction for Person {
    fn touch_needed(&mut self) {
        self.0 += 1;
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

fn channel() -> Channel<SimulatedTransport> {
    let identity = Identity { aaguid: AAGUID, attestation: ATTESTATION, ..IDENTITY };
    let mut transport = SimulatedTransport::new(User::Touches);
    transport.world = Simulation::with(identity, RamFlash::default(), Start::PowerUp);
    Channel::open(transport).unwrap()
}

fn register(
    key: &mut Authenticator<SimulatedTransport>,
    algorithm: i32,
    person: &mut Person,
) -> (RegistrationResponse, RegisteredCredential) {
    let options: CreationOptions = serde_json::from_str(&format!(
        r#"{{ "rp": {{}}, "user": {{ "id": "AQID" }}, "challenge": "AQIDBA", "attestation": "direct",
              "pubKeyCredParams": [{{ "type": "public-key", "alg": {algorithm} }}] }}"#
    ))
    .unwrap();
    let origin: Origin = EXPECTED.origin.parse().unwrap();
    let made = key.register(&options, &origin, person).unwrap();
    let credential = verify::registration(&made, &EXPECTED).unwrap();
    (made, credential)
}

fn authenticate(
    key: &mut Authenticator<SimulatedTransport>,
    made: &RegistrationResponse,
    credential: &RegisteredCredential,
    person: &mut Person,
) {
    let id = serde_json::to_string(&made.id).unwrap();
    let options: RequestOptions = serde_json::from_str(&format!(
        r#"{{ "challenge": "AQIDBA", "allowCredentials": [
              {{ "type": "public-key", "id": "AAAA" }}, {{ "type": "public-key", "id": {id} }}] }}"#
    ))
    .unwrap();
    let answer = key.authenticate(&options, &EXPECTED.origin.parse().unwrap(), person).unwrap();
    let (id, public_key) = (&credential.id, &credential.public_key);
    verify::assertion(&answer, &EXPECTED, id, public_key, credential.sign_count).unwrap();
}

#[test]
fn a_credential_made_over_u2f_serves_over_u2f_and_over_ctap2() {
    let mut key = Authenticator::U2f(channel());
    let mut person = Person::default();
    let (made, credential) = register(&mut key, -7, &mut person);
    assert!(matches!(credential.attestation, AttestationKind::FidoU2f { .. }));
    authenticate(&mut key, &made, &credential, &mut person);
    assert_eq!(person.0, 2);
    let Authenticator::U2f(channel) = key else { panic!("a U2F key that turned into another") };
    authenticate(&mut Authenticator::over(channel).unwrap(), &made, &credential, &mut person);
}

#[test]
fn a_batch_attests_both_algorithms_with_its_certificate_and_model() {
    let mut key = Authenticator::over(channel()).unwrap();
    let mut person = Person::default();
    for algorithm in [-7, -8] {
        let (made, credential) = register(&mut key, algorithm, &mut person);
        assert!(matches!(credential.attestation, AttestationKind::Packed { .. }));
        assert_eq!(credential.aaguid, AAGUID);
        authenticate(&mut key, &made, &credential, &mut person);
    }
}
