//! The event log, in the shape of CloudTrail's records: who did what, from where, and how it ended.
//!
//! A sign-in is written with its event; every other event after the action that it is about. What a sudden end of the process can lose is the event
//! of an action that was not answered yet, never the action.

use std::net::IpAddr;

use rusqlite::{Connection, Row};
use serde_json::{Map, Value, json};
use tracing::error;

use crate::{
    actor::Actor,
    iam::{Iam, SignedIn},
    random,
    refusal::{Code, Refusal},
    timestamp,
    users::User,
};

/// Where a request came from.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) address: Option<IpAddr>,
    /// What the client calls itself.
    pub(crate) agent: String,
}

/// Something that was done or refused.
pub(crate) struct Event<'a> {
    /// AWS's name of the action, such as `EnableMFADevice`.
    pub(crate) name: &'a str,
    /// AWS's name of the service, such as `iam.amazonaws.com`.
    pub(crate) service: &'a str,
    /// CloudTrail's `userIdentity`.
    pub(crate) identity: Value,
    pub(crate) source: &'a Source,
    /// CloudTrail's `requestParameters`, without secrets.
    pub(crate) asked: Value,
    /// CloudTrail's `responseElements`.
    pub(crate) answered: Value,
    /// CloudTrail's `additionalEventData`.
    pub(crate) more: Value,
    /// Code and message of a refusal.
    pub(crate) refused: Option<(String, String)>,
}

/// An event of the log and its place there.
pub(crate) struct Logged {
    /// Rises with each event.
    pub(crate) number: i64,
    /// The record, as JSON.
    pub(crate) record: String,
}

impl Iam {
    /// Writes events, all or none. That they cannot be written is a matter for the server's own log: the action is
    /// done.
    pub(crate) fn record(&self, events: &[Event<'_>]) {
        if let Err(error) = self.store.transaction(|tx| self.write(tx, events)) {
            error!(%error, "an event could not be written");
        }
    }

    /// Writes events as part of the transaction that they are about.
    pub(crate) fn write(&self, connection: &Connection, events: &[Event<'_>]) -> rusqlite::Result<()> {
        let now = self.now();
        for event in events {
            let statement = "INSERT INTO events (at, record) VALUES (?1, ?2)";
            connection.prepare_cached(statement)?.execute((now, self.written(event, now).to_string()))?;
        }
        // What is old goes, and so does the oldest of a flood: nobody fills the disk by guessing names.
        connection.prepare_cached("DELETE FROM events WHERE at < ?1")?.execute([now - KEPT])?;
        let flood = "DELETE FROM events WHERE number <= (SELECT max(number) FROM events) - ?1";
        connection.prepare_cached(flood)?.execute([MOST_EVENTS])?;
        Ok(())
    }

    /// Writes what someone signed in to the console has done.
    pub(crate) fn record_action(
        &self,
        caller: &SignedIn,
        name: &str,
        asked: Value,
        refused: Option<(String, String)>,
    ) {
        let attributes = json!({
            "mfaAuthenticated": caller.mfa_serial.is_some().to_string(),
            "creationDate": timestamp::extended(caller.since),
        });
        let mut identity = self.identity(&caller.user);
        if let Value::Object(identity) = &mut identity {
            identity.insert("sessionContext".into(), json!({"attributes": attributes}));
        }
        // What AWS has no action for is not said to be AWS's.
        let service = match name {
            "AuthorizeOAuth2Access" => "signin.amazonaws.com",
            name if OWN_ACTIONS.contains(&name) => "iam.keywright.invalid",
            _ => "iam.amazonaws.com",
        };
        let source = &caller.source;
        let (answered, more) = (Value::Null, Value::Null);
        self.record(&[Event { name, service, identity, source, asked, answered, more, refused }]);
    }

    /// A step of a sign-in: `CheckMfa` or `ConsoleLogin`.
    pub(crate) fn sign_in_event<'a>(
        &self,
        name: &'a str,
        who: Option<&User>,
        source: &'a Source,
        more: Value,
        refused: bool,
    ) -> Event<'a> {
        // A name that is not known may be a password in the wrong field.
        let unknown = || json!({"type": "IAMUser", "accountId": self.account.as_str(), "userName": HIDDEN});
        let identity = who.map_or_else(unknown, |user| self.identity(user));
        let answered = json!({name: if refused { "Failure" } else { "Success" }});
        let refused = refused.then(|| (String::new(), "Failed authentication".to_owned()));
        let (service, asked) = ("signin.amazonaws.com", Value::Null);
        Event { name, service, identity, source, asked, answered, more, refused }
    }

    /// Events for an administrator, newest first: at most `most` of those before the one of a number.
    pub(crate) fn events_before(
        &self,
        actor: &Actor<'_>,
        before: i64,
        most: u16,
    ) -> Result<Vec<Logged>, Refusal> {
        let query = "SELECT number, record FROM events WHERE number < ?1 ORDER BY number DESC LIMIT ?2";
        self.events(actor, query, before, most)
    }

    /// Events for an administrator, oldest first: at most `most` of those after the one of a number.
    pub(crate) fn events_after(
        &self,
        actor: &Actor<'_>,
        after: i64,
        most: u16,
    ) -> Result<Vec<Logged>, Refusal> {
        let query = "SELECT number, record FROM events WHERE number > ?1 ORDER BY number LIMIT ?2";
        self.events(actor, query, after, most)
    }

    fn events(&self, actor: &Actor<'_>, query: &str, place: i64, most: u16) -> Result<Vec<Logged>, Refusal> {
        actor.require_administrator("cloudtrail:LookupEvents")?;
        self.store.transaction(|tx| {
            actor.require_proof(tx)?;
            let read = |row: &Row<'_>| Ok(Logged { number: row.get(0)?, record: row.get(1)? });
            Ok(tx.prepare_cached(query)?.query_map((place, most), read)?.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// CloudTrail's `userIdentity` of a user.
    pub(crate) fn identity(&self, user: &User) -> Value {
        json!({
            "type": "IAMUser",
            "principalId": user.user_id,
            "arn": user.arn(&self.account),
            "accountId": self.account.as_str(),
            "userName": user.name,
        })
    }

    fn written(&self, event: &Event<'_>, now: i64) -> Value {
        let is_sign_in = event.service == "signin.amazonaws.com";
        let mut record = Map::new();
        let mut put = |name: &str, value: Value| record.insert(name.into(), value);
        put("eventVersion", "1.11".into());
        put("userIdentity", event.identity.clone());
        put("eventTime", timestamp::extended(now).into());
        put("eventSource", event.service.into());
        put("eventName", event.name.into());
        // IAM is a service of no region, and CloudTrail writes this one.
        put("awsRegion", "us-east-1".into());
        put("sourceIPAddress", event.source.address.map(|address| address.to_string()).into());
        put("userAgent", event.source.agent.as_str().into());
        if let Some((code, message)) = &event.refused {
            if !code.is_empty() {
                put("errorCode", code.as_str().into());
            }
            put("errorMessage", message.as_str().into());
        }
        put("requestParameters", event.asked.clone());
        put("responseElements", event.answered.clone());
        if !event.more.is_null() {
            put("additionalEventData", event.more.clone());
        }
        put("eventID", event_id().into());
        put("readOnly", false.into());
        put("eventType", if is_sign_in { "AwsConsoleSignIn" } else { "AwsApiCall" }.into());
        put("managementEvent", true.into());
        put("recipientAccountId", self.account.as_str().into());
        Value::Object(record)
    }
}

/// How an action ended, for its event.
pub(crate) fn outcome<T>(result: &Result<T, Refusal>) -> Option<(String, String)> {
    let refusal = result.as_ref().err()?;
    let code = match refusal.code {
        Code::AccessDenied => "AccessDenied".to_owned(),
        code => format!("{code}Exception"),
    };
    Some((code, refusal.message.clone()))
}

/// A random UUID. Without randomness the event is still written: its number tells it apart.
fn event_id() -> String {
    uuid::Builder::from_random_bytes(random::<16>().unwrap_or_default()).into_uuid().to_string()
}

/// Removal requests, lock-out, what an administrator brings along, and logins of the command line.
const OWN_ACTIONS: [&str; 7] = [
    "CreateLoginCredentials",
    "RequestMFADeviceRemoval",
    "WithdrawMFADeviceRemoval",
    "DenyMFADeviceRemoval",
    "UnlockMFACodes",
    "ImportU2FRegistration",
    "ImportHardwareTokens",
];
/// CloudTrail's word for a user name that is not one.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
/// 90 days, as in CloudTrail's event history.
const KEPT: i64 = 90 * 24 * 3600;
const MOST_EVENTS: i64 = 200_000;
