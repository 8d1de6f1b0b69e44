//! The database: SQLite in a file or in memory, one writer, migrated step by step.

mod files;

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior};
use zeroize::Zeroizing;

use crate::{config::Data, error::Error, random, seal::Sealer};

/// The database and the key that seals its secrets.
pub(crate) struct Store {
    connection: Mutex<Connection>,
    pub(crate) sealer: Sealer,
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
        connection.pragma_update(None, "foreign_keys", true)?;
        migrate(&mut connection)?;
        Ok(Self { connection: Mutex::new(connection), sealer: Sealer::new(&random()?) })
    }

    fn in_directory(directory: &Path) -> Result<Self, Error> {
        files::make_directory(directory)?;
        let path = directory.join("iam.sqlite");
        files::make_private(&path)?;
        let mut connection = connect(&path)?;
        migrate(&mut connection)?;
        let key_path = directory.join("seal.key");
        let key = seal_key(&mut connection, &key_path)?;
        Ok(Self { connection: Mutex::new(connection), sealer: Sealer::new(&key) })
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

/// Opens the file for this process alone: sessions, locks and counters live in one server.
fn connect(path: &Path) -> Result<Connection, Error> {
    let in_use = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::InUse(path.into()),
        _ => Error::Database(error),
    };
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_millis(200))?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(in_use)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.execute_batch("BEGIN IMMEDIATE; COMMIT").map_err(in_use)?;
    Ok(connection)
}

/// Brings the schema to the newest version, each step in a transaction of its own.
fn migrate(connection: &mut Connection) -> Result<(), Error> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if !(0..=SCHEMA).contains(&found) {
        return Err(Error::NewerSchema { found, known: SCHEMA });
    }
    for (version, step) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
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

const MIGRATIONS: [&str; 1] = [include_str!("../migrations/0001.sql")];
#[expect(clippy::cast_possible_wrap, reason = "a handful of migrations")]
const SCHEMA: i64 = MIGRATIONS.len() as i64;

/// The name of an empty secret that tells the right sealing key from another.
const SEAL_MARK: &str = "seal-mark";

#[cfg(test)]
mod tests;
