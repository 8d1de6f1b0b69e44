//! Who may ask at all, and how the protocol refuses.

use super::*;

#[test]
fn an_answer_is_in_the_namespace_of_its_service_and_carries_a_request_id() {
    let world = World::new();
    let aws = world.aws();
    for (action, namespace) in [
        ("GetUser", "https://iam.amazonaws.com/doc/2010-05-08/"),
        ("GetCallerIdentity", "https://sts.amazonaws.com/doc/2011-06-15/"),
    ] {
        let answer = aws.call(action, &[]).ok();
        assert!(
            answer.text.starts_with(&format!("<{action}Response xmlns=\"{namespace}\"><{action}Result>"))
        );
        let id = answer.value("RequestId");
        assert_eq!((id.len(), id.matches('-').count()), (36, 4), "{id}");
    }
    let denied = aws.call("AssumeRole", &[]);
    assert!(denied.text.starts_with(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>"
    ));
}

#[test]
fn an_unknown_action_or_version_is_refused_once_the_signature_is_right() {
    let world = World::new();
    let aws = world.aws();
    aws.call("AttachUserPolicy", &[]).refused(400, "InvalidAction");
    aws.send("iam", &[("Action", "GetUser"), ("Version", "2011-06-15")]).refused(400, "InvalidAction");
    aws.send("iam", &[("Action", "GetUser")]).refused(400, "InvalidAction");
    aws.send("iam", &[("Version", "2010-05-08")]).refused(400, "MissingAction");
    aws.send("iam", &[]).refused(400, "MissingAction");
    let stranger = Aws { secret: "x".into(), ..aws };
    stranger.call("AttachUserPolicy", &[]).refused(403, "SignatureDoesNotMatch");
}

#[test]
fn a_wrong_secret_an_unknown_key_and_no_signature_are_refused() {
    let world = World::new();
    let aws = world.aws();
    Aws { secret: "x".into(), ..aws.clone() }.call("GetUser", &[]).refused(403, "SignatureDoesNotMatch");
    let unknown = Aws { id: "AKIAAAAAAAAAAAAAAAAA".into(), ..aws.clone() };
    unknown.call("GetUser", &[]).refused(403, "InvalidClientTokenId");
    let mut request = aws.signed("iam", "Action=GetUser&Version=2010-05-08");
    request.headers.retain(|(name, _)| name != "authorization");
    aws.post(&request).refused(403, "MissingAuthenticationToken");
    request.headers.push(("authorization".into(), "AWS4-HMAC-SHA256 Credential=x".into()));
    aws.post(&request).refused(400, "IncompleteSignature");
}

#[test]
fn a_signature_for_another_service_is_refused() {
    let world = World::new();
    let members = [("Action", "GetUser"), ("Version", "2010-05-08")];
    world.aws().send("sts", &members).refused(403, "SignatureDoesNotMatch");
}

#[test]
fn a_signature_from_another_time_is_refused() {
    let world = World::new();
    let aws = world.aws();
    let request = aws.signed("iam", "Action=GetUser&Version=2010-05-08");
    world.hands.advance(900);
    aws.post(&request).ok();
    world.hands.advance(1);
    assert!(aws.post(&request).refused(403, "SignatureDoesNotMatch").starts_with("Signature expired: "));
}

#[test]
fn a_body_that_was_changed_on_the_way_is_refused() {
    let world = World::new();
    let aws = world.aws();
    let mut request = aws.signed("iam", "Action=GetUser&Version=2010-05-08");
    request.body.extend_from_slice(b"&UserName=eve");
    aws.post(&request).refused(403, "SignatureDoesNotMatch");
}

#[test]
fn a_browsers_request_and_a_foreign_host_are_refused_even_when_signed() {
    let world = World::new();
    let aws = world.aws();
    for origin in [world.running.console_url.as_str(), "http://evil.example", "null"] {
        let mut request = aws.signed("iam", "Action=GetUser&Version=2010-05-08");
        request.headers.push(("origin".into(), origin.into()));
        aws.post(&request).refused(403, "AccessDenied");
    }
    let port = world.running.url.rsplit(':').next().unwrap();
    let by_name = Aws { url: format!("http://localhost:{port}"), ..aws.clone() };
    by_name.call("GetUser", &[]).ok();
    for host in
        ["evil.example".to_owned(), format!("evil.example:{port}"), "localhost".into(), "127.0.0.1:1".into()]
    {
        let mut request = aws.signed("iam", "Action=GetUser&Version=2010-05-08");
        request.headers[0].1 = host;
        aws.post(&request).refused(403, "AccessDenied");
    }
}

#[test]
fn a_console_session_counts_for_nothing_at_the_api() {
    let world = World::new();
    let mut client = world.client();
    let secret = world.running.administrator.clone().unwrap();
    client.sign_in(&secret.user, &secret.password).ok();
    let aws = world.aws();
    let mut request = aws.signed("iam", "Action=GetUser&Version=2010-05-08");
    request.headers.retain(|(name, _)| name != "authorization");
    request.headers.push(("cookie".into(), client.cookie()));
    aws.post(&request).refused(403, "MissingAuthenticationToken");
}

#[test]
fn a_body_that_is_too_large_is_refused_in_xml() {
    let world = World::new();
    let aws = world.aws();
    let request = aws.signed("iam", &format!("Action=GetUser&Version=2010-05-08&x={}", "x".repeat(70_000)));
    aws.post(&request).refused(400, "ValidationError");
}

#[test]
fn a_get_of_the_console_is_not_the_api() {
    let world = World::new();
    let mut client = world.client();
    let answer = client.get("/?Action=GetUser&Version=2010-05-08");
    assert_eq!((answer.status, answer.headers["location"].as_str()), (303, "/security-credentials"));
}

#[test]
fn a_restart_keeps_the_administrators_access_key() {
    let directory = crate::testing::Directory::new();
    let start = || Server::start(Config::in_directory(directory.path().join("data"))).unwrap();
    let first = start();
    let key = (first.access_key_id.clone(), first.secret_access_key.clone());
    drop(first);
    let again = start();
    assert_eq!((again.access_key_id.clone(), again.secret_access_key.clone()), key);
    let line: Value = serde_json::to_value(&again).unwrap();
    for name in ["url", "console_url", "account", "access_key_id", "secret_access_key"] {
        assert!(line[name].is_string(), "{name}");
    }
}
