//! AWS's published test suite for Signature Version 4, and what must be refused.

use super::{signing::Signer, *};

/// The time of AWS's vectors: 2015-08-30 12:36:00.
const THEN: i64 = 1_440_938_160;
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn request(method: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    Request { method: method.into(), path: "/".into(), query: query.into(), headers, body: body.into() }
}

fn signature(service: &str, request: &Request) -> String {
    let mut names: Vec<_> = request.headers.iter().map(|(name, _)| name.clone()).collect();
    names.sort();
    names.dedup();
    let signer = Signer {
        access_key_id: "AKIDEXAMPLE",
        secret: SECRET,
        session_token: None,
        region: "us-east-1",
        service,
        time: THEN,
    };
    signer.signature(request, &names)
}

fn signed(body: &str) -> Request {
    let mut request = request("POST", "", &[("host", "127.0.0.1:1")], body);
    let signer = Signer {
        access_key_id: "AKIDEXAMPLE",
        secret: SECRET,
        session_token: None,
        region: "us-east-1",
        service: "iam",
        time: THEN,
    };
    signer.sign(&mut request);
    request
}

fn judge(request: &Request) -> Result<(), Refusal> {
    let claim = Claim::read(request)?;
    claim.check_time(THEN)?;
    claim.verify(request, SECRET)
}

fn code(request: &Request) -> Code {
    judge(request).unwrap_err().code
}

/// Changes a header's value.
fn with(mut request: Request, name: &str, change: impl Fn(&str) -> String) -> Request {
    let header = request.headers.iter_mut().find(|(found, _)| found == name).unwrap();
    header.1 = change(&header.1);
    request
}

fn without(mut request: Request, name: &str) -> Request {
    request.headers.retain(|(found, _)| found != name);
    request
}

#[test]
fn the_signatures_are_those_of_awss_test_suite() {
    let usual = [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")];
    let multiple = [
        ("host", "example.amazonaws.com"),
        ("my-header1", " value1"),
        ("my-header2", " \"a   b   c\""),
        ("x-amz-date", "20150830T123600Z"),
    ];
    let form = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("host", "example.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
    ];
    let cases = [
        ("GET", "", usual.as_slice(), "", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "GET",
            "Param2=value2&Param1=value1",
            &usual,
            "",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        ("POST", "", &usual, "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "POST",
            "",
            &form,
            "Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        ("GET", "", &multiple, "", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
    ];
    for (method, query, headers, body, expected) in cases {
        let found = signature("service", &request(method, query, headers, body));
        assert_eq!(found, expected, "{method} {query} {headers:?}");
    }
}

/// The worked example of AWS's "Signing AWS requests" (IAM's ListUsers).
#[test]
fn the_signature_of_awss_worked_example_is_the_one_it_shows() {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
        ("host", "iam.amazonaws.com"),
        ("x-amz-date", "20150830T123600Z"),
    ];
    let found = signature("iam", &request("GET", "Action=ListUsers&Version=2010-05-08", &headers, ""));
    assert_eq!(found, "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

#[test]
fn a_query_is_encoded_anew_and_sorted() {
    assert_eq!(canonical_query("b=2&a=%7e&a=1&c&%zz=+"), "%25zz=%2B&a=1&a=~&b=2&c=");
}

#[test]
fn a_signed_request_is_verified() {
    judge(&signed("Action=ListUsers")).unwrap();
}

#[test]
fn a_request_without_a_signature_is_refused() {
    assert_eq!(code(&request("POST", "", &[("host", "h")], "")), Code::MissingAuthenticationToken);
}

#[test]
fn a_changed_body_method_path_query_or_header_does_not_match() {
    let changed: [fn(&mut Request); 5] = [
        |request| request.body.push(b'x'),
        |request| request.method = "GET".into(),
        |request| request.path = "/x".into(),
        |request| request.query = "a=b".into(),
        |request| request.headers[0].1 = "localhost:1".into(),
    ];
    for change in changed {
        let mut request = signed("Action=ListUsers");
        change(&mut request);
        assert_eq!(code(&request), Code::SignatureDoesNotMatch);
    }
}

#[test]
fn another_secret_or_a_signature_that_is_cut_empty_or_in_capitals_does_not_match() {
    let request = signed("");
    let claim = Claim::read(&request).unwrap();
    assert_eq!(claim.verify(&request, "another").unwrap_err().code, Code::SignatureDoesNotMatch);
    let cut = with(signed(""), "authorization", |value| value[..value.len() - 1].into());
    assert_eq!(code(&cut), Code::SignatureDoesNotMatch);
    let (head, tail) = request
        .header("authorization")
        .unwrap()
        .split_once("Signature=")
        .map(|(h, t)| (h.to_owned(), t.to_ascii_uppercase()))
        .unwrap();
    let capitals = with(signed(""), "authorization", |_| format!("{head}Signature={tail}"));
    assert_eq!(code(&capitals), Code::SignatureDoesNotMatch);
    let empty = with(signed(""), "authorization", |_| format!("{head}Signature="));
    assert_eq!(code(&empty), Code::IncompleteSignature);
}

#[test]
fn an_authorization_header_that_lacks_a_part_is_incomplete() {
    for cut in
        ["AWS4-HMAC-SHA256 ", "Credential=", "SignedHeaders=", "Signature=", "/us-east-1", "/aws4_request"]
    {
        let request = with(signed(""), "authorization", |value| value.replace(cut, ""));
        assert_eq!(code(&request), Code::IncompleteSignature, "{cut}");
    }
    assert_eq!(code(&without(signed(""), "x-amz-date")), Code::IncompleteSignature);
    let request = with(signed(""), "x-amz-date", |_| "Sun, 30 Aug 2015 12:36:00 GMT".into());
    assert_eq!(code(&request), Code::IncompleteSignature);
}

#[test]
fn a_signature_is_good_for_a_quarter_of_an_hour_either_way() {
    let request = signed("");
    let claim = Claim::read(&request).unwrap();
    for (now, good) in [(THEN - 901, false), (THEN - 900, true), (THEN + 900, true), (THEN + 901, false)] {
        assert_eq!(claim.check_time(now).is_ok(), good, "{}", now - THEN);
    }
    let text = claim.check_time(THEN + 3600).unwrap_err().message;
    assert_eq!(
        text,
        "Signature expired: 20150830T123600Z is now earlier than 20150830T132100Z (20150830T133600Z - 15 min.)"
    );
    let text = claim.check_time(THEN - 3600).unwrap_err().message;
    assert!(text.starts_with("Signature not yet current: "), "{text}");
}

#[test]
fn a_scope_of_another_day_service_or_region_does_not_match() {
    for (from, to) in [
        ("20150830/", "20150831/"),
        ("/iam/", "/sts/"),
        ("/us-east-1/", "/eu-west-1/"),
        ("20150830/", "2015/"),
    ] {
        let request = with(signed(""), "authorization", |value| value.replace(from, to));
        assert_eq!(code(&request), Code::SignatureDoesNotMatch, "{to}");
    }
}

#[test]
fn a_host_or_header_of_aws_that_is_not_signed_is_refused() {
    let request = with(signed(""), "authorization", |value| value.replace("host;", ""));
    assert_eq!(code(&request), Code::SignatureDoesNotMatch);
    let mut request = signed("");
    request.headers.push(("x-amz-security-token".into(), "token".into()));
    assert_eq!(code(&request), Code::SignatureDoesNotMatch);
}

#[test]
fn a_payload_hash_that_is_not_that_of_the_body_is_refused() {
    for told in ["UNSIGNED-PAYLOAD", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"] {
        let mut request = request("POST", "", &[("host", "h"), ("x-amz-content-sha256", told)], "body");
        let signer = Signer {
            access_key_id: "A",
            secret: SECRET,
            session_token: None,
            region: "us-east-1",
            service: "iam",
            time: THEN,
        };
        signer.sign(&mut request);
        assert_eq!(code(&request), Code::SignatureDoesNotMatch, "{told}");
    }
}
