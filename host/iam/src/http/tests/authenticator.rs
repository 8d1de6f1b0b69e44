//! A small software authenticator and its client, for tests: ES256, packed self attestation or none.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ciborium::{cbor, value::Value as Cbor};
use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::random;

/// One credential, and what a test may make it do wrong.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) signing: SigningKey,
    pub(super) id: Vec<u8>,
    pub(super) user_handle: Option<Vec<u8>>,
    pub(super) counter: u32,
    pub(super) origin: String,
    pub(super) rp_id: String,
    pub(super) flags: u8,
    pub(super) algorithm: i32,
    pub(super) cross_origin: bool,
    pub(super) packed: bool,
}

impl Key {
    pub(super) fn new(origin: &str) -> Self {
        Self {
            signing: SigningKey::from_slice(&random::<32>().unwrap()).unwrap(),
            id: random::<32>().unwrap().to_vec(),
            user_handle: None,
            counter: 1,
            origin: origin.into(),
            rp_id: "localhost".into(),
            flags: USER_PRESENT,
            algorithm: ES256,
            cross_origin: false,
            packed: true,
        }
    }

    /// What `navigator.credentials.create()` answers, as `RegistrationResponseJSON`.
    pub(super) fn create(&self, options: &Value) -> Value {
        let client_data = self.client_data("webauthn.create", options);
        let authenticator_data = self.attested_data();
        let signature = self.sign(&authenticator_data, &client_data);
        let (format, statement) = if self.packed {
            let algorithm = self.algorithm;
            ("packed", cbor!({"alg" => algorithm, "sig" => Cbor::Bytes(signature)}).unwrap())
        } else {
            ("none", Cbor::Map(vec![]))
        };
        let object = cbor!({
            "fmt" => format, "attStmt" => statement, "authData" => Cbor::Bytes(authenticator_data),
        });
        let mut bytes = Vec::new();
        ciborium::into_writer(&object.unwrap(), &mut bytes).unwrap();
        json!({
            "id": text(&self.id),
            "rawId": text(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "cross-platform",
            "clientExtensionResults": {},
            "response": {
                "clientDataJSON": text(&client_data),
                "attestationObject": text(&bytes),
                "transports": ["usb", "teleport"],
            },
        })
    }

    /// What `navigator.credentials.get()` answers, as `AuthenticationResponseJSON`.
    pub(super) fn get(&mut self, options: &Value) -> Value {
        self.counter += 1;
        self.get_with_counter(options, self.counter)
    }

    pub(super) fn get_with_counter(&self, options: &Value, counter: u32) -> Value {
        let client_data = self.client_data("webauthn.get", options);
        let authenticator_data = self.head(self.flags, counter);
        let mut response = json!({
            "clientDataJSON": text(&client_data),
            "authenticatorData": text(&authenticator_data),
            "signature": text(&self.sign(&authenticator_data, &client_data)),
        });
        if let Some(handle) = &self.user_handle {
            response["userHandle"] = json!(text(handle));
        }
        json!({
            "id": text(&self.id),
            "rawId": text(&self.id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": response,
        })
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        let (challenge, origin) = (&options["challenge"], &self.origin);
        let data =
            json!({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": self.cross_origin});
        data.to_string().into_bytes()
    }

    fn head(&self, flags: u8, counter: u32) -> Vec<u8> {
        let rp_id_hash = Sha256::digest(self.rp_id.as_bytes());
        [rp_id_hash.as_slice(), &[flags], &counter.to_be_bytes()].concat()
    }

    fn attested_data(&self) -> Vec<u8> {
        let point = self.signing.verifying_key().to_sec1_point(false);
        let (x, y) = (point.x().unwrap().to_vec(), point.y().unwrap().to_vec());
        let algorithm = self.algorithm;
        let key = cbor!({1 => 2, 3 => algorithm, -1 => 1, -2 => Cbor::Bytes(x), -3 => Cbor::Bytes(y)});
        let mut data = self.head(self.flags | ATTESTED, self.counter);
        data.extend([0x4b; 16]);
        data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
        data.extend(&self.id);
        ciborium::into_writer(&key.unwrap(), &mut data).unwrap();
        data
    }

    fn sign(&self, authenticator_data: &[u8], client_data: &[u8]) -> Vec<u8> {
        let hash = Sha256::digest(client_data);
        let signature: Signature = self.signing.sign(&[authenticator_data, hash.as_slice()].concat());
        signature.to_der().as_bytes().to_vec()
    }
}

pub(super) fn text(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn bytes(text: &Value) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

pub(super) const USER_PRESENT: u8 = 0x01;
const ATTESTED: u8 = 0x40;
const ES256: i32 = -7;
