//! The table of scenarios: one file a subject.

mod credentials;
mod ctaphid;
mod discoverable;
mod extensions;
mod info;
mod malformed;
mod pin;
mod presence;
mod reset;
mod u2f;

use std::fmt::Display;
use std::time::Duration;

use keywright_common::status::Status;
use keywright_host::ClientError;

use crate::rig::User;
use crate::scenario::{Play, expect};
use crate::{Effect, Need, Scenario, Stop};

/// Every scenario, in the order in which they are played: first those after which the key is as it was.
pub const TABLE: &[Scenario] = &[
    harmless(
        "ctaphid/init",
        "INIT gives channels of their own, and says what the key can",
        &[],
        ctaphid::init,
    ),
    harmless("ctaphid/ping", "PING echoes messages of every size", &[], ctaphid::ping),
    harmless("ctaphid/channels", "who has no channel is not served", &[], ctaphid::channels),
    harmless("ctaphid/packets", "packets that make no message are refused", &[], ctaphid::packets),
    harmless(
        "ctaphid/unfinished",
        "a message that does not end keeps nobody waiting",
        &[],
        ctaphid::unfinished,
    ),
    harmless("ctaphid/busy", "one message at a time, and it completes", &[], ctaphid::busy),
    harmless("ctaphid/wink", "the key shows which one it is", &[Need::Wink], ctaphid::wink),
    harmless("ctaphid/lock", "a lock keeps other channels out", &[], ctaphid::lock),
    harmless("info/members", "getInfo is canonical, and has what it must", CTAP2, info::members),
    harmless(
        "presence/selection",
        "a touch selects the key",
        &[Need::Version("FIDO_2_1")],
        presence::selection,
    ),
    harmless(
        "presence/cancel",
        "a request waits for the touch until it is cancelled",
        CTAP2,
        presence::cancel,
    ),
    slow(harmless(
        "presence/timeout",
        "a touch that does not come is not waited for",
        CTAP2,
        presence::timeout,
    )),
    harmless("credentials/es256", "register and sign in with ES256", ES256, credentials::es256),
    harmless("credentials/eddsa", "register and sign in with EdDSA", EDDSA, credentials::eddsa),
    harmless("credentials/others", "every other algorithm makes a credential", CTAP2, credentials::others),
    harmless(
        "credentials/unknown",
        "an unknown algorithm is passed over",
        ES256,
        credentials::unknown_algorithm,
    ),
    harmless("credentials/exclude", "a key that is registered is found", ES256, credentials::exclude_list),
    harmless(
        "credentials/allow",
        "other keys' and sites' credentials do not sign",
        ES256,
        credentials::allow_list,
    ),
    harmless("credentials/silent", "a credential is looked for without a touch", ES256, credentials::silent),
    harmless("malformed/cbor", "requests that cannot be read are refused", CTAP2, malformed::cbor),
    harmless("malformed/types", "values of a wrong type are refused", CTAP2, malformed::types),
    harmless("malformed/canonical", "nothing is made of what is not canonical", CTAP2, malformed::canonical),
    harmless(
        "hmac-secret/salts",
        "secrets belong to salt and credential",
        HMAC_SECRET,
        extensions::hmac_secret,
    ),
    harmless("u2f/register", "register and sign in with U2F", U2F, u2f::register),
    harmless("u2f/presence", "U2F makes nothing without a touch", U2F, u2f::presence),
    harmless("u2f/refusals", "messages that are none of U2F's are refused", U2F, u2f::refusals),
    wiping("pin/policy", "a PIN that breaks a rule is refused", PIN, pin::policy),
    wiping("pin/set", "a PIN is set once", PIN, pin::set),
    wiping("pin/change", "a new PIN takes the place of the old", PIN, pin::change),
    wiping("pin/wrong", "wrong PINs cost tries, and block until power-up", PIN, pin::wrong_entries),
    wiping("pin/protocols", "each PIN/UV auth protocol gives a token", PIN, pin::both),
    wiping("pin/tokens", "a token is good for what it was given for, once", TOKENS, pin::tokens),
    wiping("pin/required", "what is stored needs the PIN", PIN_AND_RK, pin::required),
    wiping("discoverable/accounts", "two accounts are found without being named", RK, discoverable::accounts),
    wiping(
        "discoverable/replaced",
        "a new credential takes an account's old one's place",
        RK,
        discoverable::replaced,
    ),
    wiping("discoverable/management", "list, rename and delete", MANAGEMENT, discoverable::management),
    wiping(
        "credProtect/levels",
        "protected credentials are hidden without the PIN",
        PROTECT,
        extensions::cred_protect,
    ),
    wiping("hmac-secret/verified", "the PIN gives other secrets", HMAC_PIN, extensions::hmac_secret_verified),
    wiping("reset/presence", "a reset waits for the touch", CTAP2, reset::presence),
    slow(wiping("reset/late", "no reset later than ten seconds after power-up", CTAP2, reset::late)),
];

/// Played before the first scenario that wipes the key.
pub(crate) const RESET_BEFORE: Scenario =
    wiping("reset/before", "a reset after power-up and a touch empties the key", CTAP2, reset::wipe);

/// Played after the last.
pub(crate) const RESET_AFTER: Scenario =
    wiping("reset/after", "the key is left empty and without a PIN", CTAP2, reset::wipe);

const fn harmless(name: &'static str, about: &'static str, needs: &'static [Need], play: Play) -> Scenario {
    Scenario { name, about, needs, effect: Effect::Harmless, is_slow: false, play }
}

const fn wiping(name: &'static str, about: &'static str, needs: &'static [Need], play: Play) -> Scenario {
    Scenario { name, about, needs, effect: Effect::Wipes, is_slow: false, play }
}

const fn slow(scenario: Scenario) -> Scenario {
    Scenario { is_slow: true, ..scenario }
}

/// Fails unless the key refused before it asked for a touch; a status other than `usual` is a remark.
fn refused<T>(
    user: &mut User,
    what: &str,
    answer: Result<T, ClientError>,
    usual: Status,
) -> Result<(), Stop> {
    expect(&format!("{what} must be refused before a touch is asked for"), !user.was_asked())?;
    match answer {
        Ok(_) => Err(Stop::Failed(format!("{what} must be refused"))),
        Err(error) => {
            match error.status() {
                Some(status) if status == usual => {}
                Some(status) => user.remark(words(what, &status, &usual)),
                None => return Err(error.into()),
            }
            Ok(())
        }
    }
}

/// A remark on an answer that is not the usual one.
fn words(what: &str, answer: &dyn Display, usual: &dyn Display) -> String {
    format!("answers {what} with {answer} rather than {usual}")
}

/// How long an answer is waited for that a key may leave out.
const A_WHILE: Duration = Duration::from_millis(700);

const CTAP2: &[Need] = &[Need::Ctap2];
const U2F: &[Need] = &[Need::U2f];
const ES256: &[Need] = &[Need::Ctap2, Need::Algorithm(-7, "ES256")];
const EDDSA: &[Need] = &[Need::Ctap2, Need::Algorithm(-8, "EdDSA")];
const PIN: &[Need] = &[Need::ClientPin];
const TOKENS: &[Need] = &[Need::ClientPin, Need::Option("pinUvAuthToken")];
const RK: &[Need] = &[Need::Option("rk")];
const PIN_AND_RK: &[Need] = &[Need::ClientPin, Need::Option("rk")];
const MANAGEMENT: &[Need] = &[Need::ClientPin, Need::Option("rk"), Need::CredentialManagement];
const PROTECT: &[Need] = &[Need::Extension("credProtect"), Need::ClientPin, Need::Option("rk")];
const HMAC_SECRET: &[Need] = &[Need::Extension("hmac-secret")];
const HMAC_PIN: &[Need] = &[Need::Extension("hmac-secret"), Need::ClientPin];
