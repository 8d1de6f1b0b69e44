//! Sessions: 256-bit random ids kept as hashes, in memory. A restart signs everyone out.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::{random, webauthn::Ceremony};

/// All sessions, by the hash of their id.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<SessionKey, Session>>);

/// What a cookie's id is looked up by: its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey([u8; 32]);

/// How far someone got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The first step is done, and an MFA device is still to be proven.
    Pending(FirstFactor),
    /// Signed in, with the serial number of the MFA device that was proven.
    SignedIn { first: FirstFactor, mfa_serial: Option<String> },
}

/// What a sign-in began with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FirstFactor {
    Password,
    /// A grant of the command line, which only the security key of this serial number completes.
    Grant {
        key: String,
    },
}

impl FirstFactor {
    /// Whether the device of a serial number may complete the sign-in.
    pub(crate) fn allows(&self, serial: &str) -> bool {
        match self {
            Self::Password => true,
            Self::Grant { key } => key == serial,
        }
    }
}

struct Session {
    user: i64,
    stage: Stage,
    csrf: String,
    opened: i64,
    seen: i64,
    ceremony: Option<Ceremony>,
}

/// What a request learns about its session.
pub(crate) struct Seen {
    pub(crate) key: SessionKey,
    pub(crate) user: i64,
    pub(crate) stage: Stage,
    pub(crate) csrf: String,
    /// When it began, in seconds since 1970.
    pub(crate) opened: i64,
}

impl SessionKey {
    fn of(id: &str) -> Self {
        Self(Sha256::digest(id.as_bytes()).into())
    }
}

impl Sessions {
    /// A new session; the answer is its id, which is kept nowhere else.
    pub(crate) fn open(&self, user: i64, stage: Stage, now: i64) -> Result<String, getrandom::Error> {
        let id = BASE64_URL_SAFE_NO_PAD.encode(random::<32>()?);
        let csrf = BASE64_URL_SAFE_NO_PAD.encode(random::<32>()?);
        let session = Session { user, stage, csrf, opened: now, seen: now, ceremony: None };
        let mut rows = self.rows();
        rows.retain(|_, row| row.lives(now));
        rows.insert(SessionKey::of(&id), session);
        Ok(id)
    }

    /// The session of an id that a cookie brought, if it lives; it was used now.
    pub(crate) fn find(&self, id: &str, now: i64) -> Option<Seen> {
        let key = SessionKey::of(id);
        let mut rows = self.rows();
        let row = rows.get_mut(&key).filter(|row| row.lives(now))?;
        row.seen = row.seen.max(now);
        let (stage, csrf) = (row.stage.clone(), row.csrf.clone());
        Some(Seen { key, user: row.user, stage, csrf, opened: row.opened })
    }

    pub(crate) fn close(&self, id: &str) {
        self.rows().remove(&SessionKey::of(id));
    }

    /// Ends every session of a user.
    pub(crate) fn close_all_of(&self, user: i64) {
        self.rows().retain(|_, row| row.user != user);
    }

    /// Ends every session that was proven with a device.
    pub(crate) fn close_proven_by(&self, serial: &str) {
        let is_by = |stage: &Stage| matches!(stage, Stage::SignedIn { mfa_serial: Some(proven), .. } if proven == serial);
        self.rows().retain(|_, row| !is_by(&row.stage));
    }

    /// Ends a session that is stepping up; `false` when another request was first.
    pub(crate) fn finish(&self, key: SessionKey) -> bool {
        self.rows().remove(&key).is_some()
    }

    /// Begins a ceremony; an earlier one of this session can no longer be finished.
    pub(crate) fn begin(&self, key: SessionKey, ceremony: Ceremony) {
        if let Some(row) = self.rows().get_mut(&key) {
            row.ceremony = Some(ceremony);
        }
    }

    /// Takes the ceremony out: a challenge is good for one answer, right or wrong.
    pub(crate) fn take_ceremony(&self, key: SessionKey) -> Option<Ceremony> {
        self.rows().get_mut(&key)?.ceremony.take()
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<SessionKey, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn lives(&self, now: i64) -> bool {
        let age = now.saturating_sub(self.opened);
        match self.stage {
            Stage::Pending(_) => age < PENDING,
            Stage::SignedIn { .. } => age < LONGEST && now.saturating_sub(self.seen) < IDLE,
        }
    }
}

/// Five minutes to bring the MFA device.
const PENDING: i64 = 5 * 60;
/// Half an hour without a request.
const IDLE: i64 = 30 * 60;
/// Twelve hours in all, as in the AWS console.
const LONGEST: i64 = 12 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED_IN: Stage = Stage::SignedIn { first: FirstFactor::Password, mfa_serial: None };
    const PENDING: Stage = Stage::Pending(FirstFactor::Password);

    #[test]
    fn an_id_that_was_never_given_finds_nothing() {
        let sessions = Sessions::default();
        let id = sessions.open(1, SIGNED_IN, 0).unwrap();
        assert_eq!(id.len(), 43);
        assert!(sessions.find("", 0).is_none());
        assert!(sessions.find(&id[1..], 0).is_none());
        assert!(sessions.find(&id, 0).is_some());
    }

    #[test]
    fn a_closed_session_finds_nothing_and_finishes_once() {
        let sessions = Sessions::default();
        let id = sessions.open(1, PENDING, 0).unwrap();
        let key = sessions.find(&id, 0).unwrap().key;
        assert!(sessions.finish(key));
        assert!(!sessions.finish(key));
        assert!(sessions.find(&id, 0).is_none());
    }

    #[test]
    fn a_pending_session_ends_after_five_minutes_even_when_used() {
        let sessions = Sessions::default();
        let id = sessions.open(1, PENDING, 0).unwrap();
        assert!(sessions.find(&id, 299).is_some());
        assert!(sessions.find(&id, 300).is_none());
    }

    #[test]
    fn a_session_ends_when_idle_and_at_the_latest_after_twelve_hours() {
        let sessions = Sessions::default();
        let idle = sessions.open(1, SIGNED_IN, 0).unwrap();
        assert!(sessions.find(&idle, 1800).is_none());
        let busy = sessions.open(1, SIGNED_IN, 0).unwrap();
        for now in (0..12 * 3600).step_by(1799) {
            assert!(sessions.find(&busy, now).is_some(), "{now}");
        }
        assert!(sessions.find(&busy, 12 * 3600).is_none());
    }
}
