//! MFA devices of whatever type: the lists, the limit, names that are taken, and taking one out of use.

use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::Serialize;
use tracing::info;

use crate::{
    actor::Actor,
    config::Removal,
    iam::{Iam, SignedIn},
    names::DeviceName,
    page::{Page, Wanted},
    refusal::{Code, Refusal},
    users::{self, User},
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

/// A virtual device: an authenticator app that is in use or could be.
pub(crate) struct VirtualDevice {
    pub(crate) serial: String,
    /// Whose it is and since when, while it is in use.
    pub(crate) owner: Option<(User, i64)>,
}

/// Which virtual devices a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Assignment {
    Assigned,
    Unassigned,
    Any,
}

/// What proves the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A code from an authenticator app.
    Totp,
    /// A code from a hardware TOTP token.
    Hardware,
    /// A signature of a passkey or security key.
    Webauthn,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Hardware => "hardware",
            Self::Webauthn => "webauthn",
        }
    }

    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "totp" => Self::Totp,
            "hardware" => Self::Hardware,
            _ => Self::Webauthn,
        }
    }
}

impl Iam {
    /// The caller's own devices.
    pub(crate) fn devices_of(&self, caller: &SignedIn) -> Result<Vec<Device>, Refusal> {
        Ok(self.store.transaction(|tx| in_use(tx, &caller.user))?)
    }

    /// Refuses a name under which the caller could not add a device.
    pub(crate) fn require_assignable(&self, caller: &SignedIn, name: &str) -> Result<(), Refusal> {
        let name = DeviceName::parse(name)?;
        self.store.transaction(|tx| {
            caller.require_proof(tx)?;
            require_room(tx, &caller.user)?;
            require_free_name(tx, &caller.user, &name)
        })
    }

    /// A part of a user's devices.
    pub(crate) fn devices(
        &self,
        actor: &Actor<'_>,
        user: &User,
        wanted: Wanted,
    ) -> Result<Page<Device>, Refusal> {
        actor.require_self(user, "iam:ListMFADevices")?;
        self.store.transaction(|tx| {
            let mut query = tx.prepare_cached(
                "SELECT serial, kind, name, enabled_at, rowid FROM mfa_devices \
                 WHERE user_id = ?1 AND rowid > ?2 ORDER BY rowid LIMIT ?3",
            )?;
            let rows = query.query_map((user.id, wanted.after, wanted.limit()), |row| {
                Ok((row.get("rowid")?, read(row)?))
            })?;
            Ok(wanted.page(rows.collect::<rusqlite::Result<_>>()?))
        })
    }

    /// A part of the account's virtual devices: all of them for an administrator, for a user those that they have,
    /// or made while they are nobody's.
    pub(crate) fn virtual_devices(
        &self,
        actor: &Actor<'_>,
        assignment: Assignment,
        wanted: Wanted,
    ) -> Result<Page<VirtualDevice>, Refusal> {
        let which = match assignment {
            Assignment::Assigned => "AND enabled_at IS NOT NULL",
            Assignment::Unassigned => "AND enabled_at IS NULL",
            Assignment::Any => "",
        };
        let query = format!(
            "SELECT mfa_devices.rowid AS place, serial, enabled_at, users.id, users.user_id, path, users.name, \
             handle, password, administrator, users.created_at \
             FROM mfa_devices LEFT JOIN users ON users.id = mfa_devices.user_id \
             WHERE kind = 'totp' AND mfa_devices.rowid > ?1 {which} \
             AND (?3 OR coalesce(mfa_devices.user_id, maker_id) = ?4) ORDER BY mfa_devices.rowid LIMIT ?2"
        );
        self.store.transaction(|tx| {
            let mut query = tx.prepare_cached(&query)?;
            let whose = (actor.user.administrator, actor.user.id);
            let rows = query.query_map((wanted.after, wanted.limit(), whose.0, whose.1), |row| {
                let owner = row.get::<_, Option<i64>>("enabled_at")?;
                let owner = owner.map(|since| Ok::<_, rusqlite::Error>((users::read(row)?.0, since)));
                Ok((
                    row.get("place")?,
                    VirtualDevice { serial: row.get("serial")?, owner: owner.transpose()? },
                ))
            })?;
            Ok(wanted.page(rows.collect::<rusqlite::Result<_>>()?))
        })
    }

    /// One of a user's devices.
    pub(crate) fn device(&self, actor: &Actor<'_>, user: &User, serial: &str) -> Result<Device, Refusal> {
        actor.require_self(user, "iam:GetMFADevice")?;
        self.store.transaction(|tx| require(tx, user, serial))
    }

    /// Takes a device out of use: a security key is forgotten, a virtual device waits to be deleted or assigned
    /// anew, a hardware token to be assigned anew. Their used codes stay used.
    pub(crate) fn deactivate(&self, actor: &Actor<'_>, user: &User, serial: &str) -> Result<(), Refusal> {
        actor.require_self(user, "iam:DeactivateMFADevice")?;
        if self.removal == Removal::ByAdministrator {
            actor.require_administrator("iam:DeactivateMFADevice")?;
        }
        self.store.transaction(|tx| {
            actor.require_proof(tx)?;
            take_out(tx, user, serial)
        })?;
        self.sessions.close_proven_by(serial);
        info!(by = actor.user.name, user = user.name, serial, "an MFA device was taken out of use");
        Ok(())
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

/// The user's device of a serial number.
pub(crate) fn require(connection: &Connection, user: &User, serial: &str) -> Result<Device, Refusal> {
    let query = "SELECT serial, kind, name, enabled_at FROM mfa_devices WHERE serial = ?1 AND user_id = ?2";
    let found = connection.query_row(query, (serial, user.id), read).optional()?;
    found.ok_or_else(|| {
        let text = format!("MFA Device {serial} is not one of user {}.", user.name);
        Refusal::new(Code::NoSuchEntity, text)
    })
}

/// Takes a user's device out of use.
pub(crate) fn take_out(connection: &Connection, user: &User, serial: &str) -> Result<(), Refusal> {
    let statement = match require(connection, user, serial)?.kind {
        Kind::Webauthn => "DELETE FROM mfa_devices WHERE serial = ?1",
        Kind::Totp => "UPDATE mfa_devices SET user_id = NULL, enabled_at = NULL WHERE serial = ?1",
        Kind::Hardware => {
            "UPDATE mfa_devices SET user_id = NULL, enabled_at = NULL, name = serial WHERE serial = ?1"
        }
    };
    connection.execute(statement, [serial])?;
    Ok(())
}

/// Refuses someone who has an MFA device and did not prove one.
pub(crate) fn require_proof(connection: &Connection, user: &User, proven: bool) -> Result<(), Refusal> {
    if proven || in_use(connection, user)?.is_empty() {
        return Ok(());
    }
    Err(Refusal::denied(
        "You have an MFA device, and this session began without it. Sign out and sign in again with it; with an \
         access key, get a session token with SerialNumber and TokenCode.",
    ))
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
    name: impl AsRef<str>,
) -> Result<(), Refusal> {
    let query = "SELECT EXISTS (SELECT 1 FROM mfa_devices \
                 WHERE user_id = ?1 AND name = ?2 AND enabled_at IS NOT NULL)";
    let taken = connection.query_row(query, (user.id, name.as_ref()), |row| row.get(0))?;
    if taken { Err(name_taken()) } else { Ok(()) }
}

pub(crate) fn name_taken() -> Refusal {
    let text = "MFADevice entity at the same path and name already exists. Choose another device name.";
    Refusal::new(Code::EntityAlreadyExists, text)
}

/// A device row: in use by `user` from `enabled_at` on, or being set up by them in the wizard.
pub(crate) fn insert(
    connection: &Connection,
    user: &User,
    (serial, kind, name): (&str, Kind, &DeviceName),
    now: i64,
    enabled_at: Option<i64>,
) -> rusqlite::Result<()> {
    let statement = "INSERT INTO mfa_devices \
                     (serial, user_id, maker_id, kind, name, created_at, enabled_at, wizard) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let (owner, wizard) = (enabled_at.map(|_| user.id), enabled_at.is_none());
    let (kind, name) = (kind.as_str(), name.as_str());
    connection.execute(statement, (serial, owner, user.id, kind, name, now, enabled_at, wizard))?;
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Device> {
    let kind = Kind::parse(row.get_ref("kind")?.as_str()?);
    let (serial, name, enabled_at) = (row.get("serial")?, row.get("name")?, row.get("enabled_at")?);
    Ok(Device { serial, kind, name, enabled_at })
}

const MOST_IN_USE: usize = 8;
