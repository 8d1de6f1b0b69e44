//! `keywright register`.

use std::fmt;
use std::fs;
use std::path::Path;

use keywright_host::verify::{self, AttestationKind, Expected, PublicKey, RegisteredCredential};
use keywright_host::webauthn::{
    AttestationConveyance, AuthenticatorSelection, Base64Url, CreationOptions, CredentialParameter, Origin,
    RegistrationExtensions, RelyingPartyEntity, ResidentKey, UserEntity, UserVerification,
};
use serde::Serialize;

use super::{algorithm_name, uuid};
use crate::args::{AlgorithmName, Register};
use crate::credential_file::{CredentialFile, FileUser, Shown, VERSION};
use crate::failure::{Failure, Kind};
use crate::key::Key;
use crate::output::{Foreign, Output};
use crate::replace::Replacement;
use crate::user::User;

/// Makes a credential, verifies it as a relying party would, and keeps its public part.
///
/// # Errors
/// What the key, the user or the verification refused; no file is written then.
pub(crate) fn run(arguments: Register, output: &Output) -> Result<(), Failure> {
    let origin = origin(&arguments.rp)?;
    refuse_existing(&arguments.output, arguments.force)?;
    // Before the key is asked: a credential that nobody can keep must not be made.
    let replacement = Replacement::of(&arguments.output)?;
    let options = options(&arguments)?;
    let mut user = User::new(arguments.pin.clone());
    let mut key = Key::find(&arguments.device, &mut user)?;
    let response = key.authenticator.register(&options, &origin, &mut user);
    let response = user.outcome(response)?;
    let expected = Expected {
        challenge: &options.challenge.0,
        origin: origin.as_str(),
        rp_id: &arguments.rp,
        require_user_verification: arguments.uv,
    };
    let credential = verify::registration(&response, &expected)?;
    let algorithm = algorithm(&credential, &options)?;
    file(&arguments, &options, &credential).write(replacement, !arguments.force)?;
    output.answer(&Registered {
        device: key.device,
        rp_id: arguments.rp,
        user: FileUser { id: options.user.id, name: arguments.user },
        credential_id: Base64Url(credential.id),
        algorithm,
        algorithm_name: algorithm_name(algorithm),
        aaguid: uuid(&credential.aaguid),
        attestation: attestation_name(&credential.attestation),
        discoverable: arguments.resident,
        user_verified: credential.user_verified,
        sign_count: credential.sign_count,
        verified: true,
        file: arguments.output.display().to_string(),
    })
}

/// The origin that a website of this RP ID would have.
///
/// # Errors
/// [`Kind::Usage`].
pub(super) fn origin(rp_id: &str) -> Result<Origin, Failure> {
    let is_name =
        !rp_id.is_empty() && !rp_id.contains(['/', ':', '@', '?', '#']) && rp_id.to_lowercase() == rp_id;
    if !is_name {
        return Err(Failure::usage(format!(
            "`{rp_id}` is no relying party's id: write a domain name in lower case, such as example.org"
        )));
    }
    Ok(format!("https://{rp_id}").parse()?)
}

fn refuse_existing(path: &Path, is_forced: bool) -> Result<(), Failure> {
    let Ok(there) = fs::symlink_metadata(path) else { return Ok(()) };
    if there.is_dir() {
        return Err(Failure::usage(format!("{} is a folder: name a file", path.display())));
    }
    if is_forced {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} is there already: name another file, or add --force to replace it",
        path.display()
    )))
}

fn options(arguments: &Register) -> Result<CreationOptions, Failure> {
    Ok(CreationOptions {
        rp: RelyingPartyEntity { id: Some(arguments.rp.clone()), name: arguments.rp.clone() },
        user: UserEntity {
            id: Base64Url(random()?),
            name: arguments.user.clone(),
            display_name: arguments.user.clone(),
        },
        challenge: Base64Url(random()?),
        pub_key_cred_params: arguments.alg.iter().map(|name| parameter(*name)).collect(),
        exclude_credentials: Vec::new(),
        authenticator_selection: AuthenticatorSelection {
            resident_key: if arguments.resident { ResidentKey::Required } else { ResidentKey::Discouraged },
            require_resident_key: arguments.resident,
            user_verification: user_verification(arguments.uv),
        },
        attestation: AttestationConveyance::Direct,
        extensions: RegistrationExtensions::default(),
    })
}

/// Without the option, the PIN is asked for only where the key insists.
pub(super) const fn user_verification(is_required: bool) -> UserVerification {
    if is_required { UserVerification::Required } else { UserVerification::Discouraged }
}

/// 32 random bytes.
///
/// # Errors
/// If the system has none to give.
pub(super) fn random() -> Result<Vec<u8>, Failure> {
    let mut bytes = vec![0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        Failure::new(
            Kind::Other,
            format!("the operating system gives no random numbers ({error}): try again when it is up"),
        )
    })?;
    Ok(bytes)
}

fn parameter(name: AlgorithmName) -> CredentialParameter {
    let alg = match name {
        AlgorithmName::Es256 => ES256,
        AlgorithmName::Eddsa => EDDSA,
    };
    CredentialParameter { kind: "public-key".to_owned(), alg }
}

/// The algorithm of a new credential, which must be one that was asked for (WebAuthn §7.1 step 20).
fn algorithm(credential: &RegisteredCredential, options: &CreationOptions) -> Result<i64, Failure> {
    PublicKey::parse(&credential.public_key)
        .map(|key| key.algorithm())
        .filter(|algorithm| options.pub_key_cred_params.iter().any(|parameter| parameter.alg == *algorithm))
        .ok_or_else(|| {
            Failure::new(
                Kind::Verification,
                "the key made a credential of an algorithm that was not asked for: use another key",
            )
        })
}

fn file(
    arguments: &Register,
    options: &CreationOptions,
    credential: &RegisteredCredential,
) -> CredentialFile {
    CredentialFile {
        version: VERSION,
        rp_id: arguments.rp.clone(),
        user: FileUser { id: options.user.id.clone(), name: arguments.user.clone() },
        id: Base64Url(credential.id.clone()),
        public_key: Base64Url(credential.public_key.clone()),
        sign_count: credential.sign_count,
        others: serde_json::Map::new(),
    }
}

const fn attestation_name(kind: &AttestationKind) -> &'static str {
    match kind {
        AttestationKind::None => "none",
        AttestationKind::PackedSelf => "packed_self",
        AttestationKind::Packed { .. } => "packed",
        AttestationKind::FidoU2f { .. } => "fido_u2f",
    }
}

#[derive(Serialize)]
struct Registered {
    device: String,
    rp_id: String,
    user: FileUser,
    credential_id: Base64Url,
    algorithm: i64,
    algorithm_name: Option<&'static str>,
    aaguid: String,
    attestation: &'static str,
    discoverable: bool,
    user_verified: bool,
    sign_count: u32,
    verified: bool,
    file: String,
}

impl fmt::Display for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Registered {} at {}, and verified what the key answered.",
            Foreign(&self.user.name),
            Foreign(&self.rp_id)
        )?;
        writeln!(f, "  credential   {}", Shown(&self.credential_id.0))?;
        writeln!(
            f,
            "  kind         {}, {}",
            self.algorithm_name.unwrap_or("unknown"),
            if self.discoverable { "discoverable" } else { "not discoverable" }
        )?;
        writeln!(f, "  user         {}", present(self.user_verified))?;
        writeln!(f, "  attestation  {}", attestation_words(self.attestation))?;
        writeln!(f, "  model        {}", self.aaguid)?;
        writeln!(f, "  counter      {}", self.sign_count)?;
        write!(f, "  kept in      {}", self.file)
    }
}

/// How the user took part.
pub(super) const fn present(is_verified: bool) -> &'static str {
    if is_verified { "touched the key and gave the PIN, or what stands for it" } else { "touched the key" }
}

fn attestation_words(name: &str) -> &'static str {
    match name {
        "packed_self" => {
            "signed with the credential's own key, which was verified; it says nothing of who made the key"
        }
        "packed" => "signed with a certificate's key, which was verified; whose certificate that is was not",
        "fido_u2f" => {
            "U2F's, signed with a certificate's key, which was verified; whose certificate that is was not"
        }
        _ => "none: the key proves nothing of its make",
    }
}

const ES256: i64 = -7;
const EDDSA: i64 = -8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_domain_name_is_no_relying_party() {
        assert_eq!(origin("example.org").unwrap().as_str(), "https://example.org");
        assert_eq!(origin("localhost").unwrap().as_str(), "https://localhost");
        for rp_id in [
            "",
            "https://example.org",
            "Example.org",
            "example.org/",
            "example.org:1",
            "a b",
            "127.0.0.1",
            "x@y",
            "[::1]",
        ] {
            assert_eq!(origin(rp_id).unwrap_err().kind(), Kind::Usage, "{rp_id}");
        }
    }
}
