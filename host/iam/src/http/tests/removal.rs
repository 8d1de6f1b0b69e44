use super::{authenticator::Key, *};
use crate::Removal;

const ASK: &str = "/api/mfa-devices/remove";
const DECIDE: &str = "/api/removal-requests/decide";

/// A user with an app, signed in with it; the serial number and the seed.
fn proven(world: &World, name: &str) -> (Client, String, String) {
    let (mut client, serial, seed) = world.user_with_app(name);
    client.sign_in(name, PASSWORD).ok();
    client.post("/api/sign-in/totp", json!({"serial": serial, "code": world.code(&seed)})).ok();
    (client, serial, seed)
}

fn open(client: &mut Client) -> Vec<Value> {
    client.get("/api/removal-requests").ok()["requests"].as_array().unwrap().clone()
}

#[test]
fn a_user_asks_and_an_administrator_grants() {
    let world = World::new();
    let (mut ann, serial, _) = proven(&world, "ann");
    let answer = ann.post(ASK, json!({"serial": serial, "reason": " lost "})).ok();
    assert_eq!(answer["state"], "requested");
    assert_eq!(ann.get("/api/mfa-devices").ok()["devices"].as_array().unwrap().len(), 1);
    let mut administrator = world.administrator();
    let requests = open(&mut administrator);
    assert_eq!(
        (&requests[0]["user"], &requests[0]["serial"], &requests[0]["reason"], &requests[0]["type"]),
        (&json!("ann"), &json!(serial), &json!("lost"), &json!("totp"))
    );
    administrator.post(DECIDE, json!({"serial": serial, "decision": "grant"})).ok();
    assert!(open(&mut administrator).is_empty());
    // The session that the device proved is over, and the password alone signs in.
    ann.session().refused(403, "AccessDenied");
    assert_eq!(ann.sign_in("ann", PASSWORD).ok()["state"], "signed_in");
}

#[test]
fn a_denied_request_leaves_the_device_and_may_be_repeated() {
    let world = World::new();
    let (mut ann, serial, _) = proven(&world, "ann");
    ann.post(ASK, json!({"serial": serial})).ok();
    ann.post(ASK, json!({"serial": serial})).refused(409, "EntityAlreadyExists");
    let mut administrator = world.administrator();
    administrator.post(DECIDE, json!({"serial": serial, "decision": "deny"})).ok();
    for decision in ["deny", "grant"] {
        let body = json!({"serial": serial, "decision": decision});
        administrator.post(DECIDE, body).refused(404, "NoSuchEntity");
    }
    ann.session().ok();
    assert!(ann.get("/security-credentials").text.contains("An administrator denied it"));
    ann.post(ASK, json!({"serial": serial})).ok();
    assert_eq!(open(&mut administrator).len(), 1);
}

#[test]
fn a_withdrawn_request_can_no_longer_be_granted() {
    let world = World::new();
    let (mut ann, serial, _) = proven(&world, "ann");
    ann.post("/api/mfa-devices/withdraw-removal", json!({"serial": serial})).refused(404, "NoSuchEntity");
    ann.post(ASK, json!({"serial": serial})).ok();
    let (mut eve, _, _) = proven(&world, "eve");
    eve.post("/api/mfa-devices/withdraw-removal", json!({"serial": serial})).refused(404, "NoSuchEntity");
    ann.post("/api/mfa-devices/withdraw-removal", json!({"serial": serial})).ok();
    let body = json!({"serial": serial, "decision": "grant"});
    world.administrator().post(DECIDE, body).refused(404, "NoSuchEntity");
}

#[test]
fn nobody_but_an_administrator_sees_or_decides_requests() {
    let world = World::new();
    let (mut ann, serial, _) = proven(&world, "ann");
    ann.post(ASK, json!({"serial": serial})).ok();
    for decision in ["grant", "deny"] {
        ann.post(DECIDE, json!({"serial": serial, "decision": decision})).refused(403, "AccessDenied");
    }
    ann.get("/api/removal-requests").refused(403, "AccessDenied");
    for path in ["/requests", "/users", "/users/ann", "/users/create", "/events"] {
        assert_eq!(ann.get(path).status, 403, "{path}");
    }
    ann.session().ok();
}

#[test]
fn another_users_device_cannot_be_asked_about() {
    let world = World::new();
    let (_, serial, _) = proven(&world, "ann");
    let (mut eve, _, _) = proven(&world, "eve");
    eve.post(ASK, json!({"serial": serial})).refused(404, "NoSuchEntity");
    eve.post(ASK, json!({"serial": "nothing"})).refused(404, "NoSuchEntity");
}

#[test]
fn a_session_without_mfa_asks_for_nothing() {
    let world = World::new();
    let (mut ann, serial, _) = world.user_with_app("ann");
    ann.post(ASK, json!({"serial": serial})).refused(403, "AccessDenied");
}

#[test]
fn an_endless_reason_is_refused() {
    let world = World::new();
    let (mut ann, serial, _) = proven(&world, "ann");
    let reason = "x".repeat(501);
    ann.post(ASK, json!({"serial": serial, "reason": reason})).refused(400, "InvalidInput");
}

#[test]
fn an_administrator_with_mfa_decides_only_after_proving_it() {
    let world = World::new();
    let (mut ann, serial, _) = proven(&world, "ann");
    ann.post(ASK, json!({"serial": serial})).ok();
    let mut administrator = world.administrator();
    let mut key = Key::new(&administrator.url);
    let asked = administrator.post("/api/mfa-devices/webauthn/options", json!({"name": "blue"})).ok();
    let body = json!({"name": "blue", "credential": key.create(&asked)});
    administrator.post("/api/mfa-devices/webauthn", body).has(201);
    let body = json!({"serial": serial, "decision": "grant"});
    administrator.post(DECIDE, body.clone()).refused(403, "AccessDenied");
    administrator.get("/api/removal-requests").refused(403, "AccessDenied");
    let mut administrator = world.administrator();
    let asked = administrator.post("/api/sign-in/webauthn/options", json!({})).ok();
    administrator.post("/api/sign-in/webauthn", json!({"credential": key.get(&asked)})).ok();
    administrator.post(DECIDE, body).ok();
}

#[test]
fn where_the_policy_lets_owners_they_remove_what_they_proved() {
    let world = World::with(|config| Config { removal: Removal::ByOwner, ..config });
    let (mut ann, serial, _) = world.user_with_app("ann");
    ann.post(ASK, json!({"serial": serial})).refused(403, "AccessDenied");
    let (mut bob, serial, _) = proven(&world, "bob");
    assert_eq!(bob.post(ASK, json!({"serial": serial})).ok()["state"], "removed");
    bob.session().refused(403, "AccessDenied");
    assert_eq!(bob.sign_in("bob", PASSWORD).ok()["state"], "signed_in");
}

#[test]
fn a_request_dies_with_the_use_that_it_was_about() {
    let world = World::new();
    let (mut ann, serial, seed) = proven(&world, "ann");
    ann.post(ASK, json!({"serial": serial})).ok();
    let mut administrator = world.administrator();
    let csrf = console::csrf(&administrator.get("/users/ann"));
    let answer = administrator.form("/users/ann/remove", &[("csrf", &csrf), ("serial", &serial)]);
    assert_eq!(answer.status, 303);
    assert!(open(&mut administrator).is_empty());
    // The same device in use again has no request about it.
    world.hands.advance(120);
    ann.sign_in("ann", PASSWORD).ok();
    let now = world.hands.seconds();
    let codes = json!({"serial": serial, "code1": code(&seed, now - 30), "code2": code(&seed, now)});
    ann.post("/api/mfa-devices/totp/enable", codes).ok();
    assert!(open(&mut administrator).is_empty());
    let body = json!({"serial": serial, "decision": "grant"});
    administrator.post(DECIDE, body).refused(404, "NoSuchEntity");
}
