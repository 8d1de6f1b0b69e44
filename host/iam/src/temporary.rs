//! Temporary credentials: `ASIA…`, a secret, and a session token that holds all there is to know, sealed.
//!
//! Nothing is kept: a token is good until it expires or its user is deleted, and outlives a restart.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    access_keys,
    names::unique_id,
    refusal::{Code, Refusal},
    seal::Sealer,
};

/// What a session token says.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    /// The number of the user who got it.
    pub(crate) user: i64,
    pub(crate) role: Option<RoleSession>,
    pub(crate) mfa: Option<Proof>,
    /// In seconds since 1970.
    pub(crate) expires: i64,
    secret: Zeroizing<String>,
}

/// A role that was assumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleSession {
    pub(crate) role: String,
    pub(crate) session: String,
}

/// An MFA device that was proven (`aws:MultiFactorAuthPresent`), and when (`aws:MultiFactorAuthAge` counts from
/// then).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proof {
    pub(crate) serial: String,
    pub(crate) at: i64,
}

/// What a client is given.
pub(crate) struct Temporary {
    pub(crate) access_key_id: String,
    pub(crate) secret: Zeroizing<String>,
    pub(crate) session_token: Zeroizing<String>,
    pub(crate) expires: i64,
}

impl Session {
    /// A new session.
    pub(crate) fn new(
        user: i64,
        role: Option<RoleSession>,
        mfa: Option<Proof>,
        expires: i64,
    ) -> Result<Self, Refusal> {
        Ok(Self { user, role, mfa, expires, secret: access_keys::new_secret()? })
    }

    /// Makes the credentials of this session.
    pub(crate) fn seal(&self, sealer: &Sealer) -> Result<Temporary, Refusal> {
        let access_key_id = unique_id(PREFIX, 20)?;
        let json = Zeroizing::new(serde_json::to_vec(self).map_err(Refusal::failure)?);
        let sealed = sealer.seal(&purpose(&access_key_id), &json)?;
        Ok(Temporary {
            access_key_id,
            secret: self.secret.clone(),
            session_token: Zeroizing::new(BASE64_STANDARD.encode(sealed)),
            expires: self.expires,
        })
    }

    /// The session of a token that came with an access key id.
    pub(crate) fn open(sealer: &Sealer, access_key_id: &str, token: &str, now: i64) -> Result<Self, Refusal> {
        let sealed = BASE64_STANDARD.decode(token).ok();
        let json = sealed.and_then(|sealed| sealer.open(&purpose(access_key_id), &sealed));
        let session =
            json.and_then(|json| serde_json::from_slice::<Self>(&json).ok()).ok_or_else(invalid_token)?;
        if now >= session.expires {
            let text = "The security token included in the request is expired. Get a new one.";
            return Err(Refusal::new(Code::ExpiredToken, text));
        }
        Ok(session)
    }

    pub(crate) fn secret(&self) -> &str {
        &self.secret
    }
}

/// Whether an access key id is one of temporary credentials.
pub(crate) fn is_temporary(access_key_id: &str) -> bool {
    access_key_id.starts_with(PREFIX)
}

pub(crate) fn invalid_token() -> Refusal {
    Refusal::new(Code::InvalidClientTokenId, "The security token included in the request is invalid.")
}

fn purpose(access_key_id: &str) -> String {
    format!("session token of {access_key_id}")
}

const PREFIX: &str = "ASIA";

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(sealer: &Sealer) -> Temporary {
        let mfa = Some(Proof { serial: "arn:aws:iam::123456789012:mfa/a".into(), at: 50 });
        Session::new(7, None, mfa, 100).unwrap().seal(sealer).unwrap()
    }

    #[test]
    fn a_token_opens_with_its_own_key_id_until_it_expires() {
        let sealer = Sealer::new(&[1; 32]);
        let made = sealed(&sealer);
        let open = |id: &str, now| Session::open(&sealer, id, &made.session_token, now);
        let session = open(&made.access_key_id, 99).unwrap();
        assert_eq!((session.user, session.secret()), (7, made.secret.as_str()));
        assert_eq!(session.mfa.unwrap().at, 50);
        assert_eq!(open(&made.access_key_id, 100).err().unwrap().code, Code::ExpiredToken);
        assert_eq!(open("ASIAAAAAAAAAAAAAAAAA", 99).err().unwrap().code, Code::InvalidClientTokenId);
    }

    #[test]
    fn a_changed_or_foreign_token_is_invalid() {
        let sealer = Sealer::new(&[1; 32]);
        let made = sealed(&sealer);
        let foreign = sealed(&Sealer::new(&[2; 32]));
        let mut changed = BASE64_STANDARD.decode(made.session_token.as_str()).unwrap();
        changed[30] ^= 1;
        let changed = BASE64_STANDARD.encode(changed);
        for token in ["", "token", &changed, &foreign.session_token, &made.session_token[4..]] {
            let refusal = Session::open(&sealer, &made.access_key_id, token, 0).err().unwrap();
            assert_eq!(refusal.code, Code::InvalidClientTokenId);
        }
    }
}
