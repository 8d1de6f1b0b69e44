//! The file: what opens it, what does not, and what is told.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::account::Parameters;
use crate::store::Store;

const PASSPHRASE: &str = "correct horse";

struct Place {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/totp");
        Self { folder, path }
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path().join("new")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn account(name: &str) -> Account {
    Account::from_base32(name, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", Parameters::default()).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn accounts_are_kept_under_unique_names_until_they_are_removed() {
    for passphrase in [None, Some(PASSPHRASE)] {
        let place = Place::new();
        let store = Store::File(SealedFile::create(&place.path, passphrase).unwrap());
        store.add(&account("b")).unwrap();
        store.add(&account("a")).unwrap();
        assert!(matches!(store.add(&account("a")), Err(Error::NameTaken(_))));
        let store = Store::File(SealedFile::open(&place.path, passphrase).unwrap());
        assert_eq!(store.accounts().unwrap(), [account("a"), account("b")]);
        assert_eq!(store.find("b").unwrap(), account("b"));
        store.remove("a").unwrap();
        assert!(matches!(store.remove("a"), Err(Error::NoAccount(..))));
        assert!(matches!(store.find("a"), Err(Error::NoAccount(..))));
        assert_eq!(store.accounts().unwrap(), [account("b")]);
    }
}

#[test]
fn everything_is_private_and_nothing_is_left_beside() {
    let place = Place::new();
    let file = SealedFile::create(&place.path, None).unwrap();
    file.add(&account("a")).unwrap();
    assert_eq!(place.names(), ["totp", "totp.key"]);
    assert_eq!(mode(&place.path), 0o600);
    assert_eq!(mode(&place.path.with_extension("key")), 0o600);
    assert_eq!(mode(place.path.parent().unwrap()), 0o700);
}

#[test]
fn neither_names_nor_secrets_can_be_read_in_the_file() {
    let place = Place::new();
    SealedFile::create(&place.path, Some(PASSPHRASE)).unwrap().add(&account("somebody")).unwrap();
    let text = fs::read_to_string(&place.path).unwrap();
    assert!(!text.contains("somebody") && !text.contains("GEZD") && !text.contains("otpauth"), "{text}");
}

#[test]
fn a_wrong_passphrase_is_told_and_costs_nothing() {
    let place = Place::new();
    let file = SealedFile::create(&place.path, Some(PASSPHRASE)).unwrap();
    file.add(&account("a")).unwrap();
    let before = fs::read(&place.path).unwrap();
    for wrong in ["", "correct hors", "Correct horse", "correct horse ", "another one"] {
        assert!(
            matches!(SealedFile::open(&place.path, Some(wrong)), Err(Error::WrongPassphrase(_))),
            "{wrong}"
        );
    }
    assert!(matches!(SealedFile::open(&place.path, None), Err(Error::NeedsPassphrase(_))));
    assert_eq!(fs::read(&place.path).unwrap(), before);
    assert_eq!(SealedFile::open(&place.path, Some(PASSPHRASE)).unwrap().accounts().unwrap().len(), 1);
}

#[test]
fn a_passphrase_that_protects_nothing_is_refused() {
    let place = Place::new();
    for weak in ["", "1234567", &"a".repeat(1025)] {
        assert!(matches!(SealedFile::create(&place.path, Some(weak)), Err(Error::WeakPassphrase)));
    }
    assert!(place.names().is_empty());
}

#[test]
fn each_changed_or_missing_byte_is_noticed() {
    let place = Place::new();
    let file = SealedFile::create(&place.path, None).unwrap();
    file.add(&account("a")).unwrap();
    let good = fs::read(&place.path).unwrap();
    for at in 0..good.len() {
        for changed in [[&good[..at], &[good[at] ^ 1], &good[at + 1..]].concat(), good[..at].to_vec()] {
            fs::write(&place.path, &changed).unwrap();
            // White space of JSON may change; what was sealed may not.
            if let Ok(file) = SealedFile::open(&place.path, None) {
                assert_eq!(file.accounts().unwrap(), [account("a")], "{at}");
                assert!(serde_json::from_slice::<serde_json::Value>(&changed).is_ok());
                panic!("{at}: {:?}", String::from_utf8_lossy(&changed));
            }
        }
    }
    fs::write(&place.path, &good).unwrap();
    SealedFile::open(&place.path, None).unwrap();
}

#[test]
fn what_a_passphrase_costs_is_bounded_and_cannot_be_lowered() {
    let place = Place::new();
    SealedFile::create(&place.path, Some(PASSPHRASE)).unwrap();
    let good = fs::read_to_string(&place.path).unwrap();
    for (from, to) in [
        ("\"memory_kib\":65536", "\"memory_kib\":4294967295"),
        ("\"memory_kib\":65536", "\"memory_kib\":8"),
        ("\"passes\":3", "\"passes\":4000000000"),
        ("\"passes\":3", "\"passes\":0"),
        ("\"lanes\":1", "\"lanes\":1000"),
        ("\"version\":1", "\"version\":2"),
    ] {
        assert!(good.contains(from));
        fs::write(&place.path, good.replace(from, to)).unwrap();
        assert!(
            matches!(SealedFile::open(&place.path, Some(PASSPHRASE)), Err(Error::Damaged { .. })),
            "{to}"
        );
    }
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let place = Place::new();
    SealedFile::create(&place.path, None).unwrap();
    for path in [&place.path, &place.path.with_extension("key")] {
        for exposed in [0o640, 0o604, 0o620, 0o666] {
            fs::set_permissions(path, fs::Permissions::from_mode(exposed)).unwrap();
            assert!(matches!(SealedFile::open(&place.path, None), Err(Error::Exposed(_))), "{exposed:o}");
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    SealedFile::open(&place.path, None).unwrap();
}

#[test]
fn a_file_is_made_once_and_a_key_that_was_left_is_taken() {
    let place = Place::new();
    SealedFile::create(&place.path, None).unwrap().add(&account("a")).unwrap();
    assert!(matches!(SealedFile::create(&place.path, None), Err(Error::Exists(_))));
    assert!(matches!(SealedFile::create(&place.path, Some(PASSPHRASE)), Err(Error::Exists(_))));
    let key = fs::read(place.path.with_extension("key")).unwrap();
    // As if the first command had been killed between the two files.
    fs::remove_file(&place.path).unwrap();
    SealedFile::create(&place.path, None).unwrap();
    assert_eq!(fs::read(place.path.with_extension("key")).unwrap(), key);
}

#[test]
fn a_key_that_is_missing_or_another_is_told() {
    let place = Place::new();
    SealedFile::create(&place.path, None).unwrap();
    let key = place.path.with_extension("key");
    for content in [&[7; 32][..], &[7; 31], b""] {
        fs::write(&key, content).unwrap();
        assert!(matches!(SealedFile::open(&place.path, None), Err(Error::Damaged { .. })));
    }
    fs::remove_file(&key).unwrap();
    let error = SealedFile::open(&place.path, None).unwrap_err();
    assert!(error.to_string().contains(".key"), "{error}");
}

#[test]
fn accounts_that_are_added_at_once_are_all_kept() {
    let place = Place::new();
    SealedFile::create(&place.path, None).unwrap();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let path = &place.path;
            scope.spawn(move || {
                SealedFile::open(path, None).unwrap().add(&account(&format!("a{number}"))).unwrap();
            });
        }
    });
    assert_eq!(SealedFile::open(&place.path, None).unwrap().accounts().unwrap().len(), 8);
}

#[test]
fn what_is_no_file_is_told() {
    let place = Place::new();
    assert!(matches!(SealedFile::open(&place.path, None), Err(Error::File { .. })));
    fs::create_dir_all(&place.path).unwrap();
    assert!(SealedFile::open(&place.path, None).is_err());
    assert!(matches!(SealedFile::create(&place.path, None), Err(Error::Exists(_))));
}
