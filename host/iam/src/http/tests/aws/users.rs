//! Users, login profiles and access keys, and what a user's own key may do.

use super::*;

#[test]
fn a_user_is_made_shown_listed_and_deleted() {
    let world = World::new();
    let (aws, account) = (world.aws(), &world.running.account);
    let made = aws.call("CreateUser", &[("UserName", "ann"), ("Path", "/team/")]).ok();
    assert_eq!(made.value("Arn"), format!("arn:aws:iam::{account}:user/team/ann"));
    assert_eq!(
        (made.value("Path"), made.value("CreateDate")),
        ("/team/".into(), "2027-01-15T08:00:00Z".into())
    );
    let id = made.value("UserId");
    assert!(id.starts_with("AIDA") && id.len() == 21, "{id}");
    assert_eq!(aws.call("GetUser", &[("UserName", "ann")]).ok().value("UserId"), id);
    aws.call("CreateUser", &[("UserName", "ANN")]).refused(409, "EntityAlreadyExists");
    let names = |members: &[(&str, &str)]| aws.call("ListUsers", members).ok().values("UserName");
    assert_eq!(names(&[]), ["Administrator", "ann"]);
    assert_eq!(names(&[("PathPrefix", "/team/")]), ["ann"]);
    assert!(names(&[("PathPrefix", "/%/")]).is_empty());
    assert_eq!(names(&[("MaxItems", "1")]), ["Administrator"]);
    aws.call("DeleteUser", &[("UserName", "ann")]).ok();
    for action in ["GetUser", "DeleteUser", "CreateAccessKey", "ListAccessKeys", "ListMFADevices"] {
        aws.call(action, &[("UserName", "ann")]).refused(404, "NoSuchEntity");
    }
}

#[test]
fn a_user_who_has_something_left_is_not_deleted() {
    let world = World::new();
    let (ann, aws) = (world.aws_user("ann"), world.aws());
    let name = [("UserName", "ann")];
    let made = aws.enabled("ann", "phone");
    aws.call("CreateLoginProfile", &[name[0], ("Password", PASSWORD)]).ok();
    for (what, action, more) in [
        ("login profile", "DeleteLoginProfile", None),
        ("access keys", "DeleteAccessKey", Some(("AccessKeyId", ann.id.as_str()))),
        ("MFA devices", "DeactivateMFADevice", Some(("SerialNumber", made.serial.as_str()))),
    ] {
        assert!(aws.call("DeleteUser", &name).refused(409, "DeleteConflict").contains(what), "{what}");
        let members: Vec<_> = name.into_iter().chain(more).collect();
        aws.call(action, &members).ok();
    }
    aws.call("DeleteUser", &name).ok();
    ann.call("GetCallerIdentity", &[]).refused(403, "InvalidClientTokenId");
}

#[test]
fn the_administrator_who_makes_users_is_not_deleted() {
    let world = World::new();
    let aws = world.aws();
    aws.call("DeleteLoginProfile", &[]).ok();
    aws.call("DeleteUser", &[("UserName", "Administrator")]).refused(409, "DeleteConflict");
}

#[test]
fn a_login_profile_is_a_password_for_the_console() {
    let world = World::new();
    let aws = world.aws();
    aws.call("CreateUser", &[("UserName", "ann")]).ok();
    let mut client = world.client();
    client.sign_in("ann", "").refused(403, "AccessDenied");
    let with = |password| aws.call("CreateLoginProfile", &[("UserName", "ann"), ("Password", password)]);
    with("short").refused(400, "PasswordPolicyViolation");
    with("").refused(400, "ValidationError");
    with(PASSWORD).ok();
    with(PASSWORD).refused(409, "EntityAlreadyExists");
    assert_eq!(client.sign_in("ann", PASSWORD).ok()["state"], "signed_in");
    aws.call("DeleteLoginProfile", &[("UserName", "ann")]).ok();
    client.session().refused(403, "AccessDenied");
    client.sign_in("ann", PASSWORD).refused(403, "AccessDenied");
    aws.call("DeleteLoginProfile", &[("UserName", "ann")]).refused(404, "NoSuchEntity");
    aws.call("CreateLoginProfile", &[("UserName", "nobody"), ("Password", PASSWORD)])
        .refused(404, "NoSuchEntity");
    let reset = [("UserName", "ann"), ("Password", PASSWORD), ("PasswordResetRequired", "true")];
    aws.call("CreateLoginProfile", &reset).refused(400, "ValidationError");
}

#[test]
fn a_deleted_users_number_is_never_given_to_another() {
    let world = World::new();
    let (ann, aws) = (world.aws_user("ann"), world.aws());
    let session = ann.session(&ann.call("GetSessionToken", &[]).ok());
    aws.call("DeleteAccessKey", &[("UserName", "ann"), ("AccessKeyId", &ann.id)]).ok();
    aws.call("DeleteUser", &[("UserName", "ann")]).ok();
    aws.call("CreateUser", &[("UserName", "bob")]).ok();
    session.call("GetCallerIdentity", &[]).refused(403, "InvalidClientTokenId");
}

#[test]
fn an_access_key_works_until_it_is_deleted_and_a_third_is_refused() {
    let world = World::new();
    let (ann, aws) = (world.aws_user("ann"), world.aws());
    assert!(ann.id.starts_with("AKIA") && ann.id.len() == 20 && ann.secret.len() == 40);
    aws.call("CreateAccessKey", &[("UserName", "ann")]).ok();
    aws.call("CreateAccessKey", &[("UserName", "ann")]).refused(409, "LimitExceeded");
    let list = ann.call("ListAccessKeys", &[]).ok();
    assert_eq!((list.values("AccessKeyId").len(), list.value("Status")), (2, "Active".into()));
    assert!(!list.text.contains(&ann.secret));
    let key = ("AccessKeyId", ann.id.as_str());
    aws.call("DeleteAccessKey", &[key]).refused(404, "NoSuchEntity");
    aws.call("DeleteAccessKey", &[("UserName", "ann"), key]).ok();
    ann.call("GetUser", &[]).refused(403, "InvalidClientTokenId");
}

#[test]
fn the_secret_of_an_access_key_is_not_readable_in_the_database() {
    let directory = crate::testing::Directory::new();
    let running = Server::start(Config::in_directory(directory.path().join("data"))).unwrap();
    let secret = running.secret_access_key.clone();
    drop(running);
    for file in std::fs::read_dir(directory.path().join("data")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

#[test]
fn a_users_key_acts_on_its_own_user_alone() {
    let world = World::new();
    let ann = world.aws_user("ann");
    let aws = world.aws();
    aws.call("CreateUser", &[("UserName", "bob")]).ok();
    let bobs = aws.enabled("bob", "bobs");
    let bob = ("UserName", "bob");
    let serial = ("SerialNumber", bobs.serial.as_str());
    for (action, members) in [
        ("GetUser", vec![bob]),
        ("ListUsers", vec![]),
        ("CreateUser", vec![("UserName", "eve")]),
        ("DeleteUser", vec![bob]),
        ("CreateLoginProfile", vec![bob, ("Password", PASSWORD)]),
        ("CreateLoginProfile", vec![("Password", PASSWORD)]),
        ("DeleteLoginProfile", vec![bob]),
        ("CreateAccessKey", vec![bob]),
        ("ListAccessKeys", vec![bob]),
        ("DeleteAccessKey", vec![bob, ("AccessKeyId", ann.id.as_str())]),
        ("ListMFADevices", vec![bob]),
        ("GetMFADevice", vec![bob, serial]),
        ("DeactivateMFADevice", vec![bob, serial]),
        ("DeleteVirtualMFADevice", vec![serial]),
        ("ListMFADeviceTags", vec![serial]),
        ("TagMFADevice", vec![serial, ("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "b")]),
        ("UntagMFADevice", vec![serial, ("TagKeys.member.1", "a")]),
    ] {
        let text = ann.call(action, &members).refused(403, "AccessDenied");
        let words = format!("user/ann is not authorized to perform: iam:{action};");
        assert!(text.contains(&words), "{text}");
    }
    assert!(ann.list("ListVirtualMFADevices", &[]).is_empty());
    // Not even whether someone is there.
    let unknown = ann.call("GetUser", &[("UserName", "nobody")]).refused(403, "AccessDenied");
    assert_eq!(unknown, ann.call("GetUser", &[bob]).refused(403, "AccessDenied"));
    let pair = || [code(&bobs.seed, 0), code(&bobs.seed, 30)];
    for action in ["EnableMFADevice", "ResyncMFADevice"] {
        ann.pair(action, "bob", &bobs.serial, pair()).refused(403, "AccessDenied");
    }
    for action in ["GetUser", "ListMFADevices", "ListAccessKeys", "ListVirtualMFADevices", "CreateAccessKey"]
    {
        ann.call(action, &[]).ok();
    }
    let own = ann.make("own");
    assert_eq!(ann.list("ListVirtualMFADevices", &[]), std::slice::from_ref(&own.serial));
    ann.call("DeleteVirtualMFADevice", &[("SerialNumber", &own.serial)]).ok();
}

#[test]
fn a_users_key_without_mfa_adds_no_second_device_and_makes_no_access_key() {
    let world = World::new();
    let ann = world.aws_user("ann");
    let first = ann.make("first");
    ann.enable("ann", &first).ok();
    let second = ann.make("second");
    ann.enable("ann", &second).refused(403, "AccessDenied");
    ann.call("CreateAccessKey", &[]).refused(403, "AccessDenied");
    ann.call("DeleteAccessKey", &[("AccessKeyId", &ann.id)]).refused(403, "AccessDenied");
    let code = ann.now(&first);
    let proven = ann.call("GetSessionToken", &[("SerialNumber", &first.serial), ("TokenCode", &code)]).ok();
    let proven = ann.session(&proven);
    proven.enable("ann", &second).ok();
    proven.call("CreateAccessKey", &[]).ok();
}

#[test]
fn a_user_removes_no_device_unless_the_policy_lets_owners_do_so() {
    let world = World::new();
    let ann = world.aws_user("ann");
    let made = ann.make("phone");
    ann.enable("ann", &made).ok();
    let serial = ("SerialNumber", made.serial.as_str());
    let proof = |aws: &Aws, made: &Made| {
        let members = [("SerialNumber", made.serial.as_str()), ("TokenCode", &aws.now(made))];
        aws.session(&aws.call("GetSessionToken", &members).ok())
    };
    proof(&ann, &made).call("DeactivateMFADevice", &[serial]).refused(403, "AccessDenied");

    let hands = Hands::new();
    let config = Config { clock: hands.clock(), removal: crate::Removal::ByOwner, ..Config::ephemeral() };
    let world = World { running: Server::start(config).unwrap(), hands };
    let ann = world.aws_user("ann");
    let made = ann.make("phone");
    ann.enable("ann", &made).ok();
    let serial = ("SerialNumber", made.serial.as_str());
    ann.call("DeactivateMFADevice", &[serial]).refused(403, "AccessDenied");
    proof(&ann, &made).call("DeactivateMFADevice", &[serial]).ok();
}

#[test]
fn what_the_server_does_not_keep_of_a_user_is_refused() {
    let world = World::new();
    let aws = world.aws();
    let name = ("UserName", "ann");
    let boundary = ("PermissionsBoundary", "arn:aws:iam::123456789012:policy/x");
    aws.call("CreateUser", &[name, boundary]).refused(400, "ValidationError");
    let tag = [("Tags.member.1.Key", "a"), ("Tags.member.1.Value", "b")];
    aws.call("CreateUser", &[name, tag[0], tag[1]]).refused(400, "ValidationError");
    aws.call("GetUser", &[name]).refused(404, "NoSuchEntity");
}
