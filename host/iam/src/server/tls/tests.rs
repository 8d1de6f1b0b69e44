use std::{fs, path::Path};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::*;
use crate::testing::Directory;

/// Files of a certificate for `iam.example.org`, and what a test changed of it.
struct Files {
    directory: Directory,
    tls: Tls,
}

impl Files {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let directory = Directory::new();
        let mut params = CertificateParams::new(["iam.example.org".to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        let at = |name: &str| directory.path().join(name);
        let tls = Tls { certificate: at("cert.pem"), key: at("key.pem") };
        fs::write(&tls.certificate, certificate).unwrap();
        write_private(&tls.key, &key.serialize_pem());
        Self { directory, tls }
    }

    fn accept(&self) -> Result<(), String> {
        let origin = Origin::secure("https://iam.example.org").unwrap();
        acceptor(&self.tls, &origin, NOW).map(drop).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(&self, path: &Path, words: &str) {
        let error = self.accept().unwrap_err();
        assert!(error.contains(&path.display().to_string()) && error.contains(words), "{error}");
    }
}

fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// 2027-01-15.
const NOW: i64 = 1_800_000_000;

#[test]
fn a_certificate_and_its_key_are_taken() {
    assert_eq!(Files::new().accept(), Ok(()));
    let wild = |params: &mut CertificateParams| {
        *params = CertificateParams::new(["*.example.org".to_owned()]).unwrap();
    };
    assert_eq!(Files::with(wild).accept(), Ok(()));
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_command_that_helps() {
    for mode in [0o604, 0o640, 0o660, 0o644] {
        let files = Files::new();
        fs::set_permissions(&files.tls.key, fs::Permissions::from_mode(mode)).unwrap();
        files.refused(&files.tls.key, "chmod 600");
    }
}

#[test]
fn a_missing_file_is_named() {
    for which in [|files: &Files| files.tls.certificate.clone(), |files: &Files| files.tls.key.clone()] {
        let files = Files::new();
        fs::remove_file(which(&files)).unwrap();
        files.refused(&which(&files), "No such file");
    }
}

#[test]
fn an_expired_certificate_and_one_of_the_future_are_refused() {
    let expired = Files::with(|params| params.not_after = date_time_ymd(2026, 12, 31));
    expired.refused(&expired.tls.certificate, "expired on 2026-12-31");
    let future = Files::with(|params| params.not_before = date_time_ymd(2027, 2, 1));
    future.refused(&future.tls.certificate, "not valid before 2027-02-01");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    for names in
        [vec![], vec!["localhost".to_owned()], vec!["example.org".to_owned()], vec!["192.0.2.1".to_owned()]]
    {
        let files = Files::with(|params| *params = CertificateParams::new(names).unwrap());
        files.refused(&files.tls.certificate, "not for iam.example.org");
    }
}

#[test]
fn the_key_of_another_certificate_is_refused() {
    let files = Files::new();
    write_private(&files.tls.key, &KeyPair::generate().unwrap().serialize_pem());
    files.refused(&files.tls.key, "not the key of the certificate");
}

#[test]
fn what_is_neither_certificate_nor_key_is_refused() {
    let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    let empty = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    for text in ["", "nonsense", cut, empty, &"A".repeat(LARGEST)] {
        let files = Files::new();
        fs::write(&files.tls.certificate, text).unwrap();
        files.refused(&files.tls.certificate, "");
        let files = Files::new();
        write_private(&files.tls.key, text);
        files.refused(&files.tls.key, "");
    }
    let files = Files::new();
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    write_private(&files.tls.key, encrypted);
    files.refused(&files.tls.key, "not encrypted");
    // The two files the wrong way round.
    let files = Files::new();
    let swapped = Tls { certificate: files.tls.key.clone(), key: files.tls.certificate.clone() };
    fs::set_permissions(&swapped.key, fs::Permissions::from_mode(0o600)).unwrap();
    let files = Files { tls: swapped, directory: files.directory };
    files.refused(&files.tls.certificate, "no certificate");
}
