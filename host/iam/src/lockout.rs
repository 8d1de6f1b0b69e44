//! Lock-out: after twenty wrong codes in a row a user's codes are refused, also after a restart.
//!
//! Only someone who has the password gets as far as a code, and the throttle makes twenty of them take hours.
//! Security keys cannot be guessed and go on signing in.

use rusqlite::{Connection, OptionalExtension as _};
use serde_json::json;
use tracing::warn;

use crate::{
    events,
    iam::{Iam, SignedIn},
    refusal::{Code, Refusal},
    users::{self, User},
};

impl Iam {
    /// Lets a user's codes in again.
    pub(crate) fn unlock(&self, caller: &SignedIn, name: &str) -> Result<(), Refusal> {
        let actor = self.actor(caller);
        let result = self.store.transaction(|tx| {
            actor.require_administrator("iam:UpdateUser")?;
            actor.require_proof(tx)?;
            let user = users::require(tx, name)?;
            Ok(forget(tx, &user)?)
        });
        self.record_action(caller, "UnlockMFACodes", json!({"userName": name}), events::outcome(&result));
        result
    }
}

/// Refuses the codes of a user of whom too many were wrong.
pub(crate) fn require_unlocked(connection: &Connection, user: &User, now: i64) -> Result<(), Refusal> {
    if !is_locked(connection, user, now)? {
        return Ok(());
    }
    Err(Refusal::denied(
        "Twenty MFA codes in a row were wrong, so codes are locked for this user. Sign in with a passkey or \
         security key, ask an administrator to unlock, or wait 24 hours.",
    ))
}

/// Counts a wrong code, and forgets them after a right one.
pub(crate) fn count<T>(
    connection: &Connection,
    user: &User,
    used: &Result<T, Refusal>,
    now: i64,
) -> rusqlite::Result<()> {
    match used {
        Ok(_) => forget(connection, user),
        Err(refusal) if refusal.code == Code::InvalidAuthenticationCode => {
            let statement = "INSERT INTO wrong_codes (user_id, in_row, last_at) VALUES (?1, 1, ?2) \
                             ON CONFLICT DO UPDATE SET in_row = in_row + 1, last_at = excluded.last_at";
            connection.execute(statement, (user.id, now))?;
            if is_locked(connection, user, now)? {
                warn!(user = user.name, "the codes of a user are locked");
            }
            Ok(())
        }
        // It was not looked at.
        Err(_) => Ok(()),
    }
}

/// Whether the user's codes are refused.
pub(crate) fn is_locked(connection: &Connection, user: &User, now: i64) -> rusqlite::Result<bool> {
    let query = "SELECT in_row >= ?2 AND last_at > ?3 FROM wrong_codes WHERE user_id = ?1";
    let mut query = connection.prepare_cached(query)?;
    let found = query.query_row((user.id, MOST_IN_ROW, now - LOCKED), |row| row.get(0));
    Ok(found.optional()?.unwrap_or(false))
}

fn forget(connection: &Connection, user: &User) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM wrong_codes WHERE user_id = ?1")?.execute([user.id])?;
    Ok(())
}

const MOST_IN_ROW: i64 = 20;
const LOCKED: i64 = 24 * 3600;
