//! `keywright authenticate`.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use keywright_host::verify::{self, Expected};
use keywright_host::webauthn::{AuthenticationExtensions, Base64Url, CredentialDescriptor, RequestOptions};
use serde::Serialize;

use super::register::{origin, present, random, user_verification};
use crate::args::Authenticate;
use crate::credential_file::{CredentialFile, FileUser, Shown};
use crate::failure::Failure;
use crate::key::Key;
use crate::output::{Foreign, Output};
use crate::replace::Replacement;
use crate::user::User;

/// Has a credential prove itself, verifies the proof as a relying party would, and brings the counter in the file up to date.
///
/// # Errors
/// What the key, the user or the verification refused; the file stays as it was then.
pub(crate) fn run(arguments: Authenticate, output: &Output) -> Result<(), Failure> {
    let mut file = CredentialFile::read(&arguments.credential)?;
    let origin = origin(&file.rp_id)?;
    // The file itself is replaced, and not a link to it.
    let path = fs::canonicalize(&arguments.credential)
        .map_err(|error| Failure::file(&arguments.credential, &error))?;
    let replacement = Replacement::of(&path)?;
    let options = RequestOptions {
        challenge: Base64Url(random()?),
        rp_id: Some(file.rp_id.clone()),
        allow_credentials: vec![CredentialDescriptor { kind: "public-key".to_owned(), id: file.id.clone() }],
        user_verification: user_verification(arguments.uv),
        extensions: AuthenticationExtensions::default(),
    };
    let mut user = User::new(arguments.pin);
    let mut key = Key::find(&arguments.device, &mut user)?;
    let response = key.authenticator.authenticate(&options, &origin, &mut user);
    let response = user.outcome(response)?;
    let expected = Expected {
        challenge: &options.challenge.0,
        origin: origin.as_str(),
        rp_id: &file.rp_id,
        require_user_verification: arguments.uv,
    };
    let previous = file.sign_count;
    let proof = verify::assertion(&response, &expected, &file.id.0, &file.public_key.0, previous)?;
    file.sign_count = proof.sign_count;
    file.write(replacement, false)?;
    output.answer(&Authenticated {
        device: key.device,
        rp_id: file.rp_id,
        user: file.user,
        credential_id: file.id,
        user_verified: proof.user_verified,
        sign_count: proof.sign_count,
        previous_sign_count: previous,
        verified: true,
        file: arguments.credential,
    })
}

#[derive(Serialize)]
struct Authenticated {
    device: String,
    rp_id: String,
    user: FileUser,
    credential_id: Base64Url,
    user_verified: bool,
    sign_count: u32,
    previous_sign_count: u32,
    verified: bool,
    file: PathBuf,
}

impl fmt::Display for Authenticated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rp_id, user, credential_id, sign_count, previous_sign_count, .. } = self;
        writeln!(
            f,
            "Authenticated {} at {}, and verified the signature.",
            Foreign(&user.name),
            Foreign(rp_id)
        )?;
        writeln!(f, "  credential   {}", Shown(&credential_id.0))?;
        writeln!(f, "  user         {}", present(self.user_verified))?;
        match (previous_sign_count, sign_count) {
            (0, 0) => write!(f, "  counter      this key does not count, so a copy of it would not show"),
            _ => {
                write!(f, "  counter      {sign_count}, after {previous_sign_count}; the file is up to date")
            }
        }
    }
}
