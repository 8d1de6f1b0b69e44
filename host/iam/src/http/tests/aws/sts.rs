//! Temporary credentials: a session with a bad code never exists, and one without MFA never counts as MFA.

use super::*;

fn token(aws: &Aws, serial: &str, code: &str) -> Xml {
    aws.call("GetSessionToken", &[("SerialNumber", serial), ("TokenCode", code)])
}

fn role_arn(world: &World, name: &str) -> String {
    format!("arn:aws:iam::{}:role/{name}", world.running.account)
}

#[test]
fn a_caller_learns_who_it_is() {
    let world = World::new();
    let (ann, account) = (world.aws_user("ann"), &world.running.account);
    let shown = ann.call("GetCallerIdentity", &[]).ok();
    assert_eq!(
        (&shown.value("Account"), shown.value("Arn")),
        (account, format!("arn:aws:iam::{account}:user/ann"))
    );
    let id = ann.call("GetUser", &[]).ok().value("UserId");
    assert_eq!(shown.value("UserId"), id);
    let session = ann.session(&ann.call("GetSessionToken", &[]).ok());
    assert_eq!(session.call("GetCallerIdentity", &[]).ok().value("UserId"), id);
}

#[test]
fn a_session_with_a_good_code_counts_as_mfa_and_the_code_is_used_up() {
    let world = World::new();
    let ann = world.aws_user("ann");
    let made = ann.make("phone");
    ann.enable("ann", &made).ok();
    let code = ann.now(&made);
    let answer = token(&ann, &made.serial, &code).ok();
    assert_eq!(answer.value("Expiration"), "2027-01-15T20:00:00Z");
    let session = ann.session(&answer);
    assert!(session.id.starts_with("ASIA") && session.id.len() == 20);
    session.call("ListMFADevices", &[]).ok();
    token(&ann, &made.serial, &code).refused(403, "AccessDenied");
}

#[test]
fn a_bad_code_gives_no_session() {
    let world = World::new();
    let ann = world.aws_user("ann");
    let aws = world.aws();
    let made = ann.make("phone");
    ann.enable("ann", &made).ok();
    aws.call("CreateUser", &[("UserName", "bob")]).ok();
    let bobs = aws.enabled("bob", "bobs");
    let now = world.hands.seconds();
    let invalid = "MultiFactorAuthentication failed with invalid MFA one time pass code. ";
    let unable = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number \
                  is valid and associated with this user.";
    let unfinished = aws.make("unfinished");
    let cases = [
        (&made.serial, code(&made.seed, now - 30), invalid),
        (&made.serial, code(&made.seed, now - 60), invalid),
        (&made.serial, code(&made.seed, now + 60), invalid),
        (&made.serial, ann.now(&bobs), invalid),
        (&bobs.serial, ann.now(&bobs), unable),
        (&unfinished.serial, ann.now(&unfinished), unable),
        (&"arn:aws:iam::000000000000:mfa/x".to_owned(), ann.now(&made), unable),
    ];
    for (serial, code, text) in cases {
        let answer = token(&ann, serial, &code);
        assert_eq!(answer.refused(403, "AccessDenied"), text);
        assert!(answer.values("SecretAccessKey").is_empty());
    }
}

#[test]
fn guesses_at_a_code_are_slowed_down() {
    let world = World::new();
    let ann = world.aws_user("ann");
    let made = ann.make("phone");
    ann.enable("ann", &made).ok();
    let right = ann.now(&made);
    let wrong = if right == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        token(&ann, &made.serial, wrong).refused(403, "AccessDenied");
    }
    token(&ann, &made.serial, &right).refused(400, "Throttling");
    world.hands.advance(30);
    token(&ann, &made.serial, &ann.now(&made)).ok();
}

#[test]
fn a_serial_number_without_a_code_and_a_code_without_one_are_refused() {
    let world = World::new();
    let aws = world.aws();
    let halves = [("SerialNumber", "arn:aws:iam::123456789012:mfa/x"), ("TokenCode", "123456")];
    for half in halves {
        let text = aws.call("GetSessionToken", &[half]).refused(403, "AccessDenied");
        assert!(text.contains("must provide both"), "{text}");
    }
    for (name, value) in [
        ("TokenCode", "12345"),
        ("TokenCode", "12345x"),
        ("SerialNumber", "short"),
        ("DurationSeconds", "899"),
    ] {
        aws.call("GetSessionToken", &[(name, value)]).refused(400, "ValidationError");
    }
}

#[test]
fn a_session_without_mfa_calls_nothing_of_iam_and_cannot_renew_itself() {
    let world = World::new();
    for aws in [world.aws(), world.aws_user("ann")] {
        let session = aws.session(&aws.call("GetSessionToken", &[]).ok());
        session.call("GetCallerIdentity", &[]).ok();
        for action in ["GetUser", "ListMFADevices", "ListVirtualMFADevices", "CreateAccessKey"] {
            session.call(action, &[]).refused(403, "AccessDenied");
        }
        session.call("GetSessionToken", &[]).refused(403, "AccessDenied");
    }
}

#[test]
fn a_session_ends_when_it_said_it_would() {
    let world = World::new();
    let aws = world.aws();
    let session = aws.session(&aws.call("GetSessionToken", &[("DurationSeconds", "900")]).ok());
    world.hands.advance(899);
    session.call("GetCallerIdentity", &[]).ok();
    world.hands.advance(1);
    session.call("GetCallerIdentity", &[]).refused(403, "ExpiredToken");
}

#[test]
fn a_session_token_that_is_missing_changed_or_anothers_is_refused() {
    let world = World::new();
    let aws = world.aws();
    let get = || aws.session(&aws.call("GetSessionToken", &[]).ok());
    let (one, other) = (get(), get());
    let token = one.token.clone().unwrap();
    let changed = format!("{}{}", if token.starts_with('A') { 'B' } else { 'A' }, &token[1..]);
    for token in [None, Some(changed), other.token.clone(), Some(String::new())] {
        Aws { token, ..one.clone() }.call("GetCallerIdentity", &[]).refused(403, "InvalidClientTokenId");
    }
    let mixed = Aws { secret: other.secret, ..one.clone() };
    mixed.call("GetCallerIdentity", &[]).refused(403, "SignatureDoesNotMatch");
    let long_term = Aws { token: one.token, ..aws };
    long_term.call("GetCallerIdentity", &[]).refused(403, "InvalidClientTokenId");
}

#[test]
fn a_session_survives_a_restart() {
    let directory = crate::testing::Directory::new();
    let hands = Hands::new();
    let start = || {
        let config = Config { clock: hands.clock(), ..Config::in_directory(directory.path().join("data")) };
        World { running: Server::start(config).unwrap(), hands: hands.clone() }
    };
    let world = start();
    let aws = world.aws();
    let session = aws.session(&aws.call("GetSessionToken", &[]).ok());
    drop(world);
    let world = start();
    Aws { url: world.running.url.clone(), ..session }.call("GetCallerIdentity", &[]).ok();
}

#[test]
fn a_role_is_assumed_with_mfa_and_may_do_nothing_but_ask_who_it_is() {
    let world = World::new();
    let ann = world.aws_user("ann");
    let made = ann.make("phone");
    ann.enable("ann", &made).ok();
    let arn = role_arn(&world, "MFARequired");
    let members = [("RoleArn", arn.as_str()), ("RoleSessionName", "test")];
    ann.call("AssumeRole", &members).refused(403, "AccessDenied");
    let mfa = [("SerialNumber", made.serial.as_str()), ("TokenCode", &ann.now(&made))];
    let answer = ann.call("AssumeRole", &[members, mfa].concat()).ok();
    let assumed = format!("arn:aws:sts::{}:assumed-role/MFARequired/test", world.running.account);
    assert_eq!(answer.value("Arn"), assumed);
    let role = ann.session(&answer);
    let shown = role.call("GetCallerIdentity", &[]).ok();
    assert_eq!((shown.value("Arn"), shown.value("UserId")), (assumed, answer.value("AssumedRoleId")));
    for action in ["GetUser", "ListMFADevices", "GetSessionToken"] {
        role.call(action, &[]).refused(403, "AccessDenied");
    }
    role.call("AssumeRole", &members).refused(403, "AccessDenied");
    ann.call("AssumeRole", &[members, mfa].concat()).refused(403, "AccessDenied");
}

#[test]
fn an_mfa_session_assumes_a_role_while_its_proof_is_young_enough() {
    let world = World::new();
    let ann = world.aws_user("ann");
    let made = ann.make("phone");
    ann.enable("ann", &made).ok();
    let arn = role_arn(&world, "MFARequired");
    let members = [("RoleArn", arn.as_str()), ("RoleSessionName", "test")];
    let plain = ann.session(&ann.call("GetSessionToken", &[]).ok());
    plain.call("AssumeRole", &members).refused(403, "AccessDenied");
    let proven = ann.session(&token(&ann, &made.serial, &ann.now(&made)).ok());
    world.hands.advance(3600);
    proven.call("AssumeRole", &members).ok();
    world.hands.advance(1);
    proven.call("AssumeRole", &members).refused(403, "AccessDenied");
}

#[test]
fn an_unknown_role_too_long_a_session_and_what_is_not_kept_are_refused() {
    let world = World::new();
    let aws = world.aws();
    let session = ("RoleSessionName", "test");
    let known = role_arn(&world, "MFARequired");
    for arn in [role_arn(&world, "Admin"), "arn:aws:iam::000000000000:role/MFARequired".into()] {
        aws.call("AssumeRole", &[("RoleArn", &arn), session]).refused(403, "AccessDenied");
    }
    let members = [("RoleArn", known.as_str()), session];
    aws.call("AssumeRole", &[members[0], members[1], ("DurationSeconds", "3601")])
        .refused(400, "ValidationError");
    for name in ["Policy", "PolicyArns.member.1.arn", "ExternalId", "Tags.member.1.Key", "SourceIdentity"] {
        aws.call("AssumeRole", &[members[0], members[1], (name, "xx")]).refused(400, "ValidationError");
    }
    let config =
        Config { roles: vec![crate::Role { name: "a b".into(), mfa_within: None }], ..Config::ephemeral() };
    assert!(matches!(Server::start(config), Err(crate::Error::Role(_))));
}
