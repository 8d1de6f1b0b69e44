use super::*;

#[test]
fn without_a_session_every_endpoint_that_needs_one_is_refused() {
    let world = World::new();
    let mut client = world.client();
    for path in ["/api/session", "/api/mfa-devices"] {
        client.get(path).refused(403, "AccessDenied");
    }
    let posts = [
        ("/api/users", json!({"user": "eve", "password": PASSWORD})),
        ("/api/mfa-devices/totp", json!({"name": "x"})),
        ("/api/mfa-devices/totp/enable", json!({"serial": "x", "code1": "000000", "code2": "000000"})),
        ("/api/mfa-devices/webauthn/options", json!({"name": "x"})),
        ("/api/sign-in/totp", json!({"serial": "x", "code": "000000"})),
        ("/api/sign-in/webauthn/options", json!({})),
    ];
    for (path, body) in posts {
        client.post(path, body).refused(403, "AccessDenied");
    }
}

#[test]
fn an_unknown_user_a_wrong_password_and_a_wrong_account_are_refused_alike() {
    let world = World::new();
    let mut client = world.user("ann");
    client.post("/api/sign-out", json!({})).ok();
    let unknown = client.sign_in("nobody", PASSWORD).refused(403, "AccessDenied");
    let wrong = client.sign_in("ann", "not the password").refused(403, "AccessDenied");
    let body = json!({"account": "000000000000", "user": "ann", "password": PASSWORD});
    let account = client.post("/api/sign-in", body).refused(403, "AccessDenied");
    assert_eq!(unknown, wrong);
    assert_eq!(unknown, account);
    assert!(client.cookies.is_empty());
}

#[test]
fn guessing_passwords_is_slowed_down_for_known_and_unknown_users_alike() {
    let world = World::new();
    let mut client = world.user("ann");
    for user in ["ann", "nobody"] {
        for _ in 0..5 {
            client.sign_in(user, "not the password").refused(403, "AccessDenied");
        }
        client.sign_in(user, PASSWORD).refused(429, "Throttling");
    }
    world.hands.advance(30);
    client.sign_in("ANN", PASSWORD).ok();
}

#[test]
fn only_an_administrator_makes_users_and_a_name_is_taken_whatever_its_case() {
    let world = World::new();
    let mut ann = world.user("ann");
    ann.post("/api/users", json!({"user": "eve", "password": PASSWORD})).refused(403, "AccessDenied");
    let mut admin = world.client();
    let secret = world.running.administrator.clone().unwrap();
    admin.sign_in(&secret.user, &secret.password).ok();
    for (user, password, status, code) in [
        ("Ann", PASSWORD, 409, "EntityAlreadyExists"),
        ("a b", PASSWORD, 400, "InvalidInput"),
        ("", PASSWORD, 400, "InvalidInput"),
        ("eve", "short", 400, "InvalidInput"),
    ] {
        admin.post("/api/users", json!({"user": user, "password": password})).refused(status, code);
    }
    let made = admin.post("/api/users", json!({"user": "eve", "password": PASSWORD})).has(201);
    assert_eq!(made["arn"], format!("arn:aws:iam::{}:user/eve", world.running.account));
}

#[test]
fn without_mfa_devices_the_password_signs_in_and_the_session_says_so() {
    let world = World::new();
    let mut client = world.user("ann");
    let session = client.session().ok();
    assert_eq!(session["user"], "ann");
    assert_eq!(session["mfa"], false);
    assert_eq!(session["mfa_serial"], Value::Null);
}

#[test]
fn with_an_app_the_password_alone_does_not_sign_in() {
    let world = World::new();
    let (_, serial, seed) = world.user_with_app("ann");
    let mut client = world.client();
    let step = client.sign_in("ann", PASSWORD).ok();
    assert_eq!(step["state"], "mfa_required");
    assert_eq!(step["devices"][0]["serial"], serial);
    assert_eq!(step["devices"][0]["type"], "totp");
    client.session().refused(403, "AccessDenied");
    let code = world.code(&seed);
    let step = client.post("/api/sign-in/totp", json!({"serial": serial, "code": code})).ok();
    assert_eq!(step["state"], "signed_in");
    let session = client.session().ok();
    assert_eq!((&session["mfa"], &session["mfa_serial"]), (&json!(true), &json!(serial)));
}

#[test]
fn a_bad_code_never_yields_a_session() {
    let world = World::new();
    let (_, serial, seed) = world.user_with_app("ann");
    let mut client = world.client();
    client.sign_in("ann", PASSWORD).ok();
    let good = world.code(&seed);
    let bad = if good == "000000" { "000001" } else { "000000" };
    let answers = [
        (json!({"serial": serial, "code": bad}), 403, "InvalidAuthenticationCode"),
        (json!({"serial": serial, "code": "12345"}), 400, "InvalidInput"),
        (json!({"serial": "arn:aws:iam::000000000000:mfa/x", "code": good}), 404, "NoSuchEntity"),
    ];
    for (body, status, code) in answers {
        client.post("/api/sign-in/totp", body).refused(status, code);
        client.session().refused(403, "AccessDenied");
        assert!(client.id("session").is_none());
    }
}

#[test]
fn a_pending_id_is_good_for_nothing_but_the_second_step() {
    let world = World::new();
    world.user_with_app("ann");
    let mut client = world.client();
    client.sign_in("ann", PASSWORD).ok();
    let pending = client.id("pending").unwrap().clone();
    let name = client.cookies.keys().next().unwrap().replace("pending", "session");
    client.cookies.insert(name, pending);
    client.session().refused(403, "AccessDenied");
    client.get("/api/mfa-devices").refused(403, "AccessDenied");
    client.post("/api/mfa-devices/totp", json!({"name": "mine"})).refused(403, "AccessDenied");
    client.post("/api/mfa-devices/webauthn/options", json!({"name": "mine"})).refused(403, "AccessDenied");
    client.post("/api/users", json!({"user": "eve", "password": PASSWORD})).refused(403, "AccessDenied");
    assert_eq!(client.get("/security-credentials").status, 303);
}

#[test]
fn the_id_changes_at_the_second_step_and_the_pending_one_ends() {
    let world = World::new();
    let (_, serial, seed) = world.user_with_app("ann");
    let mut client = world.client();
    client.sign_in("ann", PASSWORD).ok();
    let (pending_name, pending) = client.cookies.iter().next().map(|(n, i)| (n.clone(), i.clone())).unwrap();
    let body = json!({"serial": serial, "code": world.code(&seed)});
    client.post("/api/sign-in/totp", body).ok();
    assert!(client.id("pending").is_none());
    assert_ne!(client.id("session"), Some(&pending));
    client.cookies.insert(pending_name, pending);
    world.hands.advance(60);
    let body = json!({"serial": serial, "code": world.code(&seed)});
    client.post("/api/sign-in/totp", body).refused(403, "AccessDenied");
}

#[test]
fn a_second_step_after_five_minutes_is_refused() {
    let world = World::new();
    let (_, serial, seed) = world.user_with_app("ann");
    let mut client = world.client();
    client.sign_in("ann", PASSWORD).ok();
    world.hands.advance(300);
    let body = json!({"serial": serial, "code": world.code(&seed)});
    client.post("/api/sign-in/totp", body).refused(403, "AccessDenied");
}

#[test]
fn another_users_app_does_not_prove_the_pending_user() {
    let world = World::new();
    world.user_with_app("ann");
    let (_, serial, seed) = world.user_with_app("eve");
    let mut client = world.client();
    client.sign_in("ann", PASSWORD).ok();
    let body = json!({"serial": serial, "code": world.code(&seed)});
    client.post("/api/sign-in/totp", body).refused(404, "NoSuchEntity");
    client.session().refused(403, "AccessDenied");
}

#[test]
fn one_code_signs_in_once_even_from_many_sessions_at_a_time() {
    let world = World::new();
    let (_, serial, seed) = world.user_with_app("ann");
    let body = json!({"serial": serial, "code": world.code(&seed)});
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let mut client = world.client();
            client.sign_in("ann", PASSWORD).ok();
            client
        })
        .collect();
    let signed_in = std::thread::scope(|scope| {
        let tries: Vec<_> = clients
            .into_iter()
            .map(|mut client| {
                let body = body.clone();
                scope.spawn(move || client.post("/api/sign-in/totp", body).status == 200)
            })
            .collect();
        tries.into_iter().map(|attempt| attempt.join().unwrap()).filter(|ok| *ok).count()
    });
    assert_eq!(signed_in, 1);
}

#[test]
fn signing_out_ends_the_session_itself_not_just_the_cookie() {
    let world = World::new();
    let mut client = world.user("ann");
    let kept = client.cookies.clone();
    client.post("/api/sign-out", json!({})).ok();
    assert!(client.cookies.is_empty());
    client.cookies = kept;
    client.session().refused(403, "AccessDenied");
}

#[test]
fn signing_in_again_ends_the_session_before() {
    let world = World::new();
    let mut client = world.user("ann");
    let kept = client.cookies.clone();
    client.sign_in("ann", PASSWORD).ok();
    client.session().ok();
    client.cookies = kept;
    client.session().refused(403, "AccessDenied");
}

#[test]
fn a_session_from_before_the_first_device_adds_no_second_one() {
    let world = World::new();
    let (mut client, serial, seed) = world.user_with_app("ann");
    client.post("/api/mfa-devices/totp", json!({"name": "other"})).refused(403, "AccessDenied");
    client.post("/api/mfa-devices/webauthn/options", json!({"name": "key"})).refused(403, "AccessDenied");
    client.sign_in("ann", PASSWORD).ok();
    let body = json!({"serial": serial, "code": world.code(&seed)});
    client.post("/api/sign-in/totp", body).ok();
    client.post("/api/mfa-devices/totp", json!({"name": "other"})).has(201);
}

#[test]
fn users_devices_and_used_codes_survive_a_restart_and_sessions_do_not() {
    let directory = crate::testing::Directory::new();
    let hands = Hands::new();
    let start = || {
        let config = Config { clock: hands.clock(), ..Config::in_directory(directory.path().join("data")) };
        Server::start(config).unwrap()
    };
    let world = World { running: start(), hands: hands.clone() };
    let account = world.running.account.clone();
    let (_, serial, seed) = world.user_with_app("ann");
    let mut client = world.client();
    client.sign_in("ann", PASSWORD).ok();
    let used = json!({"serial": serial, "code": world.code(&seed)});
    client.post("/api/sign-in/totp", used.clone()).ok();
    drop(world);

    let running = start();
    assert_eq!((&running.account, &running.administrator), (&account, &None));
    let mut again = Client::of(&running);
    again.cookies = client.cookies;
    again.session().refused(403, "AccessDenied");
    assert_eq!(again.sign_in("ann", PASSWORD).ok()["state"], "mfa_required");
    again.post("/api/sign-in/totp", used).refused(403, "InvalidAuthenticationCode");
    hands.advance(30);
    let body = json!({"serial": serial, "code": code(&seed, hands.seconds())});
    again.post("/api/sign-in/totp", body).ok();
}

#[test]
fn data_of_another_account_is_refused() {
    let directory = crate::testing::Directory::new();
    let start = |account: &str| {
        let config = Config::in_directory(directory.path().join("data"));
        Server::start(Config { account: Some(account.into()), ..config })
    };
    drop(start("123456789012").unwrap());
    assert!(matches!(start("210987654321"), Err(crate::Error::OtherAccount { .. })));
    assert_eq!(start("123456789012").unwrap().account, "123456789012");
}
