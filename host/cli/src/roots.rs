//! Whose certificates are believed.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::failure::Failure;

/// The certificates of a file (PEM) and of nobody else's, or without one those of the authorities that browsers believe.
///
/// # Errors
/// If the file cannot be read, or has no certificate.
pub(crate) fn believed(bundle: Option<&Path>) -> Result<TlsConfig, Failure> {
    let Some(path) = bundle else { return Ok(TlsConfig::default()) };
    let pem = fs::read(path).map_err(|error| Failure::file(path, &error))?;
    let broken = |why: &dyn std::fmt::Display| {
        Failure::usage(format!("{}: {why}: name a file of certificates, PEM", path.display()))
    };
    let mut roots = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(root) = item.map_err(|error| broken(&error))? {
            roots.push(root);
        }
    }
    if roots.is_empty() {
        return Err(broken(&"there is no certificate in it"));
    }
    Ok(TlsConfig::builder().root_certs(RootCerts::from(roots)).build())
}

/// The file in the variable that AWS's own tools follow.
pub(crate) fn of_environment() -> Option<PathBuf> {
    env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_no_reason_to_believe_everybody() {
        let path = env::temp_dir().join(format!("keywright-roots-{}", std::process::id()));
        for text in [
            "",
            "no PEM",
            "-----BEGIN CERTIFICATE-----\nAA==",
            "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
        ] {
            fs::write(&path, text).unwrap();
            assert!(believed(Some(&path)).is_err(), "{text:?}");
        }
        fs::remove_file(&path).unwrap();
        assert!(believed(Some(&path)).is_err());
        assert!(believed(None).is_ok());
    }
}
