//! The actions of STS: who am I, and temporary credentials that tell whether MFA was proven.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest as _, Sha256};
use tracing::info;

use super::{Call, xml::Element};
use crate::{
    refusal::{Code, Refusal},
    temporary::{Proof, RoleSession, Session, Temporary},
    timestamp,
};

type Outcome = Result<Option<Vec<Element>>, Refusal>;

pub(super) fn get_caller_identity(call: &Call<'_>) -> Outcome {
    let principal = call.principal;
    let id = match &principal.role {
        Some(RoleSession { role, session }) => format!("{}:{session}", role_id(call, role)),
        None => principal.user.user_id.clone(),
    };
    Ok(Some(vec![
        Element::text("UserId", id),
        Element::text("Account", call.iam.account.as_str()),
        Element::text("Arn", &principal.arn),
    ]))
}

pub(super) fn get_session_token(call: &Call<'_>) -> Outcome {
    let mfa = proof(call)?;
    let expires = expiry(call, TWELVE_HOURS);
    let (user, with_mfa) = (&call.principal.user, mfa.is_some());
    let made = Session::new(user.id, None, mfa, expires)?.seal(&call.iam.store.sealer)?;
    info!(user = user.name, mfa = with_mfa, "a session token was made");
    Ok(Some(vec![shape(&made)]))
}

pub(super) fn assume_role(call: &Call<'_>) -> Outcome {
    let (arn, session) = (call.members.required("RoleArn")?, call.members.required("RoleSessionName")?);
    let denied = || {
        let text = format!(
            "User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}",
            call.principal.arn
        );
        Refusal::denied(text)
    };
    let role = call.iam.roles.iter().find(|role| call.iam.account.role_arn(&role.name) == arn);
    let role = role.ok_or_else(denied)?;
    if call.members.number::<i64>("DurationSeconds").unwrap_or(ONE_HOUR) > ONE_HOUR {
        let text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.";
        return Err(Refusal::new(Code::ValidationError, text));
    }
    let now = call.iam.now();
    let mfa = proof(call)?.or_else(|| call.principal.mfa.clone());
    if let Some(within) = role.mfa_within {
        let age = mfa.as_ref().map(|proof| now.saturating_sub(proof.at));
        if age.is_none_or(|age| age > i64::from(within)) {
            return Err(denied());
        }
    }
    let assumed = RoleSession { role: role.name.clone(), session: session.into() };
    let user = &call.principal.user;
    let role_user = [
        Element::text("AssumedRoleId", format!("{}:{session}", role_id(call, &role.name))),
        Element::text("Arn", call.iam.account.assumed_role_arn(&role.name, session)),
    ];
    let made =
        Session::new(user.id, Some(assumed), mfa, expiry(call, ONE_HOUR))?.seal(&call.iam.store.sealer)?;
    info!(user = user.name, role = role.name, "a role was assumed");
    Ok(Some(vec![shape(&made), Element::of("AssumedRoleUser", role_user)]))
}

/// The MFA device that the call proves, if it names one. What is wrong is refused in the words that clients know:
/// they ask again, and must not learn more than that.
fn proof(call: &Call<'_>) -> Result<Option<Proof>, Refusal> {
    let (serial, code) = match (call.members.get("SerialNumber"), call.members.get("TokenCode")) {
        (None, None) => return Ok(None),
        (Some(serial), Some(code)) => (serial, code),
        _ => {
            let text = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.";
            return Err(Refusal::denied(text));
        }
    };
    let now = call.iam.now();
    match call.iam.use_code(&call.principal.user, serial, code) {
        Ok(_) => Ok(Some(Proof { serial: serial.into(), at: now })),
        Err(Refusal { code: Code::InvalidAuthenticationCode, .. }) => {
            Err(Refusal::denied("MultiFactorAuthentication failed with invalid MFA one time pass code. "))
        }
        Err(Refusal { code: Code::NoSuchEntity, .. }) => Err(Refusal::denied(
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is \
             valid and associated with this user.",
        )),
        Err(other) => Err(other),
    }
}

fn expiry(call: &Call<'_>, usual: i64) -> i64 {
    call.iam.now().saturating_add(call.members.number("DurationSeconds").unwrap_or(usual))
}

fn shape(made: &Temporary) -> Element {
    Element::of(
        "Credentials",
        [
            Element::text("AccessKeyId", &made.access_key_id),
            Element::text("SecretAccessKey", made.secret.as_str()),
            Element::text("SessionToken", made.session_token.as_str()),
            Element::text("Expiration", timestamp::extended(made.expires)),
        ],
    )
}

/// A role's id, `AROA` and 17 characters: always the same for one name in one account.
fn role_id(call: &Call<'_>, role: &str) -> String {
    let hash = Sha256::digest(call.iam.account.role_arn(role));
    "AROA".chars().chain(BASE32_NOPAD.encode(&hash).chars()).take(21).collect()
}

const ONE_HOUR: i64 = 3600;
const TWELVE_HOURS: i64 = 12 * 3600;
