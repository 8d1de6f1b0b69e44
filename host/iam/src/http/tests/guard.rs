use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use super::*;

/// Sends a request as it is written; the status line and headers come back.
fn raw(world: &World, request: &str) -> String {
    let address = world.running.console_url.replace("http://localhost", "127.0.0.1");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn port(world: &World) -> &str {
    world.running.console_url.rsplit(':').next().unwrap()
}

#[test]
fn a_foreign_missing_or_doubled_host_is_refused() {
    let world = World::new();
    let port = port(&world);
    let hosts = [
        format!("Host: evil.example:{port}\r\n"),
        format!("Host: localhost.evil.example:{port}\r\n"),
        "Host: localhost\r\n".into(),
        "Host: localhost:1\r\n".into(),
        format!("Host: [::1]:{port}\r\n"),
        format!("Host: localhost:{port}\r\nHost: evil.example\r\n"),
    ];
    for host in hosts {
        for path in ["/sign-in", "/api/session"] {
            let answer = raw(&world, &format!("GET {path} HTTP/1.1\r\n{host}Connection: close\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer}");
        }
    }
    let answer = raw(&world, "GET /sign-in HTTP/1.0\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.0 403 "), "{answer}");
}

#[test]
fn an_absolute_target_of_another_host_is_refused() {
    let world = World::new();
    let port = port(&world);
    let request = format!(
        "GET http://evil.example/sign-in HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
    );
    assert!(raw(&world, &request).starts_with("HTTP/1.1 403 "));
}

#[test]
fn a_page_asked_for_by_number_is_redirected_to_localhost_and_a_post_is_refused() {
    let world = World::new();
    let (port, url) = (port(&world), &world.running.console_url);
    let host = format!("Host: 127.0.0.1:{port}\r\nConnection: close\r\n");
    let answer = raw(&world, &format!("GET /mfa/app?serial=x HTTP/1.1\r\n{host}\r\n"));
    assert!(answer.starts_with("HTTP/1.1 307 "), "{answer}");
    assert!(answer.contains(&format!("location: {url}/mfa/app?serial=x\r\n")), "{answer}");
    let answer = raw(&world, &format!("GET //evil.example/ HTTP/1.1\r\n{host}\r\n"));
    assert!(answer.contains(&format!("location: {url}//evil.example/\r\n")), "{answer}");
    for origin in [url.clone(), format!("http://127.0.0.1:{port}")] {
        let head = format!("POST /api/sign-out HTTP/1.1\r\n{host}Origin: {origin}\r\n");
        let answer = raw(&world, &format!("{head}Content-Length: 0\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    }
}

#[test]
fn a_post_with_a_foreign_null_doubled_or_no_origin_is_refused() {
    let world = World::new();
    let (port, url) = (port(&world), &world.running.console_url);
    let origins = [
        String::new(),
        "Origin: null\r\n".into(),
        "Origin: http://localhost:1\r\n".into(),
        format!("Origin: https://localhost:{port}\r\n"),
        format!("Origin: {url}.evil.example\r\n"),
        format!("Origin: {url}/\r\n"),
        format!("Origin: {url}\r\nOrigin: http://evil.example\r\n"),
    ];
    for origin in origins {
        for path in ["/sign-in", "/sign-out", "/api/sign-out", "/api/users"] {
            let head = format!("POST {path} HTTP/1.1\r\nHost: localhost:{port}\r\n{origin}");
            let answer = raw(&world, &format!("{head}Content-Length: 0\r\nConnection: close\r\n\r\n"));
            assert!(answer.starts_with("HTTP/1.1 403 "), "{origin} {path}: {answer}");
        }
    }
}

#[test]
fn a_get_from_a_foreign_origin_is_refused() {
    let world = World::new();
    let mut client = world.user("ann");
    let request = client.agent.get(client.at("/api/session")).header("Cookie", client.cookie());
    let answer = request.header("Origin", "http://evil.example").call().unwrap();
    client.take(answer).refused(403, "AccessDenied");
    client.session().ok();
}

#[test]
fn every_answer_carries_the_security_headers_and_none_allows_other_origins() {
    let world = World::new();
    let mut client = world.client();
    for path in ["/sign-in", "/api/session", "/nowhere", "/static/console.js", "/", "/api/nowhere"] {
        let answer = client.get(path);
        let header = |name: &str| answer.headers.get(name).cloned().unwrap_or_default();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert!(!answer.headers.keys().any(|name| name.starts_with("access-control")), "{path}");
    }
}

#[test]
fn a_body_that_is_not_the_json_described_or_too_large_is_refused_as_input() {
    let world = World::new();
    let mut client = world.client();
    client.post("/api/sign-in", json!({"user": "ann"})).refused(400, "InvalidInput");
    client.post("/api/sign-in", json!(["ann"])).refused(400, "InvalidInput");
    let long = "x".repeat(70_000);
    client.sign_in("ann", &long).refused(400, "InvalidInput");
    let request = client.agent.post(client.at("/api/sign-in")).header("Origin", &client.url);
    let answer = request.header("Content-Type", "text/plain").send("{}").unwrap();
    client.take(answer).refused(400, "InvalidInput");
}

#[test]
fn an_unknown_endpoint_or_method_is_no_such_entity() {
    let world = World::new();
    let mut client = world.client();
    client.get("/api/nowhere").refused(404, "NoSuchEntity");
    client.get("/api/sign-in").refused(404, "NoSuchEntity");
    assert_eq!(client.get("/nowhere").status, 404);
}
