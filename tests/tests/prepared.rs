//! What a key does ahead while it waits for the user: it gives nothing away, changes nothing, and is the same to the platform.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use ciborium::{Value, cbor};
use keywright_common::auth_data::AuthData;
use keywright_common::cbor::Item;
use keywright_common::cose::PublicKey;
use keywright_common::ctaphid::Command;
use keywright_common::status::Status;
use keywright_firmware::key::Indication;
use keywright_tests::{CLIENT_DATA_HASH, Parameters, Simulation, value_at};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{DerSignature, VerifyingKey};

const MAKE_CREDENTIAL: u8 = 1;
const GET_ASSERTION: u8 = 2;

fn begin(key: &mut Simulation, command: u8, parameters: &Parameters) {
    let mut payload = vec![command];
    ciborium::into_writer(&parameters.value(), &mut payload).unwrap();
    let channel = key.channel();
    key.send(channel, Command::CBOR, &payload);
    assert!(matches!(key.key.indication(), Indication::TouchWanted(_)));
}

fn discoverable() -> Parameters {
    Parameters::creation("example.org").with(7, cbor!({ "rk" => true }).unwrap())
}

/// The counter of an assertion whose signature was checked.
fn counter(creation: &Value, response: &Value) -> u32 {
    let auth_data = value_at(creation, 2).as_bytes().unwrap();
    let credential = AuthData::parse(auth_data).unwrap().attested_credential.unwrap();
    let key = Item::parse(credential.public_key).unwrap();
    let PublicKey::Es256 { x, y } = PublicKey::decode(key.map().unwrap()).unwrap() else {
        panic!("another kind")
    };
    let point = p256::Sec1Point::from_affine_coordinates(&x.into(), &y.into(), false);
    let (signed, signature) = (value_at(response, 2).as_bytes().unwrap(), value_at(response, 3));
    let signature = DerSignature::from_bytes(signature.as_bytes().unwrap()).unwrap();
    let message = [&signed[..], &CLIENT_DATA_HASH].concat();
    VerifyingKey::from_sec1_point(&point).unwrap().verify(&message, &signature).unwrap();
    AuthData::parse(signed).unwrap().fixed.sign_count
}

#[test]
fn g07_what_was_prepared_waits_for_the_touch_and_is_nothing_without_it() {
    for touched in [false, true] {
        let mut key = Simulation::new();
        let before = key.flash.content();
        begin(&mut key, MAKE_CREDENTIAL, &discoverable());
        key.key.prepare();
        assert_eq!(key.flash.content(), before, "nothing is written ahead");
        let report = key.key.poll_transmit();
        assert!(report.is_none_or(|report| report[4] == 0xbb), "a keepalive and no answer");
        assert!(matches!(key.key.indication(), Indication::TouchWanted(_)));
        if touched {
            key.key.touch(key.now)
        } else {
            key.key.decline(key.now)
        }
        while key.key.poll_transmit().is_some() {}
        let found = Parameters::default().with(1, "example.org").with(2, &CLIENT_DATA_HASH[..]);
        let answer = key.cbor(GET_ASSERTION, Some(found.value()));
        assert_eq!(answer.err(), (!touched).then_some(Status::NO_CREDENTIALS));
    }
}

#[test]
fn g30_whatever_was_prepared_signatures_verify_and_counters_rise_by_one() {
    let mut key = Simulation::new();
    let creation = key.cbor(MAKE_CREDENTIAL, Some(Parameters::creation("example.org").value())).unwrap();
    let auth_data = AuthData::parse(value_at(&creation, 2).as_bytes().unwrap()).unwrap();
    let first = auth_data.fixed.sign_count + 1;
    let id = auth_data.attested_credential.unwrap().credential_id.to_vec();
    let request = Parameters::assertion("example.org", &[&id]);
    for (sign_count, prepared) in (first..).zip([0, 1, 2]) {
        begin(&mut key, GET_ASSERTION, &request);
        (0..prepared).for_each(|_| key.key.prepare());
        // Another request of the same kind, which takes nothing of what was prepared for the first.
        key.key.decline(key.now);
        while key.key.poll_transmit().is_some() {}
        let response = key.cbor(GET_ASSERTION, Some(request.value())).unwrap();
        assert_eq!(counter(&creation, &response), sign_count);
    }
}
