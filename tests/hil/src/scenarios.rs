//! The table of scenarios: one file a subject.

mod credentials;
mod ctaphid;
mod info;
mod malformed;
mod reset;

use crate::{Effect, Need, Scenario};

/// Every scenario, in the order in which they are played: first those after which the key is as it was.
pub const TABLE: &[Scenario] = &[
    harmless(
        "ctaphid/init",
        "INIT gives channels of their own, and says what the key can",
        &[],
        ctaphid::init,
    ),
    harmless("ctaphid/ping", "PING echoes messages of every size", &[], ctaphid::ping),
    harmless("info/members", "getInfo is canonical, and has what it must", CTAP2, info::members),
    harmless("credentials/es256", "register and sign in with ES256", ES256, credentials::es256),
    harmless("credentials/eddsa", "register and sign in with EdDSA", EDDSA, credentials::eddsa),
    harmless("malformed/cbor", "requests that cannot be read are refused", CTAP2, malformed::cbor),
];

/// Played before the first scenario that wipes the key.
pub(crate) const RESET_BEFORE: Scenario =
    wiping("reset/before", "a reset after power-up and a touch empties the key", &[], reset::wipe);

/// Played after the last.
pub(crate) const RESET_AFTER: Scenario =
    wiping("reset/after", "the key is left empty and without a PIN", &[], reset::wipe);

type Play = fn(&mut crate::Rig) -> Result<(), crate::Stop>;

const fn harmless(name: &'static str, about: &'static str, needs: &'static [Need], play: Play) -> Scenario {
    Scenario { name, about, needs, effect: Effect::Harmless, is_slow: false, play }
}

const fn wiping(name: &'static str, about: &'static str, needs: &'static [Need], play: Play) -> Scenario {
    Scenario { name, about, needs, effect: Effect::Wipes, is_slow: false, play }
}

const CTAP2: &[Need] = &[Need::Ctap2];
const ES256: &[Need] = &[Need::Ctap2, Need::Algorithm(-7, "ES256")];
const EDDSA: &[Need] = &[Need::Ctap2, Need::Algorithm(-8, "EdDSA")];
