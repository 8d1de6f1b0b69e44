//! `keywright iam`: the local IAM, and what is asked of any IAM.

mod backup;
mod devices;
mod enrol;
mod identity;
mod login;
mod proof;
mod session;
mod tokens;

use std::fmt;

use keywright_iam::{
    Attestation, Config, Error, Guard, KeyPolicy, Removal, Running, Server, Tls, UserVerification,
};
use serde::Serialize;

use crate::args::Iam;
use crate::args::iam as args;
use crate::failure::{Failure, Kind};
use crate::interrupt;
use crate::output::Output;

/// Hands a command to its file.
///
/// # Errors
/// Whatever kept it from being done.
pub(crate) fn run(command: Iam, output: &Output) -> Result<(), Failure> {
    match command {
        Iam::Serve { listen, data, ephemeral: _, tls, policy } => {
            let config = data.map_or_else(Config::ephemeral, Config::in_directory);
            serve(with_policy(with_tls(Config { listen, ..config }, tls), policy), output)
        }
        Iam::Tokens(command) => tokens::run(command, output),
        Iam::Backup(arguments) => backup::run(arguments, output),
        Iam::Login(arguments) => login::run(arguments, output),
        Iam::Logout(whom) => login::log_out(&whom, output),
        Iam::Enrol(arguments) => enrol::run(&arguments, output),
        Iam::Devices(command) => devices::run(command, output),
        Iam::Session(arguments) => session::run(&arguments, output),
    }
}

/// Serves until the process is asked to end.
fn serve(config: Config, output: &Output) -> Result<(), Failure> {
    let running = Server::start(config)?;
    interrupt::on_termination(running.stopper())?;
    output.answer(&Started(&running))?;
    Ok(running.wait()?)
}

fn with_tls(config: Config, tls: args::Tls) -> Config {
    let args::Tls { tls_cert, tls_key, origin } = tls;
    let tls = tls_cert.zip(tls_key).map(|(certificate, key)| Tls { certificate, key });
    Config { tls, origin, ..config }
}

fn with_policy(config: Config, policy: args::Policy) -> Config {
    let removal = match policy.removal {
        args::RemovalBy::Administrator => Removal::ByAdministrator,
        args::RemovalBy::Owner => Removal::ByOwner,
    };
    let keys = KeyPolicy {
        refused: policy.refuse_security_keys,
        fido: policy.fido_certification,
        fips_140_2: policy.fips_140_2,
        fips_140_3: policy.fips_140_3,
    };
    let attestation = match policy.attestation {
        args::Attestation::None => Attestation::None,
        args::Attestation::Indirect => Attestation::Indirect,
        args::Attestation::Direct => Attestation::Direct,
    };
    let user_verification = match policy.user_verification {
        args::UserVerification::Required => UserVerification::Required,
        args::UserVerification::Preferred => UserVerification::Preferred,
        args::UserVerification::Discouraged => UserVerification::Discouraged,
    };
    let guard = policy.guard.then_some(Guard { mfa_within: policy.mfa_within });
    Config { removal, metadata: policy.metadata, keys, attestation, user_verification, guard, ..config }
}

/// What there is to know of a server that has started, in the server's own JSON.
#[derive(Serialize)]
#[serde(transparent)]
struct Started<'a>(&'a Running);

impl fmt::Display for Started<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Running { url, console_url, account, administrator, access_key_id, secret_access_key, .. } =
            self.0;
        writeln!(f, "The console of the local IAM is at {console_url}")?;
        writeln!(f, "  account   {account}")?;
        writeln!(f, "AWS's API for its command and SDKs is at {url}:")?;
        writeln!(f, "  export AWS_ENDPOINT_URL_IAM={url} AWS_ENDPOINT_URL_STS={url} AWS_REGION=us-east-1")?;
        writeln!(f, "  export AWS_ACCESS_KEY_ID={access_key_id} AWS_SECRET_ACCESS_KEY={secret_access_key}")?;
        write!(f, "The administrator signs in to the console")?;
        if let Some(administrator) = administrator {
            write!(
                f,
                " with\n  user      {}\n  password  {}\nwhich is shown this once and kept nowhere.",
                administrator.user, administrator.password
            )?;
        }
        if administrator.is_none() {
            write!(f, " with the password of the first start.")?;
        }
        write!(f, "\nCtrl-C ends it.")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match error {
            Error::NotLoopback(_)
            | Error::NoOrigin(_)
            | Error::OriginWithoutTls(_)
            | Error::Origin(_)
            | Error::Certificate { .. }
            | Error::Key { .. }
            | Error::Metadata { .. }
            | Error::NoData(_)
            | Error::Tokens(_)
            | Error::Account(_)
            | Error::OtherAccount { .. }
            | Error::Administrator(_)
            | Error::Role(_) => Kind::Usage,
            _ => Kind::Other,
        };
        Self::new(kind, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::args::{Arguments, Command};

    fn config(switches: &[&str]) -> Config {
        let words = [&["keywright", "iam", "serve", "--ephemeral"], switches].concat();
        let Command::Iam(Iam::Serve { tls, policy, .. }) = Arguments::try_parse_from(words).unwrap().command
        else {
            panic!("{switches:?}")
        };
        with_policy(with_tls(Config::ephemeral(), tls), policy)
    }

    #[test]
    fn without_switches_the_policies_are_the_librarys() {
        let (found, usual) = (config(&[]), Config::ephemeral());
        assert_eq!((found.removal, found.keys, found.tls), (usual.removal, usual.keys, None));
        assert_eq!(
            (found.attestation, found.user_verification),
            (usual.attestation, usual.user_verification)
        );
        assert!(found.metadata.is_empty());
    }

    #[test]
    fn every_switch_reaches_what_it_is_about() {
        let levels = ["--fips-140-2-certification", "L2", "--fips-140-3-certification", "L3"];
        let fido = ["--fido-certification", "L1", "--fido-certification", "L1plus", "--refuse-security-keys"];
        let tls = ["--tls-cert", "c", "--tls-key", "k", "--origin", "https://iam.example.org"];
        let more = ["--removal", "owner", "--metadata", "one.json", "--metadata", "two.json"];
        let asked = ["--user-verification", "required", "--attestation", "none"];
        let found = config(&[&levels[..], &fido, &tls, &more, &asked].concat());
        let asked = (UserVerification::Required, Attestation::None);
        assert_eq!((found.user_verification, found.attestation), asked);
        let keys = KeyPolicy {
            refused: true,
            fido: vec!["L1".into(), "L1plus".into()],
            fips_140_2: vec!["L2".into()],
            fips_140_3: vec!["L3".into()],
        };
        assert_eq!((found.removal, found.keys), (Removal::ByOwner, keys));
        assert_eq!(found.tls, Some(Tls { certificate: "c".into(), key: "k".into() }));
        assert_eq!(found.origin.as_deref(), Some("https://iam.example.org"));
        assert_eq!(found.metadata.len(), 2);
    }
}
