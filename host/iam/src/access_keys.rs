//! Access keys: `AKIA…` and a secret that signs requests. The secret is sealed, since SigV4 needs it whole.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rusqlite::{Connection, OptionalExtension as _, Row};
use tracing::info;
use zeroize::Zeroizing;

use crate::{
    actor::Actor,
    iam::Iam,
    names::unique_id,
    page::{Page, Wanted},
    random,
    refusal::{Code, Refusal},
    seal::Sealer,
    users::{self, User},
};

/// An access key without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccessKey {
    pub(crate) id: String,
    /// In seconds since 1970.
    pub(crate) created_at: i64,
}

/// An access key and its secret: 40 characters.
pub(crate) struct Credential {
    pub(crate) key: AccessKey,
    pub(crate) secret: Zeroizing<String>,
}

impl Iam {
    /// Makes an access key; its secret is told here alone.
    pub(crate) fn create_access_key(&self, actor: &Actor<'_>, user: &User) -> Result<Credential, Refusal> {
        actor.require_self(user, "iam:CreateAccessKey")?;
        let credential = self.store.transaction(|tx| {
            actor.require_proof(tx)?;
            insert(tx, &self.store.sealer, user, self.now())
        })?;
        info!(by = actor.user.name, user = user.name, key = credential.key.id, "an access key was made");
        Ok(credential)
    }

    /// A part of a user's access keys.
    pub(crate) fn access_keys(
        &self,
        actor: &Actor<'_>,
        user: &User,
        wanted: Wanted,
    ) -> Result<Page<AccessKey>, Refusal> {
        actor.require_self(user, "iam:ListAccessKeys")?;
        self.store.transaction(|tx| {
            let query = "SELECT rowid, id, created_at FROM access_keys \
                         WHERE user_id = ?1 AND rowid > ?2 ORDER BY rowid LIMIT ?3";
            let mut query = tx.prepare_cached(query)?;
            let rows = query.query_map((user.id, wanted.after, wanted.limit()), |row| {
                Ok((row.get(0)?, AccessKey { id: row.get(1)?, created_at: row.get(2)? }))
            })?;
            Ok(wanted.page(rows.collect::<rusqlite::Result<_>>()?))
        })
    }

    /// Deletes an access key: what is signed with it is refused from now on.
    pub(crate) fn delete_access_key(&self, actor: &Actor<'_>, user: &User, id: &str) -> Result<(), Refusal> {
        actor.require_self(user, "iam:DeleteAccessKey")?;
        self.store.transaction(|tx| {
            actor.require_proof(tx)?;
            let statement = "DELETE FROM access_keys WHERE id = ?1 AND user_id = ?2";
            if tx.execute(statement, (id, user.id))? == 0 {
                let text = format!("The Access Key with id {id} cannot be found.");
                return Err(Refusal::new(Code::NoSuchEntity, text));
            }
            info!(by = actor.user.name, user = user.name, key = id, "an access key was deleted");
            Ok(())
        })
    }
}

/// The first administrator's oldest access key, made when there is none.
pub(crate) fn of_administrator(
    connection: &Connection,
    sealer: &Sealer,
    now: i64,
) -> Result<Credential, Refusal> {
    let query = "SELECT id FROM users WHERE administrator = 1 ORDER BY id LIMIT 1";
    let id = connection.query_row(query, [], |row| row.get(0))?;
    let user = users::find_by_id(connection, id)?;
    let user = user.ok_or_else(|| Refusal::failure("there is no administrator"))?;
    let query =
        "SELECT id, created_at, sealed_secret FROM access_keys WHERE user_id = ?1 ORDER BY rowid LIMIT 1";
    match connection.query_row(query, [user.id], read).optional()? {
        Some((key, sealed)) => Ok(Credential { secret: open(sealer, &key.id, &sealed)?, key }),
        None => insert(connection, sealer, &user, now),
    }
}

/// Whose key it is, and its secret.
pub(crate) fn find(
    connection: &Connection,
    sealer: &Sealer,
    id: &str,
) -> Result<Option<(User, Zeroizing<String>)>, Refusal> {
    let query = "SELECT user_id, sealed_secret FROM access_keys WHERE id = ?1";
    let read = |row: &Row<'_>| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?));
    let Some((user, sealed)) = connection.query_row(query, [id], read).optional()? else { return Ok(None) };
    let Some(user) = users::find_by_id(connection, user)? else { return Ok(None) };
    Ok(Some((user, open(sealer, id, &sealed)?)))
}

/// 40 random characters, as AWS's secrets have.
pub(crate) fn new_secret() -> Result<Zeroizing<String>, getrandom::Error> {
    let bytes = Zeroizing::new(random::<30>()?);
    Ok(Zeroizing::new(BASE64_STANDARD.encode(bytes.as_slice())))
}

fn insert(connection: &Connection, sealer: &Sealer, user: &User, now: i64) -> Result<Credential, Refusal> {
    let query = "SELECT count(*) FROM access_keys WHERE user_id = ?1";
    let count: i64 = connection.query_row(query, [user.id], |row| row.get(0))?;
    if count >= MOST_KEYS {
        let text = format!("Cannot exceed quota for AccessKeysPerUser: {MOST_KEYS}");
        return Err(Refusal::new(Code::LimitExceeded, text));
    }
    let (id, secret) = (unique_id("AKIA", 20)?, new_secret()?);
    let sealed = sealer.seal(&id, secret.as_bytes())?;
    let statement =
        "INSERT INTO access_keys (id, user_id, sealed_secret, created_at) VALUES (?1, ?2, ?3, ?4)";
    connection.execute(statement, (&id, user.id, sealed, now))?;
    Ok(Credential { key: AccessKey { id, created_at: now }, secret })
}

fn open(sealer: &Sealer, id: &str, sealed: &[u8]) -> Result<Zeroizing<String>, Refusal> {
    let secret =
        sealer.open(id, sealed).and_then(|mut bytes| String::from_utf8(std::mem::take(&mut bytes)).ok());
    let unreadable = || Refusal::failure(format!("the secret of {id} does not open with the sealing key"));
    secret.map(Zeroizing::new).ok_or_else(unreadable)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(AccessKey, Vec<u8>)> {
    Ok((AccessKey { id: row.get(0)?, created_at: row.get(1)? }, row.get(2)?))
}

const MOST_KEYS: i64 = 2;
