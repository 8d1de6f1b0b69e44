//! The life of a virtual device, and each way in which it is refused.

use super::*;

#[test]
fn a_virtual_device_lives_from_creation_to_deletion() {
    let world = World::new();
    let aws = world.aws();
    aws.call("CreateUser", &[("UserName", "ann")]).ok();
    let made = aws.make("phone");
    assert_eq!(made.serial, format!("arn:aws:iam::{}:mfa/phone", world.running.account));
    assert_eq!(made.seed.len(), 64);
    let list = |status| aws.list("ListVirtualMFADevices", &[("AssignmentStatus", status)]);
    assert_eq!((list("Assigned").len(), list("Unassigned").len(), list("Any").len()), (0, 1, 1));
    aws.enable("ann", &made).ok();
    assert_eq!((list("Assigned").len(), list("Unassigned").len(), list("Any").len()), (1, 0, 1));
    let shown = aws.call("ListVirtualMFADevices", &[("AssignmentStatus", "Assigned")]).ok();
    assert_eq!(
        (shown.value("UserName"), shown.value("EnableDate")),
        ("ann".into(), "2027-01-15T08:00:00Z".into())
    );
    assert_eq!(aws.list("ListMFADevices", &[("UserName", "ann")]), std::slice::from_ref(&made.serial));
    let serial = [("SerialNumber", made.serial.as_str())];
    aws.call("DeleteVirtualMFADevice", &serial).refused(409, "DeleteConflict");
    let members = [("UserName", "ann"), serial[0]];
    aws.call("DeactivateMFADevice", &members).ok();
    aws.call("DeactivateMFADevice", &members).refused(404, "NoSuchEntity");
    assert!(aws.list("ListMFADevices", &[("UserName", "ann")]).is_empty());
    aws.call("DeleteVirtualMFADevice", &serial).ok();
    aws.call("DeleteVirtualMFADevice", &serial).refused(404, "NoSuchEntity");
    assert!(list("Any").is_empty());
}

#[test]
fn the_qr_code_is_a_png() {
    let world = World::new();
    let made = world.aws().call("CreateVirtualMFADevice", &[("VirtualMFADeviceName", "phone")]).ok();
    let picture = BASE64_STANDARD.decode(made.value("QRCodePNG")).unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
}

#[test]
fn a_name_is_taken_per_path() {
    let world = World::new();
    let aws = world.aws();
    aws.make("phone");
    let name = ("VirtualMFADeviceName", "phone");
    aws.call("CreateVirtualMFADevice", &[name]).refused(409, "EntityAlreadyExists");
    let made = aws.call("CreateVirtualMFADevice", &[name, ("Path", "/a/b/")]).ok();
    assert_eq!(made.value("SerialNumber"), format!("arn:aws:iam::{}:mfa/a/b/phone", world.running.account));
    // Allowed in a path, but no request could name such a serial number.
    aws.call("CreateVirtualMFADevice", &[name, ("Path", "/a!/")]).refused(400, "InvalidInput");
    let long = format!("/{}/", "x".repeat(300));
    aws.call("CreateVirtualMFADevice", &[name, ("Path", &long)]).refused(400, "InvalidInput");
}

#[test]
fn codes_that_are_wrong_swapped_equal_apart_stale_or_reused_enable_nothing() {
    let world = World::new();
    let aws = world.aws();
    aws.call("CreateUser", &[("UserName", "ann")]).ok();
    let made = aws.make("phone");
    let now = world.hands.seconds();
    let at = |seconds: u64| code(&made.seed, seconds);
    for pair in [
        [at(now), at(now - 30)],
        [at(now), at(now)],
        [at(now - 60), at(now)],
        [at(now - 90), at(now - 60)],
        [at(now + 30), at(now + 60)],
        ["000000".into(), "000000".into()],
    ] {
        let text =
            aws.pair("EnableMFADevice", "ann", &made.serial, pair).refused(403, "InvalidAuthenticationCode");
        assert!(text.starts_with("Authentication code for device is not valid."), "{text}");
    }
    assert!(aws.list("ListMFADevices", &[("UserName", "ann")]).is_empty());
    aws.enable("ann", &made).ok();
    // Taken out of use, its used codes stay used.
    aws.call("DeactivateMFADevice", &[("UserName", "ann"), ("SerialNumber", &made.serial)]).ok();
    aws.enable("ann", &made).refused(403, "InvalidAuthenticationCode");
    world.hands.advance(60);
    aws.enable("ann", &made).ok();
}

#[test]
fn a_device_in_use_an_unknown_one_and_an_unknown_user_are_refused() {
    let world = World::new();
    let aws = world.aws();
    for user in ["ann", "bob"] {
        aws.call("CreateUser", &[("UserName", user)]).ok();
    }
    let made = aws.enabled("ann", "phone");
    for user in ["ann", "bob"] {
        aws.enable(user, &made).refused(409, "EntityAlreadyExists");
    }
    let other = aws.make("other");
    aws.enable("nobody", &other).refused(404, "NoSuchEntity");
    let unknown = Made { serial: format!("{}x", other.serial), seed: other.seed };
    aws.enable("ann", &unknown).refused(404, "NoSuchEntity");
    for action in ["DeactivateMFADevice", "GetMFADevice"] {
        let members = [("UserName", "bob"), ("SerialNumber", made.serial.as_str())];
        aws.call(action, &members).refused(404, "NoSuchEntity");
    }
    let pair = [code(&made.seed, 0), code(&made.seed, 30)];
    aws.pair("ResyncMFADevice", "bob", &made.serial, pair).refused(404, "NoSuchEntity");
}

#[test]
fn a_ninth_device_is_refused_whoever_enables_it() {
    let world = World::new();
    let aws = world.aws();
    aws.call("CreateUser", &[("UserName", "ann")]).ok();
    for n in 0..8 {
        aws.enabled("ann", &format!("device-{n}"));
    }
    let ninth = aws.make("ninth");
    aws.enable("ann", &ninth).refused(409, "LimitExceeded");
    assert_eq!(aws.list("ListMFADevices", &[("UserName", "ann")]).len(), 8);
}

#[test]
fn what_breaks_a_constraint_is_told_in_awss_words() {
    let world = World::new();
    let aws = world.aws();
    let text = aws.call("EnableMFADevice", &[]).refused(400, "ValidationError");
    assert!(text.starts_with("4 validation errors detected: Value null at 'userName' failed"), "{text}");
    let text = aws.call("DeactivateMFADevice", &[("SerialNumber", "short")]).refused(400, "ValidationError");
    let expected = "1 validation error detected: Value 'short' at 'serialNumber' failed to satisfy constraint: Member \
                    must have length greater than or equal to 9";
    assert_eq!(text, expected);
    let text = aws.call("ListMFADevices", &[("MaxItems", "1001")]).refused(400, "ValidationError");
    assert!(text.ends_with("Member must have value less than or equal to 1000"), "{text}");
    for marker in ["x", "AAAA", "\u{1}"] {
        aws.call("ListMFADevices", &[("Marker", marker)]).refused(400, "ValidationError");
    }
    aws.call("ListVirtualMFADevices", &[("AssignmentStatus", "assigned")]).refused(400, "ValidationError");
}

#[test]
fn a_list_comes_in_pages_and_each_device_once() {
    let world = World::new();
    let aws = world.aws();
    let serials: Vec<_> = (0..7).map(|n| aws.make(&format!("device-{n}")).serial).collect();
    let mut found = Vec::new();
    let mut marker = None::<String>;
    for (size, more) in [(3, "true"), (3, "true"), (1, "false")] {
        let mut members = vec![("MaxItems", "3")];
        members.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let page = aws.call("ListVirtualMFADevices", &members).ok();
        let part = page.values("SerialNumber");
        assert_eq!((part.len(), page.value("IsTruncated").as_str()), (size, more));
        found.extend(part);
        marker = page.values("Marker").into_iter().next();
        assert_eq!(marker.is_some(), more == "true");
    }
    assert_eq!(found, serials);
}

#[test]
fn resynchronising_follows_a_clock_that_is_off_and_takes_no_old_codes() {
    let world = World::new();
    let aws = world.aws();
    let name = world.running.administrator.clone().unwrap().user;
    let made = aws.enabled(&name, "phone");
    world.hands.advance(60);
    // The device's clock is 20 minutes ahead.
    let (now, ahead) = (world.hands.seconds(), 1200);
    let session = |seconds: u64| {
        let code = code(&made.seed, seconds);
        aws.call("GetSessionToken", &[("SerialNumber", &made.serial), ("TokenCode", &code)])
    };
    session(now + ahead).refused(403, "AccessDenied");
    let resync = |first: u64, second: u64| {
        aws.pair("ResyncMFADevice", &name, &made.serial, [code(&made.seed, first), code(&made.seed, second)])
    };
    resync(now + ahead, now + ahead).refused(403, "InvalidAuthenticationCode");
    resync(now + 7200, now + 7230).refused(403, "InvalidAuthenticationCode");
    // The two codes that enabled the device, as someone may have seen them.
    resync(now - 120, now - 90).refused(403, "InvalidAuthenticationCode");
    resync(now + ahead - 30, now + ahead).ok();
    resync(now + ahead - 30, now + ahead).refused(403, "InvalidAuthenticationCode");
    session(now + ahead).refused(403, "AccessDenied");
    session(now + ahead + 30).ok();
    session(now + 30).refused(403, "AccessDenied");
}

#[test]
fn tags_are_kept_changed_listed_and_taken_off() {
    let world = World::new();
    let aws = world.aws();
    let members =
        [("VirtualMFADeviceName", "phone"), ("Tags.member.1.Key", "Team"), ("Tags.member.1.Value", "a & b")];
    let refused = aws.call("CreateVirtualMFADevice", &members);
    refused.refused(400, "ValidationError");
    let members = [members[0], members[1], ("Tags.member.1.Value", "blue / 1")];
    let serial = aws.call("CreateVirtualMFADevice", &members).ok().value("SerialNumber");
    let serial = ("SerialNumber", serial.as_str());
    let tags = || {
        let list = aws.call("ListMFADeviceTags", &[serial]).ok();
        list.values("Key").into_iter().zip(list.values("Value")).collect::<Vec<_>>()
    };
    assert_eq!(tags(), [("Team".to_owned(), "blue / 1".to_owned())]);
    let tag = |key: &str, value: &str| {
        aws.call("TagMFADevice", &[serial, ("Tags.member.1.Key", key), ("Tags.member.1.Value", value)])
    };
    tag("TEAM", "red").ok();
    tag("Owner", "").ok();
    assert_eq!(tags(), [("TEAM".to_owned(), "red".to_owned()), ("Owner".to_owned(), String::new())]);
    tag("aws:x", "y").refused(400, "InvalidInput");
    let twice = [
        serial,
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", "1"),
        ("Tags.member.2.Key", "A"),
        ("Tags.member.2.Value", "2"),
    ];
    aws.call("TagMFADevice", &twice).refused(400, "InvalidInput");
    aws.call("UntagMFADevice", &[serial, ("TagKeys.member.1", "team"), ("TagKeys.member.2", "none")]).ok();
    assert_eq!(tags(), [("Owner".to_owned(), String::new())]);
    let keys: Vec<_> = (0..49).map(|n| format!("k{n}")).collect();
    keys.iter().for_each(|key| drop(tag(key, "v").ok()));
    tag("one too many", "v").refused(409, "LimitExceeded");
    assert_eq!(tags().len(), 50);
    let unknown = ("SerialNumber", "arn:aws:iam::000000000000:mfa/x");
    for (action, more) in [("ListMFADeviceTags", None), ("UntagMFADevice", Some(("TagKeys.member.1", "a")))] {
        let members: Vec<_> = [unknown].into_iter().chain(more).collect();
        aws.call(action, &members).refused(404, "NoSuchEntity");
    }
}

#[test]
fn tags_come_in_pages_and_each_once() {
    let world = World::new();
    let aws = world.aws();
    let made = aws.make("phone");
    let serial = ("SerialNumber", made.serial.as_str());
    let keys = ["a", "b", "c", "d", "e"];
    for key in keys {
        aws.call("TagMFADevice", &[serial, ("Tags.member.1.Key", key), ("Tags.member.1.Value", "v")]).ok();
    }
    let (mut found, mut marker) = (Vec::new(), None::<String>);
    for (size, more) in [(2, "true"), (2, "true"), (1, "false")] {
        let mut members = vec![serial, ("MaxItems", "2")];
        members.extend(marker.as_deref().map(|marker| ("Marker", marker)));
        let page = aws.call("ListMFADeviceTags", &members).ok();
        assert_eq!((page.values("Key").len(), page.value("IsTruncated").as_str()), (size, more));
        found.extend(page.values("Key"));
        marker = page.values("Marker").into_iter().next();
        assert_eq!(marker.is_some(), more == "true");
    }
    assert_eq!(found, keys);
}

#[test]
fn get_mfa_device_knows_security_keys_alone() {
    let world = World::new();
    let aws = world.aws();
    let name = world.running.administrator.clone().unwrap().user;
    let made = aws.enabled(&name, "phone");
    aws.call("GetMFADevice", &[("SerialNumber", &made.serial)]).refused(404, "NoSuchEntity");
    let mut client = world.client();
    let secret = world.running.administrator.clone().unwrap();
    aws.call("DeactivateMFADevice", &[("SerialNumber", &made.serial)]).ok();
    client.sign_in(&secret.user, &secret.password).ok();
    let key = authenticator::Key::new(&client.url);
    let options = client.post("/api/mfa-devices/webauthn/options", json!({"name": "blue"})).ok();
    let body = json!({"name": "blue", "credential": key.create(&options)});
    let device = client.post("/api/mfa-devices/webauthn", body).has(201);
    let serial = device["serial"].as_str().unwrap();
    let shown = aws.call("GetMFADevice", &[("SerialNumber", serial), ("UserName", &name)]).ok();
    assert_eq!((shown.value("UserName"), shown.value("SerialNumber")), (name.clone(), serial.to_owned()));
    assert_eq!(shown.value("EnableDate"), "2027-01-15T08:00:00Z");
    aws.call("GetMFADevice", &[("SerialNumber", serial), ("UserName", "nobody")])
        .refused(404, "NoSuchEntity");
    aws.call("DeleteVirtualMFADevice", &[("SerialNumber", serial)]).refused(404, "NoSuchEntity");
    aws.call("DeactivateMFADevice", &[("UserName", &name), ("SerialNumber", serial)]).ok();
    assert!(aws.list("ListMFADevices", &[]).is_empty());
}
