//! A small authenticator to test the client against: PIN, tokens, lists, hmac-secret, credential management and U2F. It
//! reads requests with the key's own strict readers, and does the key's side of PIN/UV auth with code of its own.

mod pin;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ciborium::{Value, cbor};
use keywright_common::cbor::Item;
use keywright_common::ctap2::{get_assertion, make_credential};
use keywright_common::ctaphid::Command;
use keywright_common::status::Status;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};

use super::Script;
use crate::cbor;
use crate::webauthn::sha256;
use pin::PinState;

/// The authenticator; the test holds one end and the transport the other.
#[derive(Clone)]
pub(crate) struct Reference(Rc<RefCell<State>>);

pub(crate) struct State {
    /// Members of getInfo beyond versions, options and protocols.
    pub(crate) info: BTreeMap<i64, Value>,
    pub(crate) versions: Vec<&'static str>,
    pub(crate) options: BTreeMap<&'static str, bool>,
    pub(crate) pin: PinState,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) max_list: usize,
    /// Every CTAP2 message: its command byte and parameters.
    pub(crate) log: Vec<Vec<u8>>,
    pub(crate) touches: usize,
    pub(crate) counter: u32,
    next: Vec<Vec<u8>>,
    enumeration: Vec<Value>,
}

pub(crate) struct Credential {
    pub(crate) id: Vec<u8>,
    pub(crate) rp_id: String,
    pub(crate) user: Value,
    pub(crate) rk: bool,
    pub(crate) cred_protect: u64,
    pub(crate) key: SigningKey,
}

impl Reference {
    /// A key of CTAP 2.1 with both protocols and no PIN.
    pub(crate) fn new() -> Self {
        Self(Rc::new(RefCell::new(State {
            info: BTreeMap::new(),
            versions: vec!["U2F_V2", "FIDO_2_0", "FIDO_2_1"],
            options: BTreeMap::from([
                ("rk", true),
                ("up", true),
                ("clientPin", false),
                ("pinUvAuthToken", true),
                ("makeCredUvNotRqd", true),
                ("credMgmt", true),
            ]),
            pin: PinState::new(vec![2, 1]),
            credentials: Vec::new(),
            max_list: 8,
            log: Vec::new(),
            touches: 0,
            counter: 0,
            next: Vec::new(),
            enumeration: Vec::new(),
        })))
    }

    pub(crate) fn with_pin(self, pin: &str) -> Self {
        self.state(|state| {
            state.pin.set(pin);
            state.options.insert("clientPin", true);
        });
        self
    }

    pub(crate) fn state<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        look(&mut self.0.borrow_mut())
    }

    pub(crate) fn transport(&self) -> Script {
        let state = Rc::clone(&self.0);
        Script::responding(0x05, move |command, payload| {
            assert_eq!(command, Command::CBOR);
            let mut state = state.borrow_mut();
            state.log.push(payload.to_vec());
            match state.run(payload[0], &payload[1..]) {
                Ok(Value::Null) => vec![0],
                Ok(answer) => [vec![0], cbor::encode(answer)].concat(),
                Err(Status(status)) => vec![status],
            }
        })
    }

    /// The command bytes that came.
    pub(crate) fn commands(&self) -> Vec<u8> {
        self.state(|state| state.log.iter().map(|message| message[0]).collect())
    }

    pub(crate) fn clear_log(&self) {
        self.state(|state| state.log.clear());
    }
}

impl State {
    fn run(&mut self, command: u8, parameters: &[u8]) -> Result<Value, Status> {
        if !parameters.is_empty() {
            Item::parse(parameters).expect("a request is canonical CBOR");
        }
        match command {
            1 => self.make_credential(parameters),
            2 => self.get_assertion(parameters),
            4 => Ok(self.get_info()),
            6 => self.client_pin(parameters),
            7 => {
                self.credentials.clear();
                self.pin = PinState::new(self.pin.protocols.clone());
                self.options.insert("clientPin", false);
                Ok(Value::Null)
            }
            8 => {
                let answer = self.next.pop().ok_or(Status::NOT_ALLOWED)?;
                Ok(ciborium::from_reader(&answer[..]).unwrap())
            }
            0x0a | 0x41 => self.manage(parameters),
            0x0b => {
                self.touches += 1;
                Ok(Value::Null)
            }
            _ => Err(Status::INVALID_COMMAND),
        }
    }

    fn get_info(&self) -> Value {
        let versions = self.versions.iter().map(|version| Value::from(*version)).collect();
        let options = self.options.iter().map(|(name, on)| (Value::from(*name), Value::from(*on))).collect();
        let protocols = self.pin.protocols.iter().map(|number| Value::from(*number)).collect();
        let mut members = vec![
            (Value::from(1), Value::Array(versions)),
            (Value::from(3), Value::Bytes(vec![0x11; 16])),
            (Value::from(4), Value::Map(options)),
            (Value::from(6), Value::Array(protocols)),
            (Value::from(7), number(self.max_list)),
        ];
        members.extend(self.info.iter().map(|(key, value)| (Value::from(*key), value.clone())));
        Value::Map(members)
    }

    fn client_pin(&mut self, parameters: &[u8]) -> Result<Value, Status> {
        let answer = self.pin.run(parameters, self.options.get("uv").copied().unwrap_or_default());
        if self.pin.is_set() {
            self.options.insert("clientPin", true);
        }
        answer
    }

    fn make_credential(&mut self, parameters: &[u8]) -> Result<Value, Status> {
        let request = make_credential::Request::parse(parameters)?;
        if request.pin_uv_auth_param == Some(&[]) {
            self.touches += 1;
            return Err(if self.pin.is_set() { Status::PIN_INVALID } else { Status::PIN_NOT_SET });
        }
        assert!(request.options.uv.is_none() || request.pin_uv_auth_param.is_none(), "both at once");
        let hash = request.client_data_hash;
        let uv = self.verified(hash, request.pin_uv_auth_param, 1, request.rp.id, request.options.uv)?;
        let rk = request.options.rk.unwrap_or_default();
        if !uv && self.pin.is_set() && (rk || !self.options["makeCredUvNotRqd"]) {
            return Err(Status::PUAT_REQUIRED);
        }
        let listed: Vec<_> = request.exclude_list.iter().flat_map(|list| list.ids()).collect();
        assert!(listed.len() <= self.max_list, "a list of {}", listed.len());
        self.touches += 1;
        if self.credentials.iter().any(|own| listed.contains(&&own.id[..]) && own.rp_id == request.rp.id) {
            return Err(Status::CREDENTIAL_EXCLUDED);
        }
        self.pin.spend_token();
        let extension = |name| request.extensions.and_then(|map| map.get_text(name));
        let level = extension("credProtect").map(|item| item.unsigned().unwrap());
        let has_secret = extension("hmac-secret").is_some();
        let user = ciborium::from_reader(
            &cbor::encode(
                cbor!({ "id" => Value::from(request.user.id), "name" => request.user.name }).unwrap(),
            )[..],
        );
        let id = sha256(&self.credentials.len().to_be_bytes()).to_vec();
        let key = SigningKey::from_slice(&sha256(&id)).unwrap();
        let auth_data = self.new_auth_data(request.rp.id, uv, &id, &key, has_secret, level);
        self.credentials.push(Credential {
            id,
            rp_id: request.rp.id.to_owned(),
            user: user.unwrap(),
            rk,
            cred_protect: level.unwrap_or(1),
            key: key.clone(),
        });
        let signature: DerSignature = key.sign(&[&auth_data[..], hash].concat());
        let statement = cbor!({ "alg" => -7, "sig" => Value::from(signature.as_bytes()) }).unwrap();
        Ok(cbor::map([
            (1, Some(Value::from("packed"))),
            (2, Some(Value::Bytes(auth_data))),
            (3, Some(statement)),
        ]))
    }

    fn new_auth_data(
        &mut self,
        rp_id: &str,
        uv: bool,
        id: &[u8],
        key: &SigningKey,
        has_secret: bool,
        level: Option<u64>,
    ) -> Vec<u8> {
        let outputs = cbor::text_map([
            ("credProtect", level.map(Value::from)),
            ("hmac-secret", has_secret.then_some(Value::from(true))),
        ]);
        let outputs = outputs.as_map().filter(|map| !map.is_empty()).map(|_| cbor::encode(outputs.clone()));
        let flags = 0x41 | u8::from(uv) << 2 | u8::from(outputs.is_some()) << 7;
        self.counter += 1;
        let length = u16::try_from(id.len()).unwrap().to_be_bytes();
        [
            &sha256(rp_id.as_bytes())[..],
            &[flags],
            &self.counter.to_be_bytes(),
            &[0x11; 16],
            &length,
            id,
            &cose(key),
            &outputs.unwrap_or_default(),
        ]
        .concat()
    }

    fn get_assertion(&mut self, parameters: &[u8]) -> Result<Value, Status> {
        let request = get_assertion::Request::parse(parameters)?;
        let limit = self.info.get(&5).and_then(|value| value.as_integer()).map_or(1024, i128::from);
        assert!(parameters.len() < usize::try_from(limit).unwrap(), "a message of {}", parameters.len());
        assert!(request.options.uv.is_none() || request.pin_uv_auth_param.is_none(), "both at once");
        let hash = request.client_data_hash;
        let uv = self.verified(hash, request.pin_uv_auth_param, 2, request.rp_id, request.options.uv)?;
        let up = request.options.up != Some(false);
        let listed: Option<Vec<_>> = request.allow_list.map(|list| list.ids().collect());
        assert!(listed.as_ref().is_none_or(|ids| ids.len() <= self.max_list), "too long a list");
        let is_meant = |own: &&Credential| {
            own.rp_id == request.rp_id
                && (uv || own.cred_protect < 3)
                && listed.as_ref().map_or(own.rk, |ids| ids.contains(&&own.id[..]))
        };
        if up {
            self.touches += 1;
            self.pin.spend_token();
        }
        let found: Vec<_> = self.credentials.iter().rev().filter(is_meant).collect();
        let count = if listed.is_some() { found.len().min(1) } else { found.len() };
        let mut answers = Vec::new();
        for own in &found[..count] {
            self.counter += 1;
            let flags = u8::from(up) | u8::from(uv) << 2;
            let input = request.extensions.and_then(|map| map.get_text("hmac-secret"));
            let output = input.map(|input| {
                let output = self.pin.hmac_secret(input.encoded(), &own.id, uv);
                cbor::encode(cbor::text_map([("hmac-secret", Some(Value::Bytes(output)))]))
            });
            let flags = flags | u8::from(output.is_some()) << 7;
            let fixed = [&sha256(request.rp_id.as_bytes())[..], &[flags], &self.counter.to_be_bytes()];
            let auth_data = [fixed.concat(), output.unwrap_or_default()].concat();
            let signature: DerSignature = own.key.sign(&[&auth_data[..], hash].concat());
            answers.push(cbor::map([
                (1, Some(cbor!({ "id" => Value::from(&own.id[..]), "type" => "public-key" }).unwrap())),
                (2, Some(Value::Bytes(auth_data))),
                (3, Some(Value::from(signature.as_bytes()))),
                (4, own.rk.then(|| own.user.clone())),
                (5, (answers.is_empty() && count > 1).then(|| number(count))),
            ]));
        }
        let mut answers = answers.into_iter();
        let first = answers.next().ok_or(Status::NO_CREDENTIALS)?;
        self.next = answers.rev().map(cbor::encode).collect();
        Ok(first)
    }

    fn verified(
        &mut self,
        hash: &[u8],
        param: Option<&[u8]>,
        permission: u8,
        rp_id: &str,
        uv: Option<bool>,
    ) -> Result<bool, Status> {
        match param {
            Some(param) => self.pin.check(hash, param, permission, Some(rp_id)).map(|()| true),
            None => Ok(uv.unwrap_or_default()),
        }
    }

    fn manage(&mut self, parameters: &[u8]) -> Result<Value, Status> {
        let request = Item::parse(parameters)?.map()?;
        let subcommand = u8::try_from(request.get(1).unwrap().unsigned()?).unwrap();
        let parameters = request.get(2);
        if subcommand == 3 || subcommand == 5 {
            return self.enumeration.pop().ok_or(Status::NOT_ALLOWED);
        }
        let param = request.get(4).ok_or(Status::PUAT_REQUIRED)?.bytes()?;
        let message = [&[subcommand], parameters.map(|item| item.encoded()).unwrap_or_default()].concat();
        self.pin.check(&message, param, 4, None)?;
        let own = self.credentials.iter().filter(|own| own.rk);
        match subcommand {
            1 => Ok(cbor::map([(1, Some(number(own.count()))), (2, Some(Value::from(25)))])),
            2 => {
                let mut rps: Vec<_> = own.map(|own| own.rp_id.clone()).collect();
                rps.dedup();
                let entry = |rp: &String| {
                    let entity = cbor!({ "id" => rp.clone() }).unwrap();
                    cbor::map([(3, Some(entity)), (4, Some(cbor::bytes(&sha256(rp.as_bytes()))))])
                };
                self.begin(rps.iter().map(entry).collect(), 5)
            }
            4 => {
                let hash = parameters.unwrap().map()?.get(1).unwrap().bytes()?;
                let own = own.filter(|own| sha256(own.rp_id.as_bytes()) == hash);
                let entries = own.map(|own| {
                    let descriptor = cbor!({ "id" => Value::from(&own.id[..]), "type" => "public-key" });
                    cbor::map([
                        (6, Some(own.user.clone())),
                        (7, Some(descriptor.unwrap())),
                        (8, Some(ciborium::from_reader(&cose(&own.key)[..]).unwrap())),
                        (10, Some(Value::from(own.cred_protect))),
                    ])
                });
                self.begin(entries.collect(), 9)
            }
            6 => {
                let descriptor = parameters.unwrap().map()?.get(2).unwrap().map()?;
                let id = descriptor.get_text("id").unwrap().bytes()?;
                let before = self.credentials.len();
                self.credentials.retain(|own| own.id != id);
                if before == self.credentials.len() { Err(Status::NO_CREDENTIALS) } else { Ok(Value::Null) }
            }
            7 => {
                let parameters = parameters.unwrap().map()?;
                let id = parameters.get(2).unwrap().map()?.get_text("id").unwrap().bytes()?;
                let user = ciborium::from_reader(parameters.get(3).unwrap().encoded()).unwrap();
                let own = self.credentials.iter_mut().find(|own| own.id == id);
                own.ok_or(Status::NO_CREDENTIALS)?.user = user;
                Ok(Value::Null)
            }
            _ => Err(Status::INVALID_SUBCOMMAND),
        }
    }

    fn begin(&mut self, entries: Vec<Value>, total: i64) -> Result<Value, Status> {
        let count = entries.len();
        let mut entries = entries.into_iter();
        let first = entries.next().ok_or(Status::NO_CREDENTIALS)?;
        self.enumeration = entries.rev().collect();
        let mut members = first.into_map().unwrap();
        members.push((Value::from(total), number(count)));
        Ok(Value::Map(members))
    }
}

/// The public key as a COSE_Key.
pub(crate) fn cose(key: &SigningKey) -> Vec<u8> {
    let point = key.verifying_key().to_sec1_point(false);
    let (x, y) = point.as_bytes()[1..].split_at(32);
    cbor::encode(cbor!({ 1 => 2, 3 => -7, -1 => 1, -2 => Value::from(x), -3 => Value::from(y) }).unwrap())
}

fn number(count: usize) -> Value {
    Value::from(u64::try_from(count).unwrap())
}
