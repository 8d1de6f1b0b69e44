use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;
use crate::testing::Directory;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn open(directory: &Directory) -> Result<Store, Error> {
    Store::open(&Data::Directory(directory.path().join("data")))
}

#[test]
fn only_the_owner_can_reach_the_directory_and_every_file_in_it() {
    let directory = Directory::new();
    let store = open(&directory).unwrap();
    let data = directory.path().join("data");
    assert_eq!(mode(&data), 0o700);
    let files: Vec<_> = fs::read_dir(&data).unwrap().map(|e| e.unwrap().path()).collect();
    assert!(files.len() >= 2);
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    drop(store);
}

#[test]
fn a_directory_that_others_can_reach_is_refused() {
    let directory = Directory::new();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::set_permissions(&data, fs::Permissions::from_mode(0o755)).unwrap();
    let error = open(&directory).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("chmod 700"), "{error}");
}

#[test]
fn a_key_or_database_that_others_can_read_is_refused() {
    for file in ["seal.key", "iam.sqlite"] {
        let directory = Directory::new();
        drop(open(&directory).unwrap());
        let path = directory.path().join("data").join(file);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = open(&directory).map(|_| ()).unwrap_err();
        assert!(matches!(error, Error::TooOpen { .. }), "{error}");
    }
}

#[test]
fn a_newer_schema_is_refused_in_words_and_left_alone() {
    let directory = Directory::new();
    drop(open(&directory).unwrap());
    let path = directory.path().join("data/iam.sqlite");
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", SCHEMA + 1).unwrap();
    drop(newer);
    let error = open(&directory).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("newer version"), "{error}");
    let after = Connection::open(&path).unwrap();
    let version: i64 = after.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, SCHEMA + 1);
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let directory = Directory::new();
    let first = open(&directory).unwrap();
    let error = open(&directory).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::InUse(_)), "{error}");
    drop(first);
    open(&directory).unwrap();
}

#[test]
fn a_missing_wrong_or_cut_sealing_key_is_never_replaced() {
    let directory = Directory::new();
    drop(open(&directory).unwrap());
    let key = directory.path().join("data/seal.key");
    let right = fs::read(&key).unwrap();
    for wrong in [vec![7; 32], right[..31].to_vec(), vec![]] {
        fs::write(&key, &wrong).unwrap();
        assert!(matches!(open(&directory), Err(Error::SealKey(_))));
        assert_eq!(fs::read(&key).unwrap(), wrong);
    }
    fs::remove_file(&key).unwrap();
    assert!(matches!(open(&directory), Err(Error::SealKey(_))));
    assert!(!key.exists());
    drop(files::make_private(&key));
    fs::write(&key, &right).unwrap();
    open(&directory).unwrap();
}

#[test]
fn a_refused_transaction_leaves_nothing_behind() {
    let store = Store::open(&Data::Ephemeral).unwrap();
    let refused: Result<(), Error> = store.transaction(|tx| {
        add_setting(tx, "half", b"done")?;
        Err(Error::Account("no".into()))
    });
    assert!(refused.is_err());
    let found = store.transaction(|tx| setting(tx, "half")).unwrap();
    assert_eq!(found, None);
}
