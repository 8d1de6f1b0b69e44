//! Users: who they are, who may make and delete them, and their login profiles (passwords).

use rusqlite::{Connection, OptionalExtension as _, Row, ToSql};
use serde_json::json;
use tracing::info;

use crate::{
    actor::Actor,
    devices, events,
    iam::{Iam, SignedIn},
    names::{Account, UserName, unique_id},
    page::{Page, Wanted},
    password, random,
    refusal::{Code, Refusal},
};

/// A user, without the password.
#[derive(Debug, Clone)]
pub(crate) struct User {
    /// The number in the database.
    pub(crate) id: i64,
    /// AWS's UserId: `AIDA…`.
    pub(crate) user_id: String,
    /// `/`, or a text that begins and ends with it.
    pub(crate) path: String,
    pub(crate) name: String,
    /// WebAuthn's user.id.
    pub(crate) handle: Vec<u8>,
    pub(crate) administrator: bool,
    /// In seconds since 1970.
    pub(crate) created_at: i64,
}

/// A user to be made.
pub(crate) struct NewUser<'a> {
    pub(crate) path: &'a str,
    pub(crate) name: &'a UserName,
    /// The password's hash; without one the user cannot sign in to the console.
    pub(crate) password: Option<&'a str>,
    pub(crate) administrator: bool,
}

impl User {
    pub(crate) fn arn(&self, account: &Account) -> String {
        account.user_arn(&self.path, &self.name)
    }
}

impl Iam {
    /// Makes a user who can sign in. Only an administrator may, and one who has MFA must have proven it.
    pub(crate) fn create_user(&self, caller: &SignedIn, name: &str, secret: &str) -> Result<String, Refusal> {
        let result = self.user_with_password(caller, name, secret);
        let made = result.as_ref().map_or(name, |user| &user.name);
        self.record_action(caller, "CreateUser", json!({"userName": made}), events::outcome(&result));
        Ok(result?.arn(&self.account))
    }

    fn user_with_password(&self, caller: &SignedIn, name: &str, secret: &str) -> Result<User, Refusal> {
        let actor = self.actor(caller);
        actor.require_administrator("iam:CreateUser")?;
        let name = UserName::parse(name)?;
        password::check(secret)?;
        let hash = self.passwords.hash(secret).map_err(Refusal::failure)?;
        let new = NewUser { path: "/", name: &name, password: Some(&hash), administrator: false };
        self.add_user(&actor, &new)
    }

    /// Makes a user. Only an administrator may.
    pub(crate) fn add_user(&self, actor: &Actor<'_>, new: &NewUser<'_>) -> Result<User, Refusal> {
        actor.require_administrator("iam:CreateUser")?;
        let now = self.now();
        let user = self.store.transaction(|tx| {
            actor.require_proof(tx)?;
            let name = new.name.as_str();
            if find_by_name(tx, name)?.is_some() {
                let text = format!("User with name {name} already exists. Choose another name.");
                return Err(Refusal::new(Code::EntityAlreadyExists, text));
            }
            let count: i64 = tx.query_row("SELECT count(*) FROM users", [], |row| row.get(0))?;
            if count >= MOST_USERS {
                let text = format!("Cannot exceed quota for UsersPerAccount: {MOST_USERS}");
                return Err(Refusal::new(Code::LimitExceeded, text));
            }
            insert(tx, new, now)
        })?;
        info!(by = actor.user.name, user = user.name, "a user was made");
        Ok(user)
    }

    /// The user of a name.
    pub(crate) fn user(&self, name: &str) -> Result<User, Refusal> {
        self.store.transaction(|tx| require(tx, name))
    }

    /// Users whose path begins with `prefix`.
    pub(crate) fn users(
        &self,
        actor: &Actor<'_>,
        prefix: &str,
        wanted: Wanted,
    ) -> Result<Page<User>, Refusal> {
        actor.require_administrator("iam:ListUsers")?;
        let query = format!(
            "SELECT {COLUMNS} FROM users WHERE id > ?1 AND substr(path, 1, length(?2)) = ?2 ORDER BY id LIMIT ?3"
        );
        self.store.transaction(|tx| {
            let mut query = tx.prepare_cached(&query)?;
            let rows = query.query_map((wanted.after, prefix, wanted.limit()), |row| Ok(read(row)?.0))?;
            let rows = rows.map(|user| user.map(|user| (user.id, user)));
            Ok(wanted.page(rows.collect::<rusqlite::Result<_>>()?))
        })
    }

    /// Deletes a user who has no password, access key or MFA device left.
    pub(crate) fn delete_user(&self, actor: &Actor<'_>, name: &str) -> Result<(), Refusal> {
        actor.require_administrator("iam:DeleteUser")?;
        self.store.transaction(|tx| {
            actor.require_proof(tx)?;
            let user = require(tx, name)?;
            require_nothing_left(tx, &user)?;
            tx.execute("DELETE FROM users WHERE id = ?1", [user.id])?;
            info!(by = actor.user.name, user = user.name, "a user was deleted");
            Ok(())
        })
    }

    /// Gives a user a first password; the answer is when.
    pub(crate) fn create_login_profile(
        &self,
        actor: &Actor<'_>,
        name: &str,
        secret: &str,
    ) -> Result<(User, i64), Refusal> {
        actor.require_administrator("iam:CreateLoginProfile")?;
        password::check(secret)
            .map_err(|refusal| Refusal::new(Code::PasswordPolicyViolation, refusal.message))?;
        let hash = self.passwords.hash(secret).map_err(Refusal::failure)?;
        let now = self.now();
        self.store.transaction(|tx| {
            actor.require_proof(tx)?;
            let user = require(tx, name)?;
            let statement =
                "UPDATE users SET password = ?2, password_at = ?3 WHERE id = ?1 AND password IS NULL";
            if tx.execute(statement, (user.id, hash, now))? == 0 {
                let text = format!("Login Profile for user {} already exists.", user.name);
                return Err(Refusal::new(Code::EntityAlreadyExists, text));
            }
            Ok((user, now))
        })
    }

    /// Takes a user's password away, and ends what was signed in with it.
    pub(crate) fn delete_login_profile(&self, actor: &Actor<'_>, name: &str) -> Result<(), Refusal> {
        actor.require_administrator("iam:DeleteLoginProfile")?;
        let user = self.store.transaction(|tx| {
            actor.require_proof(tx)?;
            let user = require(tx, name)?;
            let statement = "UPDATE users SET password = NULL, password_at = NULL \
                             WHERE id = ?1 AND password IS NOT NULL";
            if tx.execute(statement, [user.id])? == 0 {
                let text = format!("Login Profile for User {} cannot be found.", user.name);
                return Err(Refusal::new(Code::NoSuchEntity, text));
            }
            Ok(user)
        })?;
        self.sessions.close_all_of(user.id);
        Ok(())
    }
}

/// Makes the row of a user whose name is free.
pub(crate) fn insert(connection: &Connection, new: &NewUser<'_>, now: i64) -> Result<User, Refusal> {
    let statement = "INSERT INTO users (user_id, path, name, handle, password, password_at, administrator, \
                     created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let user = User {
        id: 0,
        user_id: unique_id("AIDA", 21)?,
        path: new.path.into(),
        name: new.name.as_str().into(),
        handle: random::<32>()?.into(),
        administrator: new.administrator,
        created_at: now,
    };
    let password_at = new.password.map(|_| now);
    let row = (&user.user_id, &user.path, &user.name, &user.handle, new.password, password_at);
    let (user_id, path, name, handle, password, password_at) = row;
    let values = (user_id, path, name, handle, password, password_at, user.administrator, now);
    connection.execute(statement, values)?;
    Ok(User { id: connection.last_insert_rowid(), ..user })
}

/// The user of a name (case does not matter) and the hash of the password.
pub(crate) fn find_by_name(
    connection: &Connection,
    name: &str,
) -> rusqlite::Result<Option<(User, Option<String>)>> {
    find(connection, "name", name)
}

pub(crate) fn find_by_id(connection: &Connection, id: i64) -> rusqlite::Result<Option<User>> {
    Ok(find(connection, "id", id)?.map(|(user, _)| user))
}

/// The user of a name, or a refusal that says so.
pub(crate) fn require(connection: &Connection, name: &str) -> Result<User, Refusal> {
    let text = || format!("The user with name {name} cannot be found.");
    let found = find_by_name(connection, name)?.map(|(user, _)| user);
    found.ok_or_else(|| Refusal::new(Code::NoSuchEntity, text()))
}

/// AWS deletes no user who still has something, nor does this the one who can make users.
fn require_nothing_left(connection: &Connection, user: &User) -> Result<(), Refusal> {
    let conflict = |what| Refusal::new(Code::DeleteConflict, format!("Cannot delete entity, must {what}."));
    let has = |query: &str| connection.query_row(query, [user.id], |row| row.get::<_, bool>(0));
    if has("SELECT password IS NOT NULL FROM users WHERE id = ?1")? {
        return Err(conflict("delete login profile first"));
    }
    if has("SELECT EXISTS (SELECT 1 FROM access_keys WHERE user_id = ?1)")? {
        return Err(conflict("delete access keys first"));
    }
    if !devices::in_use(connection, user)?.is_empty() {
        return Err(conflict("deactivate MFA devices first"));
    }
    if user.administrator {
        return Err(conflict("keep an administrator: nobody else could make users"));
    }
    Ok(())
}

fn find(
    connection: &Connection,
    column: &str,
    value: impl ToSql,
) -> rusqlite::Result<Option<(User, Option<String>)>> {
    let query = format!("SELECT {COLUMNS} FROM users WHERE {column} = ?1");
    connection.prepare_cached(&query)?.query_row([value], read).optional()
}

/// A user of a row that holds [`COLUMNS`].
pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<(User, Option<String>)> {
    let user = User {
        id: row.get("id")?,
        user_id: row.get("user_id")?,
        path: row.get("path")?,
        name: row.get("name")?,
        handle: row.get("handle")?,
        administrator: row.get("administrator")?,
        created_at: row.get("created_at")?,
    };
    Ok((user, row.get("password")?))
}

const COLUMNS: &str = "id, user_id, path, name, handle, administrator, created_at, password";
/// AWS's quota for an account.
const MOST_USERS: i64 = 5000;
