//! Tags of MFA devices: at most 50 a device, keys alike whatever their case.

use rusqlite::Connection;

use crate::{
    actor::Actor,
    devices::Kind,
    iam::Iam,
    page::{Page, Wanted},
    refusal::{Code, Refusal},
};

/// A label that someone put on a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tag {
    pub(crate) key: String,
    pub(crate) value: String,
}

impl Iam {
    /// Adds tags, or changes the values of those that are there.
    pub(crate) fn tag(&self, actor: &Actor<'_>, serial: &str, tags: &[Tag]) -> Result<(), Refusal> {
        self.store.transaction(|tx| {
            require_taggable(tx, actor, serial, "iam:TagMFADevice")?;
            add(tx, serial, tags)
        })
    }

    /// Takes tags off; those that are not there do not matter.
    pub(crate) fn untag(&self, actor: &Actor<'_>, serial: &str, keys: &[String]) -> Result<(), Refusal> {
        self.store.transaction(|tx| {
            require_taggable(tx, actor, serial, "iam:UntagMFADevice")?;
            for key in keys {
                tx.execute("DELETE FROM mfa_tags WHERE serial = ?1 AND key = ?2", (serial, key))?;
            }
            Ok(())
        })
    }

    /// A part of a device's tags.
    pub(crate) fn tags_of(
        &self,
        actor: &Actor<'_>,
        serial: &str,
        wanted: Wanted,
    ) -> Result<Page<Tag>, Refusal> {
        self.store.transaction(|tx| {
            require_taggable(tx, actor, serial, "iam:ListMFADeviceTags")?;
            let query = "SELECT rowid, key, value FROM mfa_tags \
                         WHERE serial = ?1 AND rowid > ?2 ORDER BY rowid LIMIT ?3";
            let mut query = tx.prepare_cached(query)?;
            let rows = query.query_map((serial, wanted.after, wanted.limit()), |row| {
                Ok((row.get(0)?, Tag { key: row.get(1)?, value: row.get(2)? }))
            })?;
            Ok(wanted.page(rows.collect::<rusqlite::Result<_>>()?))
        })
    }
}

/// Writes tags of a device that is there.
pub(crate) fn add(connection: &Connection, serial: &str, tags: &[Tag]) -> Result<(), Refusal> {
    for (at, tag) in tags.iter().enumerate() {
        let alike = |other: &Tag| other.key.eq_ignore_ascii_case(&tag.key);
        if tags.iter().take(at).any(alike) {
            return Err(Refusal::invalid(
                "Duplicate tag keys found. Please note that Tag keys are case insensitive.",
            ));
        }
        if tag.key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:")) {
            return Err(Refusal::invalid(
                "System tags cannot be added: choose a key that does not begin with aws:",
            ));
        }
        let statement = "INSERT INTO mfa_tags (serial, key, value) VALUES (?1, ?2, ?3) \
                         ON CONFLICT DO UPDATE SET key = excluded.key, value = excluded.value";
        connection.execute(statement, (serial, &tag.key, &tag.value))?;
    }
    let query = "SELECT count(*) FROM mfa_tags WHERE serial = ?1";
    let count: i64 = connection.query_row(query, [serial], |row| row.get(0))?;
    if count > MOST_TAGS {
        return Err(Refusal::new(
            Code::LimitExceeded,
            format!("The number of tags has reached the maximum limit: {MOST_TAGS} a device."),
        ));
    }
    Ok(())
}

/// The owner of a device, who made it while it is nobody's, and an administrator may.
fn require_taggable(
    connection: &Connection,
    actor: &Actor<'_>,
    serial: &str,
    action: &str,
) -> Result<(), Refusal> {
    // A hardware token has no ARN, and IAM tags by ARN.
    let query = "SELECT coalesce(user_id, maker_id, 0) FROM mfa_devices WHERE serial = ?1 AND kind <> ?2";
    let mut query = connection.prepare_cached(query)?;
    let mut rows = query.query((serial, Kind::Hardware.as_str()))?;
    let Some(row) = rows.next()? else {
        let text = format!("MFADevice with serial number {serial} doesn't exist.");
        return Err(Refusal::new(Code::NoSuchEntity, text));
    };
    if row.get::<_, i64>(0)? == actor.user.id { Ok(()) } else { actor.require_administrator(action) }
}

const MOST_TAGS: i64 = 50;
