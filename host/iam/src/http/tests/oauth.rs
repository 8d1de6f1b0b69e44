//! Credentials through the browser: what is asked, consented to and redeemed, and everything else that is refused.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::{
    aws::Aws,
    console::csrf,
    login::{tap, with_key},
    *,
};

const CALLBACK: &str = "http://127.0.0.1:49152/oauth/callback";
const CLIENT: &str = "keywright";
const STATE: &str = "state-of-the-program";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn challenge(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

fn good() -> Vec<(&'static str, String)> {
    vec![
        ("response_type", "code".into()),
        ("client_id", CLIENT.into()),
        ("redirect_uri", CALLBACK.into()),
        ("state", STATE.into()),
        ("code_challenge", challenge(VERIFIER)),
        ("code_challenge_method", "S256".into()),
    ]
}

fn with(name: &str, value: &str) -> Vec<(&'static str, String)> {
    let mut asked = good();
    asked.iter_mut().filter(|(found, _)| *found == name).for_each(|(_, found)| *found = value.into());
    asked
}

fn address(asked: &[(&str, String)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).finish();
    format!("/v1/authorize?{query}")
}

fn location(answer: &Answer) -> String {
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer.headers["location"].clone()
}

/// The id in the page's form.
fn request(page: &Answer) -> String {
    let (_, rest) = page.text.split_once("name=\"request\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// The consent page, after asking.
fn ask(client: &mut Client, asked: &[(&str, String)]) -> Answer {
    assert_eq!(location(&client.get(&address(asked))), "/v1/consent");
    let page = client.get("/v1/consent");
    assert_eq!(page.status, 200, "{}", page.text);
    page
}

fn answer(client: &mut Client, page: &Answer, decision: &str) -> Answer {
    let fields = [("csrf", csrf(page)), ("request", request(page)), ("decision", decision.into())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    client.form("/v1/consent", &fields)
}

/// The value of a member in the address that the browser is sent to.
fn member(address: &str, name: &str) -> String {
    let url = Url::parse(address).unwrap();
    url.query_pairs().find(|(found, _)| found == name).unwrap().1.into_owned()
}

/// A code for what is asked.
fn code_for(client: &mut Client, asked: &[(&str, String)]) -> String {
    let page = ask(client, asked);
    let to = location(&answer(client, &page, "allow"));
    assert!(to.starts_with(&format!("{CALLBACK}?")), "{to}");
    assert_eq!(member(&to, "state"), STATE);
    member(&to, "code")
}

fn input(code: &str) -> Value {
    json!({
        "clientId": CLIENT, "grantType": "authorization_code", "code": code, "redirectUri": CALLBACK,
        "codeVerifier": VERIFIER,
    })
}

/// What the program gets, which is no browser.
fn redeem(world: &World, body: &Value) -> Answer {
    let mut client = world.client();
    let post = client.agent.post(format!("{}/v1/token", world.running.url)).send_json(body).unwrap();
    client.take(post)
}

#[track_caller]
fn refused(answer: Answer, exception: &str, error: &str) {
    assert_eq!(answer.status, 400, "{}", answer.text);
    assert_eq!(answer.headers["x-amzn-errortype"], exception);
    let body: Value = serde_json::from_str(&answer.text).unwrap();
    assert_eq!(body["error"], error, "{body}");
    assert!(body["message"].as_str().unwrap().len() > 10);
}

const DENIED: (&str, &str) = ("AccessDeniedException", "AUTHCODE_EXPIRED");

fn with_member(code: &str, name: &str, value: Value) -> Value {
    let mut body = input(code);
    body[name] = value;
    body
}

#[test]
fn a_program_gets_credentials_with_mfa_after_sign_in_and_consent() {
    let world = World::new();
    let (_, mut key, serial) = with_key(&world, "ann");
    let mut client = world.client();
    assert_eq!(location(&client.get(&address(&good()))), "/v1/consent");
    // Signing in comes first, and leads back.
    assert_eq!(location(&client.get("/v1/consent")), "/sign-in");
    client.sign_in("ann", PASSWORD).ok();
    assert_eq!(location(&client.get("/v1/consent")), "/sign-in");
    tap(&mut client, &mut key).ok();
    assert_eq!(location(&client.get("/")), "/v1/consent");
    let page = client.get("/v1/consent");
    let check = data_encoding::BASE32_NOPAD.encode(&Sha256::digest(challenge(VERIFIER)));
    assert!(page.text.contains(&format!("{}-{}", &check[..4], &check[4..8])), "{}", page.text);
    assert!(page.text.contains("keywright iam login --browser") && page.text.contains("ann"));
    let policy = &page.headers["content-security-policy"];
    assert!(policy.ends_with("form-action 'self' http://127.0.0.1:49152"), "{policy}");
    let to = location(&answer(&mut client, &page, "allow"));
    assert_eq!(location(&client.get("/")), "/security-credentials");

    let body = with_member(&member(&to, "code"), "durationSeconds", json!(7200));
    let told = redeem(&world, &body).ok();
    assert_eq!((&told["tokenType"], &told["expiresIn"]), (&json!("aws_sigv4"), &json!(7200)));
    assert_eq!(told["mfaSerial"], serial);
    let claims = told["idToken"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(claims["sub"], format!("arn:aws:iam::{}:user/ann", world.running.account));
    let text = |name: &str| told["accessToken"][name].as_str().unwrap().to_owned();
    let (id, secret) = (text("accessKeyId"), text("secretAccessKey"));
    let aws = Aws::new(world.running.url.clone(), world.hands.clone(), id, secret);
    Aws { token: Some(text("sessionToken")), ..aws }.call("ListMFADevices", &[]).ok();
    // What comes with them is a grant, which a tap completes.
    let mut client = world.client();
    client.post("/api/sign-in/grant", json!({"grant": told["refreshToken"]})).ok();
    tap(&mut client, &mut key).ok();
}

#[test]
fn forms_alone_lead_from_the_password_to_the_consent() {
    let world = World::new();
    let (_, serial, seed) = world.user_with_app("ann");
    let mut client = world.client();
    client.get(&address(&good()));
    let account = client.account.clone();
    let claim = [("account", account.as_str()), ("user", "ann"), ("password", PASSWORD)];
    assert_eq!(location(&client.form("/sign-in", &claim)), "/sign-in/mfa");
    let token = csrf(&client.get("/sign-in/mfa"));
    let fields = [("csrf", token.as_str()), ("serial", &serial), ("code", &world.code(&seed))];
    assert_eq!(location(&client.form("/sign-in/mfa", &fields)), "/v1/consent");
    let page = client.get("/v1/consent");
    let code = member(&location(&answer(&mut client, &page, "allow")), "code");
    let told = redeem(&world, &input(&code)).ok();
    // AWS's 15 minutes; and a code makes no grant.
    assert_eq!((&told["expiresIn"], &told["refreshToken"]), (&json!(900), &json!("")));
}

#[test]
fn a_session_without_mfa_cannot_consent() {
    let world = World::new();
    let mut client = world.user("bob");
    client.get(&address(&good()));
    let page = client.get("/v1/consent");
    assert_eq!(page.status, 403);
    assert!(page.text.contains("sign-in with MFA"), "{}", page.text);
    let token = csrf(&client.get("/security-credentials"));
    let id = client.id("authorization").unwrap().clone();
    let fields = [("csrf", token.as_str()), ("request", &id), ("decision", "allow")];
    assert_eq!(client.form("/v1/consent", &fields).status, 403);
}

#[test]
fn what_is_not_of_the_form_is_refused_and_sent_nowhere() {
    let world = World::new();
    let mut client = world.client();
    let long = "x".repeat(513);
    let wrong = [
        ("response_type", "token"),
        ("client_id", "another"),
        ("client_id", "arn:aws:signin:::devtools/cross-device"),
        ("redirect_uri", "http://localhost:49152/oauth/callback"),
        ("redirect_uri", "http://evil.example:80/oauth/callback"),
        ("redirect_uri", "http://127.0.0.1:80@evil.example/oauth/callback"),
        ("redirect_uri", "http://127.0.0.1:49152/elsewhere"),
        ("state", ""),
        ("state", "a b"),
        ("state", long.as_str()),
        ("code_challenge", ""),
        ("code_challenge", VERIFIER.get(..42).unwrap()),
        ("code_challenge_method", "plain"),
        ("code_challenge_method", ""),
    ];
    for (name, value) in wrong {
        let answer = client.get(&address(&with(name, value)));
        assert_eq!(answer.status, 400, "{name}={value}");
        assert!(!answer.headers.contains_key("location") && client.id("authorization").is_none());
    }
    for missing in 0..good().len() {
        let mut asked = good();
        asked.remove(missing);
        assert_eq!(client.get(&address(&asked)).status, 400);
    }
    let twice = [good(), vec![("redirect_uri", CALLBACK.into())]].concat();
    assert_eq!(client.get(&address(&twice)).status, 400);
    assert_eq!(client.get("/v1/consent").status, 403);
}

#[test]
fn a_denied_request_tells_the_program_so_and_gives_no_code() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    for decision in ["deny", "", "Allow"] {
        let page = ask(&mut client, &good());
        let to = location(&answer(&mut client, &page, decision));
        assert_eq!((member(&to, "error"), member(&to, "state")), ("access_denied".into(), STATE.into()));
        assert!(!to.contains("code="), "{to}");
    }
}

#[test]
fn consent_is_not_given_from_elsewhere_for_another_request_or_twice() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let (mut eve, ..) = with_key(&world, "eve");
    let (first, foreign) = (ask(&mut client, &good()), ask(&mut eve, &good()));
    let mut post = |token: &str, id: &str| {
        client.form("/v1/consent", &[("csrf", token), ("request", id), ("decision", "allow")]).status
    };
    let (token, id) = (csrf(&first), request(&first));
    // No token, another session's token, another browser's request.
    assert_eq!(post("", &id), 403);
    assert_eq!(post(&csrf(&foreign), &id), 403);
    assert_eq!(post(&token, &request(&foreign)), 403);
    assert_eq!(post(&token, ""), 403);
    // From another site.
    let form = [("csrf", token.as_str()), ("request", &id), ("decision", "allow")];
    let request = client.agent.post(client.at("/v1/consent")).header("Cookie", client.cookie());
    let sent = request.header("Origin", "http://evil.example").send_form(form).unwrap();
    assert_eq!(client.take(sent).status, 403);
    // A second program's request came between the page and the click.
    let second = ask(&mut client, &with("redirect_uri", "http://127.0.0.1:6666/oauth/callback"));
    assert_eq!(answer(&mut client, &first, "allow").status, 403);
    assert!(location(&answer(&mut client, &second, "allow")).starts_with("http://127.0.0.1:6666/"));
    assert_eq!(answer(&mut client, &second, "allow").status, 403);
}

#[test]
fn whoever_asks_often_keeps_nobody_from_asking() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let mut other = world.client();
    for _ in 0..300 {
        assert_eq!(location(&other.get(&address(&good()))), "/v1/consent");
    }
    code_for(&mut client, &good());
}

#[test]
fn another_page_asks_for_nothing() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let mut from = |site: &str| {
        let asked = client.agent.get(client.at(&address(&good()))).header("Cookie", client.cookie());
        let answer = asked.header("Sec-Fetch-Site", site).call().unwrap();
        client.take(answer).status
    };
    assert_eq!(
        ["cross-site", "same-site", "", "none", "same-origin"].map(&mut from),
        [403, 403, 403, 303, 303]
    );
}

#[test]
fn a_code_that_was_granted_before_the_password_changed_gives_nothing() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let admin = world.aws();
    let code = code_for(&mut client, &good());
    admin.call("DeleteLoginProfile", &[("UserName", "ann")]).ok();
    refused(redeem(&world, &input(&code)), DENIED.0, DENIED.1);
}

#[test]
fn a_code_is_good_once() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let code = code_for(&mut client, &good());
    redeem(&world, &input(&code)).ok();
    refused(redeem(&world, &input(&code)), DENIED.0, DENIED.1);
}

#[test]
fn a_code_is_good_for_a_minute() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let code = code_for(&mut client, &good());
    world.hands.advance(59);
    redeem(&world, &input(&code)).ok();
    let code = code_for(&mut client, &good());
    world.hands.advance(60);
    refused(redeem(&world, &input(&code)), DENIED.0, DENIED.1);
}

#[test]
fn an_intercepted_code_is_worth_nothing_without_the_verifier_and_is_used_up_by_the_attempt() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let other = "another-verifier-of-enough-characters-0123456";
    let challenge = challenge(VERIFIER);
    for verifier in [other, "", challenge.as_str(), &VERIFIER[..42], &format!("{VERIFIER} ")] {
        let code = code_for(&mut client, &good());
        let wrong = with_member(&code, "codeVerifier", json!(verifier));
        refused(redeem(&world, &wrong), DENIED.0, DENIED.1);
        refused(redeem(&world, &input(&code)), DENIED.0, DENIED.1);
    }
}

#[test]
fn a_code_is_bound_to_its_client_and_its_callback() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let wrong = [
        ("clientId", "arn:aws:signin:::devtools/same-device"),
        ("clientId", ""),
        ("redirectUri", "http://127.0.0.1:49153/oauth/callback"),
        ("redirectUri", ""),
    ];
    for (name, value) in wrong {
        let code = code_for(&mut client, &good());
        refused(redeem(&world, &with_member(&code, name, json!(value))), DENIED.0, DENIED.1);
    }
    // Nor is one code another's.
    let (first, second) =
        (code_for(&mut client, &good()), code_for(&mut client, &with("code_challenge", &challenge("x"))));
    refused(redeem(&world, &input(&second)), DENIED.0, DENIED.1);
    redeem(&world, &input(&first)).ok();
}

#[test]
fn credentials_are_those_of_who_consented() {
    let world = World::new();
    let (mut ann, ..) = with_key(&world, "ann");
    let (mut eve, ..) = with_key(&world, "eve");
    let (anns, eves) = (code_for(&mut ann, &good()), code_for(&mut eve, &good()));
    for (code, user) in [(eves, "eve"), (anns, "ann")] {
        let told = redeem(&world, &input(&code)).ok();
        assert!(told["mfaSerial"].as_str().unwrap().contains(&format!("/{user}/")), "{told}");
    }
}

#[test]
fn a_code_of_a_device_that_is_gone_is_refused() {
    let world = World::new();
    let (mut client, _, serial) = with_key(&world, "ann");
    let code = code_for(&mut client, &good());
    world.aws().call("DeactivateMFADevice", &[("UserName", "ann"), ("SerialNumber", &serial)]).ok();
    refused(redeem(&world, &input(&code)), DENIED.0, DENIED.1);
}

#[test]
fn a_refresh_token_is_worth_nothing_at_the_token_endpoint() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let code = code_for(&mut client, &good());
    let grant = redeem(&world, &input(&code)).ok()["refreshToken"].clone();
    let body = json!({"clientId": CLIENT, "grantType": "refresh_token", "refreshToken": grant});
    refused(redeem(&world, &body), "AccessDeniedException", "TOKEN_EXPIRED");
}

#[test]
fn what_is_missing_or_of_another_kind_is_a_validation_error() {
    let world = World::new();
    for name in ["clientId", "grantType", "code", "redirectUri", "codeVerifier"] {
        let mut body = input("x");
        body.as_object_mut().unwrap().remove(name);
        refused(redeem(&world, &body), "ValidationException", "INVALID_REQUEST");
    }
    refused(redeem(&world, &json!([])), "ValidationException", "INVALID_REQUEST");
    let body = with_member("x", "grantType", json!("password"));
    refused(redeem(&world, &body), "ValidationException", "INVALID_REQUEST");
}

#[test]
fn the_token_endpoint_answers_no_browser_and_no_foreign_host() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let code = code_for(&mut client, &good());
    let url = format!("{}/v1/token", world.running.url);
    for origin in [client.url.clone(), "null".into(), "http://evil.example".into()] {
        let sent = client.agent.post(&url).header("Origin", &origin).send_json(input(&code)).unwrap();
        assert_eq!(client.take(sent).status, 400, "{origin}");
    }
    // A name that resolves to this machine (DNS rebinding).
    let sent = client.agent.post(&url).header("Host", "evil.example").send_json(input(&code)).unwrap();
    refused(client.take(sent), "AccessDeniedException", "AUTHCODE_EXPIRED");
    // None of them used the code up.
    redeem(&world, &input(&code)).ok();
}

#[test]
fn a_consent_and_a_token_are_in_the_event_log_without_their_secrets() {
    let world = World::new();
    let (mut client, ..) = with_key(&world, "ann");
    let code = code_for(&mut client, &good());
    let told = redeem(&world, &input(&code)).ok();
    let log = world.administrator().get("/api/events").text;
    for name in ["AuthorizeOAuth2Access", "CreateOAuth2Token"] {
        let event = log.lines().find(|line| line.contains(name)).unwrap();
        assert!(event.contains("signin.amazonaws.com"), "{event}");
    }
    let secrets = [code.as_str(), VERIFIER, STATE, told["refreshToken"].as_str().unwrap()];
    assert!(secrets.iter().all(|secret| !log.contains(secret)), "{log}");
}
