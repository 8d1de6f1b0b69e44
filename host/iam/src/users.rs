//! Users: who they are, and who may make them.

use rusqlite::{Connection, OptionalExtension as _, Row, ToSql};

use crate::{
    iam::{Iam, SignedIn},
    names::UserName,
    password, random,
    refusal::{Code, Refusal},
};

/// A user, without the password.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) name: String,
    /// WebAuthn's user.id.
    pub(crate) handle: Vec<u8>,
    pub(crate) administrator: bool,
}

impl Iam {
    /// Makes a user. Only an administrator may, and one who has MFA must have proven it.
    pub(crate) fn create_user(&self, caller: &SignedIn, name: &str, secret: &str) -> Result<String, Refusal> {
        if !caller.user.administrator {
            return Err(Refusal::denied("Only an administrator creates users. Sign in as one."));
        }
        let name = UserName::parse(name)?;
        password::check(secret)?;
        let hash = self.passwords.hash(secret).map_err(Refusal::failure)?;
        let (now, handle) = (self.now(), random()?);
        self.store.transaction(|tx| {
            caller.require_proof(tx)?;
            if find_by_name(tx, name.as_str())?.is_some() {
                let text = format!("User with name {} already exists. Choose another name.", name.as_str());
                return Err(Refusal::new(Code::EntityAlreadyExists, text));
            }
            Ok(insert(tx, &name, handle, &hash, false, now)?)
        })?;
        Ok(self.account.user_arn(name.as_str()))
    }
}

pub(crate) fn insert(
    connection: &Connection,
    name: &UserName,
    handle: [u8; 32],
    hash: &str,
    administrator: bool,
    now: i64,
) -> rusqlite::Result<()> {
    let statement = "INSERT INTO users (name, handle, password, administrator, created_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5)";
    connection.execute(statement, (name.as_str(), handle, hash, administrator, now))?;
    Ok(())
}

/// The user of a name (case does not matter) and the hash of the password.
pub(crate) fn find_by_name(connection: &Connection, name: &str) -> rusqlite::Result<Option<(User, String)>> {
    find(connection, "name", name)
}

pub(crate) fn find_by_id(connection: &Connection, id: i64) -> rusqlite::Result<Option<User>> {
    Ok(find(connection, "id", id)?.map(|(user, _)| user))
}

fn find(
    connection: &Connection,
    column: &str,
    value: impl ToSql,
) -> rusqlite::Result<Option<(User, String)>> {
    let query = format!("SELECT id, name, handle, administrator, password FROM users WHERE {column} = ?1");
    connection.query_row(&query, [value], read).optional()
}

fn read(row: &Row<'_>) -> rusqlite::Result<(User, String)> {
    let user = User { id: row.get(0)?, name: row.get(1)?, handle: row.get(2)?, administrator: row.get(3)? };
    Ok((user, row.get(4)?))
}
