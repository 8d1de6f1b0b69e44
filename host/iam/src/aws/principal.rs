//! Who signed a request, and what kind of credentials may call what.

use super::{
    actions::{Action, Service},
    sigv4::{Claim, Request},
};
use crate::{
    access_keys,
    actor::Actor,
    iam::Iam,
    refusal::Refusal,
    temporary::{self, Proof, RoleSession, Session},
    users::{self, User},
};

/// Someone whose signature was right.
pub(super) struct Principal {
    /// The user, or whoever assumed the role.
    pub(super) user: User,
    pub(super) arn: String,
    pub(super) role: Option<RoleSession>,
    pub(super) mfa: Option<Proof>,
    pub(super) temporary: bool,
}

impl Iam {
    /// Finds out who signed a request, and for which service.
    pub(super) fn authenticate(&self, request: &Request) -> Result<(Principal, String), Refusal> {
        let claim = Claim::read(request)?;
        let now = self.now();
        claim.check_time(now)?;
        let principal = match &claim.session_token {
            Some(token) => {
                if !temporary::is_temporary(&claim.access_key_id) {
                    return Err(temporary::invalid_token());
                }
                let session = Session::open(&self.store.sealer, &claim.access_key_id, token, now)?;
                claim.verify(request, session.secret())?;
                self.of_session(session)?
            }
            None => {
                let id = &claim.access_key_id;
                let found = self.store.transaction(|tx| access_keys::find(tx, &self.store.sealer, id))?;
                let (user, secret) = found.ok_or_else(temporary::invalid_token)?;
                claim.verify(request, &secret)?;
                let arn = user.arn(&self.account);
                Principal { user, arn, role: None, mfa: None, temporary: false }
            }
        };
        Ok((principal, claim.service))
    }

    fn of_session(&self, session: Session) -> Result<Principal, Refusal> {
        let user = self.store.transaction(|tx| users::find_by_id(tx, session.user))?;
        let user = user.ok_or_else(temporary::invalid_token)?;
        let arn = match &session.role {
            Some(RoleSession { role, session }) => self.account.assumed_role_arn(role, session),
            None => user.arn(&self.account),
        };
        Ok(Principal { user, arn, role: session.role, mfa: session.mfa, temporary: true })
    }
}

impl Principal {
    /// Refuses what the kind of credentials cannot call, whoever has them ("GetSessionToken": IAM only with MFA, of
    /// STS only AssumeRole and GetCallerIdentity). A role has no permission beyond learning who it is.
    pub(super) fn require_may_call(&self, action: &Action) -> Result<(), Refusal> {
        let denied = |hint: &str| {
            let name = action.full_name();
            Err(Refusal::denied(format!("User: {} is not authorized to perform: {name}; {hint}.", self.arn)))
        };
        if !self.temporary || action.name == "GetCallerIdentity" {
            return Ok(());
        }
        if self.role.is_some() {
            return denied("roles of this server may call sts:GetCallerIdentity alone");
        }
        if action.name == "GetSessionToken" {
            return Err(Refusal::denied("Cannot call GetSessionToken with session credentials"));
        }
        if action.service == Service::Iam && self.mfa.is_none() {
            return denied(
                "with a session token IAM is called only after MFA: get one with SerialNumber and TokenCode",
            );
        }
        Ok(())
    }

    /// Whoever acts in IAM.
    pub(super) fn actor(&self, iam: &Iam) -> Actor<'_> {
        let arn = self.user.arn(&iam.account);
        // The administrator's access key may do all without MFA; a user's may not undo what MFA is for.
        Actor { user: &self.user, arn, proven: self.mfa.is_some() || self.user.administrator }
    }
}
