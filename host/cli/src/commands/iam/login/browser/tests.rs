use super::*;

const STATE: &str = "the-state";

fn request(line: &str, host: &str) -> Brought {
    brought(format!("{line} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n").as_bytes(), 4000, STATE)
}

fn get(query: &str) -> Brought {
    request(&format!("GET /oauth/callback?{query}"), "127.0.0.1:4000")
}

#[test]
fn a_code_with_the_state_is_taken_and_a_denial_is_heard() {
    let code = Brought::Code("a code".to_owned().into());
    assert_eq!(get("code=a+code&state=the-state"), code);
    assert_eq!(get("state=the%2Dstate&code=a%20code&iss=x"), code);
    assert_eq!(get("error=access_denied&state=the-state"), Brought::Denied);
}

#[test]
fn a_wrong_missing_or_doubled_state_is_another_programs() {
    for query in [
        "code=a",
        "code=a&state=",
        "code=a&state=the-statf",
        "code=a&state=the-state2",
        "code=a&state=x&state=the-state",
        "code=a&state=the-state&state=the-state",
        "code=a&code=b&state=the-state",
        "code=a&error=b&state=the-state",
        "error=access_denied&state=x",
        "state=the-state",
        "",
    ] {
        assert_eq!(get(query), Brought::Nothing, "{query}");
    }
}

#[test]
fn a_request_for_another_host_is_another_sites() {
    let line = "GET /oauth/callback?code=a&state=the-state";
    for host in [
        "localhost:4000",
        "evil.example:4000",
        "127.0.0.1",
        "127.0.0.1:4001",
        "127.0.0.1:4000.evil.example",
        "",
    ] {
        assert_eq!(request(line, host), Brought::Nothing, "{host}");
    }
    let twice = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:4000\r\nHost: evil.example\r\n\r\n");
    assert_eq!(brought(twice.as_bytes(), 4000, STATE), Brought::Nothing);
    let none = format!("{line} HTTP/1.1\r\n\r\n");
    assert_eq!(brought(none.as_bytes(), 4000, STATE), Brought::Nothing);
}

#[test]
fn another_path_or_method_and_what_is_no_request_bring_nothing() {
    for line in [
        "POST /oauth/callback?code=a&state=the-state",
        "GET /?code=a&state=the-state",
        "GET /oauth/callback/?code=a&state=the-state",
        "GET http://127.0.0.1:4000/oauth/callback?code=a&state=the-state",
        "GET /oauth/callback",
        "code=a&state=the-state",
    ] {
        assert_eq!(request(line, "127.0.0.1:4000"), Brought::Nothing, "{line}");
    }
    for head in [
        &b""[..],
        b"\xff\xfe",
        b"GET /oauth/callback?code=a&state=the-state HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n",
    ] {
        assert_eq!(brought(head, 4000, STATE), Brought::Nothing);
    }
}

#[test]
fn who_brings_nothing_is_answered_and_waited_on() {
    let callback = Callback::listen().unwrap();
    let port = callback.port;
    let send = |request: String| {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let path =
        |query: &str| format!("GET /oauth/callback?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
    let mut strangers =
        [send(path("code=evil&state=wrong")), send("x".repeat(LARGEST + 1)), send("\r\n\r\n".to_owned())];
    // One that says nothing and stays does not keep others out.
    let silent = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    let mut own = send(path("code=good&state=the-state"));
    let until = Instant::now() + Duration::from_secs(60);
    let code = callback.wait(STATE, &Interrupt::default(), until).unwrap();
    assert_eq!(code.as_str(), "good");
    let read = |stream: &mut TcpStream| {
        let mut text = String::new();
        // What was not read to its end is answered with a reset.
        let _ = stream.read_to_string(&mut text);
        text
    };
    assert!(read(&mut own).starts_with("HTTP/1.1 200 "));
    assert!(read(&mut strangers[0]).starts_with("HTTP/1.1 400 "));
    drop(silent);
}

#[test]
fn nobody_is_waited_for_longer_than_said() {
    let callback = Callback::listen().unwrap();
    let failure = callback.wait(STATE, &Interrupt::default(), Instant::now()).unwrap_err();
    assert_eq!(failure.kind(), Kind::User);
}

#[test]
fn only_this_machine_by_its_loopback_address_reaches_the_callback() {
    let callback = Callback::listen().unwrap();
    assert!(callback.listener.local_addr().unwrap().ip().is_loopback());
    assert_eq!(callback.uri(), format!("http://127.0.0.1:{}/oauth/callback", callback.port));
}

#[test]
fn the_check_code_is_the_pages() {
    // data-encoding's base32 of the same hash, as the page makes it: SHA-256("E9Mel…") begins 9f 0f 31 ….
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let code = check_code(challenge);
    assert!(code.len() == 9 && code.as_bytes()[4] == b'-');
    assert!(code.replace('-', "").chars().all(|letter| BASE32.contains(letter)));
    let first = Sha256::digest(challenge.as_bytes())[0] >> 3;
    assert_eq!(code.chars().next(), BASE32.chars().nth(first.into()));
    assert_ne!(code, check_code("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cN"));
}

#[test]
fn whose_a_token_is_stands_in_it() {
    let part = BASE64_URL_SAFE_NO_PAD.encode(r#"{"sub":"arn:x"}"#);
    assert_eq!(subject(&format!("e30.{part}.")).as_deref(), Some("arn:x"));
    for token in ["", "e30", "e30.e30.", "e30.!.", &format!("{part}..")] {
        assert_eq!(subject(token), None, "{token}");
    }
}
