//! What the API's calls leave in the event log.

use serde_json::{Map, Value, json};

use super::{
    actions::Action,
    members::{Members, Shape, camel_case},
    principal::Principal,
};
use crate::{
    events::{self, Event, Source},
    iam::Iam,
    refusal::Refusal,
};

impl Iam {
    /// Writes a call of someone known. What only reads and went well is not written: it would bury the rest.
    pub(super) fn audit<T>(
        &self,
        source: &Source,
        (action, principal, members): (&Action, &Principal, &Members),
        result: &Result<T, Refusal>,
    ) {
        let reads = ["Get", "List"].iter().any(|verb| action.name.starts_with(verb));
        if reads && action.name != "GetSessionToken" && result.is_ok() {
            return;
        }
        let service = format!("{}.amazonaws.com", action.service.name());
        self.record(&[Event {
            name: action.name,
            service: &service,
            identity: self.caller(principal),
            source,
            asked: asked(action, members),
            answered: Value::Null,
            more: Value::Null,
            refused: events::outcome(result),
        }]);
    }

    fn caller(&self, principal: &Principal) -> Value {
        let mut identity = self.identity(&principal.user);
        if let Value::Object(identity) = &mut identity {
            if principal.role.is_some() {
                identity.insert("type".into(), "AssumedRole".into());
                identity.insert("arn".into(), principal.arn.as_str().into());
            }
            if principal.temporary {
                let attributes = json!({"mfaAuthenticated": principal.mfa.is_some().to_string()});
                identity.insert("sessionContext".into(), json!({"attributes": attributes}));
            }
        }
        identity
    }
}

/// CloudTrail's `requestParameters`: the members that are known and no secrets, in its way of writing names.
fn asked(action: &Action, members: &Members) -> Value {
    let shown = action
        .members
        .iter()
        .filter(|member| matches!(member.shape, Shape::Text(_) | Shape::Integer { .. } | Shape::OneOf(_)));
    let pairs: Map<_, _> = shown
        .filter_map(|member| {
            // A value that was refused for its length is not kept whole either.
            let value: String = members.get(member.name)?.chars().take(512).collect();
            Some((camel_case(member.name), value.into()))
        })
        .collect();
    Value::Object(pairs)
}
