//! A security key, at the local IAM: sign-in by password (and what the user has already), and a touch.

use keywright_host::webauthn::{CreationOptions, Origin, RequestOptions};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Enrolled;
use crate::args::Device;
use crate::args::aws::Enrol;
use crate::args::login::ServiceUrl;
use crate::commands::iam::proof::{Proof, Said};
use crate::console::{Console, ConsoleError};
use crate::failure::{Failure, Kind};
use crate::hidden;
use crate::interrupt::Interrupt;
use crate::key::Key;
use crate::pin::{Descriptors, Source};
use crate::roots;
use crate::user::User;

/// Enrols a key. Until the answer of the touched key has been sent, there is nothing that would have to be undone.
///
/// # Errors
/// As [`super::run`].
pub(super) fn enrol(arguments: &Enrol) -> Result<Enrolled, Failure> {
    let asked = &arguments.console;
    let url = asked.console_url.as_ref().map(ServiceUrl::console).unwrap_or_default();
    let origin: Origin = url.parse()?;
    let bundle = asked.console_url.as_ref().and_then(|url| asked.roots.bundle(url));
    let tls = roots::believed(bundle.as_deref())?;
    let mut console = Console::new(&url, tls);
    sign_in(&mut console, arguments, &origin)?;
    let name = &arguments.name;
    let options: CreationOptions =
        console.post_for("/api/mfa-devices/webauthn/options", json!({ "name": name }))?;
    let mut user = User::new(arguments.pin.clone());
    let mut key = Key::find(&arguments.device, &mut user)?;
    user.touch_words("Touch the key that is to be enrolled.");
    let response = key.authenticator.register(&options, &origin, &mut user);
    let response = user.outcome(response)?;
    let device =
        match console.post("/api/mfa-devices/webauthn", json!({ "name": name, "credential": response })) {
            // It may have been done: the name was free a moment ago.
            Err(ConsoleError::Http(error)) => enrolled(&mut console, name)
                .map_err(|_| unsure(&error, &url))?
                .ok_or_else(|| Failure::from(ConsoleError::Http(error)).and(&"nothing was left behind"))?,
            device => device?,
        };
    Ok(Enrolled {
        serial: text(&device, "serial")?,
        user: arguments.user.clone().unwrap_or_default(),
        kind: "security_key",
        kept_as: None,
        kept_in: None,
        done: "enrolled",
    })
}

/// Signs in with the password, and with a device where the user has one.
fn sign_in(console: &mut Console, arguments: &Enrol, origin: &Origin) -> Result<(), Failure> {
    let (account, user) = (&arguments.console.account, &arguments.user);
    let password = password(arguments)?;
    let body = json!({ "account": account, "user": user, "password": password.as_str() });
    let answer = console.post("/api/sign-in", body)?;
    if answer.get("state").and_then(Value::as_str) == Some("signed_in") {
        return Ok(());
    }
    let devices = answer.get("devices").and_then(Value::as_array).cloned().unwrap_or_default();
    let of_type = |kind: &str| {
        devices.iter().find(|device| device.get("type").and_then(Value::as_str) == Some(kind)).cloned()
    };
    if arguments.proof_device.is_none()
        && let Some(device) = of_type("totp").or_else(|| of_type("hardware"))
    {
        return prove_by_code(console, &text(&device, "serial")?, arguments);
    }
    prove_by_key(console, arguments, origin)
}

fn prove_by_code(console: &mut Console, serial: &str, arguments: &Enrol) -> Result<(), Failure> {
    let said = Said { totp: None, typed: false, code_fd: None, place: &arguments.place };
    let proof = Proof::of(serial, &said, &mut Interrupt::default())?;
    let mut refused = Failure::new(Kind::Other, "there is no code");
    for code in proof.codes()? {
        match console.post("/api/sign-in/totp", json!({ "serial": serial, "code": code.as_str() })) {
            Ok(_) => return Ok(()),
            Err(error) => refused = error.into(),
        }
    }
    Err(refused)
}

fn prove_by_key(console: &mut Console, arguments: &Enrol, origin: &Origin) -> Result<(), Failure> {
    let options: RequestOptions = console.post_for("/api/sign-in/webauthn/options", json!({}))?;
    let mut user = User::new(arguments.pin.clone());
    let mut key = Key::find(&Device { device: arguments.proof_device.clone() }, &mut user)?;
    user.touch_words("Touch the key that you have enrolled already.");
    let response = key.authenticator.authenticate(&options, origin, &mut user);
    let response = user.outcome(response)?;
    console.post("/api/sign-in/webauthn", json!({ "credential": response }))?;
    Ok(())
}

fn password(arguments: &Enrol) -> Result<Zeroizing<String>, Failure> {
    let console = &arguments.console;
    let source = Source::of(console.password_fd, console.password_env.clone());
    if let Some(given) = source.text(&mut Descriptors::default(), "password")? {
        return Ok(given);
    }
    let mut interrupt = Interrupt::default();
    interrupt.watch();
    let prompt = format!("Password of {}: ", arguments.user.as_deref().unwrap_or_default());
    let line = hidden::line(&prompt, &interrupt).map_err(|error| {
        let words = format!(
            "a password is needed and there is no terminal to ask at ({error}): give it with --password-fd or --password-env"
        );
        Failure::new(Kind::Pin, words)
    })?;
    let cancelled = || Failure::new(Kind::User, "cancelled: no password was given, and nothing was done");
    line.filter(|text| !text.is_empty()).ok_or_else(cancelled)
}

/// The device of a name, if the user has it.
fn enrolled(console: &mut Console, name: &str) -> Result<Option<Value>, ConsoleError> {
    let answer = console.get("/api/mfa-devices")?;
    let devices = answer.get("devices").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(devices.into_iter().find(|device| device.get("name").and_then(Value::as_str) == Some(name)))
}

fn unsure(error: &ureq::Error, url: &str) -> Failure {
    let words = format!(
        "the console did not answer ({error}), and the key may be enrolled: look at {url}, and remove it there if it is not wanted"
    );
    Failure::new(Kind::Other, words)
}

fn text(value: &Value, member: &'static str) -> Result<String, Failure> {
    let text = value.get(member).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| Failure::new(Kind::Other, format!("the console's answer has no {member}")))
}
