//! Properties of authenticatorClientPIN over parameters that nobody would send.

use ciborium::Value;
use keywright_common::status::Status;
use keywright_tests::{Agreement, Parameters, Simulation};
use proptest::prelude::*;

const PIN: &str = "1234";

fn bytes() -> impl Strategy<Value = Value> {
    let lengths = prop_oneof![Just(0), Just(16), Just(32), Just(48), Just(64), Just(80), 0..100_usize];
    lengths.prop_flat_map(|length| prop::collection::vec(any::<u8>(), length)).prop_map(Value::from)
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        bytes(),
        any::<i64>().prop_map(Value::from),
        (0..12_u64).prop_map(Value::from),
        "[a-z.]{0,20}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let array = prop::collection::vec(scalar(), 0..4).prop_map(Value::Array);
    let map = prop::collection::btree_map(0..8_i64, scalar(), 0..4).prop_map(|entries| {
        Value::Map(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
    });
    prop_oneof![scalar(), scalar(), array, map]
}

/// A member that is replaced, or taken away.
fn mutation() -> impl Strategy<Value = (i64, Option<Value>)> {
    (prop_oneof![1..=10_i64, 0..30_i64], prop::option::weighted(0.8, value()))
}

fn mutated(mut parameters: Parameters, mutations: Vec<(i64, Option<Value>)>) -> Parameters {
    for (member, value) in mutations {
        parameters = match value {
            Some(value) => parameters.with(member, value),
            None => parameters.without(member),
        };
    }
    parameters
}

fn requests(agreement: &Agreement) -> [Parameters; 6] {
    let padded = keywright_tests::padded("5678");
    [
        agreement.setting(&padded),
        agreement.changing("4321", &padded),
        agreement.pin_token("4321"),
        agreement.permitted_token("4321", 3, Some("example.org")),
        Parameters::default().with(1, agreement.protocol).with(2, 2),
        Parameters::default().with(2, 1),
    ]
}

/// What a PIN that was compared and found wrong is answered with; nothing else may cost a retry.
fn is_mismatch(answer: &Result<Value, Status>) -> bool {
    matches!(answer, Err(Status::PIN_INVALID | Status::PIN_AUTH_BLOCKED))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn g04_only_a_pin_that_was_compared_costs_a_retry(
        protocol in 1..=2_u64,
        chosen in 0..6_usize,
        mutations in prop::collection::vec(mutation(), 0..4),
    ) {
        let mut key = Simulation::new();
        key.set_pin(2, PIN).unwrap();
        let agreement = Agreement::new(&mut key, protocol);
        let request = mutated(requests(&agreement)[chosen].clone(), mutations);
        let answer = key.client_pin(&request);
        let left = if is_mismatch(&answer) { 7 } else { 8 };
        prop_assert_eq!(key.pin_retries(), (left, false), "{:?} to {:?}", answer, request);
        // The PIN is still the old one, and the key still works.
        key.pin_token(protocol, PIN).unwrap();
    }

    #[test]
    fn without_a_pin_no_parameters_give_a_token(
        protocol in 1..=2_u64,
        chosen in 1..4_usize,
        mutations in prop::collection::vec(mutation(), 0..4),
    ) {
        let mut key = Simulation::new();
        let agreement = Agreement::new(&mut key, protocol);
        let request = mutated(requests(&agreement)[chosen].clone(), mutations);
        if let Ok(Value::Map(members)) = key.client_pin(&request) {
            prop_assert!(!members.iter().any(|(member, _)| *member == Value::from(2)), "{:?}", request);
        }
        prop_assert_eq!(key.pin_retries(), (8, false));
    }

    #[test]
    fn bytes_that_are_no_parameters_change_nothing(parameters in prop::collection::vec(any::<u8>(), 0..80)) {
        let mut key = Simulation::new();
        key.set_pin(2, PIN).unwrap();
        let channel = key.channel();
        let payload = [&[6][..], &parameters].concat();
        let answer = key.cbor_bytes_on(channel, &payload);
        prop_assert!(!is_mismatch(&answer));
        prop_assert_eq!(key.pin_retries(), (8, false));
    }
}
