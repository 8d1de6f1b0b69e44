//! The database: SQLite in a file or in memory, one writer, migrated step by step.

mod files;

use std::{
    fs::File,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior,
    backup::{Backup, StepResult},
};
use zeroize::Zeroizing;

use crate::{config::Data, error::Error, random, seal::Sealer};

/// The database and the key that seals its secrets.
pub(crate) struct Store {
    connection: Mutex<Connection>,
    pub(crate) sealer: Sealer,
    /// Held by the one server of a directory.
    _lock: Option<File>,
}

impl Store {
    pub(crate) fn open(data: &Data) -> Result<Self, Error> {
        match data {
            Data::Ephemeral => Self::ephemeral(),
            Data::Directory(directory) => Self::in_directory(directory),
        }
    }

    fn ephemeral() -> Result<Self, Error> {
        let mut connection = Connection::open_in_memory()?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        migrate(&mut connection)?;
        Ok(Self { connection: Mutex::new(connection), sealer: Sealer::new(&random()?), _lock: None })
    }

    fn in_directory(directory: &Path) -> Result<Self, Error> {
        files::make_directory(directory)?;
        match files::lock(&directory.join(LOCK))? {
            Some(lock) => Self::owned(directory, lock),
            None => Err(Error::InUse(directory.into())),
        }
    }

    /// The data of a directory for something short, whether or not a server has it open.
    pub(crate) fn beside(directory: &Path) -> Result<Self, Error> {
        require_data(directory)?;
        if let Some(lock) = files::lock(&directory.join(LOCK))? {
            return Self::owned(directory, lock);
        }
        let mut connection = connect(&directory.join(DATABASE))?;
        // A server knows the schema that it brought the data to, and no other.
        let found = schema(&connection)?;
        if found != SCHEMA {
            return Err(Error::OtherVersion(directory.into()));
        }
        let key = seal_key(&mut connection, &directory.join(SEAL_KEY))?;
        Ok(Self { connection: Mutex::new(connection), sealer: Sealer::new(&key), _lock: None })
    }

    fn owned(directory: &Path, lock: File) -> Result<Self, Error> {
        let path = directory.join(DATABASE);
        files::make_private(&path)?;
        let mut connection = connect(&path)?;
        migrate(&mut connection)?;
        let key = seal_key(&mut connection, &directory.join(SEAL_KEY))?;
        Ok(Self { connection: Mutex::new(connection), sealer: Sealer::new(&key), _lock: Some(lock) })
    }

    /// Copies the database, as it is now, to a new file that only its owner can read.
    pub(crate) fn backup(&self, path: &Path) -> Result<(), Error> {
        self.read(|connection| copy(connection, path))
    }

    /// Runs `work`, which asks one thing and changes nothing: a single query needs no transaction.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> T) -> T {
        work(&self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs `work` in a transaction that is kept when it succeeds and undone when it does not.
    pub(crate) fn transaction<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let result = work(&transaction)?;
        transaction.commit()?;
        Ok(result)
    }
}

/// Copies the database of a directory, whether or not a server has it open. It is not brought to another schema.
pub(crate) fn backup(directory: &Path, path: &Path) -> Result<(), Error> {
    require_data(directory)?;
    copy(&connect(&directory.join(DATABASE))?, path)
}

fn copy(connection: &Connection, path: &Path) -> Result<(), Error> {
    files::create_private(path)?;
    let mut copy = Connection::open(path)?;
    // All pages in one step, which sees nothing that is written meanwhile: the copy is of one moment.
    if Backup::new(connection, &mut copy)?.step(ALL_PAGES)? != StepResult::Done {
        return Err(Error::Backup(path.into()));
    }
    // The copy is one file, without a log beside it.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    copy.close().map_err(|(_, error)| error)?;
    files::sync(path)
}

fn require_data(directory: &Path) -> Result<(), Error> {
    if directory.join(DATABASE).is_file() {
        return files::make_directory(directory);
    }
    Err(Error::NoData(directory.into()))
}

/// A setting, such as the account.
pub(crate) fn setting(connection: &Connection, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    let query = "SELECT value FROM settings WHERE name = ?1";
    connection.query_row(query, [name], |row| row.get(0)).optional()
}

/// Writes a setting that must not be there yet.
pub(crate) fn add_setting(connection: &Connection, name: &str, value: &[u8]) -> rusqlite::Result<()> {
    let statement = "INSERT INTO settings (name, value) VALUES (?1, ?2)";
    connection.execute(statement, (name, value))?;
    Ok(())
}

/// Opens the file. That one server has it is a lock of its own: the command line may look in, and add to it.
fn connect(path: &Path) -> Result<Connection, Error> {
    let in_use = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::InUse(path.into()),
        _ => Error::Database(error),
    };
    let connection = Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(in_use)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch("BEGIN IMMEDIATE; COMMIT").map_err(in_use)?;
    Ok(connection)
}

/// Brings the schema to the newest version, each step in a transaction of its own.
fn migrate(connection: &mut Connection) -> Result<(), Error> {
    // A step may make a table anew that others refer to: foreign keys are looked at when it is done.
    connection.pragma_update(None, "foreign_keys", false)?;
    let migrated = run_steps(connection);
    connection.pragma_update(None, "foreign_keys", true)?;
    migrated
}

fn run_steps(connection: &mut Connection) -> Result<(), Error> {
    let found = schema(connection)?;
    if !(0..=SCHEMA).contains(&found) {
        return Err(Error::NewerSchema { found, known: SCHEMA });
    }
    for (version, step) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        if transaction.prepare("PRAGMA foreign_key_check")?.exists([])? {
            return Err(Error::Migration(version));
        }
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

fn schema(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// The sealing key of a data directory. It is made once: a missing key never becomes a fresh one.
fn seal_key(connection: &mut Connection, path: &Path) -> Result<Zeroizing<[u8; 32]>, Error> {
    let transaction = connection.transaction()?;
    let mark = setting(&transaction, SEAL_MARK)?;
    let key = match (files::read_key(path)?, &mark) {
        (Some(key), _) => key,
        (None, Some(_)) => return Err(Error::SealKey(path.into())),
        (None, None) => files::create_key(path)?,
    };
    let sealer = Sealer::new(&key);
    match mark {
        Some(mark) if sealer.open(SEAL_MARK, &mark).is_none() => {
            return Err(Error::SealKey(path.into()));
        }
        Some(_) => {}
        None => add_setting(&transaction, SEAL_MARK, &sealer.seal(SEAL_MARK, b"")?)?,
    }
    transaction.commit()?;
    Ok(key)
}

const MIGRATIONS: [&str; 3] = [
    include_str!("../migrations/0001.sql"),
    include_str!("../migrations/0002-api.sql"),
    include_str!("../migrations/0003-console.sql"),
];
#[expect(clippy::cast_possible_wrap, reason = "a handful of migrations")]
const SCHEMA: i64 = MIGRATIONS.len() as i64;

const DATABASE: &str = "iam.sqlite";
const SEAL_KEY: &str = "seal.key";
const LOCK: &str = "iam.lock";
/// More than there are: one that is used at each sign-in is never prepared anew.
const STATEMENTS: usize = 128;
/// For another process that writes.
const PATIENCE: Duration = Duration::from_secs(10);
/// The name of an empty secret that tells the right sealing key from another.
const SEAL_MARK: &str = "seal-mark";
/// To SQLite's backup: whatever is left.
const ALL_PAGES: i32 = -1;

#[cfg(test)]
mod tests;
