//! Requests that scenarios vary.

use std::collections::BTreeMap;

use ciborium::{Value, cbor};
use keywright_common::auth_data::AuthData;
use keywright_common::status::Status;

use crate::{Simulation, authenticate, value_at};

/// The client data hash of every request.
pub const CLIENT_DATA_HASH: [u8; 32] = [0x5a; 32];

/// The parameters of a command.
#[derive(Clone, Debug, Default)]
pub struct Parameters(BTreeMap<i64, Value>);

impl Parameters {
    /// A makeCredential for `rp_id` with ES256.
    pub fn creation(rp_id: &str) -> Self {
        Self::default()
            .with(1, &CLIENT_DATA_HASH[..])
            .with(2, cbor!({ "id" => rp_id }).unwrap())
            .with(3, cbor!({ "id" => Value::Bytes(vec![1, 2]), "name" => "ada" }).unwrap())
            .with(4, cbor!([{ "alg" => -7, "type" => "public-key" }]).unwrap())
    }

    /// A getAssertion for `rp_id` with an allowList.
    pub fn assertion(rp_id: &str, ids: &[&[u8]]) -> Self {
        Self::default().with(1, rp_id).with(2, &CLIENT_DATA_HASH[..]).with(3, descriptors(ids))
    }

    /// With a member, in place of any other value that it had.
    #[must_use]
    pub fn with(mut self, member: i64, value: impl Into<Value>) -> Self {
        self.0.insert(member, value.into());
        self
    }

    /// Without a member.
    #[must_use]
    pub fn without(mut self, member: i64) -> Self {
        self.0.remove(&member);
        self
    }

    /// A makeCredential with a list of excluded credentials.
    #[must_use]
    pub fn excluding(self, ids: &[&[u8]]) -> Self {
        self.with(5, descriptors(ids))
    }

    /// A makeCredential whose client data hash is authenticated by `token`.
    #[must_use]
    pub fn creation_by(self, protocol: u64, token: &[u8]) -> Self {
        self.with(8, authenticate(protocol, token, &CLIENT_DATA_HASH)).with(9, protocol)
    }

    /// A getAssertion whose client data hash is authenticated by `token`.
    #[must_use]
    pub fn assertion_by(self, protocol: u64, token: &[u8]) -> Self {
        self.with(6, authenticate(protocol, token, &CLIENT_DATA_HASH)).with(7, protocol)
    }

    /// The members as a CBOR map.
    pub fn value(&self) -> Value {
        Value::Map(self.0.iter().map(|(key, value)| (Value::from(*key), value.clone())).collect())
    }

    /// Makes a credential; gives the authenticator data.
    pub fn create(&self, key: &mut Simulation) -> Result<Vec<u8>, Status> {
        key.cbor(0x01, Some(self.value())).map(|response| value_at(&response, 2).as_bytes().unwrap().clone())
    }

    /// Makes a credential; gives its id.
    pub fn register(&self, key: &mut Simulation) -> Vec<u8> {
        let auth_data = self.create(key).unwrap();
        AuthData::parse(&auth_data).unwrap().attested_credential.unwrap().credential_id.to_vec()
    }

    /// Asks for an assertion; gives the authenticator data.
    pub fn assert(&self, key: &mut Simulation) -> Result<Vec<u8>, Status> {
        key.cbor(0x02, Some(self.value())).map(|response| value_at(&response, 2).as_bytes().unwrap().clone())
    }
}

/// A credential descriptor.
pub fn descriptor(id: &[u8]) -> Value {
    cbor!({ "id" => Value::from(id), "type" => "public-key" }).unwrap()
}

fn descriptors(ids: &[&[u8]]) -> Value {
    Value::Array(ids.iter().map(|id| descriptor(id)).collect())
}
