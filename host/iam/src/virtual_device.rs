//! Virtual devices: seeds for authenticator apps, made by the console's wizard or by the API.

use std::fmt::Write as _;

use data_encoding::BASE32_NOPAD;
use rusqlite::{Connection, OptionalExtension as _};
use serde_json::json;
use tracing::info;
use zeroize::Zeroizing;

use crate::{
    actor::Actor,
    devices::{self, Device, Kind},
    events,
    iam::{Iam, SignedIn},
    names::{Account, DeviceName, is_serial},
    random,
    refusal::{Code, Refusal},
    tags::{self, Tag},
    totp::{self, TwoCodes},
    users::User,
};

/// What the owner of a new authenticator app has to enter in it.
pub(crate) struct Setup {
    pub(crate) serial: String,
    /// 64 base32 characters.
    pub(crate) seed_base32: Zeroizing<String>,
    pub(crate) otpauth_uri: Zeroizing<String>,
}

impl Iam {
    /// Makes an app that is not in use before two codes prove it.
    ///
    /// Deviates: a set-up that was never finished does not keep its name from the user who began it,
    /// and is forgotten after an hour; AWS keeps it until it is deleted.
    pub(crate) fn create_app(&self, caller: &SignedIn, name: &str) -> Result<Setup, Refusal> {
        let name = DeviceName::parse(name)?;
        let serial = self.account.app_serial(&name);
        let (seed, sealed) = self.new_seed(&serial)?;
        let now = self.now();
        self.store.transaction(|tx| {
            caller.require_proof(tx)?;
            devices::require_room(tx, &caller.user)?;
            devices::require_free_name(tx, &caller.user, &name)?;
            forget_unfinished(tx, &caller.user, &serial, now)?;
            require_free_serial(tx, &serial)?;
            require_few_unfinished(tx, &caller.user)?;
            devices::insert(tx, &caller.user, (&serial, Kind::Totp, &name), now, None)?;
            Ok::<_, Refusal>(totp::insert_seed(tx, &serial, &sealed)?)
        })?;
        Ok(setup(&self.account, serial, &seed))
    }

    /// The set-up that the caller has begun, to be shown again.
    pub(crate) fn unfinished_app(&self, caller: &SignedIn, serial: &str) -> Result<Setup, Refusal> {
        let device = self.store.transaction(|tx| totp::find(tx, &self.store.sealer, serial))?;
        let device = device.filter(|device| device.in_wizard_of == Some(caller.user.id));
        let device = device.ok_or_else(totp::no_such_device)?;
        Ok(setup(&self.account, serial.into(), &device.seed))
    }

    /// [`Iam::create_app`] from the console.
    pub(crate) fn begin_app(&self, caller: &SignedIn, name: &str) -> Result<Setup, Refusal> {
        let result = self.create_app(caller, name);
        let serial = result.as_ref().map(|setup| setup.serial.as_str()).ok();
        let asked = json!({"virtualMFADeviceName": name, "path": "/", "serialNumber": serial});
        self.record_action(caller, "CreateVirtualMFADevice", asked, events::outcome(&result));
        result
    }

    /// Takes an app into use: `first` is the code of one step, `second` that of the next.
    pub(crate) fn enable_app(
        &self,
        caller: &SignedIn,
        serial: &str,
        first: &str,
        second: &str,
    ) -> Result<Device, Refusal> {
        self.enable_own(caller, None, &TwoCodes { serial, first, second })
    }

    /// Takes a hardware token into use under a name.
    pub(crate) fn enable_token(
        &self,
        caller: &SignedIn,
        name: &str,
        codes: &TwoCodes<'_>,
    ) -> Result<Device, Refusal> {
        let name = DeviceName::parse(name)?;
        self.enable_own(caller, Some(name.as_str()), codes)
    }

    /// Takes a device that shows codes into use for the caller.
    pub(crate) fn enable_own(
        &self,
        caller: &SignedIn,
        name: Option<&str>,
        codes: &TwoCodes<'_>,
    ) -> Result<Device, Refusal> {
        let result = self.enable_totp(&self.actor(caller), &caller.user, codes, name);
        let asked = json!({"userName": caller.user.name, "serialNumber": codes.serial});
        self.record_action(caller, "EnableMFADevice", asked, events::outcome(&result));
        result
    }

    /// Learns how far the clock of the caller's own device is off.
    pub(crate) fn resync_own(&self, caller: &SignedIn, codes: &TwoCodes<'_>) -> Result<(), Refusal> {
        let result = self.resync(&self.actor(caller), &caller.user, codes);
        let asked = json!({"userName": caller.user.name, "serialNumber": codes.serial});
        self.record_action(caller, "ResyncMFADevice", asked, events::outcome(&result));
        result
    }

    /// Makes a virtual device that is nobody's until it is enabled, and stays until it is deleted.
    pub(crate) fn create_virtual_device(
        &self,
        actor: &Actor<'_>,
        path: &str,
        name: &str,
        tags: &[Tag],
    ) -> Result<Setup, Refusal> {
        let name = DeviceName::parse(name)?;
        let serial = self.account.virtual_serial(path, name.as_str());
        if !is_serial(&serial) {
            let text =
                "Path and name make no serial number: it has at most 256 of letters, digits and _+=/:,.@-";
            return Err(Refusal::invalid(text));
        }
        // With its path, since AWS lets two devices under different paths have one name.
        let qualified = format!("{}{}", path.trim_start_matches('/'), name.as_str());
        let (seed, sealed) = self.new_seed(&serial)?;
        let now = self.now();
        self.store.transaction(|tx| {
            forget_unfinished(tx, actor.user, &serial, now)?;
            require_free_serial(tx, &serial)?;
            require_few_virtual(tx)?;
            let statement = "INSERT INTO mfa_devices (serial, maker_id, kind, name, created_at) \
                             VALUES (?1, ?2, 'totp', ?3, ?4)";
            tx.execute(statement, (&serial, actor.user.id, qualified, now))?;
            totp::insert_seed(tx, &serial, &sealed)?;
            tags::add(tx, &serial, tags)
        })?;
        info!(by = actor.user.name, serial, "a virtual MFA device was made");
        Ok(setup(&self.account, serial, &seed))
    }

    /// Deletes a virtual device that is not in use. Users delete those that they made.
    pub(crate) fn delete_virtual_device(&self, actor: &Actor<'_>, serial: &str) -> Result<(), Refusal> {
        self.store.transaction(|tx| {
            let query = "SELECT user_id, maker_id FROM mfa_devices WHERE serial = ?1 AND kind = 'totp'";
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let found: Option<(Option<i64>, Option<i64>)> = tx.query_row(query, [serial], read).optional()?;
            let Some((owner, maker)) = found else {
                let text = format!("VirtualMFADevice with serial number {serial} doesn't exist.");
                return Err(Refusal::new(Code::NoSuchEntity, text));
            };
            if maker != Some(actor.user.id) {
                actor.require_administrator("iam:DeleteVirtualMFADevice")?;
            }
            if owner.is_some() {
                let text = "MFA VirtualDevice in use. Must deactivate first.";
                return Err(Refusal::new(Code::DeleteConflict, text));
            }
            tx.execute("DELETE FROM mfa_devices WHERE serial = ?1", [serial])?;
            info!(by = actor.user.name, serial, "a virtual MFA device was deleted");
            Ok(())
        })
    }

    /// A new seed, and itself sealed for the device.
    fn new_seed(&self, serial: &str) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), Refusal> {
        let seed = Zeroizing::new(random::<SEED>()?.to_vec());
        let sealed = self.store.sealer.seal(serial, &seed)?;
        Ok((seed, sealed))
    }
}

fn require_free_serial(connection: &Connection, serial: &str) -> Result<(), Refusal> {
    let query = "SELECT EXISTS (SELECT 1 FROM mfa_devices WHERE serial = ?1)";
    let taken = connection.query_row(query, [serial], |row| row.get(0))?;
    if taken { Err(devices::name_taken()) } else { Ok(()) }
}

/// Refuses to begin a ninth set-up beside eight that were not finished.
fn require_few_unfinished(connection: &Connection, user: &User) -> Result<(), Refusal> {
    let query = "SELECT count(*) FROM mfa_devices WHERE maker_id = ?1 AND wizard = 1";
    let begun: i64 = connection.query_row(query, [user.id], |row| row.get(0))?;
    if begun < MOST_UNFINISHED {
        return Ok(());
    }
    let text =
        "Eight authenticator apps are being set up. Finish one, or wait an hour: they are forgotten then.";
    Err(Refusal::new(Code::LimitExceeded, text))
}

fn require_few_virtual(connection: &Connection) -> Result<(), Refusal> {
    let query = "SELECT count(*) FROM mfa_devices WHERE kind = 'totp' AND enabled_at IS NULL";
    let unassigned: i64 = connection.query_row(query, [], |row| row.get(0))?;
    if unassigned < MOST_UNASSIGNED {
        return Ok(());
    }
    let text = format!("Cannot exceed quota for unassigned virtual MFA devices: {MOST_UNASSIGNED}");
    Err(Refusal::new(Code::LimitExceeded, text))
}

/// Forgets this user's earlier try of the same name, and everyone's tries of an hour ago.
fn forget_unfinished(connection: &Connection, user: &User, serial: &str, now: i64) -> rusqlite::Result<()> {
    let statement = "DELETE FROM mfa_devices WHERE wizard = 1 \
                     AND (created_at <= ?3 OR (maker_id = ?1 AND serial = ?2))";
    connection.execute(statement, (user.id, serial, now - UNFINISHED))?;
    Ok(())
}

fn setup(account: &Account, serial: String, seed: &[u8]) -> Setup {
    let seed_base32 = Zeroizing::new(BASE32_NOPAD.encode(seed));
    // The name is at the end of `arn:aws:iam::ACCOUNT:mfa/PATH/NAME`.
    let name = serial.rsplit_once('/').map_or(serial.as_str(), |(_, name)| name);
    let otpauth_uri = Zeroizing::new(format!(
        "otpauth://totp/{ISSUER}:{}@{}?secret={}&issuer={ISSUER}",
        percent_encoded(name),
        account.as_str(),
        seed_base32.as_str(),
    ));
    Setup { serial, seed_base32, otpauth_uri }
}

fn percent_encoded(name: &str) -> String {
    name.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// 40 bytes are 64 base32 characters.
const SEED: usize = 40;
const ISSUER: &str = "Amazon%20Web%20Services";
/// How long a set-up that was begun keeps its name.
const UNFINISHED: i64 = 3600;
const MOST_UNFINISHED: i64 = 8;
/// AWS allows as many virtual devices as users.
const MOST_UNASSIGNED: i64 = 5000;
