//! The guard: the policy that AWS's documentation gives for making people use MFA. Two statements, each with the same
//! `NotAction`:
//!
//! ```json
//! {"Effect": "Deny", "NotAction": ["…"], "Resource": "*",
//!  "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}
//! {"Effect": "Deny", "NotAction": ["…"], "Resource": "*",
//!  "Condition": {"NumericGreaterThan": {"aws:MultiFactorAuthAge": "3600"}}}
//! ```

use super::{actions::Action, members::Members, principal::Principal};
use crate::{config::Guard, refusal::Refusal};

impl Guard {
    /// Refuses what the policy denies. It is attached to users who are no administrators.
    pub(super) fn check(
        self,
        (action, principal, members): (&Action, &Principal, &Members),
        now: i64,
    ) -> Result<(), Refusal> {
        let name = action.full_name();
        let age = mfa_age(action, principal, members, now);
        if principal.user.administrator || !self.denies(&name, age) {
            return Ok(());
        }
        // AWS's words.
        Err(Refusal::denied(format!(
            "User: {} is not authorized to perform: {name} with an explicit deny in an identity-based policy",
            principal.arn
        )))
    }

    /// Both statements, for a call whose `aws:MultiFactorAuthAge` is `age`.
    fn denies(self, action: &str, age: Option<i64>) -> bool {
        // GetCallerIdentity needs no permission, and no policy takes it away.
        if NOT_ACTION.contains(&action) || action == "sts:GetCallerIdentity" {
            return false;
        }
        // `BoolIfExists`: a long-term access key, whose calls say nothing of MFA, is denied as well.
        let Some(age) = age else { return true };
        self.mfa_within.is_some_and(|within| age > i64::from(within))
    }
}

/// Seconds since MFA was proven; `None` where `aws:MultiFactorAuthPresent` is false or not there.
fn mfa_age(action: &Action, principal: &Principal, members: &Members, now: i64) -> Option<i64> {
    // AssumeRole with a device and its code proves MFA in the call itself, or is refused for that.
    if action.name == "AssumeRole" && ["SerialNumber", "TokenCode"].iter().all(|m| members.get(m).is_some()) {
        return Some(0);
    }
    principal.mfa.as_ref().map(|proof| now.saturating_sub(proof.at))
}

/// What someone without MFA needs to get it.
const NOT_ACTION: [&str; 8] = [
    "iam:CreateVirtualMFADevice",
    "iam:EnableMFADevice",
    "iam:GetUser",
    "iam:GetMFADevice",
    "iam:ListMFADevices",
    "iam:ListVirtualMFADevices",
    "iam:ResyncMFADevice",
    "sts:GetSessionToken",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_too_old_only_beyond_what_the_condition_says() {
        let guard = Guard { mfa_within: Some(3600) };
        assert!(!guard.denies("iam:ListAccessKeys", Some(3600)));
        assert!(guard.denies("iam:ListAccessKeys", Some(3601)));
        assert!(guard.denies("iam:ListAccessKeys", None));
        assert!(!Guard { mfa_within: None }.denies("iam:ListAccessKeys", Some(i64::MAX)));
    }

    #[test]
    fn what_leads_to_mfa_is_never_denied() {
        for action in NOT_ACTION.iter().copied().chain(["sts:GetCallerIdentity"]) {
            assert!(!Guard { mfa_within: Some(0) }.denies(action, None), "{action}");
        }
        for action in ["iam:DeactivateMFADevice", "iam:CreateAccessKey", "sts:AssumeRole", "iam:getuser", ""]
        {
            assert!(Guard { mfa_within: None }.denies(action, None), "{action}");
        }
    }
}
