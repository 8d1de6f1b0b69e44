//! TLS: a certificate and its key from two files, looked at before anything listens.

use std::{
    fs::File,
    io::{self, ErrorKind, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::Arc,
};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
        sign::CertifiedKey,
    },
};
use webpki::EndEntityCert;
use x509_cert::{Certificate, der::Decode as _, time::Time};
use zeroize::Zeroizing;

use crate::{config::Tls, error::Error, origin::Origin};

/// What takes TLS connections for the origin, from now on.
pub(super) fn acceptor(files: &Tls, origin: &Origin, now: i64) -> Result<TlsAcceptor, Error> {
    let chain = chain(&files.certificate)?;
    let at = |why: String| Error::Certificate { path: files.certificate.clone(), why };
    let leaf = chain.first().ok_or_else(|| at("there is no certificate in it; it has to be PEM".into()))?;
    check_time(leaf, now).map_err(at)?;
    check_name(leaf, origin).map_err(at)?;
    let key = ring::default_provider().key_provider.load_private_key(key(&files.key)?);
    let key = key.map_err(|error| unusable(&files.key, &error.to_string()))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
        Err(_) => {
            let why = format!("it is not the key of the certificate in {}", files.certificate.display());
            return Err(unusable(&files.key, &why));
        }
    }
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| at(error.to_string()))?
        .with_no_client_auth();
    let mut config = config.with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(path, open(path)?)?;
    let chain: Result<_, _> = CertificateDer::pem_slice_iter(&text).collect();
    chain
        .map_err(|error| Error::Certificate { path: path.into(), why: format!("it cannot be read: {error}") })
}

/// The key, from a file that nobody else can read.
fn key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let file = open(path)?;
    let found = file.metadata().map_err(|source| Error::File { path: path.into(), source })?;
    if found.permissions().mode() & 0o077 != 0 {
        return Err(Error::TooOpen { path: path.into(), mode: 0o600 });
    }
    PrivateKeyDer::from_pem_slice(&read(path, file)?)
        .map_err(|_| unusable(path, "there is no key in it that is not encrypted; it has to be PEM"))
}

fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(|source| Error::File { path: path.into(), source })
}

fn read(path: &Path, file: File) -> Result<Zeroizing<Vec<u8>>, Error> {
    let mut text = Zeroizing::new(Vec::with_capacity(LARGEST));
    let read = file.take(LARGEST as u64).read_to_end(&mut text);
    let whole = read.and_then(|length| match length {
        LARGEST => Err(io::Error::new(ErrorKind::FileTooLarge, "it is too large to be a certificate or key")),
        _ => Ok(()),
    });
    whole.map_err(|source| Error::File { path: path.into(), source })?;
    Ok(text)
}

fn check_time(leaf: &CertificateDer<'_>, now: i64) -> Result<(), String> {
    let certificate = Certificate::from_der(leaf).map_err(|error| format!("it cannot be read: {error}"))?;
    let validity = certificate.tbs_certificate().validity();
    let (from, to) = (validity.not_before, validity.not_after);
    let seconds = |time: Time| i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    if seconds(to) < now {
        return Err(format!("it expired on {to}; renew it"));
    }
    if seconds(from) > now {
        return Err(format!("it is not valid before {from}; check this machine's clock"));
    }
    Ok(())
}

fn check_name(leaf: &CertificateDer<'_>, origin: &Origin) -> Result<(), String> {
    let certificate = EndEntityCert::try_from(leaf).map_err(|error| format!("it cannot be used: {error}"))?;
    let name = ServerName::try_from(origin.rp_id()).map_err(|error| error.to_string())?;
    certificate
        .verify_is_valid_for_subject_name(&name)
        .map_err(|_| format!("it is not for {}: get one for that name, or change the origin", origin.rp_id()))
}

fn unusable(path: &Path, why: &str) -> Error {
    Error::Key { path: path.into(), why: why.into() }
}

/// A chain of a few certificates takes some ten kilobytes.
const LARGEST: usize = 256 * 1024;

#[cfg(test)]
mod tests;
