//! The main job, from nothing: a key that is software is registered in a local IAM and asked for at sign-in.
//!
//! Everything that passes between the driver and the keys passes as 64-byte reports, and they are counted. The IAM is
//! spoken to over its JSON endpoints, on a real socket.

mod counting;
mod person;

use std::time::{Duration, SystemTime, SystemTimeError, UNIX_EPOCH};

use keywright_emulator::{Emulator, Options, Running as RunningKey, TouchPolicy};
use keywright_host::ClientError;
use keywright_host::transport::memory::Memory;
use keywright_host::webauthn::{AuthenticationResponse, Authenticator, Base64Url, Origin, RequestOptions};
use keywright_iam::{Config, Running as RunningIam, Server};
use serde::Serialize;
use serde_json::{Value, json};
use ureq::tls::TlsConfig;

use counting::{Counter, Counting};
use person::Person;

use crate::console::{Console, ConsoleError};
use crate::key::Way;

/// What happened, as `--json` prints it.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    /// The key was registered as the user's MFA device.
    pub(crate) registered: bool,
    /// The user signed in with password and key, and the session counts as one with MFA.
    pub(crate) signed_in: bool,
    /// The password alone opened nothing.
    pub(crate) refused_without_key: bool,
    /// Another key could not answer, and its forged answer was refused.
    pub(crate) refused_wrong_key: bool,
    /// The user added an authenticator app, and signed in with a code.
    pub(crate) totp_signed_in: bool,
    /// 64-byte reports that passed between the driver and the keys.
    pub(crate) reports: u64,
}

/// Why the story could not be told to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// The IAM did not start.
    #[error("the local IAM did not start: {0}")]
    Iam(#[from] keywright_iam::Error),
    /// The virtual key did not start.
    #[error("the virtual key did not start: {0}")]
    Key(#[from] keywright_emulator::Error),
    /// The virtual key stopped.
    #[error(transparent)]
    Stopped(#[from] keywright_emulator::Stopped),
    /// The driver failed.
    #[error("the key did not do its part: {0}")]
    Client(#[from] ClientError),
    /// The IAM refused what it should have taken.
    #[error("the local IAM did not do its part: {0}")]
    Console(#[from] ConsoleError),
    /// Something that must be refused was taken, or the other way round.
    #[error("{0}: this is a fault of Keywright, please report it")]
    Broken(&'static str),
    /// The clock stands before 1970.
    #[error("the clock of this machine is wrong: {0}")]
    Clock(#[from] SystemTimeError),
    /// There is no randomness.
    #[error("the operating system gives no randomness: {0}")]
    Random(#[from] getrandom::Error),
}

/// Tells the story with the key that was `named`, or else with a virtual one; `say` is given each step in words. The IAM
/// still runs when it has been told.
///
/// # Errors
/// [`DemoError`] if a step does not end as it must.
pub(crate) fn play(
    named: Option<Authenticator<Way>>,
    say: &mut dyn FnMut(&str),
) -> Result<(Outcome, RunningIam), DemoError> {
    let mut story = Story::begin(named, say)?;
    let mut outcome = Outcome { registered: story.register()?, ..Outcome::default() };
    outcome.signed_in = story.sign_in()?;
    outcome.refused_without_key = story.refuse_password_alone()?;
    outcome.refused_wrong_key = story.refuse_another_key()?;
    outcome.totp_signed_in = story.sign_in_with_code()?;
    outcome.reports = story.reports.count();
    Ok((outcome, story.iam))
}

struct Story<'a> {
    say: &'a mut dyn FnMut(&str),
    iam: RunningIam,
    origin: Origin,
    password: String,
    key: Plugged,
    person: Person,
    reports: Counter,
}

/// The driver's end of a key; a virtual one runs as long as it is plugged in.
struct Plugged {
    driver: Authenticator<Counting<Way>>,
    _key: Option<RunningKey>,
}

impl<'a> Story<'a> {
    fn begin(named: Option<Authenticator<Way>>, say: &'a mut dyn FnMut(&str)) -> Result<Self, DemoError> {
        let iam = Server::start(Config::ephemeral())?;
        say(&format!("A local IAM runs at {}, account {}.", iam.console_url, iam.account));
        let origin = iam.console_url.parse().map_err(|_| DemoError::Broken("the console has no origin"))?;
        let password = person::random_password()?;
        let reports = Counter::default();
        let (key, person, told) = match named {
            Some(driver) => {
                (Plugged::named(driver, &reports)?, Person::Present, "The key that you named is used.")
            }
            None => (Plugged::new(&reports)?, Person::NotNeeded, VIRTUAL),
        };
        say(told);
        let story = Self { say, iam, origin, password, key, person, reports };
        story.create(USER, &story.password)?;
        (story.say)(&format!("The administrator created the user {USER} with a password."));
        Ok(story)
    }

    /// The user registers the key as an MFA device.
    fn register(&mut self) -> Result<bool, DemoError> {
        let mut console = self.signed_in_by_password(USER, &self.password)?;
        let serial = assign_key(&mut console, &mut self.key, self.person, &self.origin)?;
        self.tell(&format!("{USER} registered the key as MFA device {serial}."));
        Ok(true)
    }

    /// The user signs in with password and key.
    fn sign_in(&mut self) -> Result<bool, DemoError> {
        let (mut console, options) = self.asked_for_key()?;
        let response = self.key.driver.authenticate(&options, &self.origin, &mut self.person)?;
        console.post("/api/sign-in/webauthn", json!({ "credential": response }))?;
        let with_mfa = has_mfa(&mut console)?;
        self.tell(&format!("{USER} signed in with password and key."));
        Ok(with_mfa)
    }

    /// Who knows the password alone gets nowhere.
    fn refuse_password_alone(&mut self) -> Result<bool, DemoError> {
        let (mut console, _) = self.asked_for_key()?;
        let doors = [console.get("/api/session"), console.get("/api/mfa-devices")];
        let doors =
            doors.into_iter().chain([console.post("/api/mfa-devices/totp", json!({ "name": "mallory" }))]);
        for door in doors {
            expect_refusal(door)?;
        }
        self.tell("With the password alone, without the key: refused.");
        Ok(true)
    }

    /// Another key, registered for another user, neither answers nor passes with a forged answer.
    fn refuse_another_key(&mut self) -> Result<bool, DemoError> {
        let mut other = Plugged::new(&self.reports)?;
        let password = person::random_password()?;
        self.create(OTHER_USER, &password)?;
        let mut console = self.signed_in_by_password(OTHER_USER, &password)?;
        assign_key(&mut console, &mut other, Person::NotNeeded, &self.origin)?;
        let own = self.challenge_of(OTHER_USER, &password)?.1.allow_credentials;

        let (mut console, options) = self.asked_for_key()?;
        let answer = other.driver.authenticate(&options, &self.origin, &mut Person::NotNeeded);
        if !matches!(answer, Err(ClientError::NoCredential)) {
            return Err(DemoError::Broken("a key answered for a credential that it did not make"));
        }
        let asked = options.allow_credentials.first().map(|credential| credential.id.clone());
        let asked = asked.ok_or(DemoError::Broken("the IAM asked for no credential"))?;
        let own = RequestOptions { allow_credentials: own, ..options };
        let answer = other.driver.authenticate(&own, &self.origin, &mut Person::NotNeeded)?;
        expect_refusal(
            console.post("/api/sign-in/webauthn", json!({ "credential": forged(answer, asked) })),
        )?;
        expect_refusal(console.get("/api/session"))?;
        self.tell(&format!(
            "With {OTHER_USER}'s key in its place: it does not answer, and a forged answer is refused."
        ));
        Ok(true)
    }

    /// The user adds an authenticator app and signs in with a code.
    fn sign_in_with_code(&mut self) -> Result<bool, DemoError> {
        let (mut console, options) = self.asked_for_key()?;
        let response = self.key.driver.authenticate(&options, &self.origin, &mut self.person)?;
        console.post("/api/sign-in/webauthn", json!({ "credential": response }))?;
        let setup = console.post("/api/mfa-devices/totp", json!({ "name": APP }))?;
        let app = App::from_setup(&setup)?;
        // Two codes in a row that have been shown already, so that nobody waits; the present one is left for sign-in.
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let codes = [2, 1].map(|steps| app.code(now.saturating_sub(STEP * steps)));
        let [code1, code2] = codes;
        let enable = json!({ "serial": app.serial, "code1": code1, "code2": code2 });
        console.post("/api/mfa-devices/totp/enable", enable)?;
        self.tell(&format!("{USER} added the authenticator app {}.", app.serial));

        let mut console = Console::new(&self.iam.console_url, TlsConfig::default());
        console.post("/api/sign-in", self.credentials(USER, &self.password))?;
        let code = app.code(SystemTime::now().duration_since(UNIX_EPOCH)?);
        console.post("/api/sign-in/totp", json!({ "serial": app.serial, "code": code }))?;
        let with_mfa = has_mfa(&mut console)?;
        self.tell(&format!("{USER} signed in with password and code."));
        Ok(with_mfa)
    }

    fn tell(&mut self, step: &str) {
        (self.say)(step);
    }

    fn create(&self, user: &str, password: &str) -> Result<(), DemoError> {
        let administrator = self.iam.administrator.as_ref();
        let administrator = administrator.ok_or(DemoError::Broken("a new IAM has no administrator"))?;
        let mut console = self.signed_in_by_password(&administrator.user, &administrator.password)?;
        console.post("/api/users", json!({ "user": user, "password": password }))?;
        Ok(())
    }

    fn credentials(&self, user: &str, password: &str) -> Value {
        json!({ "account": self.iam.account, "user": user, "password": password })
    }

    /// A browser whose user has no MFA device yet.
    fn signed_in_by_password(&self, user: &str, password: &str) -> Result<Console, DemoError> {
        let mut console = Console::new(&self.iam.console_url, TlsConfig::default());
        let answer = console.post("/api/sign-in", self.credentials(user, password))?;
        match answer.get("state").and_then(Value::as_str) {
            Some("signed_in") => Ok(console),
            _ => Err(DemoError::Broken("a user without MFA devices was asked for one")),
        }
    }

    /// A browser whose user has given the right password and is asked for the key.
    fn asked_for_key(&self) -> Result<(Console, RequestOptions), DemoError> {
        self.challenge_of(USER, &self.password)
    }

    fn challenge_of(&self, user: &str, password: &str) -> Result<(Console, RequestOptions), DemoError> {
        let mut console = Console::new(&self.iam.console_url, TlsConfig::default());
        let answer = console.post("/api/sign-in", self.credentials(user, password))?;
        if answer.get("state").and_then(Value::as_str) != Some("mfa_required") {
            return Err(DemoError::Broken("a user with an MFA device was not asked for it"));
        }
        let options = console.post_for("/api/sign-in/webauthn/options", json!({}))?;
        Ok((console, options))
    }
}

impl Plugged {
    fn new(reports: &Counter) -> Result<Self, DemoError> {
        let key = Emulator::start(Options { touch: TouchPolicy::Auto, ..Options::default() })?;
        let (to_key, from_key) = key.handle().connect()?;
        let memory: Way = Box::new(Memory::new(to_key, from_key));
        Ok(Self { driver: Authenticator::open(Counting::new(memory, reports.clone()))?, _key: Some(key) })
    }

    /// A key that is there already.
    fn named(driver: Authenticator<Way>, reports: &Counter) -> Result<Self, DemoError> {
        let channel = match driver {
            Authenticator::Ctap2(client) => client.into_channel(),
            Authenticator::U2f(channel) => channel,
        };
        let transport = channel.into_transport();
        Ok(Self { driver: Authenticator::open(Counting::new(transport, reports.clone()))?, _key: None })
    }
}

/// An authenticator app.
struct App {
    serial: String,
    totp: totp_rs::Totp,
}

impl App {
    /// What an app learns from the QR code.
    fn from_setup(setup: &Value) -> Result<Self, DemoError> {
        let member = |name| setup.get(name).and_then(Value::as_str);
        let seed = member("seed_base32").and_then(|seed| totp_rs::Secret::try_from_base32(seed).ok());
        let (Some(serial), Some(seed)) = (member("serial"), seed) else {
            return Err(DemoError::Broken("the IAM gave no seed"));
        };
        let totp = totp_rs::Builder::new().with_secret(seed).build_noncompliant();
        Ok(Self { serial: serial.to_owned(), totp })
    }

    /// The code at a time since 1970.
    fn code(&self, time: Duration) -> String {
        self.totp.generate(time.as_secs()).to_string()
    }
}

/// Registers the key for the console's user; gives the serial number of the device.
fn assign_key(
    console: &mut Console,
    key: &mut Plugged,
    mut person: Person,
    origin: &Origin,
) -> Result<String, DemoError> {
    let options = console.post_for("/api/mfa-devices/webauthn/options", json!({ "name": DEVICE }))?;
    let response = key.driver.register(&options, origin, &mut person)?;
    let device =
        console.post("/api/mfa-devices/webauthn", json!({ "name": DEVICE, "credential": response }))?;
    let serial = device.get("serial").and_then(Value::as_str);
    serial.map(str::to_owned).ok_or(DemoError::Broken("the registered device has no serial number"))
}

/// An answer that claims to come from another credential.
fn forged(mut answer: AuthenticationResponse, claimed: Base64Url) -> AuthenticationResponse {
    answer.raw_id = claimed.clone();
    answer.id = claimed;
    answer.response.user_handle = None;
    answer
}

fn has_mfa(console: &mut Console) -> Result<bool, DemoError> {
    Ok(console.get("/api/session")?.get("mfa").and_then(Value::as_bool) == Some(true))
}

/// What must be refused was: with 403, and not because something broke.
fn expect_refusal(answer: Result<Value, ConsoleError>) -> Result<(), DemoError> {
    match answer {
        Err(ConsoleError::Refused { status: 403, .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(DemoError::Broken("the local IAM took what it must refuse")),
    }
}

const VIRTUAL: &str = "A security key that is software is plugged in: 64-byte reports, as over USB.";
const USER: &str = "ada";
const OTHER_USER: &str = "eve";
const DEVICE: &str = "blue-key";
const APP: &str = "phone";
/// The time that a code is shown for.
const STEP: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_ends_as_it_must() {
        let mut steps = Vec::new();
        let (outcome, _) = play(None, &mut |step| steps.push(step.to_owned())).unwrap();
        let Outcome {
            registered,
            signed_in,
            refused_without_key,
            refused_wrong_key,
            totp_signed_in,
            reports,
        } = outcome;
        assert!(registered && signed_in && refused_without_key && refused_wrong_key && totp_signed_in);
        assert!(reports > 50, "{reports}");
        assert_eq!(steps.len(), 9, "{steps:#?}");
    }

    #[test]
    fn what_is_not_refused_is_a_fault() {
        assert!(expect_refusal(Ok(Value::Null)).is_err());
        let broken =
            ConsoleError::Refused { status: 500, code: "ServiceFailure".into(), message: String::new() };
        assert!(expect_refusal(Err(broken)).is_err());
    }
}
