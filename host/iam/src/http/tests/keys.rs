use p256::ecdsa::SigningKey;

use super::{
    authenticator::{Key, USER_PRESENT, USER_VERIFIED, text},
    *,
};
use crate::UserVerification;

const OPTIONS: &str = "/api/mfa-devices/webauthn/options";
const REGISTER: &str = "/api/mfa-devices/webauthn";
const PROOF_OPTIONS: &str = "/api/sign-in/webauthn/options";
const PROVE: &str = "/api/sign-in/webauthn";
const APP_ID: &str = "https://u2f.aws.amazon.com/app-id.json";

fn register(client: &mut Client, name: &str, key: &Key) -> Answer {
    let asked = client.post(OPTIONS, json!({"name": name})).ok();
    client.post(REGISTER, json!({"name": name, "credential": key.create(&asked)}))
}

/// Password, then the key.
fn sign_in(client: &mut Client, user: &str, key: &mut Key) -> Answer {
    client.sign_in(user, PASSWORD).ok();
    let asked = client.post(PROOF_OPTIONS, json!({})).ok();
    client.post(PROVE, json!({"credential": key.get(&asked)}))
}

#[test]
fn whoever_enrolled_with_a_pin_signs_in_by_touch_alone_where_it_is_only_preferred() {
    for verification in [UserVerification::Preferred, UserVerification::Discouraged] {
        let world = World::with(|config| Config { user_verification: verification, ..config });
        let mut client = world.user("ann");
        let mut key = Key { flags: USER_PRESENT | USER_VERIFIED, ..Key::new(&client.url) };
        register(&mut client, "blue", &key).has(201);
        sign_in(&mut client, "ann", &mut key).ok();
        key.flags = USER_PRESENT;
        sign_in(&mut client, "ann", &mut key).ok();
        // What is stored has not become weaker or stronger by it.
        key.flags = USER_PRESENT | USER_VERIFIED;
        sign_in(&mut client, "ann", &mut key).ok();
        key.flags = 0;
        sign_in(&mut client, "ann", &mut key).refused(403, "AccessDenied");
    }
}

#[test]
fn where_verification_is_required_a_touch_alone_neither_registers_nor_signs_in() {
    let world = World::with(|config| Config { user_verification: UserVerification::Required, ..config });
    let mut client = world.user("ann");
    let touched = Key::new(&client.url);
    register(&mut client, "blue", &touched).refused(403, "AccessDenied");
    let mut key = Key { flags: USER_PRESENT | USER_VERIFIED, ..touched };
    register(&mut client, "blue", &key).has(201);
    key.flags = USER_PRESENT;
    sign_in(&mut client, "ann", &mut key).refused(403, "AccessDenied");
    client.session().refused(403, "AccessDenied");
    key.flags = USER_PRESENT | USER_VERIFIED;
    sign_in(&mut client, "ann", &mut key).ok();
}

#[test]
fn the_options_ask_for_verification_as_configured() {
    for (verification, word) in [
        (UserVerification::Required, "required"),
        (UserVerification::Preferred, "preferred"),
        (UserVerification::Discouraged, "discouraged"),
    ] {
        let world = World::with(|config| Config { user_verification: verification, ..config });
        let mut client = world.user("ann");
        let asked = client.post(OPTIONS, json!({"name": "blue"})).ok();
        assert_eq!(asked["authenticatorSelection"]["userVerification"], word);
        let mut key = Key { flags: USER_PRESENT | USER_VERIFIED, ..Key::new(&client.url) };
        register(&mut client, "blue", &key).has(201);
        client.sign_in("ann", PASSWORD).ok();
        let asked = client.post(PROOF_OPTIONS, json!({})).ok();
        assert_eq!(asked["userVerification"], word);
        client.post(PROVE, json!({"credential": key.get(&asked)})).ok();
    }
}

/// What is imported of a key of U2F's time.
fn import(key: &Key, user: &str) -> Value {
    let point = key.signing.verifying_key().to_sec1_point(false);
    json!({"user": user, "name": "old", "key_handle": text(&key.id), "public_key": text(point.as_bytes())})
}

fn u2f(client: &Client) -> Key {
    Key { rp_id: APP_ID.into(), app_id: true, counter: 0, ..Key::new(&client.url) }
}

#[test]
fn a_key_of_u2f_is_asked_by_its_app_id_and_signs_in() {
    let world = World::new();
    let mut client = world.user("ann");
    let mut key = u2f(&client);
    let device = world.administrator().post("/api/u2f-registrations", import(&key, "ann")).has(201);
    client.sign_in("ann", PASSWORD).ok();
    let asked = client.post(PROOF_OPTIONS, json!({})).ok();
    assert_eq!(asked["extensions"]["appid"], APP_ID);
    client.post(PROVE, json!({"credential": key.get(&asked)})).ok();
    assert_eq!(client.session().ok()["mfa_serial"], device["serial"]);
    assert_eq!(sign_in(&mut client, "ann", &mut Key { counter: 0, ..key }).status, 403);
}

#[test]
fn the_app_id_serves_only_keys_of_u2f_that_say_so_and_only_the_one_configured() {
    let world = World::new();
    let mut client = world.user("ann");
    let key = u2f(&client);
    world.administrator().post("/api/u2f-registrations", import(&key, "ann")).has(201);
    let wrong = [
        Key { app_id: false, ..key.clone() },
        Key { rp_id: "https://evil.example/app-id.json".into(), ..key.clone() },
        Key { flags: 0, ..key.clone() },
        Key { signing: SigningKey::from_slice(&[7; 32]).unwrap(), ..key },
    ];
    for mut key in wrong {
        sign_in(&mut client, "ann", &mut key).refused(403, "AccessDenied");
        client.session().refused(403, "AccessDenied");
    }
    let mut bob = world.user("bob");
    let mut modern = Key::new(&bob.url);
    register(&mut bob, "blue", &modern).has(201);
    bob.sign_in("bob", PASSWORD).ok();
    let asked = bob.post(PROOF_OPTIONS, json!({})).ok();
    assert_eq!(asked.get("extensions").and_then(|asked| asked.get("appid")), None);
    for rp_id in [APP_ID, "localhost"] {
        modern = Key { rp_id: rp_id.into(), app_id: true, ..modern };
        sign_in(&mut bob, "bob", &mut modern).refused(403, "AccessDenied");
    }
}

#[test]
fn only_an_administrator_imports_keys_and_only_whole_ones() {
    let world = World::new();
    let mut client = world.user("ann");
    let key = u2f(&client);
    client.post("/api/u2f-registrations", import(&key, "ann")).refused(403, "AccessDenied");
    let mut administrator = world.administrator();
    let whole = import(&key, "ann");
    for (member, wrong) in [
        ("public_key", json!("")),
        ("public_key", json!(text(&[4; 64]))),
        ("public_key", json!(text(&[2; 65]))),
        ("public_key", json!(text(&[4; 65]))),
        ("public_key", json!("not base64url!")),
        ("key_handle", json!("")),
        ("key_handle", json!(text(&[1; 256]))),
        ("name", json!("not a name")),
    ] {
        let mut body = whole.clone();
        body[member] = wrong;
        administrator.post("/api/u2f-registrations", body).refused(400, "InvalidInput");
    }
    administrator.post("/api/u2f-registrations", import(&key, "nobody")).refused(404, "NoSuchEntity");
    administrator.post("/api/u2f-registrations", whole.clone()).has(201);
    administrator.post("/api/u2f-registrations", whole).refused(409, "EntityAlreadyExists");
}
