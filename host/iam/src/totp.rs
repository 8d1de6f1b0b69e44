//! Authenticator apps (RFC 6238): SHA-1, 6 digits, 30 seconds, each code good once.

use std::fmt::Write as _;

use data_encoding::BASE32_NOPAD;
use rusqlite::{Connection, OptionalExtension as _};
use tracing::{info, warn};
use zeroize::Zeroizing;

use crate::{
    devices::{self, Device, Kind},
    iam::{Iam, SignedIn},
    names::{Account, DeviceName},
    random,
    refusal::{Code, Refusal},
    seal::Sealer,
    users::User,
};

/// What the owner of a new authenticator app has to enter in it.
pub(crate) struct Setup {
    pub(crate) serial: String,
    /// 64 base32 characters.
    pub(crate) seed_base32: Zeroizing<String>,
    pub(crate) otpauth_uri: Zeroizing<String>,
}

struct App {
    seed: Zeroizing<Vec<u8>>,
    last_step: i64,
    enabled: bool,
}

impl Iam {
    /// Makes an app that is not in use before two codes prove it.
    ///
    /// Deviates: a set-up that was never finished does not keep its name from the user who began it,
    /// and is forgotten after an hour; AWS keeps it until it is deleted.
    pub(crate) fn create_app(&self, caller: &SignedIn, name: &str) -> Result<Setup, Refusal> {
        let name = DeviceName::parse(name)?;
        let serial = self.account.app_serial(&name);
        let seed = Zeroizing::new(random::<SEED>()?);
        let sealed = self.store.sealer.seal(&serial, seed.as_slice())?;
        let now = self.now();
        self.store.transaction(|tx| {
            caller.require_proof(tx)?;
            devices::require_room(tx, &caller.user)?;
            devices::require_free_name(tx, &caller.user, &name)?;
            forget_unfinished(tx, &caller.user, &serial, now)?;
            if owner(tx, &serial)?.is_some() {
                return Err(devices::name_taken());
            }
            require_few_unfinished(tx, &caller.user)?;
            devices::insert(tx, &caller.user, (&serial, Kind::Totp, &name), now, None)?;
            let statement = "INSERT INTO totp_seeds (serial, sealed_seed) VALUES (?1, ?2)";
            tx.execute(statement, (&serial, sealed))?;
            Ok(())
        })?;
        Ok(setup(&self.account, serial, name.as_str(), seed.as_slice()))
    }

    /// The set-up that the caller has begun, to be shown again.
    pub(crate) fn unfinished_app(&self, caller: &SignedIn, serial: &str) -> Result<Setup, Refusal> {
        let app = self.store.transaction(|tx| find(tx, &self.store.sealer, &caller.user, serial))?;
        let app = app.filter(|app| !app.enabled).ok_or_else(no_such_device)?;
        Ok(setup(&self.account, serial.into(), name_of(serial), &app.seed))
    }

    /// Takes an app into use: `first` is the code of one step, `second` that of the next.
    pub(crate) fn enable_app(
        &self,
        caller: &SignedIn,
        serial: &str,
        first: &str,
        second: &str,
    ) -> Result<Device, Refusal> {
        check_format(first)?;
        check_format(second)?;
        let now = self.now();
        self.store.transaction(|tx| {
            caller.require_proof(tx)?;
            let app = find(tx, &self.store.sealer, &caller.user, serial)?.ok_or_else(no_such_device)?;
            if app.enabled {
                let text = "This MFA device is already in use by you.";
                return Err(Refusal::new(Code::EntityAlreadyExists, text));
            }
            devices::require_room(tx, &caller.user)?;
            // A key may have taken the name since the set-up was begun.
            devices::require_free_name(tx, &caller.user, &DeviceName::parse(name_of(serial))?)?;
            let last = consecutive(&app.seed, first, second, now).ok_or_else(wrong_pair)?;
            tx.execute("UPDATE mfa_devices SET enabled_at = ?2 WHERE serial = ?1", (serial, now))?;
            tx.execute("UPDATE totp_seeds SET last_step = ?2 WHERE serial = ?1", (serial, last))?;
            info!(user = caller.user.name, serial, "an authenticator app was enabled");
            let name = name_of(serial).into();
            Ok(Device { serial: serial.into(), kind: Kind::Totp, name, enabled_at: now })
        })
    }

    /// Accepts one code of one of the user's apps, once.
    pub(crate) fn use_code(&self, user: &User, serial: &str, code: &str) -> Result<(), Refusal> {
        check_format(code)?;
        let (guess, now) = (format!("code of user {}", user.id), self.now());
        self.store.transaction(|tx| {
            let app = find(tx, &self.store.sealer, user, serial)?.filter(|app| app.enabled);
            let app = app.ok_or_else(no_such_device)?;
            self.throttle.charge(&guess, now)?;
            let Some(step) = accepted(&app, code, now) else {
                warn!(user = user.name, serial, "a wrong or used MFA code");
                return Err(wrong_code());
            };
            let statement = "UPDATE totp_seeds SET last_step = ?2 WHERE serial = ?1 AND last_step < ?2";
            match tx.execute(statement, (serial, step))? {
                1 => Ok(()),
                _ => Err(wrong_code()),
            }
        })?;
        self.throttle.clear(&guess);
        Ok(())
    }
}

fn find(connection: &Connection, sealer: &Sealer, user: &User, serial: &str) -> Result<Option<App>, Refusal> {
    let query = "SELECT sealed_seed, last_step, enabled_at IS NOT NULL \
                 FROM totp_seeds JOIN mfa_devices USING (serial) WHERE serial = ?1 AND user_id = ?2";
    let row = connection
        .query_row(query, (serial, user.id), |row| Ok((row.get::<_, Vec<u8>>(0)?, row.get(1)?, row.get(2)?)));
    let Some((sealed, last_step, enabled)) = row.optional()? else { return Ok(None) };
    let unreadable = || Refusal::failure(format!("the seed of {serial} does not open with the sealing key"));
    let seed = sealer.open(serial, &sealed).ok_or_else(unreadable)?;
    Ok(Some(App { seed, last_step, enabled }))
}

fn owner(connection: &Connection, serial: &str) -> rusqlite::Result<Option<i64>> {
    let query = "SELECT user_id FROM mfa_devices WHERE serial = ?1";
    connection.query_row(query, [serial], |row| row.get(0)).optional()
}

/// Refuses to begin a ninth set-up beside eight that were not finished.
fn require_few_unfinished(connection: &Connection, user: &User) -> Result<(), Refusal> {
    let query = "SELECT count(*) FROM mfa_devices WHERE user_id = ?1 AND enabled_at IS NULL";
    let begun: i64 = connection.query_row(query, [user.id], |row| row.get(0))?;
    if begun < MOST_UNFINISHED {
        return Ok(());
    }
    let text =
        "Eight authenticator apps are being set up. Finish one, or wait an hour: they are forgotten then.";
    Err(Refusal::new(Code::LimitExceeded, text))
}

/// Forgets this user's earlier try of the same name, and everyone's tries of an hour ago.
fn forget_unfinished(connection: &Connection, user: &User, serial: &str, now: i64) -> rusqlite::Result<()> {
    let statement = "DELETE FROM mfa_devices WHERE enabled_at IS NULL \
                     AND (created_at <= ?3 OR (user_id = ?1 AND serial = ?2))";
    connection.execute(statement, (user.id, serial, now - UNFINISHED))?;
    Ok(())
}

/// The name at the end of `arn:aws:iam::ACCOUNT:mfa/NAME`.
fn name_of(serial: &str) -> &str {
    serial.rsplit_once('/').map_or(serial, |(_, name)| name)
}

fn setup(account: &Account, serial: String, name: &str, seed: &[u8]) -> Setup {
    let seed_base32 = Zeroizing::new(BASE32_NOPAD.encode(seed));
    let otpauth_uri = Zeroizing::new(format!(
        "otpauth://totp/{ISSUER}:{}@{}?secret={}&issuer={ISSUER}",
        percent_encoded(name),
        account.as_str(),
        seed_base32.as_str(),
    ));
    Setup { serial, seed_base32, otpauth_uri }
}

/// The step of a code that is right now, give or take one step, and newer than the last one accepted.
fn accepted(app: &App, code: &str, now: i64) -> Option<i64> {
    let step = now / STEP;
    // Each step is looked at, whichever fits: the time must not tell which one did.
    let fits = [step - 1, step, step + 1].map(|step| (step, is_code_of(&app.seed, code, step)));
    fits.into_iter().filter(|(step, fits)| *fits && *step > app.last_step).map(|(step, _)| step).max()
}

/// The step of the second of two codes in a row. The first may be two steps old, since people type
/// slowly; a script need not wait for the second, which may be the next step's.
fn consecutive(seed: &[u8], first: &str, second: &str, now: i64) -> Option<i64> {
    let step = now / STEP;
    let fits = [step - 2, step - 1, step]
        .map(|step| (step + 1, is_code_of(seed, first, step) & is_code_of(seed, second, step + 1)));
    fits.into_iter().filter(|(_, fits)| *fits).map(|(step, _)| step).max()
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

fn no_such_device() -> Refusal {
    let text =
        "There is no such authenticator app of yours. Check the serial number in your list of MFA devices.";
    Refusal::new(Code::NoSuchEntity, text)
}

fn wrong_code() -> Refusal {
    let text = "Authentication code for device is not valid. A code is good once: wait for the next one, and check the clock of the device.";
    Refusal::new(Code::InvalidAuthenticationCode, text)
}

fn wrong_pair() -> Refusal {
    let text = "Authentication code for device is not valid. Enter two codes in a row, the older one first, and check the clock of the device.";
    Refusal::new(Code::InvalidAuthenticationCode, text)
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
const STEP: i64 = 30;
const ISSUER: &str = "Amazon%20Web%20Services";
/// How long a set-up that was begun keeps its name.
const UNFINISHED: i64 = 3600;
const MOST_UNFINISHED: i64 = 8;

#[cfg(test)]
mod tests;
