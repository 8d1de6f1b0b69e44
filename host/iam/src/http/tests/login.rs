//! Credentials for the command line: what a sign-in gives, and what a grant is worth.

use super::{
    authenticator::{Key, text},
    aws::Aws,
    *,
};
use crate::config::{Guard, Removal};

/// Someone with a key, signed in with it; the key and its serial number.
pub(super) fn with_key(world: &World, user: &str) -> (Client, Key, String) {
    let mut client = world.user(user);
    let mut key = Key::new(&client.url);
    let asked = client.post("/api/mfa-devices/webauthn/options", json!({"name": "blue"})).ok();
    let body = json!({"name": "blue", "credential": key.create(&asked)});
    let device = client.post("/api/mfa-devices/webauthn", body).has(201);
    assert_eq!(client.sign_in(user, PASSWORD).ok()["state"], "mfa_required");
    tap(&mut client, &mut key).ok();
    (client, key, device["serial"].as_str().unwrap().to_owned())
}

/// The second step of a sign-in.
pub(super) fn tap(client: &mut Client, key: &mut Key) -> Answer {
    let asked = client.post("/api/sign-in/webauthn/options", json!({})).ok();
    client.post("/api/sign-in/webauthn", json!({"credential": key.get(&asked)}))
}

fn credentials(client: &mut Client) -> Answer {
    client.post("/api/credentials", json!({}))
}

fn grant_of(login: &Value) -> String {
    login["grant"]["token"].as_str().unwrap().to_owned()
}

fn begin(client: &mut Client, grant: &str) -> Answer {
    client.post("/api/sign-in/grant", json!({"grant": grant}))
}

/// A client of AWS's API with credentials that a login gave.
fn aws(world: &World, login: &Value) -> Aws {
    let text = |name: &str| login[name].as_str().unwrap().to_owned();
    let (id, secret) = (text("access_key_id"), text("secret_access_key"));
    let aws = Aws::new(world.running.url.clone(), world.hands.clone(), id, secret);
    Aws { token: Some(text("session_token")), ..aws }
}

fn guarded() -> World {
    World::with(|config| Config { guard: Some(Guard { mfa_within: Some(3600) }), ..config })
}

#[test]
fn a_tap_becomes_credentials_that_count_as_mfa_since_the_sign_in() {
    let world = guarded();
    let (mut client, _, serial) = with_key(&world, "ann");
    world.hands.advance(600);
    let login = credentials(&mut client).has(201);
    let now = world.hands.seconds();
    assert_eq!(login["arn"], format!("arn:aws:iam::{}:user/ann", client.account));
    assert_eq!((&login["mfa_serial"], &login["mfa_at"]), (&json!(serial), &json!(now - 600)));
    assert_eq!(login["expires_at"], now + 3600);
    let aws = aws(&world, &login);
    aws.call("GetCallerIdentity", &[]).ok();
    aws.call("ListAccessKeys", &[]).ok();
    // The guard's hour counts from the touch, not from when the credentials were made.
    world.hands.advance(3000);
    aws.call("ListAccessKeys", &[]).ok();
    world.hands.advance(1);
    let words = aws.call("ListAccessKeys", &[]).refused(403, "AccessDenied");
    assert!(words.ends_with("with an explicit deny in an identity-based policy"), "{words}");
    world.hands.advance(599);
    aws.call("GetCallerIdentity", &[]).refused(403, "ExpiredToken");
}

#[test]
fn credentials_take_a_session_with_mfa_and_a_duration_within_bounds() {
    let world = World::new();
    credentials(&mut world.client()).refused(403, "AccessDenied");
    credentials(&mut world.user("bob")).refused(403, "AccessDenied");
    let (mut client, ..) = with_key(&world, "ann");
    for seconds in [i64::MIN, -1, 0, 59, 43_201, i64::MAX] {
        client.post("/api/credentials", json!({"duration_seconds": seconds})).refused(400, "InvalidInput");
    }
    let login = client.post("/api/credentials", json!({"duration_seconds": 60})).has(201);
    let aws = aws(&world, &login);
    world.hands.advance(59);
    aws.call("GetCallerIdentity", &[]).ok();
    world.hands.advance(1);
    aws.call("GetCallerIdentity", &[]).refused(403, "ExpiredToken");
    client.sign_in("ann", PASSWORD).ok();
    credentials(&mut client).refused(403, "AccessDenied");
}

#[test]
fn a_code_gives_credentials_and_no_grant() {
    let world = World::new();
    let (mut client, serial, seed) = world.user_with_app("ann");
    client.sign_in("ann", PASSWORD).ok();
    client.post("/api/sign-in/totp", json!({"serial": serial, "code": world.code(&seed)})).ok();
    let login = credentials(&mut client).has(201);
    assert_eq!((&login["mfa_serial"], &login["grant"]), (&json!(serial), &Value::Null));
}

#[test]
fn a_grant_and_a_tap_renew_without_the_password_and_make_no_further_grant() {
    let world = World::new();
    let (mut client, mut key, serial) = with_key(&world, "ann");
    let first = credentials(&mut client).has(201);
    assert_eq!(first["grant"]["expires_at"], world.hands.seconds() + 43_200);
    world.hands.advance(7200);
    let mut client = world.client();
    let begun = begin(&mut client, &grant_of(&first)).ok();
    assert_eq!((&begun["state"], &begun["devices"][0]["serial"]), (&json!("mfa_required"), &json!(serial)));
    tap(&mut client, &mut key).ok();
    let second = credentials(&mut client).has(201);
    assert_eq!((&second["mfa_at"], &second["grant"]), (&json!(world.hands.seconds()), &Value::Null));
    aws(&world, &second).call("GetCallerIdentity", &[]).ok();
    // The grant itself goes on.
    begin(&mut world.client(), &grant_of(&first)).ok();
}

#[test]
fn a_stolen_grant_without_its_key_gets_nowhere() {
    let world = World::new();
    let (mut client, key, _) = with_key(&world, "ann");
    let grant = grant_of(&credentials(&mut client).has(201));
    let mut thief = world.client();
    begin(&mut thief, &grant).ok();
    thief.session().refused(403, "AccessDenied");
    credentials(&mut thief).refused(403, "AccessDenied");
    // Another key, in the place of the one that is asked for.
    let mut other = Key { id: key.id.clone(), ..Key::new(&thief.url) };
    tap(&mut thief, &mut other).refused(403, "AccessDenied");
    credentials(&mut thief).refused(403, "AccessDenied");
    // It is no password, no cookie and no code either.
    thief.sign_in("ann", &grant).refused(403, "AccessDenied");
    thief.cookies = client.cookies.keys().map(|name| (name.clone(), grant.clone())).collect();
    thief.session().refused(403, "AccessDenied");
}

#[test]
fn a_grant_is_completed_by_its_own_key_alone() {
    let world = World::new();
    let (mut client, _, serial) = with_key(&world, "ann");
    let asked = client.post("/api/mfa-devices/webauthn/options", json!({"name": "green"})).ok();
    let mut green = Key::new(&client.url);
    let body = json!({"name": "green", "credential": green.create(&asked)});
    let other = client.post("/api/mfa-devices/webauthn", body).has(201)["serial"].clone();
    let setup = client.post("/api/mfa-devices/totp", json!({"name": "phone"})).has(201);
    let (app, seed) = (setup["serial"].clone(), setup["seed_base32"].as_str().unwrap().to_owned());
    let now = world.hands.seconds();
    let body = json!({"serial": app, "code1": code(&seed, now - 30), "code2": code(&seed, now)});
    client.post("/api/mfa-devices/totp/enable", body).ok();
    world.hands.advance(60);
    let grant = grant_of(&credentials(&mut client).has(201));

    let mut client = world.client();
    let begun = begin(&mut client, &grant).ok();
    assert_eq!(begun["devices"].as_array().unwrap().len(), 1);
    let body = json!({"serial": app, "code": world.code(&seed)});
    client.post("/api/sign-in/totp", body).refused(403, "AccessDenied");
    client.post("/api/sign-in/webauthn/options", json!({"serial": other})).refused(404, "NoSuchEntity");
    client.post("/api/sign-in/webauthn/options", json!({"serial": serial})).ok();
    tap(&mut client, &mut green).refused(403, "AccessDenied");
    client.session().refused(403, "AccessDenied");
}

#[test]
fn a_grant_ends_after_twelve_hours() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let login = credentials(&mut client).has(201);
    world.hands.advance(43_199);
    begin(&mut world.client(), &grant_of(&login)).ok();
    world.hands.advance(1);
    begin(&mut world.client(), &grant_of(&login)).refused(403, "AccessDenied");
}

#[test]
fn a_grant_counts_from_the_sign_in_however_late_it_is_made() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let since = world.hands.seconds();
    for _ in 0..6 {
        world.hands.advance(1700);
        client.session().ok();
    }
    assert_eq!(credentials(&mut client).has(201)["grant"]["expires_at"], since + 43_200);
}

#[test]
fn a_grant_ends_with_the_password_the_key_and_the_user() {
    let world = World::with(|config| Config { removal: Removal::ByOwner, ..config });
    let admin = world.aws();
    let grants = |user: &str| {
        let (mut client, _, serial) = with_key(&world, user);
        let grant = grant_of(&credentials(&mut client).has(201));
        begin(&mut world.client(), &grant).ok();
        (grant, serial)
    };
    let (ann, _) = grants("ann");
    admin.call("DeleteLoginProfile", &[("UserName", "ann")]).ok();
    begin(&mut world.client(), &ann).refused(403, "AccessDenied");
    // The same password again is another one.
    admin.call("CreateLoginProfile", &[("UserName", "ann"), ("Password", PASSWORD)]).ok();
    begin(&mut world.client(), &ann).refused(403, "AccessDenied");

    let (bob, serial) = grants("bob");
    admin.call("DeactivateMFADevice", &[("UserName", "bob"), ("SerialNumber", &serial)]).ok();
    begin(&mut world.client(), &bob).refused(403, "AccessDenied");
    admin.call("DeleteLoginProfile", &[("UserName", "bob")]).ok();
    admin.call("DeleteUser", &[("UserName", "bob")]).ok();
    begin(&mut world.client(), &bob).refused(403, "AccessDenied");
}

#[test]
fn what_is_no_grant_is_refused() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let login = credentials(&mut client).has(201);
    let grant = grant_of(&login);
    let changed = format!("{}{}", if grant.starts_with('A') { 'B' } else { 'A' }, &grant[1..]);
    let session = login["session_token"].as_str().unwrap();
    for wrong in ["", "x", &changed, &grant[4..], session, &format!("{grant}AAAA")] {
        begin(&mut world.client(), wrong).refused(403, "AccessDenied");
    }
    let foreign = World::new();
    begin(&mut foreign.client(), &grant).refused(403, "AccessDenied");
    // And a grant is no session token.
    let aws = Aws { token: Some(grant), ..aws(&world, &login) };
    aws.call("GetCallerIdentity", &[]).refused(403, "InvalidClientTokenId");
}

#[test]
fn a_grant_of_one_user_never_signs_in_another() {
    let world = World::new();
    let (mut ann, mut anns, _) = with_key(&world, "ann");
    let (mut eve, mut eves, _) = with_key(&world, "eve");
    let grant = grant_of(&credentials(&mut ann).has(201));
    begin(&mut eve, &grant).ok();
    // The answer to eve's own session's challenge is gone with it, and her key is not asked.
    tap(&mut eve, &mut eves).refused(403, "AccessDenied");
    tap(&mut eve, &mut anns).ok();
    assert_eq!(eve.session().ok()["user"], "ann");
}

#[test]
fn the_guard_denies_a_long_term_key_and_a_session_without_mfa_and_lets_a_code_through() {
    let world = guarded();
    let ann = world.aws_user("ann");
    let made = ann.enabled("ann", "phone");
    ann.call("ListMFADevices", &[]).ok();
    ann.call("GetCallerIdentity", &[]).ok();
    let arn = format!("arn:aws:iam::{}:role/MFARequired", world.running.account);
    let role = [("RoleArn", arn.as_str()), ("RoleSessionName", "test")];
    let deny = |aws: &Aws, action: &str, members: &[(&str, &str)]| {
        let words = aws.call(action, members).refused(403, "AccessDenied");
        assert!(words.contains("explicit deny in an identity-based policy"), "{words}");
    };
    deny(&ann, "ListAccessKeys", &[]);
    deny(&ann, "AssumeRole", &role);
    let plain = ann.session(&ann.call("GetSessionToken", &[]).ok());
    deny(&plain, "AssumeRole", &role);
    plain.call("ListAccessKeys", &[]).refused(403, "AccessDenied");

    let code = world.code(&made.seed);
    let mfa = [("SerialNumber", made.serial.as_str()), ("TokenCode", code.as_str())];
    let proven = ann.session(&ann.call("GetSessionToken", &mfa).ok());
    proven.call("ListAccessKeys", &[]).ok();
    proven.call("AssumeRole", &role).ok();
    world.hands.advance(3600);
    proven.call("ListAccessKeys", &[]).ok();
    world.hands.advance(1);
    deny(&proven, "ListAccessKeys", &[]);
    proven.call("ListMFADevices", &[]).ok();

    let code = world.code(&made.seed);
    let mfa = [("SerialNumber", made.serial.as_str()), ("TokenCode", code.as_str())];
    ann.call("AssumeRole", &[role, mfa].concat()).ok();
    let wrong = [("SerialNumber", made.serial.as_str()), ("TokenCode", code.as_str())];
    ann.call("AssumeRole", &[role, wrong].concat()).refused(403, "AccessDenied");
    world.aws().call("ListUsers", &[]).ok();
}

#[test]
fn without_the_guard_nothing_changes() {
    let world = World::new();
    world.aws_user("ann").call("ListAccessKeys", &[]).ok();
}

#[test]
fn a_login_is_in_the_event_log_without_its_secrets() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let login = credentials(&mut client).has(201);
    let log = world.administrator().get("/api/events").text;
    let event = log.lines().find(|line| line.contains("CreateLoginCredentials")).unwrap();
    assert!(
        event.contains("iam.keywright.invalid") && event.contains("\"mfaAuthenticated\":\"true\""),
        "{event}"
    );
    for secret in [&login["secret_access_key"], &login["session_token"], &login["grant"]["token"]] {
        assert!(!log.contains(secret.as_str().unwrap()));
    }
    assert!(!log.contains(&text(b"grant")));
}
