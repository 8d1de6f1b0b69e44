//! Users as an administrator sees them.

use crate::{
    actor::Actor,
    devices,
    iam::Iam,
    lockout,
    page::{Page, Wanted},
    refusal::Refusal,
    users::User,
};

/// A user, and what an administrator wants to know first.
pub(crate) struct Overview {
    pub(crate) user: User,
    /// How many devices are in use.
    pub(crate) devices: usize,
    /// Whether the user's codes are refused after too many wrong ones.
    pub(crate) locked: bool,
}

impl Iam {
    /// A part of the users.
    pub(crate) fn overviews(&self, actor: &Actor<'_>, wanted: Wanted) -> Result<Page<Overview>, Refusal> {
        let Page { items, marker } = self.users(actor, "/", wanted)?;
        let items = items.into_iter().map(|user| self.overview(actor, user)).collect::<Result<_, _>>()?;
        Ok(Page { items, marker })
    }

    /// One user.
    pub(crate) fn overview(&self, actor: &Actor<'_>, user: User) -> Result<Overview, Refusal> {
        actor.require_administrator("iam:GetUser")?;
        self.store.transaction(|tx| {
            actor.require_proof(tx)?;
            let (devices, locked) =
                (devices::in_use(tx, &user)?.len(), lockout::is_locked(tx, &user, self.now())?);
            Ok(Overview { user, devices, locked })
        })
    }
}
