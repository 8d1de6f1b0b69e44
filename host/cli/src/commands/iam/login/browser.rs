//! The sign-in in a browser: OAuth's authorisation code with PKCE (RFC 7636), answered on a loopback port of this command's
//! (RFC 8252 §7.3).

use std::io::{self, ErrorKind, IsTerminal as _, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use ureq::Agent;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::kept::{Grant, Kept};
use super::{now, service};
use crate::args::login::Login;
use crate::console;
use crate::failure::{Failure, Kind};
use crate::interrupt::Interrupt;
use crate::output::{Foreign, Output};

/// Has the user sign in and consent in a browser.
pub(super) fn log_in(arguments: &Login) -> Result<Kept, Failure> {
    let whom = &arguments.whom;
    let callback = Callback::listen()?;
    let (verifier, state) = (random()?, random()?);
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let address = address(&whom.url.console(), &callback.uri(), &state, &challenge);
    Output::note_at_terminal(format_args!("Sign in as {} with a browser on this machine, at", whom.user));
    Output::note_at_terminal(format_args!("  {address}"));
    Output::note_at_terminal(format_args!(
        "The page must show the code {}; deny it otherwise.",
        check_code(&challenge)
    ));
    if io::stderr().is_terminal() {
        show(&address);
    }
    let mut interrupt = Interrupt::default();
    interrupt.watch();
    let code = callback.wait(&state, &interrupt, Instant::now() + PATIENCE)?;
    redeem(arguments, &callback.uri(), &code, &verifier)
}

/// Where the browser brings the code.
struct Callback {
    listener: TcpListener,
    port: u16,
}

/// What the browser brought.
#[derive(Debug, PartialEq, Eq)]
enum Brought {
    Code(Zeroizing<String>),
    Denied,
    /// Nothing that was asked for: another program of this machine, or a page of another site.
    Nothing,
}

impl Callback {
    /// On the loopback address by number, at whatever port is free.
    fn listen() -> Result<Self, Failure> {
        let failed =
            |error| Failure::new(Kind::Other, format!("no port to be answered on: {error}; try again"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, port })
    }

    fn uri(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Waits for the code. Whatever comes without the state is answered, and waited on.
    fn wait(&self, state: &str, interrupt: &Interrupt, until: Instant) -> Result<Zeroizing<String>, Failure> {
        loop {
            if interrupt.is_asked() {
                return Err(Failure::new(Kind::User, "cancelled: nobody signed in"));
            }
            if Instant::now() > until {
                return Err(Failure::new(Kind::User, "nobody signed in within ten minutes: try again"));
            }
            match self.next(state) {
                Some(Brought::Code(code)) => return Ok(code),
                Some(Brought::Denied) => {
                    return Err(Failure::new(
                        Kind::User,
                        "the sign-in was denied in the browser, and nothing was done",
                    ));
                }
                Some(Brought::Nothing) | None => {}
            }
        }
    }

    /// What the next connection brought, if there is one within a moment.
    fn next(&self, state: &str) -> Option<Brought> {
        let mut ready = [PollFd::new(self.listener.as_fd(), PollFlags::POLLIN)];
        // A signal ends the wait too.
        let _ = poll(&mut ready, PollTimeout::from(MOMENT));
        let (mut stream, _) = self.listener.accept().ok()?;
        // Whoever says nothing does not keep the browser waiting for long.
        stream.set_nonblocking(false).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        stream.set_write_timeout(Some(Duration::from_secs(1))).ok()?;
        let head = read_head(&mut stream).unwrap_or_default();
        let brought = brought(&head, self.port, state);
        // A browser that is gone needs no answer.
        let _ = stream.write_all(answer(&brought).as_bytes());
        Some(brought)
    }
}

/// A request up to its empty line; at most [`LARGEST`] bytes of it.
fn read_head(stream: &mut TcpStream) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut head = Zeroizing::new(Vec::with_capacity(LARGEST));
    let mut part = Zeroizing::new([0; 1024]);
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        let read = stream.read(part.as_mut_slice())?;
        let part = part.get(..read).unwrap_or_default();
        if part.is_empty() || head.len() + part.len() > LARGEST {
            return Err(ErrorKind::InvalidData.into());
        }
        head.extend_from_slice(part);
    }
    Ok(head)
}

/// What a request brings: the code, if it is for this address and knows the state.
fn brought(head: &[u8], port: u16, state: &str) -> Brought {
    parsed(head, port, state).unwrap_or(Brought::Nothing)
}

fn parsed(head: &[u8], port: u16, state: &str) -> Option<Brought> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let is_whole = request.parse(head).ok()?.is_complete();
    let mut hosts = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host"));
    // By its number and nothing else: a page of a name that resolves to this machine is another site's.
    let is_here = hosts.next()?.value == format!("127.0.0.1:{port}").as_bytes() && hosts.next().is_none();
    let (path, query) = request.path?.split_once('?')?;
    if !is_whole || !is_here || request.method != Some("GET") || path != PATH {
        return None;
    }
    let members: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let only = |name: &str| {
        let mut found = members.iter().filter(|(member, _)| member == name).map(|(_, value)| value);
        found.next().filter(|_| found.next().is_none())
    };
    // RFC 6749 §10.12: who does not know the state answers another's question.
    if !bool::from(only("state")?.as_bytes().ct_eq(state.as_bytes())) {
        return None;
    }
    match (only("code"), only("error")) {
        (Some(code), None) => Some(Brought::Code(Zeroizing::new(code.to_string()))),
        (None, Some(_)) => Some(Brought::Denied),
        _ => None,
    }
}

fn answer(brought: &Brought) -> String {
    let (status, words) = match brought {
        Brought::Code(_) => ("200 OK", "Done. Close this page and go back to the terminal."),
        Brought::Denied => ("200 OK", "Denied. Close this page."),
        Brought::Nothing => ("400 Bad Request", "This is not the sign-in that the terminal waits for."),
    };
    let body = format!("<!doctype html><html lang=\"en\"><title>Keywright</title><p>{words}</p></html>\n");
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn address(console: &str, callback: &str, state: &str, challenge: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("response_type", "code").append_pair("client_id", CLIENT);
    query.append_pair("redirect_uri", callback).append_pair("state", state);
    query.append_pair("code_challenge", challenge).append_pair("code_challenge_method", "S256");
    format!("{console}/v1/authorize?{}", query.finish())
}

/// The first characters of the challenge's hash, as the page shows them.
fn check_code(challenge: &str) -> String {
    let hash = Sha256::digest(challenge.as_bytes());
    let bits = hash.iter().take(5).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    let letters =
        (0..8).rev().map(|at| BASE32.chars().nth((bits >> (5 * at) & 31) as usize).unwrap_or_default());
    let text: String = letters.collect();
    let (first, second) = text.split_at(4);
    format!("{first}-{second}")
}

/// Opens the address, if there is a way to: it is on the screen in any case. The other users of this machine may see it in
/// the list of processes, and can do nothing with it: the code goes to this command, and whose credentials come is checked.
fn show(address: &str) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(opener);
    let _ = command.arg(address).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
}

/// What `POST /v1/token` answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    access_token: AccessToken,
    expires_in: i64,
    refresh_token: Zeroizing<String>,
    refresh_token_expires_at: Option<i64>,
    id_token: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessToken {
    access_key_id: String,
    secret_access_key: Zeroizing<String>,
    session_token: Zeroizing<String>,
}

fn redeem(arguments: &Login, callback: &str, code: &str, verifier: &str) -> Result<Kept, Failure> {
    let Login { whom, duration, .. } = arguments;
    let url = format!("{}/v1/token", whom.url.api());
    // The code and the credentials go through no proxy.
    let config = Agent::config_builder().http_status_as_error(false).tls_config(super::believed(arguments)?);
    let agent: Agent =
        config.proxy(None).max_redirects(0).timeout_global(Some(console::PATIENCE)).build().into();
    let body = json!({
        "clientId": CLIENT, "grantType": "authorization_code", "code": code, "redirectUri": callback,
        "codeVerifier": verifier, "durationSeconds": duration,
    });
    let failed = |words: &dyn std::fmt::Display| {
        Failure::new(Kind::Other, format!("{url} did not give credentials ({words}): sign in again"))
    };
    let mut answer = agent.post(&url).send_json(body).map_err(|error| failed(&error))?;
    if !answer.status().is_success() {
        let words = answer.body_mut().read_to_string().unwrap_or_default();
        return Err(failed(&Foreign(&words)));
    }
    let token: Token = answer.body_mut().read_json().map_err(|error| failed(&error))?;
    let arn = subject(&token.id_token).ok_or_else(|| failed(&"it does not say whose they are"))?;
    service::require(whom, &arn)?;
    let Token { access_token, expires_in, refresh_token, refresh_token_expires_at, .. } = token;
    let AccessToken { access_key_id, secret_access_key, session_token } = access_token;
    let grant = refresh_token_expires_at.map(|expires_at| Grant { token: refresh_token, expires_at });
    let expires_at = now().saturating_add(expires_in);
    Ok(Kept { access_key_id, secret_access_key, session_token, expires_at, arn, grant })
}

/// Whose an id token is. It came from the one who makes credentials; its signature would say nothing more.
fn subject(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
    }
    let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice::<Claims>(&claims).ok().map(|claims| claims.sub)
}

/// 256 bits as 43 characters, which is a verifier as RFC 7636 has it.
fn random() -> Result<Zeroizing<String>, Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|error| Failure::new(Kind::Other, format!("no randomness: {error}; try again")))?;
    Ok(Zeroizing::new(BASE64_URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

const CLIENT: &str = "keywright";
const PATH: &str = "/oauth/callback";
const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// As long as the service waits.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long an interrupted user waits at most, in milliseconds.
const MOMENT: u16 = 100;
/// Browsers send a kilobyte or two.
const LARGEST: usize = 16 * 1024;

#[cfg(test)]
mod tests;
