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

/// Data as schema 1 had it: two users, an app in use, one being set up, and a key.
const FIRST: &str = "
    INSERT INTO users VALUES (1, 'root', x'01', '$argon2id$a', 1, 100), (7, 'Ann', x'02', '$argon2id$b', 0, 200);
    INSERT INTO mfa_devices VALUES
        ('arn:aws:iam::123456789012:mfa/phone', 7, 'totp', 'phone', 300, 310),
        ('arn:aws:iam::123456789012:mfa/new', 7, 'totp', 'new', 400, NULL),
        ('arn:aws:iam::123456789012:u2f/user/Ann/blue-X', 7, 'webauthn', 'blue', 500, 500);
    INSERT INTO totp_seeds VALUES ('arn:aws:iam::123456789012:mfa/phone', x'aa', 77),
        ('arn:aws:iam::123456789012:mfa/new', x'bb', -1);
    INSERT INTO webauthn_credentials VALUES
        ('arn:aws:iam::123456789012:u2f/user/Ann/blue-X', x'cc', '{}', 5, x'dd');
    PRAGMA user_version = 1;";

fn first_schema(rows: &str) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(MIGRATIONS[0]).unwrap();
    connection.execute_batch(rows).unwrap();
    connection
}

#[test]
fn data_of_the_first_schema_is_brought_forward_whole() {
    let mut connection = first_schema(FIRST);
    migrate(&mut connection).unwrap();
    let rows = |query: &str| -> Vec<String> {
        let mut query = connection.prepare(query).unwrap();
        let rows = query.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    let users = rows("SELECT id || path || name || password || password_at || administrator FROM users");
    assert_eq!(users, ["1/root$argon2id$a1001", "7/Ann$argon2id$b2000"]);
    assert!(rows("SELECT user_id FROM users").iter().all(|id| id.len() == 21 && id.starts_with("AIDA")));
    let devices =
        "SELECT name || ':' || coalesce(user_id, '-') || maker_id || wizard FROM mfa_devices ORDER BY rowid";
    assert_eq!(rows(devices), ["phone:770", "new:-71", "blue:770"]);
    assert_eq!(rows("SELECT hex(sealed_seed) || last_step || drift FROM totp_seeds"), ["AA770", "BB-10"]);
    assert_eq!(rows("SELECT hex(credential_id) || counter FROM webauthn_credentials"), ["CC5"]);
    // Foreign keys hold again, and go with the tables' new form.
    assert!(connection.execute("DELETE FROM users WHERE id = 7", []).is_err());
    connection.execute("DELETE FROM mfa_devices", []).unwrap();
    assert!(rows("SELECT serial FROM totp_seeds").is_empty());
    connection.execute("DELETE FROM users WHERE id = 7", []).unwrap();
    let statement = "INSERT INTO users (user_id, path, name, handle, administrator, created_at) \
                     VALUES ('AIDAX', '/', 'next', x'03', 0, 1)";
    connection.execute(statement, []).unwrap();
    assert_eq!(connection.last_insert_rowid(), 8);
}

#[test]
fn data_that_refers_to_what_is_not_there_is_refused_and_left_alone() {
    let rows = "PRAGMA foreign_keys = OFF; PRAGMA user_version = 1; \
                INSERT INTO totp_seeds VALUES ('nobody', x'aa', 1);";
    let mut connection = first_schema(rows);
    assert!(matches!(migrate(&mut connection), Err(Error::Migration(2))));
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
    connection.query_row("SELECT handle FROM users", [], |_| Ok(())).optional().unwrap();
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
fn the_data_of_a_running_server_can_be_added_to_and_copied_and_the_server_sees_it() {
    let directory = Directory::new();
    let data = directory.path().join("data");
    let server = open(&directory).unwrap();
    let beside = Store::beside(&data).unwrap();
    beside.transaction(|tx| add_setting(tx, "beside", b"1")).unwrap();
    assert_eq!(server.read(|connection| setting(connection, "beside")).unwrap(), Some(b"1".to_vec()));
    let copy_of = directory.path().join("copy.sqlite");
    backup(&data, &copy_of).unwrap();
    let copied = Connection::open(&copy_of).unwrap();
    assert_eq!(setting(&copied, "beside").unwrap(), Some(b"1".to_vec()));
    assert_eq!(mode(&copy_of), 0o600);
    // Neither ended what the server has.
    assert!(matches!(open(&directory), Err(Error::InUse(_))));
    server.transaction(|tx| add_setting(tx, "after", b"1")).unwrap();
}

#[test]
fn a_folder_without_data_is_told_so_and_left_alone() {
    let directory = Directory::new();
    for path in [directory.path().to_owned(), directory.path().join("none")] {
        assert!(matches!(Store::beside(&path), Err(Error::NoData(_))));
        assert!(matches!(backup(&path, &directory.path().join("copy")), Err(Error::NoData(_))));
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn the_data_of_a_server_of_another_version_is_left_to_it() {
    let directory = Directory::new();
    let data = directory.path().join("data");
    let server = open(&directory).unwrap();
    for version in [SCHEMA + 1, SCHEMA - 1] {
        server.read(|connection| connection.pragma_update(None, "user_version", version)).unwrap();
        assert!(matches!(Store::beside(&data), Err(Error::OtherVersion(_))));
        assert_eq!(server.read(schema).unwrap(), version);
    }
}

#[test]
fn a_backup_of_an_older_schema_is_made_as_it_is() {
    let directory = Directory::new();
    drop(open(&directory).unwrap());
    let (data, to) = (directory.path().join("data"), directory.path().join("copy.sqlite"));
    connect(&data.join(DATABASE)).unwrap().pragma_update(None, "user_version", 1).unwrap();
    backup(&data, &to).unwrap();
    assert_eq!(schema(&Connection::open(&to).unwrap()).unwrap(), 1);
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

#[test]
fn a_backup_is_a_whole_database_that_only_its_owner_can_read() {
    let directory = Directory::new();
    let store = open(&directory).unwrap();
    store.transaction(|tx| add_setting(tx, "before", b"1")).unwrap();
    let copy = directory.path().join("copy.sqlite");
    store.backup(&copy).unwrap();
    // The one that goes on may write, and the copy does not follow.
    store.transaction(|tx| add_setting(tx, "after", b"1")).unwrap();
    assert_eq!(mode(&copy), 0o600);
    let restored = directory.path().join("restored");
    files::make_directory(&restored).unwrap();
    fs::copy(&copy, restored.join("iam.sqlite")).unwrap();
    fs::copy(directory.path().join("data/seal.key"), restored.join("seal.key")).unwrap();
    let restored = Store::open(&Data::Directory(restored)).unwrap();
    let found = |name| restored.transaction(|tx| setting(tx, name)).unwrap();
    assert_eq!((found("before"), found("after")), (Some(b"1".to_vec()), None));
}

#[test]
fn a_backup_never_replaces_a_file_and_never_goes_without_its_seal_key() {
    let directory = Directory::new();
    let store = open(&directory).unwrap();
    let copy = directory.path().join("copy.sqlite");
    fs::write(&copy, b"mine").unwrap();
    assert!(matches!(store.backup(&copy), Err(Error::File { .. })));
    assert_eq!(fs::read(&copy).unwrap(), b"mine");
    assert!(matches!(store.backup(&directory.path().join("no/such/folder")), Err(Error::File { .. })));
    fs::remove_file(&copy).unwrap();
    store.backup(&copy).unwrap();
    let restored = directory.path().join("restored");
    files::make_directory(&restored).unwrap();
    fs::copy(&copy, restored.join("iam.sqlite")).unwrap();
    assert!(matches!(Store::open(&Data::Directory(restored)), Err(Error::SealKey(_))));
}

#[test]
fn data_of_the_second_schema_is_brought_forward_whole() {
    let mut connection = first_schema(FIRST);
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    connection.execute_batch(MIGRATIONS[1]).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    migrate(&mut connection).unwrap();
    let count = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM users"), 2);
    assert_eq!(count("SELECT count(*) FROM mfa_devices"), 3);
    assert_eq!(count("SELECT count(*) FROM webauthn_credentials WHERE is_u2f = 0"), 1);
    assert_eq!(count("SELECT count(*) FROM events"), 0);
}
