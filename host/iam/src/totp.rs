//! Codes of authenticator apps and hardware tokens (RFC 6238): SHA-1, 6 digits, 30 seconds, each good once.

use rusqlite::{Connection, OptionalExtension as _};
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::{
    actor::Actor,
    devices::{self, Device, Kind},
    iam::Iam,
    lockout,
    refusal::{Code, Refusal},
    seal::Sealer,
    users::User,
};

/// Two codes in a row that prove a device: `second` is of the step after that of `first`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TwoCodes<'a> {
    pub(crate) serial: &'a str,
    pub(crate) first: &'a str,
    pub(crate) second: &'a str,
}

/// A device that shows codes, in use or not.
pub(crate) struct Shower {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) seed: Zeroizing<Vec<u8>>,
    last_step: i64,
    drift: i64,
    /// Whose it is, while it is in use.
    pub(crate) owner: Option<i64>,
    /// Who is setting it up in the console's wizard.
    pub(crate) in_wizard_of: Option<i64>,
}

impl Iam {
    /// Takes a virtual device or hardware token into use for a user. A hardware token gets a name, or keeps its
    /// serial number as one.
    pub(crate) fn enable_totp(
        &self,
        actor: &Actor<'_>,
        user: &User,
        codes: &TwoCodes<'_>,
        name: Option<&str>,
    ) -> Result<Device, Refusal> {
        check_format(codes.first)?;
        check_format(codes.second)?;
        actor.require_self(user, "iam:EnableMFADevice")?;
        let (serial, now) = (codes.serial, self.now());
        self.store.transaction(|tx| {
            actor.require_proof(tx)?;
            let device = find(tx, &self.store.sealer, serial)?;
            let device = device.filter(|device| device.in_wizard_of.is_none_or(|maker| maker == user.id));
            let device = device.ok_or_else(no_such_device)?;
            if let Some(owner) = device.owner {
                let whose = if owner == user.id { "by you" } else { "by another user" };
                let text = format!("This MFA device is already in use {whose}.");
                return Err(Refusal::new(Code::EntityAlreadyExists, text));
            }
            devices::require_room(tx, user)?;
            let name = name.filter(|_| device.kind == Kind::Hardware).unwrap_or(&device.name);
            // Another device may have taken the name since this one was made.
            devices::require_free_name(tx, user, name)?;
            // A token that lay in a drawer has drifted; an app goes by the network's time.
            let window = if device.kind == Kind::Hardware { WIDE } else { NEAR };
            self.accept_pair(tx, &device, codes, window)?;
            let statement = "UPDATE mfa_devices SET user_id = ?2, enabled_at = ?3, name = ?4, wizard = 0 \
                             WHERE serial = ?1 AND user_id IS NULL";
            tx.execute(statement, (serial, user.id, now, name))?;
            info!(by = actor.user.name, user = user.name, serial, "an MFA device was enabled");
            Ok(Device { serial: serial.into(), kind: device.kind, name: name.into(), enabled_at: now })
        })
    }

    /// Learns how far the clock of a user's device is off, from two codes in a row.
    pub(crate) fn resync(&self, actor: &Actor<'_>, user: &User, codes: &TwoCodes<'_>) -> Result<(), Refusal> {
        check_format(codes.first)?;
        check_format(codes.second)?;
        actor.require_self(user, "iam:ResyncMFADevice")?;
        let guess = format!("resync of user {}", user.id);
        self.store.transaction(|tx| {
            let device = find(tx, &self.store.sealer, codes.serial)?;
            let device = device.filter(|device| device.owner == Some(user.id)).ok_or_else(no_such_device)?;
            self.throttle.charge(&guess, self.now())?;
            self.accept_pair(tx, &device, codes, WIDE)?;
            info!(
                by = actor.user.name,
                user = user.name,
                serial = codes.serial,
                "an MFA device was resynchronised"
            );
            Ok::<_, Refusal>(())
        })?;
        self.throttle.clear(&guess);
        Ok(())
    }

    /// Accepts one code of one of the user's devices, once; the answer is what kind of device it is.
    pub(crate) fn use_code(&self, user: &User, serial: &str, code: &str) -> Result<Kind, Refusal> {
        self.store.transaction(|tx| Ok::<_, Refusal>(self.use_code_in(tx, user, serial, code)))?
    }

    /// [`Iam::use_code`] as part of a transaction, to be kept whatever the answer: a wrong code was counted.
    pub(crate) fn use_code_in(
        &self,
        connection: &Connection,
        user: &User,
        serial: &str,
        code: &str,
    ) -> Result<Kind, Refusal> {
        lockout::require_unlocked(connection, user, self.now())?;
        let used = self.check_code(connection, user, serial, code);
        lockout::count(connection, user, &used, self.now())?;
        used
    }

    fn check_code(
        &self,
        connection: &Connection,
        user: &User,
        serial: &str,
        code: &str,
    ) -> Result<Kind, Refusal> {
        check_format(code)?;
        let (guess, now) = (format!("code of user {}", user.id), self.now());
        let device = find(connection, &self.store.sealer, serial)?;
        let device = device.filter(|device| device.owner == Some(user.id)).ok_or_else(no_such_device)?;
        self.throttle.charge(&guess, now)?;
        let Some(step) = accepted(&device, code, now) else {
            warn!(user = user.name, serial, "a wrong or used MFA code");
            return Err(wrong_code());
        };
        let statement = "UPDATE totp_seeds SET last_step = ?2 WHERE serial = ?1 AND last_step < ?2";
        if connection.prepare_cached(statement)?.execute((serial, step))? != 1 {
            return Err(wrong_code());
        }
        self.throttle.clear(&guess);
        Ok(device.kind)
    }

    /// Uses up two codes in a row and learns the device's drift.
    fn accept_pair(
        &self,
        connection: &Connection,
        device: &Shower,
        codes: &TwoCodes<'_>,
        window: (i64, i64),
    ) -> Result<(), Refusal> {
        let now = self.now();
        let last = consecutive(&device.seed, (codes.first, codes.second), now, window);
        let last = last.filter(|last| *last > device.last_step).ok_or_else(wrong_pair)?;
        // The wider window is for clocks that are off; within the near one people are merely slow.
        let off = last - now / STEP;
        let drift = if (NEAR.0 + 1..=NEAR.1 + 1).contains(&off) { 0 } else { off };
        let statement = "UPDATE totp_seeds SET last_step = ?2, drift = ?3 WHERE serial = ?1";
        connection.execute(statement, (codes.serial, last, drift))?;
        Ok(())
    }
}

/// Keeps the seed of a device that has a row already.
pub(crate) fn insert_seed(connection: &Connection, serial: &str, sealed: &[u8]) -> rusqlite::Result<()> {
    let statement = "INSERT INTO totp_seeds (serial, sealed_seed) VALUES (?1, ?2)";
    connection.execute(statement, (serial, sealed))?;
    Ok(())
}

/// The device of a serial number, whoever's it is.
pub(crate) fn find(
    connection: &Connection,
    sealer: &Sealer,
    serial: &str,
) -> Result<Option<Shower>, Refusal> {
    let query = "SELECT kind, name, sealed_seed, last_step, drift, user_id, iif(wizard, maker_id, NULL) \
                 FROM totp_seeds JOIN mfa_devices USING (serial) WHERE serial = ?1";
    let row = connection.prepare_cached(query)?.query_row([serial], |row| {
        let kind = Kind::parse(row.get_ref(0)?.as_str()?);
        let sealed: Vec<u8> = row.get(2)?;
        let seed = Zeroizing::new(Vec::new());
        let (name, last_step, drift) = (row.get(1)?, row.get(3)?, row.get(4)?);
        let (owner, in_wizard_of) = (row.get(5)?, row.get(6)?);
        Ok((Shower { kind, name, seed, last_step, drift, owner, in_wizard_of }, sealed))
    });
    let Some((device, sealed)) = row.optional()? else { return Ok(None) };
    let unreadable = || Refusal::failure(format!("the seed of {serial} does not open with the sealing key"));
    let seed = sealer.open(serial, &sealed).ok_or_else(unreadable)?;
    Ok(Some(Shower { seed, ..device }))
}

/// The step of a code that is right now, give or take one step, and newer than the last one accepted.
fn accepted(device: &Shower, code: &str, now: i64) -> Option<i64> {
    let step = now / STEP + device.drift;
    // Each step is looked at, whichever fits: the time must not tell which one did.
    let fits = [step - 1, step, step + 1].map(|step| (step, is_code_of(&device.seed, code, step)));
    fits.into_iter().filter(|(step, fits)| *fits && *step > device.last_step).map(|(step, _)| step).max()
}

/// The step of the second of two codes in a row, the first of which may be so many steps from now.
fn consecutive(seed: &[u8], (first, second): (&str, &str), now: i64, (from, to): (i64, i64)) -> Option<i64> {
    let step = now / STEP;
    let fits = (step + from..=step + to)
        .map(|step| (step + 1, is_code_of(seed, first, step) & is_code_of(seed, second, step + 1)));
    fits.filter(|(_, fits)| *fits).map(|(step, _)| step).max()
}

/// Compares in constant time (totp-rs does).
fn is_code_of(seed: &[u8], code: &str, step: i64) -> bool {
    let Ok(time) = u64::try_from(step.saturating_mul(STEP)) else { return false };
    let totp = totp_rs::Builder::new().with_secret(seed).with_skew(0).build_noncompliant();
    totp.check(code, time).is_some()
}

fn check_format(code: &str) -> Result<(), Refusal> {
    if code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err(Refusal::invalid("An MFA code is exactly 6 digits."))
    }
}

pub(crate) fn no_such_device() -> Refusal {
    let text = "There is no such authenticator app or hardware token of yours. Check the serial number in your list \
                of MFA devices.";
    Refusal::new(Code::NoSuchEntity, text)
}

fn wrong_code() -> Refusal {
    let text = "Authentication code for device is not valid. A code is good once: wait for the next one, and check \
                the clock of the device.";
    Refusal::new(Code::InvalidAuthenticationCode, text)
}

fn wrong_pair() -> Refusal {
    let text = "Authentication code for device is not valid. Enter two codes in a row, the older one first, and \
                check the clock of the device.";
    Refusal::new(Code::InvalidAuthenticationCode, text)
}

const STEP: i64 = 30;
/// Steps from now that the first of two codes may be of: two old, since people type slowly; a script need not wait
/// for the second, which may be the next step's.
const NEAR: (i64, i64) = (-2, 0);
/// For a clock that is off by up to an hour.
const WIDE: (i64, i64) = (-120, 120);

#[cfg(test)]
mod tests;
