//! `keywright credentials list`, `delete` and `rename`.

use std::fmt;
use std::io::{self, IsTerminal as _};

use indicatif::ProgressBar;
use keywright_host::ClientError;
use keywright_host::ctap2::{Client, StoredCredential};
use keywright_host::user::Account;
use keywright_host::webauthn::Base64Url;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::algorithm_name;
use crate::args::{Credentials, Device, PinSource};
use crate::credential_file::{CredentialId, Shown};
use crate::failure::Failure;
use crate::key::{Key, Way};
use crate::output::{Foreign, Output};
use crate::user::{self, User};

/// Runs one of the three.
///
/// # Errors
/// What the key, or the user, refused.
pub(crate) fn run(command: Credentials, output: &Output) -> Result<(), Failure> {
    match command {
        Credentials::List { device, pin, rp } => list(&device, pin, rp.as_deref(), output),
        Credentials::Delete { device, pin, id, yes } => delete(&device, pin, &id, yes, output),
        Credentials::Rename { device, pin, id, name, display_name } => {
            rename(&device, pin, &id, (name, display_name), output)
        }
    }
}

fn list(device: &Device, pin: PinSource, rp: Option<&str>, output: &Output) -> Result<(), Failure> {
    let mut user = User::new(pin);
    let mut key = Key::find(device, &mut user)?;
    let client = key.ctap2()?;
    let counts = client.credential_counts(&mut user);
    let counts = user.outcome(counts)?;
    let credentials = match rp {
        Some(rp) => of_relying_party(client, rp, &Sha256::digest(rp).into(), &mut user),
        None => all(client, &mut user),
    };
    let credentials = user.outcome(credentials)?;
    output.answer(&List {
        device: key.device,
        existing: counts.existing,
        remaining: counts.remaining,
        credentials,
    })
}

fn delete(
    device: &Device,
    pin: PinSource,
    id: &CredentialId,
    yes: bool,
    output: &Output,
) -> Result<(), Failure> {
    user::check_confirmable(yes)?;
    let mut user = User::new(pin);
    let mut key = Key::find(device, &mut user)?;
    let client = key.ctap2()?;
    let credential = find(client, id, &mut user)?;
    user::confirm(&format!("Delete {credential} for good? It will sign in there no more."), yes)?;
    let result = client.delete_credential(&id.0, &mut user);
    user.outcome(result)?;
    output.answer(&Changed { device: key.device, done: "deleted", credential })
}

fn rename(
    device: &Device,
    pin: PinSource,
    id: &CredentialId,
    (name, display_name): (Option<String>, Option<String>),
    output: &Output,
) -> Result<(), Failure> {
    let mut user = User::new(pin);
    let mut key = Key::find(device, &mut user)?;
    let client = key.ctap2()?;
    let mut credential = find(client, id, &mut user)?;
    // What is not named anew is sent as it was, or the key would forget it (§6.8.6).
    credential.user.name = name.or(credential.user.name);
    credential.user.display_name = display_name.or(credential.user.display_name);
    let account = Account {
        id: credential.user.id.0.clone(),
        name: credential.user.name.clone(),
        display_name: credential.user.display_name.clone(),
    };
    let result = client.update_user(&id.0, &account, &mut user);
    user.outcome(result)?;
    output.answer(&Changed { device: key.device, done: "renamed", credential })
}

fn find(client: &mut Client<Way>, id: &CredentialId, user: &mut User) -> Result<Credential, Failure> {
    let credentials = all(client, user);
    let credentials = user.outcome(credentials)?;
    credentials.into_iter().find(|credential| credential.id.0 == id.0).ok_or_else(|| {
        Failure::from(ClientError::NoCredential).in_words(
            "there is no credential of this id on the key: `keywright credentials list` shows those that are",
        )
    })
}

/// The credentials of every relying party.
fn all(client: &mut Client<Way>, user: &mut User) -> Result<Vec<Credential>, ClientError> {
    let parties = client.relying_parties(user)?;
    let progress = progress(parties.len());
    let mut found = Vec::new();
    for party in parties {
        found.extend(of_relying_party(client, &party.entity.id, &party.id_hash, user)?);
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(found)
}

fn of_relying_party(
    client: &mut Client<Way>,
    rp_id: &str,
    rp_id_hash: &[u8; 32],
    user: &mut User,
) -> Result<Vec<Credential>, ClientError> {
    let stored = client.stored_credentials(rp_id_hash, user)?;
    Ok(stored.into_iter().map(|stored| Credential::new(rp_id, stored)).collect())
}

fn progress(length: usize) -> ProgressBar {
    if io::stderr().is_terminal() && length > 1 {
        ProgressBar::new(u64::try_from(length).unwrap_or(u64::MAX)).with_message("reading credentials")
    } else {
        ProgressBar::hidden()
    }
}

#[derive(Serialize)]
struct List {
    device: String,
    existing: u64,
    remaining: u64,
    credentials: Vec<Credential>,
}

#[derive(Serialize)]
struct Changed {
    device: String,
    done: &'static str,
    credential: Credential,
}

#[derive(Serialize)]
struct Credential {
    id: Base64Url,
    rp_id: String,
    user: Owner,
    algorithm: Option<i64>,
    cred_protect: Option<u64>,
}

#[derive(Serialize)]
struct Owner {
    id: Base64Url,
    name: Option<String>,
    display_name: Option<String>,
}

impl Credential {
    fn new(rp_id: &str, stored: StoredCredential) -> Self {
        let members = stored.public_key.as_ref().and_then(ciborium::Value::as_map);
        let algorithm = members
            .and_then(|members| members.iter().find(|(label, _)| *label == ciborium::Value::from(COSE_ALG)))
            .and_then(|(_, algorithm)| algorithm.as_integer()?.try_into().ok());
        let Account { id, name, display_name } = stored.user;
        Self {
            id: Base64Url(stored.id),
            rp_id: rp_id.to_owned(),
            user: Owner { id: Base64Url(id), name, display_name },
            algorithm,
            cred_protect: stored.cred_protect,
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for credential in &self.credentials {
            writeln!(f, "{credential}")?;
            write!(f, "  {}", Shown(&credential.id.0))?;
            match credential.algorithm.map(|algorithm| (algorithm, algorithm_name(algorithm))) {
                Some((_, Some(name))) => write!(f, "  {name}")?,
                Some((algorithm, None)) => write!(f, "  algorithm {algorithm}")?,
                None => {}
            }
            writeln!(f, "{}", protection(credential.cred_protect))?;
        }
        write!(f, "{} on the key, room for about {} more.", count(self.existing), self.remaining)
    }
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.done {
            "deleted" => write!(f, "Deleted {}.", self.credential),
            _ => write!(f, "It is {} now.", self.credential),
        }
    }
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.user.name.as_deref().unwrap_or("an account without a name");
        write!(f, "{}", Foreign(name))?;
        if let Some(display_name) =
            self.user.display_name.as_deref().filter(|display_name| *display_name != name)
        {
            write!(f, " ({})", Foreign(display_name))?;
        }
        write!(f, " at {}", Foreign(&self.rp_id))
    }
}

const fn protection(level: Option<u64>) -> &'static str {
    match level {
        Some(2) => "  hidden without the PIN from whoever does not know its id",
        Some(3) => "  needs the PIN",
        _ => "",
    }
}

fn count(credentials: u64) -> String {
    match credentials {
        0 => "No credential".to_owned(),
        1 => "1 credential".to_owned(),
        more => format!("{more} credentials"),
    }
}

/// The label of `alg` in a COSE_Key.
const COSE_ALG: i64 = 3;
