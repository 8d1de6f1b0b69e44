//! Hardware TOTP tokens: an administrator imports serial numbers and seeds, a user assigns one with two codes.

mod csv;
mod pskc;

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::Serialize;
use serde_json::json;
use subtle::ConstantTimeEq as _;
use tracing::info;
use zeroize::Zeroizing;

use crate::{
    actor::Actor,
    error::Error,
    events,
    iam::{Iam, SignedIn},
    names,
    page::{Page, Wanted},
    refusal::{Code, Refusal},
    seal::Sealer,
    store::Store,
    totp,
};

/// What an import came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Tokens that are new.
    pub imported: usize,
    /// Tokens that were there already, with the same seed.
    pub already: usize,
}

/// A token that was imported, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Token {
    /// The serial number, as its maker wrote it on the token.
    pub serial: String,
    /// The name of the user who has it.
    pub user: Option<String>,
}

/// A serial number and a seed, as a file has them.
struct Entry {
    serial: String,
    seed: Zeroizing<Vec<u8>>,
}

impl Iam {
    /// Imports the tokens of a CSV or PSKC file, all of them or none. Only an administrator may.
    pub(crate) fn import_tokens(&self, actor: &Actor<'_>, file: &str) -> Result<Imported, Refusal> {
        actor.require_administrator("iam:ImportHardwareTokens")?;
        let entries = parse(file)?;
        let now = self.now();
        self.store.transaction(|tx| {
            actor.require_proof(tx)?;
            add(tx, &self.store.sealer, &entries, now)
        })
    }

    /// [`Iam::import_tokens`] from the console.
    pub(crate) fn import_own(&self, caller: &SignedIn, file: &str) -> Result<Imported, Refusal> {
        let result = self.import_tokens(&self.actor(caller), file);
        let count = result.as_ref().map(|imported| imported.imported).ok();
        let asked = json!({"imported": count});
        self.record_action(caller, "ImportHardwareTokens", asked, events::outcome(&result));
        result
    }

    /// A part of the tokens. Only an administrator may see them.
    pub(crate) fn tokens(&self, actor: &Actor<'_>, wanted: Wanted) -> Result<Page<Token>, Refusal> {
        actor.require_administrator("iam:ListHardwareTokens")?;
        Ok(wanted.page(self.store.read(|connection| list(connection, wanted.after, wanted.limit()))?))
    }
}

/// At most `limit` tokens after the one of a number, each with its number.
pub(crate) fn list(connection: &Connection, after: i64, limit: i64) -> rusqlite::Result<Vec<(i64, Token)>> {
    let query = "SELECT mfa_devices.rowid, serial, users.name FROM mfa_devices \
                 LEFT JOIN users ON users.id = mfa_devices.user_id \
                 WHERE kind = 'hardware' AND mfa_devices.rowid > ?1 ORDER BY mfa_devices.rowid LIMIT ?2";
    let mut query = connection.prepare_cached(query)?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, Token { serial: row.get(1)?, user: row.get(2)? }));
    query.query_map((after, limit), read)?.collect()
}

/// Imports without asking who wants it.
pub(crate) fn import_into(store: &Store, file: &str, now: i64) -> Result<Imported, Error> {
    let told = |refusal: Refusal| Error::Tokens(refusal.message);
    let entries = parse(file).map_err(told)?;
    store.transaction(|tx| add(tx, &store.sealer, &entries, now)).map_err(told)
}

/// Reads either kind of file: PSKC is XML, and nothing in a CSV file begins with `<`.
fn parse(file: &str) -> Result<Vec<Entry>, Refusal> {
    let file = file.trim_start_matches('\u{feff}').trim_start();
    let entries = if file.starts_with('<') { pskc::parse(file)? } else { csv::parse(file)? };
    if entries.is_empty() {
        return Err(Refusal::invalid("There is no token in the file."));
    }
    let mut serials = HashSet::new();
    for entry in &entries {
        let serial = &entry.serial;
        if !names::is_serial(serial) || serial.starts_with("arn:") {
            let text =
                format!("{serial:?} is not a serial number: 9 to 256 of letters, digits and _+=/:,.@-");
            return Err(Refusal::invalid(text));
        }
        if !(SHORTEST_SEED..=LONGEST_SEED).contains(&entry.seed.len()) {
            let text = format!("The seed of {serial} is not {SHORTEST_SEED} to {LONGEST_SEED} bytes long.");
            return Err(Refusal::invalid(text));
        }
        if !serials.insert(serial) {
            return Err(Refusal::invalid(format!("The serial number {serial} is in the file twice.")));
        }
    }
    Ok(entries)
}

fn add(connection: &Connection, sealer: &Sealer, entries: &[Entry], now: i64) -> Result<Imported, Refusal> {
    let mut done = Imported { imported: 0, already: 0 };
    for Entry { serial, seed } in entries {
        let query = "SELECT kind = 'hardware' FROM mfa_devices WHERE serial = ?1";
        let known: Option<bool> = connection.query_row(query, [serial], |row| row.get(0)).optional()?;
        if known.is_some() {
            let device = totp::find(connection, sealer, serial)?;
            let same = device.is_some_and(|device| bool::from(device.seed.ct_eq(seed)));
            if known == Some(false) || !same {
                let text =
                    format!("There is a device {serial} already, with another seed. Nothing was imported.");
                return Err(Refusal::new(Code::EntityAlreadyExists, text));
            }
            done.already += 1;
            continue;
        }
        let statement =
            "INSERT INTO mfa_devices (serial, kind, name, created_at) VALUES (?1, 'hardware', ?1, ?2)";
        connection.execute(statement, (serial, now))?;
        totp::insert_seed(connection, serial, &sealer.seal(serial, seed)?)?;
        done.imported += 1;
    }
    info!(imported = done.imported, already = done.already, "hardware tokens were imported");
    Ok(done)
}

/// RFC 4226 requirement 6: a secret has at least 128 bits.
const SHORTEST_SEED: usize = 16;
/// The block of HMAC-SHA-1: a longer key would be hashed, and no token has one.
const LONGEST_SEED: usize = 64;

#[cfg(test)]
mod tests;
