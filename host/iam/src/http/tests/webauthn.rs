use super::{
    authenticator::{Key, USER_PRESENT, bytes, text},
    *,
};
use crate::Attestation;

const OPTIONS: &str = "/api/mfa-devices/webauthn/options";
const REGISTER: &str = "/api/mfa-devices/webauthn";
const PROOF_OPTIONS: &str = "/api/sign-in/webauthn/options";
const PROVE: &str = "/api/sign-in/webauthn";

fn options(client: &mut Client, name: &str) -> Value {
    client.post(OPTIONS, json!({"name": name})).ok()
}

fn register(client: &mut Client, name: &str, credential: Value) -> Answer {
    client.post(REGISTER, json!({"name": name, "credential": credential}))
}

/// A user with one key, and a client that has given the password.
fn pending(world: &World, user: &str) -> (Client, Key, String) {
    let mut client = world.user(user);
    let key = Key::new(&client.url);
    let options = options(&mut client, "blue");
    let device = register(&mut client, "blue", key.create(&options)).has(201);
    assert_eq!(client.sign_in(user, PASSWORD).ok()["state"], "mfa_required");
    (client, key, device["serial"].as_str().unwrap().to_owned())
}

fn prove(client: &mut Client, credential: Value) -> Answer {
    client.post(PROVE, json!({"credential": credential}))
}

#[test]
fn the_options_of_registration_are_the_profile() {
    let world = World::new();
    let mut client = world.user("ann");
    let options = options(&mut client, "blue");
    assert_eq!(options["rp"]["id"], "localhost");
    let parameters = json!([{"type": "public-key", "alg": -7}, {"type": "public-key", "alg": -257}]);
    assert_eq!(options["pubKeyCredParams"], parameters);
    assert_eq!(options["attestation"], "direct");
    assert_eq!(options["timeout"], 60_000);
    assert_eq!(options["excludeCredentials"], json!([]));
    let selection = &options["authenticatorSelection"];
    assert_eq!(
        (&selection["userVerification"], &selection["residentKey"]),
        (&json!("preferred"), &json!("discouraged"))
    );
    assert_eq!(bytes(&options["challenge"]).len(), 32);
    assert_eq!(bytes(&options["user"]["id"]).len(), 32);
}

#[test]
fn a_key_with_packed_or_no_attestation_registers_and_signs_in() {
    let world = World::new();
    for (user, packed) in [("ann", true), ("bob", false)] {
        let mut client = world.user(user);
        let mut key = Key { packed, ..Key::new(&client.url) };
        let asked = options(&mut client, "blue");
        let device = register(&mut client, "blue", key.create(&asked)).has(201);
        assert_eq!((&device["type"], &device["name"]), (&json!("webauthn"), &json!("blue")));
        let serial = device["serial"].as_str().unwrap();
        assert!(serial.starts_with(&format!("arn:aws:iam::{}:u2f/user/{user}/blue-", client.account)));
        let step = client.sign_in(user, PASSWORD).ok();
        assert_eq!(step["devices"], json!([device]));
        client.session().refused(403, "AccessDenied");
        let asked = client.post(PROOF_OPTIONS, json!({})).ok();
        assert_eq!(bytes(&asked["allowCredentials"][0]["id"]), key.id);
        assert_eq!((&asked["rpId"], &asked["timeout"]), (&json!("localhost"), &json!(60_000)));
        let proof = key.get(&asked);
        assert_eq!(prove(&mut client, proof).ok()["state"], "signed_in");
        assert_eq!(client.session().ok()["mfa_serial"], serial);
    }
}

#[test]
fn a_registration_for_another_origin_rp_type_or_challenge_is_refused() {
    let world = World::new();
    let mut client = world.user("ann");
    let key = Key::new(&client.url);
    let url = client.url.clone();
    let wrong = [
        Key { origin: "http://localhost:1".into(), ..key.clone() },
        Key { origin: "https://evil.example".into(), ..key.clone() },
        Key { origin: format!("{url}/"), ..key.clone() },
        Key { rp_id: "evil.example".into(), ..key.clone() },
        Key { cross_origin: true, ..key.clone() },
        Key { flags: 0, ..key.clone() },
        Key { algorithm: -8, ..key.clone() },
    ];
    for key in wrong {
        let asked = options(&mut client, "blue");
        register(&mut client, "blue", key.create(&asked)).refused(403, "AccessDenied");
    }
    options(&mut client, "blue");
    let guessed = json!({"challenge": text(&[0; 32])});
    register(&mut client, "blue", key.create(&guessed)).refused(403, "AccessDenied");
    assert_eq!(client.get("/api/mfa-devices").ok()["devices"], json!([]));
}

#[test]
fn a_registration_challenge_is_good_once_for_its_session_its_name_and_75_seconds() {
    let world = World::new();
    let mut client = world.user("ann");
    let key = Key::new(&client.url);
    register(&mut client, "blue", key.create(&json!({"challenge": text(&[0; 32])})))
        .refused(403, "AccessDenied");

    let asked = options(&mut client, "blue");
    let mut eve = world.user("eve");
    options(&mut eve, "blue");
    register(&mut eve, "blue", key.create(&asked)).refused(403, "AccessDenied");

    register(&mut client, "green", key.create(&asked)).refused(400, "InvalidInput");
    register(&mut client, "blue", key.create(&asked)).refused(403, "AccessDenied");

    let asked = options(&mut client, "blue");
    world.hands.advance(75);
    register(&mut client, "blue", key.create(&asked)).refused(403, "AccessDenied");

    let (first, second) = (options(&mut client, "blue"), options(&mut client, "blue"));
    register(&mut client, "blue", key.create(&first)).refused(403, "AccessDenied");
    register(&mut client, "blue", key.create(&second)).refused(403, "AccessDenied");
}

#[test]
fn a_wrong_self_attestation_signature_or_a_foreign_raw_id_is_refused() {
    let world = World::new();
    let mut client = world.user("ann");
    let key = Key::new(&client.url);
    let asked = options(&mut client, "blue");
    let mut answer = key.create(&asked);
    let mut object = bytes(&answer["response"]["attestationObject"]);
    let at = object.windows(16).position(|window| window == [0x4b; 16]).unwrap();
    object[at] ^= 1;
    answer["response"]["attestationObject"] = json!(text(&object));
    register(&mut client, "blue", answer).refused(403, "AccessDenied");

    let asked = options(&mut client, "blue");
    let mut answer = key.create(&asked);
    answer["rawId"] = json!(text(b"another credential"));
    register(&mut client, "blue", answer).refused(403, "AccessDenied");
}

#[test]
fn a_credential_that_someone_has_registered_is_refused_to_everyone() {
    let world = World::new();
    let (_, key, _) = pending(&world, "ann");
    let mut eve = world.user("eve");
    let asked = options(&mut eve, "stolen");
    register(&mut eve, "stolen", key.create(&asked)).refused(409, "EntityAlreadyExists");
}

#[test]
fn a_second_key_needs_a_proven_session_excludes_the_first_and_another_name() {
    let world = World::new();
    let (mut client, mut key, _) = pending(&world, "ann");
    let asked = client.post(PROOF_OPTIONS, json!({})).ok();
    let proof = key.get(&asked);
    prove(&mut client, proof).ok();
    client.post(OPTIONS, json!({"name": "blue"})).refused(409, "EntityAlreadyExists");
    client.post(OPTIONS, json!({"name": "not/a/name"})).refused(400, "InvalidInput");
    let asked = options(&mut client, "green");
    assert_eq!(bytes(&asked["excludeCredentials"][0]["id"]), key.id);
    let second = Key::new(&client.url);
    register(&mut client, "green", second.create(&asked)).has(201);
    assert_eq!(client.get("/api/mfa-devices").ok()["devices"].as_array().unwrap().len(), 2);
}

#[test]
fn an_app_whose_name_a_key_took_meanwhile_is_not_enabled() {
    let world = World::new();
    let mut client = world.user("ann");
    let setup = client.post("/api/mfa-devices/totp", json!({"name": "blue"})).has(201);
    let mut key = Key::new(&client.url);
    let asked = options(&mut client, "blue");
    register(&mut client, "blue", key.create(&asked)).has(201);
    client.sign_in("ann", PASSWORD).ok();
    let asked = client.post(PROOF_OPTIONS, json!({})).ok();
    let proof = key.get(&asked);
    prove(&mut client, proof).ok();
    let (seed, now) = (setup["seed_base32"].as_str().unwrap(), world.hands.seconds());
    let body = json!({"serial": setup["serial"], "code1": code(seed, now - 30), "code2": code(seed, now)});
    client.post("/api/mfa-devices/totp/enable", body).refused(409, "EntityAlreadyExists");
}

#[test]
fn attestation_is_asked_for_as_configured() {
    for (attestation, text) in [(Attestation::None, "none"), (Attestation::Indirect, "indirect")] {
        let hands = Hands::new();
        let running = Server::start(Config { attestation, ..Config::ephemeral() }).unwrap();
        let world = World { running, hands };
        let mut client = world.user("ann");
        assert_eq!(client.post(OPTIONS, json!({"name": "blue"})).ok()["attestation"], text);
    }
}

#[test]
fn a_ninth_key_is_refused() {
    let world = World::new();
    let (mut client, mut key, _) = pending(&world, "ann");
    let asked = client.post(PROOF_OPTIONS, json!({})).ok();
    let proof = key.get(&asked);
    prove(&mut client, proof).ok();
    for n in 2..=8 {
        let name = format!("key-{n}");
        let asked = options(&mut client, &name);
        let key = Key::new(&client.url);
        register(&mut client, &name, key.create(&asked)).has(201);
    }
    client.post(OPTIONS, json!({"name": "ninth"})).refused(409, "LimitExceeded");
    client.post("/api/mfa-devices/totp", json!({"name": "ninth"})).refused(409, "LimitExceeded");
}

#[test]
fn a_proof_for_another_origin_rp_page_or_without_presence_is_refused() {
    let world = World::new();
    let (mut client, key, _) = pending(&world, "ann");
    let wrong = [
        Key { origin: "http://localhost:1".into(), ..key.clone() },
        Key { origin: "https://evil.example".into(), ..key.clone() },
        Key { rp_id: "evil.example".into(), ..key.clone() },
        Key { cross_origin: true, ..key.clone() },
        Key { flags: 0, ..key.clone() },
        Key { user_handle: Some(b"someone else".to_vec()), ..key.clone() },
    ];
    for mut key in wrong {
        let asked = client.post(PROOF_OPTIONS, json!({})).ok();
        let proof = key.get(&asked);
        prove(&mut client, proof).refused(403, "AccessDenied");
        client.session().refused(403, "AccessDenied");
    }
}

#[test]
fn a_wrong_replayed_or_late_challenge_is_refused() {
    let world = World::new();
    let (mut client, mut key, _) = pending(&world, "ann");
    let guessed = json!({"challenge": text(&[0; 32])});
    let proof = key.get(&guessed);
    prove(&mut client, proof.clone()).refused(403, "AccessDenied");
    client.post(PROOF_OPTIONS, json!({})).ok();
    prove(&mut client, proof).refused(403, "AccessDenied");

    let asked = client.post(PROOF_OPTIONS, json!({})).ok();
    let proof = key.get(&asked);
    world.hands.advance(75);
    prove(&mut client, proof).refused(403, "AccessDenied");

    let asked = client.post(PROOF_OPTIONS, json!({})).ok();
    let proof = key.get(&asked);
    prove(&mut client, proof.clone()).ok();
    prove(&mut client, proof.clone()).refused(403, "AccessDenied");
    client.sign_in("ann", PASSWORD).ok();
    prove(&mut client, proof.clone()).refused(403, "AccessDenied");
    client.post(PROOF_OPTIONS, json!({})).ok();
    prove(&mut client, proof).refused(403, "AccessDenied");
}

#[test]
fn a_failed_answer_uses_the_challenge_up() {
    let world = World::new();
    let (mut client, mut key, _) = pending(&world, "ann");
    let asked = client.post(PROOF_OPTIONS, json!({})).ok();
    let mut proof = key.get(&asked);
    let good = proof.clone();
    proof["response"]["signature"] = json!(text(b"not a signature"));
    prove(&mut client, proof).refused(403, "AccessDenied");
    prove(&mut client, good).refused(403, "AccessDenied");
}

#[test]
fn another_users_key_does_not_prove_the_pending_user() {
    let world = World::new();
    let (_, mut foreign, foreign_serial) = pending(&world, "eve");
    let (mut client, key, _) = pending(&world, "ann");
    client.post(PROOF_OPTIONS, json!({"serial": foreign_serial})).refused(404, "NoSuchEntity");
    let asked = client.post(PROOF_OPTIONS, json!({})).ok();
    let proof = foreign.get(&asked);
    prove(&mut client, proof).refused(403, "AccessDenied");
    let asked = client.post(PROOF_OPTIONS, json!({})).ok();
    let mut disguised = Key { id: key.id, ..foreign };
    let proof = disguised.get(&asked);
    prove(&mut client, proof).refused(403, "AccessDenied");
    client.session().refused(403, "AccessDenied");
}

#[test]
fn a_counter_that_does_not_rise_is_refused_unless_it_is_always_zero() {
    let world = World::new();
    let (mut client, mut key, _) = pending(&world, "ann");
    key.counter = 10;
    let asked = client.post(PROOF_OPTIONS, json!({})).ok();
    let proof = key.get(&asked);
    prove(&mut client, proof).ok();
    for counter in [11, 10, 0] {
        client.sign_in("ann", PASSWORD).ok();
        let asked = client.post(PROOF_OPTIONS, json!({})).ok();
        let message = prove(&mut client, key.get_with_counter(&asked, counter)).refused(403, "AccessDenied");
        assert!(message.contains("counter"), "{message}");
        client.session().refused(403, "AccessDenied");
    }
    let mut bob = world.user("bob");
    let still = Key { counter: 0, ..Key::new(&bob.url) };
    let asked = options(&mut bob, "still");
    register(&mut bob, "still", still.create(&asked)).has(201);
    for _ in 0..2 {
        bob.sign_in("bob", PASSWORD).ok();
        let asked = bob.post(PROOF_OPTIONS, json!({})).ok();
        prove(&mut bob, still.get_with_counter(&asked, 0)).ok();
    }
}

#[test]
fn the_counter_is_the_stored_one_when_two_sign_ins_are_under_way() {
    let world = World::new();
    let (mut first, key, _) = pending(&world, "ann");
    let mut second = world.client();
    second.sign_in("ann", PASSWORD).ok();
    let (one, two) = (first.post(PROOF_OPTIONS, json!({})).ok(), second.post(PROOF_OPTIONS, json!({})).ok());
    prove(&mut first, key.get_with_counter(&one, 5)).ok();
    prove(&mut second, key.get_with_counter(&two, 5)).refused(403, "AccessDenied");
    second.session().refused(403, "AccessDenied");
}

#[test]
fn one_key_of_several_may_be_asked_for_and_then_no_other_answers() {
    let world = World::new();
    let (mut client, mut blue, blue_serial) = pending(&world, "ann");
    let asked = client.post(PROOF_OPTIONS, json!({})).ok();
    let proof = blue.get(&asked);
    prove(&mut client, proof).ok();
    let asked = options(&mut client, "green");
    let mut green = Key { flags: USER_PRESENT, ..Key::new(&client.url) };
    register(&mut client, "green", green.create(&asked)).has(201);
    client.sign_in("ann", PASSWORD).ok();
    let asked = client.post(PROOF_OPTIONS, json!({"serial": blue_serial})).ok();
    assert_eq!(asked["allowCredentials"].as_array().unwrap().len(), 1);
    let proof = green.get(&asked);
    prove(&mut client, proof).refused(403, "AccessDenied");
}
