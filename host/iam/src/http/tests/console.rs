use super::*;

/// The token in the forms of a page.
fn csrf(page: &Answer) -> String {
    let (_, rest) = page.text.split_once("name=\"csrf\" value=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 303, "{}", answer.text);
    &answer.headers["location"]
}

#[test]
fn pages_of_the_console_send_strangers_to_the_sign_in_page() {
    let world = World::new();
    let mut client = world.client();
    assert_eq!(location(&client.get("/")), "/security-credentials");
    for path in ["/security-credentials", "/mfa/assign", "/mfa/app?serial=x", "/sign-in/mfa"] {
        assert_eq!(location(&client.get(path)), "/sign-in", "{path}");
    }
}

#[test]
fn an_app_is_assigned_and_proven_with_forms_alone() {
    let world = World::new();
    world.user("ann");
    let mut client = world.client();
    let account = client.account.clone();
    let claim = [("account", account.as_str()), ("user", "ann"), ("password", PASSWORD)];
    assert_eq!(location(&client.form("/sign-in", &claim)), "/security-credentials");
    assert!(client.get("/security-credentials").text.contains("Signed in without MFA"));
    let token = csrf(&client.get("/mfa/assign"));
    let answer = client.form("/mfa/assign", &[("csrf", &token), ("name", "my-phone"), ("type", "totp")]);
    let page = client.get(location(&answer));
    let (_, rest) = page.text.split_once("class=\"secret\">").unwrap();
    let seed = rest.split_once('<').unwrap().0.to_owned();
    let serial = format!("arn:aws:iam::{account}:mfa/my-phone");
    let (code1, code2) = (code(&seed, world.hands.seconds()), code(&seed, world.hands.seconds() + 30));
    let fields = [("csrf", token.as_str()), ("serial", &serial), ("code1", &code2), ("code2", &code1)];
    let swapped = client.form("/mfa/app", &fields);
    assert_eq!(swapped.status, 403);
    assert!(swapped.text.contains("role=\"alert\""));
    let fields = [("csrf", token.as_str()), ("serial", &serial), ("code1", &code1), ("code2", &code2)];
    assert_eq!(location(&client.form("/mfa/app", &fields)), "/security-credentials");
    assert!(client.get("/security-credentials").text.contains(&serial));

    world.hands.advance(90);
    assert_eq!(location(&client.form("/sign-in", &claim)), "/sign-in/mfa");
    let token = csrf(&client.get("/sign-in/mfa"));
    let now = world.code(&seed);
    let wrong = if now == "000000" { "000001" } else { "000000" };
    let answer = client.form("/sign-in/mfa", &[("csrf", &token), ("serial", &serial), ("code", wrong)]);
    assert_eq!(answer.status, 403);
    let answer = client.form("/sign-in/mfa", &[("csrf", &token), ("serial", &serial), ("code", &now)]);
    assert_eq!(location(&answer), "/security-credentials");
    assert!(client.get("/security-credentials").text.contains("Signed in with MFA"));
}

#[test]
fn a_form_without_the_token_of_its_session_is_refused() {
    let world = World::new();
    let (_, serial, seed) = world.user_with_app("ann");
    let mut eve = world.user("eve");
    let foreign = csrf(&eve.get("/mfa/assign"));
    let mut bob = world.user("bob");
    for token in ["", foreign.as_str()] {
        let fields = [("csrf", token), ("name", "x"), ("type", "totp")];
        assert_eq!(bob.form("/mfa/assign", &fields).status, 403);
        let fields = [("csrf", token), ("serial", "x"), ("code1", "000000"), ("code2", "000000")];
        assert_eq!(bob.form("/mfa/app", &fields).status, 403);
        assert_eq!(bob.form("/sign-out", &[("csrf", token)]).status, 403);
    }
    bob.session().ok();
    let mut ann = world.client();
    ann.sign_in("ann", PASSWORD).ok();
    let fields = [("csrf", foreign.as_str()), ("serial", &serial), ("code", &world.code(&seed))];
    assert_eq!(ann.form("/sign-in/mfa", &fields).status, 403);
    ann.session().refused(403, "AccessDenied");
}

#[test]
fn a_wrong_password_shows_the_form_again_without_it() {
    let world = World::new();
    let mut client = world.client();
    let account = client.account.clone();
    let fields = [("account", account.as_str()), ("user", "ann"), ("password", "not-the-password")];
    let answer = client.form("/sign-in", &fields);
    assert_eq!(answer.status, 403);
    assert!(answer.text.contains("Your authentication information is incorrect"));
    assert!(!answer.text.contains("not-the-password"));
}

#[test]
fn what_people_type_is_text_on_the_page() {
    let world = World::new();
    let mut client = world.user("ann");
    let token = csrf(&client.get("/mfa/assign"));
    let name = "\"><script>alert(1)</script>";
    let answer = client.form("/mfa/assign", &[("csrf", &token), ("name", name), ("type", "totp")]);
    assert_eq!(answer.status, 400);
    assert!(!answer.text.contains("<script>alert"));
}

#[test]
fn pages_hold_no_inline_script_or_style_and_nothing_from_elsewhere() {
    let world = World::new();
    let mut client = world.user("ann");
    for path in ["/sign-in", "/security-credentials", "/mfa/assign", "/nowhere"] {
        let page = client.get(path).text;
        assert!(page.contains("<html lang=\"en\">") && page.contains("width=device-width"), "{path}");
        assert!(!page.contains("style=") && !page.contains("<style"), "{path}");
        assert!(!page.contains(" onclick") && !page.contains("javascript:"), "{path}");
        assert!(!page.contains("://"), "{path}");
        assert_eq!(page.matches("<script").count(), 1, "{path}");
    }
}

#[test]
fn signing_out_with_the_form_ends_the_session() {
    let world = World::new();
    let mut client = world.user("ann");
    let token = csrf(&client.get("/security-credentials"));
    assert_eq!(location(&client.form("/sign-out", &[("csrf", &token)])), "/sign-in");
    client.session().refused(403, "AccessDenied");
}
