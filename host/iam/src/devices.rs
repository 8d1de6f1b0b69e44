//! MFA devices of a user: the list, the limit, and names that are taken.

use rusqlite::{Connection, Row};
use serde::Serialize;

use crate::{
    iam::{Iam, SignedIn},
    names::DeviceName,
    refusal::{Code, Refusal},
    users::User,
};

/// An MFA device in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Device {
    pub(crate) serial: String,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// When it came into use, in seconds since 1970.
    pub(crate) enabled_at: i64,
}

/// What proves the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A code from an authenticator app.
    Totp,
    /// A signature of a passkey or security key.
    Webauthn,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Webauthn => "webauthn",
        }
    }
}

impl Iam {
    /// The caller's own devices.
    pub(crate) fn devices_of(&self, caller: &SignedIn) -> Result<Vec<Device>, Refusal> {
        Ok(self.store.transaction(|tx| in_use(tx, &caller.user))?)
    }
}

/// The devices that the user has in use, oldest first.
pub(crate) fn in_use(connection: &Connection, user: &User) -> rusqlite::Result<Vec<Device>> {
    let mut query = connection.prepare_cached(
        "SELECT serial, kind, name, enabled_at FROM mfa_devices \
         WHERE user_id = ?1 AND enabled_at IS NOT NULL ORDER BY enabled_at, rowid",
    )?;
    query.query_map([user.id], read)?.collect()
}

/// Refuses a ninth device.
pub(crate) fn require_room(connection: &Connection, user: &User) -> Result<(), Refusal> {
    if in_use(connection, user)?.len() < MOST_IN_USE {
        return Ok(());
    }
    let text = format!("User {} has {MOST_IN_USE} MFA devices in use, which is the limit.", user.name);
    Err(Refusal::new(Code::LimitExceeded, text))
}

/// Refuses a name that a device of the user already has.
pub(crate) fn require_free_name(
    connection: &Connection,
    user: &User,
    name: &DeviceName,
) -> Result<(), Refusal> {
    let query = "SELECT EXISTS (SELECT 1 FROM mfa_devices \
                 WHERE user_id = ?1 AND name = ?2 AND enabled_at IS NOT NULL)";
    let taken = connection.query_row(query, (user.id, name.as_str()), |row| row.get(0))?;
    if taken { Err(name_taken()) } else { Ok(()) }
}

pub(crate) fn name_taken() -> Refusal {
    let text = "MFADevice entity at the same path and name already exists. Choose another device name.";
    Refusal::new(Code::EntityAlreadyExists, text)
}

/// A device row; `enabled_at` is `None` while an authenticator app is being set up.
pub(crate) fn insert(
    connection: &Connection,
    user: &User,
    (serial, kind, name): (&str, Kind, &DeviceName),
    now: i64,
    enabled_at: Option<i64>,
) -> rusqlite::Result<()> {
    let statement = "INSERT INTO mfa_devices (serial, user_id, kind, name, created_at, enabled_at) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    connection.execute(statement, (serial, user.id, kind.as_str(), name.as_str(), now, enabled_at))?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Device> {
    let kind = match row.get_ref(1)?.as_str()? {
        "totp" => Kind::Totp,
        _ => Kind::Webauthn,
    };
    Ok(Device { serial: row.get(0)?, kind, name: row.get(2)?, enabled_at: row.get(3)? })
}

const MOST_IN_USE: usize = 8;
