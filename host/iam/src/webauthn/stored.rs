//! Security keys in the database.

use rusqlite::{Connection, OptionalExtension as _, Row};
use tracing::warn;
use webauthn_rs_core::proto::{AuthenticationResult, Credential, UserVerificationPolicy};

use crate::{
    refusal::{Code, Refusal},
    users::User,
    webauthn::not_asked,
};

/// A registered key.
pub(crate) struct Key {
    pub(crate) serial: String,
    pub(crate) credential: Credential,
    /// It was registered with U2F, and signs for the AppID.
    pub(crate) is_u2f: bool,
}

impl Key {
    /// The credential under the policy of this sign-in alone.
    ///
    /// `webauthn-rs-core` also holds a sign-in to the policy of the registration, and refuses a touch without PIN of
    /// whoever gave a PIN once. WebAuthn §7.2 step 17 asks for verification where this ceremony requires it: with
    /// `Required` it stays required, and otherwise nothing of the past is held against it.
    pub(crate) fn under(&self, policy: UserVerificationPolicy) -> Credential {
        let registration_policy = match policy {
            UserVerificationPolicy::Required => UserVerificationPolicy::Required,
            _ => UserVerificationPolicy::Discouraged_DO_NOT_USE,
        };
        Credential { registration_policy, ..self.credential.clone() }
    }

    /// Writes the counter and the backup state that the key told, if it is still the user's and its counter rose;
    /// the answer is its serial number. The comparison is the update's own: of two copies that answer at once with
    /// the same counter, one is refused.
    pub(crate) fn raise_counter(
        mut self,
        connection: &Connection,
        user: &User,
        proof: &AuthenticationResult,
    ) -> Result<String, Refusal> {
        let statement = "UPDATE webauthn_credentials SET counter = ?3 \
                         WHERE serial = ?1 AND (counter < ?3 OR (counter = 0 AND ?3 = 0)) \
                         AND EXISTS (SELECT 1 FROM mfa_devices WHERE serial = ?1 AND user_id = ?2)";
        let mut statement = connection.prepare_cached(statement)?;
        if statement.execute((&self.serial, user.id, proof.counter()))? == 0 {
            let is_there = keys_of(connection, user)?.iter().any(|key| key.serial == self.serial);
            return Err(if is_there { self.copied() } else { not_asked() });
        }
        if self.credential.backup_state != proof.backup_state() {
            self.credential.backup_state = proof.backup_state();
            let json = serde_json::to_string(&self.credential).map_err(Refusal::failure)?;
            let statement = "UPDATE webauthn_credentials SET credential = ?2 WHERE serial = ?1";
            connection.execute(statement, (&self.serial, json))?;
        }
        Ok(self.serial)
    }

    /// The refusal of a counter that did not rise.
    pub(crate) fn copied(&self) -> Refusal {
        warn!(serial = self.serial, counter = self.credential.counter, "a signature counter did not rise");
        Refusal::denied(
            "The key's signature counter did not rise: there may be a copy of it. Use another MFA device and \
             ask an administrator to replace this one.",
        )
    }
}

/// The user's keys, oldest first.
pub(crate) fn keys_of(connection: &Connection, user: &User) -> Result<Vec<Key>, Refusal> {
    let mut query = connection.prepare_cached(
        "SELECT serial, credential, counter, is_u2f FROM webauthn_credentials \
         JOIN mfa_devices USING (serial) WHERE user_id = ?1 ORDER BY enabled_at, mfa_devices.rowid",
    )?;
    let rows = query.query_map([user.id], read)?;
    rows.map(|row| key(row?)).collect()
}

/// The credential of a device, or `None` where it is not a key.
pub(crate) fn credential_of(connection: &Connection, serial: &str) -> Result<Option<Credential>, Refusal> {
    let query = "SELECT serial, credential, counter, is_u2f FROM webauthn_credentials WHERE serial = ?1";
    let row = connection.query_row(query, [serial], read).optional()?;
    Ok(row.map(key).transpose()?.map(|key| key.credential))
}

/// Keeps a key whose device has a row already.
pub(crate) fn insert(connection: &Connection, key: &Key, attestation_object: &[u8]) -> Result<(), Refusal> {
    let json = serde_json::to_string(&key.credential).map_err(Refusal::failure)?;
    let statement = "INSERT INTO webauthn_credentials \
                     (serial, credential_id, credential, counter, attestation_object, is_u2f) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let (id, counter) = (key.credential.cred_id.as_slice(), key.credential.counter);
    connection.execute(statement, (&key.serial, id, json, counter, attestation_object, key.is_u2f))?;
    Ok(())
}

/// Refuses a credential that anyone has registered. One key makes another credential for each registration, so
/// that users may share it.
pub(crate) fn require_unknown(connection: &Connection, credential_id: &[u8]) -> Result<(), Refusal> {
    let query = "SELECT EXISTS (SELECT 1 FROM webauthn_credentials WHERE credential_id = ?1)";
    if !connection.query_row(query, [credential_id], |row| row.get(0))? {
        return Ok(());
    }
    warn!("a credential that is registered was offered again");
    let text = "This credential is already registered. Use another key, or ask it for a new credential.";
    Err(Refusal::new(Code::EntityAlreadyExists, text))
}

type Columns = (String, String, u32, bool);

fn read(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn key((serial, json, counter, is_u2f): Columns) -> Result<Key, Refusal> {
    let mut credential: Credential = serde_json::from_str(&json).map_err(Refusal::failure)?;
    credential.counter = counter;
    Ok(Key { serial, credential, is_u2f })
}
