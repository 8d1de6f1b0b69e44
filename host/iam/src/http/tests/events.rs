use super::{authenticator::Key, *};

fn events(client: &mut Client, query: &str) -> Vec<Value> {
    let answer = client.get(&format!("/api/events{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/x-ndjson");
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn named<'a>(events: &'a [Value], name: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["eventName"] == name).collect()
}

#[test]
fn a_sign_in_with_mfa_is_a_check_and_a_login_that_name_the_device() {
    let world = World::new();
    let (_, serial, seed) = world.user_with_app("ann");
    let mut client = world.client();
    client.sign_in("ann", PASSWORD).ok();
    let wrong = if world.code(&seed) == "000000" { "000001" } else { "000000" };
    client.post("/api/sign-in/totp", json!({"serial": serial, "code": wrong})).has(403);
    client.post("/api/sign-in/totp", json!({"serial": serial, "code": world.code(&seed)})).ok();
    let all = events(&mut world.administrator(), "");
    let checks = named(&all, "CheckMfa");
    assert_eq!(checks[0]["responseElements"], json!({"CheckMfa": "Failure"}));
    assert_eq!(checks[1]["responseElements"], json!({"CheckMfa": "Success"}));
    assert_eq!(checks[1]["additionalEventData"], json!({"MfaType": "Virtual MFA"}));
    let logins: Vec<_> = named(&all, "ConsoleLogin")
        .into_iter()
        .filter(|event| {
            event["userIdentity"]["userName"] == "ann" && event["additionalEventData"]["MFAUsed"] == "Yes"
        })
        .collect();
    assert_eq!(logins.len(), 2);
    assert_eq!(logins[0]["responseElements"], json!({"ConsoleLogin": "Failure"}));
    assert_eq!(logins[0]["errorMessage"], "Failed authentication");
    let login = logins[1];
    assert_eq!(login["responseElements"], json!({"ConsoleLogin": "Success"}));
    assert_eq!(login["additionalEventData"]["MFAIdentifier"], serial);
    assert_eq!(login["eventSource"], "signin.amazonaws.com");
    assert_eq!(login["eventType"], "AwsConsoleSignIn");
    assert_eq!(login["userIdentity"]["type"], "IAMUser");
    assert_eq!(login["recipientAccountId"], world.running.account);
    assert!(["127.0.0.1", "::1"].map(Value::from).contains(&login["sourceIPAddress"]), "{login}");
    assert!(login["userAgent"].as_str().unwrap().starts_with("ureq/"));
    assert_eq!(login["eventTime"].as_str().unwrap().len(), 20);
}

#[test]
fn a_sign_in_without_mfa_says_so_and_a_name_that_is_not_known_is_hidden() {
    let world = World::new();
    world.user("ann");
    let mut client = world.client();
    client.sign_in("my-password-in-the-wrong-field", "x").refused(403, "AccessDenied");
    client.sign_in("ann", "wrong").refused(403, "AccessDenied");
    let answer = world.administrator().get("/api/events").text;
    assert!(!answer.contains("my-password"));
    let all: Vec<Value> = answer.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let users: Vec<_> = named(&all, "ConsoleLogin")
        .into_iter()
        .map(|event| {
            let text = |pointer| event.pointer(pointer).and_then(Value::as_str).unwrap();
            (
                text("/userIdentity/userName"),
                text("/responseElements/ConsoleLogin"),
                text("/additionalEventData/MFAUsed"),
            )
        })
        .collect();
    assert!(users.contains(&("ann", "Success", "No")));
    assert!(users.contains(&("ann", "Failure", "No")));
    assert!(users.contains(&("HIDDEN_DUE_TO_SECURITY_REASONS", "Failure", "No")));
}

#[test]
fn what_is_done_to_devices_and_users_is_logged_with_its_refusals_and_without_secrets() {
    let world = World::new();
    let (mut client, serial, seed) = world.user_with_app("ann");
    let codes = json!({"serial": serial, "code1": "123456", "code2": "654321"});
    client.post("/api/mfa-devices/totp/enable", codes).refused(403, "AccessDenied");
    let mut bob = world.user("bob");
    let key = Key::new(&bob.url);
    let asked = bob.post("/api/mfa-devices/webauthn/options", json!({"name": "blue"})).ok();
    let body = json!({"name": "blue", "credential": key.create(&asked)});
    let device = bob.post("/api/mfa-devices/webauthn", body).has(201);
    let mut administrator = world.administrator();
    let text = administrator.get("/api/events").text;
    for secret in [seed.as_str(), PASSWORD, "123456", "654321"] {
        // The account is twelve random digits, and ids are random as well.
        assert!(!text.contains(&format!("\"{secret}\"")), "{secret}");
    }
    let all = events(&mut administrator, "");
    let made = named(&all, "CreateVirtualMFADevice");
    assert_eq!(made[0]["requestParameters"]["virtualMFADeviceName"], "ann-app");
    let enabled = named(&all, "EnableMFADevice");
    assert_eq!(enabled[0]["requestParameters"], json!({"userName": "ann", "serialNumber": serial}));
    assert_eq!(enabled[0].get("errorCode"), None);
    assert_eq!(enabled[0]["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"], "false");
    assert_eq!(enabled[1]["errorCode"], "AccessDenied");
    assert_eq!(enabled[2]["requestParameters"]["serialNumber"], device["serial"]);
    assert_eq!(named(&all, "CreateUser").len(), 2);
}

#[test]
fn a_counter_that_does_not_rise_is_a_failed_check_that_says_so() {
    let world = World::new();
    let mut client = world.user("ann");
    let key = Key { counter: 9, ..Key::new(&client.url) };
    let asked = client.post("/api/mfa-devices/webauthn/options", json!({"name": "blue"})).ok();
    let body = json!({"name": "blue", "credential": key.create(&asked)});
    client.post("/api/mfa-devices/webauthn", body).has(201);
    client.sign_in("ann", PASSWORD).ok();
    let asked = client.post("/api/sign-in/webauthn/options", json!({})).ok();
    let body = json!({"credential": key.get_with_counter(&asked, 9)});
    client.post("/api/sign-in/webauthn", body).refused(403, "AccessDenied");
    let all = events(&mut world.administrator(), "");
    let check = named(&all, "CheckMfa")[0];
    assert_eq!(check["responseElements"], json!({"CheckMfa": "Failure"}));
    assert_eq!(check["additionalEventData"]["MfaType"], "U2F MFA");
    assert!(check["additionalEventData"]["Reason"].as_str().unwrap().contains("counter did not rise"));
}

#[test]
fn the_log_is_read_in_parts_by_administrators_alone() {
    let world = World::new();
    let mut ann = world.user("ann");
    ann.get("/api/events").refused(403, "AccessDenied");
    world.client().get("/api/events").refused(403, "AccessDenied");
    let mut administrator = world.administrator();
    let all = events(&mut administrator, "");
    let (mut after, mut found) = (0, Vec::new());
    loop {
        let answer = administrator.get(&format!("/api/events?after={after}&limit=2"));
        let last: i64 = answer.headers["x-last-event"].parse().unwrap();
        if answer.text.is_empty() {
            assert_eq!(last, after);
            break;
        }
        assert!(last > after && answer.text.lines().count() <= 2);
        found.extend(answer.text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        after = last;
    }
    assert_eq!(found, all);
}

#[test]
fn events_older_than_ninety_days_are_forgotten_and_the_others_survive_a_restart() {
    let directory = crate::testing::Directory::new();
    let hands = Hands::new();
    let start = || {
        let config = Config { clock: hands.clock(), ..Config::in_directory(directory.path().join("data")) };
        World { running: Server::start(config).unwrap(), hands: hands.clone() }
    };
    let world = start();
    let secret = world.running.administrator.clone().unwrap();
    world.administrator();
    drop(world);
    let world = start();
    let mut client = world.client();
    client.sign_in(&secret.user, &secret.password).ok();
    assert_eq!(named(&events(&mut client, ""), "ConsoleLogin").len(), 2);
    hands.advance(90 * 24 * 3600 + 1);
    client.sign_in(&secret.user, &secret.password).ok();
    assert_eq!(named(&events(&mut client, ""), "ConsoleLogin").len(), 1);
}
