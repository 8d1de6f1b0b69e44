//! Removing an MFA device: under the default policy its user asks, and an administrator grants or denies.

use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::Serialize;
use serde_json::json;
use tracing::info;

use crate::{
    actor::Actor,
    config::Removal,
    devices::{self, Device, Kind},
    events,
    iam::{Iam, SignedIn},
    refusal::{Code, Refusal},
    users,
};

/// A request to remove a device that is still open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RemovalRequest {
    pub(crate) user: String,
    pub(crate) serial: String,
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// What the user says.
    pub(crate) reason: String,
    /// In seconds since 1970.
    pub(crate) asked_at: i64,
}

/// What became of the last request about a device that is still in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// In seconds since 1970.
    Open { at: i64 },
    /// In seconds since 1970.
    Denied { at: i64 },
}

/// What came of a wish to remove a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wish {
    /// The policy lets the owner do it: it is done.
    Removed,
    /// An administrator decides.
    Requested,
}

impl Iam {
    /// Removes a device of the caller's own, or asks an administrator to, as the policy has it.
    pub(crate) fn wish_removal(
        &self,
        caller: &SignedIn,
        serial: &str,
        reason: &str,
    ) -> Result<Wish, Refusal> {
        if self.removal == Removal::ByOwner || caller.user.administrator {
            self.remove_device(caller, &caller.user.name, serial)?;
            return Ok(Wish::Removed);
        }
        let result = self.ask_for_removal(caller, serial, reason);
        let asked = json!({"userName": caller.user.name, "serialNumber": serial});
        self.record_action(caller, "RequestMFADeviceRemoval", asked, events::outcome(&result));
        result.map(|()| Wish::Requested)
    }

    /// Removes a user's device: an administrator any, a user what the policy lets them.
    pub(crate) fn remove_device(&self, caller: &SignedIn, user: &str, serial: &str) -> Result<(), Refusal> {
        let target = self.user(user)?;
        let result = self.deactivate(&self.actor(caller), &target, serial);
        let asked = json!({"userName": target.name, "serialNumber": serial});
        self.record_action(caller, "DeactivateMFADevice", asked, events::outcome(&result));
        result
    }

    fn ask_for_removal(&self, caller: &SignedIn, serial: &str, reason: &str) -> Result<(), Refusal> {
        let reason = reason.trim();
        if reason.chars().count() > LONGEST_REASON {
            return Err(Refusal::invalid(format!("A reason is at most {LONGEST_REASON} characters.")));
        }
        let now = self.now();
        self.store.transaction(|tx| {
            caller.require_proof(tx)?;
            devices::require(tx, &caller.user, serial)?;
            if let Some(Asked::Open { .. }) = asked_about(tx, serial)? {
                let text =
                    "The removal of this device was requested already. An administrator decides about it.";
                return Err(Refusal::new(Code::EntityAlreadyExists, text));
            }
            let statement = "REPLACE INTO removal_requests (serial, user_id, reason, asked_at) \
                             VALUES (?1, ?2, ?3, ?4)";
            tx.execute(statement, (serial, caller.user.id, reason, now))?;
            info!(user = caller.user.name, serial, "the removal of an MFA device was requested");
            Ok(())
        })
    }

    /// Takes back a request of the caller's own.
    pub(crate) fn withdraw_removal(&self, caller: &SignedIn, serial: &str) -> Result<(), Refusal> {
        let result = self.store.transaction(|tx| {
            caller.require_proof(tx)?;
            let statement =
                "DELETE FROM removal_requests WHERE serial = ?1 AND user_id = ?2 AND denied_at IS NULL";
            match tx.execute(statement, (serial, caller.user.id))? {
                0 => Err(no_request()),
                _ => Ok(()),
            }
        });
        let asked = json!({"userName": caller.user.name, "serialNumber": serial});
        self.record_action(caller, "WithdrawMFADeviceRemoval", asked, events::outcome(&result));
        result
    }

    /// The requests that wait for an administrator, oldest first.
    pub(crate) fn removal_requests(&self, actor: &Actor<'_>) -> Result<Vec<RemovalRequest>, Refusal> {
        actor.require_administrator("iam:ListMFADevices")?;
        self.store.transaction(|tx| {
            actor.require_proof(tx)?;
            let mut query = tx.prepare_cached(
                "SELECT users.name, serial, kind, mfa_devices.name, reason, asked_at FROM removal_requests \
                 JOIN mfa_devices USING (serial) JOIN users ON users.id = removal_requests.user_id \
                 WHERE denied_at IS NULL ORDER BY asked_at, serial",
            )?;
            let rows = query.query_map([], |row| {
                let kind = Kind::parse(row.get_ref(2)?.as_str()?);
                let (user, serial, name) = (row.get(0)?, row.get(1)?, row.get(3)?);
                Ok(RemovalRequest { user, serial, kind, name, reason: row.get(4)?, asked_at: row.get(5)? })
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Grants a request: the device is out of use, and sessions that were proven with it end.
    pub(crate) fn grant_removal(&self, caller: &SignedIn, serial: &str) -> Result<(), Refusal> {
        let actor = self.actor(caller);
        let result = self.store.transaction(|tx| {
            actor.require_administrator("iam:DeactivateMFADevice")?;
            actor.require_proof(tx)?;
            let query = "SELECT user_id FROM removal_requests WHERE serial = ?1 AND denied_at IS NULL";
            let owner: Option<i64> = tx.query_row(query, [serial], |row| row.get(0)).optional()?;
            let owner = owner.ok_or_else(no_request)?;
            let owner = users::find_by_id(tx, owner)?.ok_or_else(no_request)?;
            devices::take_out(tx, &owner, serial)?;
            Ok(owner.name)
        });
        let asked = json!({"userName": result.as_ref().ok(), "serialNumber": serial});
        self.record_action(caller, "DeactivateMFADevice", asked, events::outcome(&result));
        let user = result?;
        self.sessions.close_proven_by(serial);
        info!(by = caller.user.name, user, serial, "the removal of an MFA device was granted");
        Ok(())
    }

    /// Denies a request: the device stays in use, and its user is told.
    pub(crate) fn deny_removal(&self, caller: &SignedIn, serial: &str) -> Result<(), Refusal> {
        let actor = self.actor(caller);
        let now = self.now();
        let result = self.store.transaction(|tx| {
            actor.require_administrator("iam:DeactivateMFADevice")?;
            actor.require_proof(tx)?;
            let statement =
                "UPDATE removal_requests SET denied_at = ?2 WHERE serial = ?1 AND denied_at IS NULL";
            match tx.execute(statement, (serial, now))? {
                0 => Err(no_request()),
                _ => Ok(()),
            }
        });
        let asked = json!({"serialNumber": serial});
        self.record_action(caller, "DenyMFADeviceRemoval", asked, events::outcome(&result));
        result
    }

    /// A user's devices in use, oldest first, each with what was last asked about it.
    pub(crate) fn devices_with_requests(
        &self,
        actor: &Actor<'_>,
        user: &users::User,
    ) -> Result<Vec<(Device, Option<Asked>)>, Refusal> {
        actor.require_self(user, "iam:ListMFADevices")?;
        self.store.transaction(|tx| {
            let devices = devices::in_use(tx, user)?;
            let asked = |device: Device| Ok((asked_about(tx, &device.serial)?, device));
            let pairs: rusqlite::Result<Vec<_>> = devices.into_iter().map(asked).collect();
            Ok(pairs?.into_iter().map(|(asked, device)| (device, asked)).collect())
        })
    }
}

fn asked_about(connection: &Connection, serial: &str) -> rusqlite::Result<Option<Asked>> {
    let query = "SELECT asked_at, denied_at FROM removal_requests WHERE serial = ?1";
    let read = |row: &Row<'_>| {
        Ok(match row.get(1)? {
            Some(at) => Asked::Denied { at },
            None => Asked::Open { at: row.get(0)? },
        })
    };
    connection.query_row(query, [serial], read).optional()
}

fn no_request() -> Refusal {
    let text = "There is no open request to remove this device. It may have been decided already.";
    Refusal::new(Code::NoSuchEntity, text)
}

const LONGEST_REASON: usize = 500;
