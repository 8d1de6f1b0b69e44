//! The authenticator's side of clientPIN and of the PIN/UV auth protocols, written apart from the platform's: CBC and HKDF
//! from their definitions.

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use ciborium::{Value, cbor};
use hmac::{Hmac, Mac as _};
use keywright_common::cbor::{Item, Map};
use keywright_common::cose::PublicKey;
use keywright_common::status::Status;
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{Sec1Point, SecretKey};
use sha2::Sha256;

use crate::cbor;
use crate::webauthn::sha256;

pub(crate) struct PinState {
    pub(crate) protocols: Vec<u64>,
    pub(crate) retries: u8,
    pub(crate) uv_refuses: Option<Status>,
    hash: Option<[u8; 16]>,
    misses: u8,
    secret: SecretKey,
    generation: u8,
    token: [u8; 32],
    token_protocol: u64,
    permissions: u8,
    rp_id: Option<String>,
}

impl PinState {
    pub(crate) fn new(protocols: Vec<u64>) -> Self {
        Self {
            protocols,
            retries: 8,
            uv_refuses: None,
            hash: None,
            misses: 0,
            secret: SecretKey::from_slice(&[0x33; 32]).unwrap(),
            generation: 0,
            token: [0x77; 32],
            token_protocol: 0,
            permissions: 0,
            rp_id: None,
        }
    }

    pub(crate) fn set(&mut self, pin: &str) {
        self.hash = Some(sha256(pin.as_bytes())[..16].try_into().unwrap());
    }

    pub(crate) fn is_set(&self) -> bool {
        self.hash.is_some()
    }

    /// §6.1.2 step 14.4: a token serves once.
    pub(crate) fn spend_token(&mut self) {
        self.permissions = 0;
    }

    pub(crate) fn run(&mut self, parameters: &[u8], has_uv: bool) -> Result<Value, Status> {
        let request = Item::parse(parameters)?.map()?;
        let protocol = request.get(1).map(|item| item.unsigned().unwrap()).unwrap_or_default();
        let subcommand = request.get(2).ok_or(Status::MISSING_PARAMETER)?.unsigned()?;
        if !self.protocols.contains(&protocol) {
            return Err(Status::INVALID_PARAMETER);
        }
        match subcommand {
            1 => Ok(cbor!({ 3 => self.retries, 4 => self.misses >= 3 }).unwrap()),
            2 => Ok(cbor::map([(1, Some(self.key_agreement()))])),
            3 => self.set_pin(request, protocol),
            4 => self.change_pin(request, protocol),
            5 => self.give_token(request, protocol, Some(3)),
            6 if has_uv => match self.uv_refuses {
                Some(status) => Err(status),
                None => Ok(self.token_answer(request, protocol, None)),
            },
            7 => Ok(cbor!({ 5 => 3 }).unwrap()),
            9 => self.give_token(request, protocol, None),
            _ => Err(Status::INVALID_SUBCOMMAND),
        }
    }

    fn key_agreement(&self) -> Value {
        let point = self.secret.public_key().to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        cbor!({ 1 => 2, 3 => -25, -1 => 1, -2 => Value::from(x), -3 => Value::from(y) }).unwrap()
    }

    fn set_pin(&mut self, request: Map<'_>, protocol: u64) -> Result<Value, Status> {
        if self.hash.is_some() {
            return Err(Status::PIN_AUTH_INVALID);
        }
        let shared = self.shared(request, protocol);
        let encrypted = request.get(5).unwrap().bytes()?;
        if shared.authenticate(encrypted) != request.get(4).unwrap().bytes()? {
            return Err(Status::PIN_AUTH_INVALID);
        }
        self.store(&shared.decrypt(encrypted))
    }

    fn change_pin(&mut self, request: Map<'_>, protocol: u64) -> Result<Value, Status> {
        let shared = self.shared(request, protocol);
        let encrypted = request.get(5).unwrap().bytes()?;
        let hash = request.get(6).unwrap().bytes()?;
        if shared.authenticate(&[encrypted, hash].concat()) != request.get(4).unwrap().bytes()? {
            return Err(Status::PIN_AUTH_INVALID);
        }
        self.compare(&shared.decrypt(hash))?;
        self.store(&shared.decrypt(encrypted))
    }

    fn store(&mut self, padded: &[u8]) -> Result<Value, Status> {
        assert_eq!(padded.len(), 64);
        let pin: Vec<_> = padded.iter().copied().take_while(|byte| *byte != 0).collect();
        if pin.len() < 4 {
            return Err(Status::PIN_POLICY_VIOLATION);
        }
        self.set(std::str::from_utf8(&pin).unwrap());
        self.permissions = 0;
        Ok(Value::Null)
    }

    fn compare(&mut self, hash: &[u8]) -> Result<(), Status> {
        let own = self.hash.ok_or(Status::PIN_NOT_SET)?;
        if self.retries == 0 {
            return Err(Status::PIN_BLOCKED);
        }
        if self.misses >= 3 {
            return Err(Status::PIN_AUTH_BLOCKED);
        }
        self.retries -= 1;
        if own != hash {
            self.misses += 1;
            self.generation += 1;
            self.secret = SecretKey::from_slice(&[0x40 + self.generation; 32]).unwrap();
            return Err(match (self.retries, self.misses) {
                (0, _) => Status::PIN_BLOCKED,
                (_, 3) => Status::PIN_AUTH_BLOCKED,
                _ => Status::PIN_INVALID,
            });
        }
        (self.retries, self.misses) = (8, 0);
        Ok(())
    }

    fn give_token(&mut self, request: Map<'_>, protocol: u64, legacy: Option<u8>) -> Result<Value, Status> {
        let shared = self.shared(request, protocol);
        self.compare(&shared.decrypt(request.get(6).unwrap().bytes()?))?;
        Ok(self.token_answer(request, protocol, legacy))
    }

    fn token_answer(&mut self, request: Map<'_>, protocol: u64, legacy: Option<u8>) -> Value {
        let asked = request.get(9).map(|item| u8::try_from(item.unsigned().unwrap()).unwrap());
        assert_eq!(asked.is_none(), legacy.is_some(), "permissions go with 0x06 and 0x09 alone");
        self.permissions = legacy.or(asked).unwrap_or_default();
        self.rp_id = request.get(10).map(|item| item.text().unwrap().to_owned());
        self.token = sha256(&self.token);
        self.token_protocol = protocol;
        let shared = self.shared(request, protocol);
        cbor::map([(2, Some(Value::Bytes(shared.encrypt(&self.token))))])
    }

    /// Holds a pinUvAuthParam against the token.
    pub(crate) fn check(
        &self,
        message: &[u8],
        param: &[u8],
        permission: u8,
        rp_id: Option<&str>,
    ) -> Result<(), Status> {
        let expected = hmac(&self.token, &[message]);
        let length = if self.token_protocol == 1 { 16 } else { 32 };
        let is_for = self.rp_id.is_none() || self.rp_id.as_deref() == rp_id;
        if self.permissions & permission == 0 || !is_for || param != &expected[..length] {
            return Err(Status::PIN_AUTH_INVALID);
        }
        Ok(())
    }

    /// hmac-secret's output for a credential.
    pub(crate) fn hmac_secret(&self, input: &[u8], id: &[u8], uv: bool) -> Vec<u8> {
        let input = Item::parse(input).unwrap().map().unwrap();
        let protocol = input.get(4).map_or(1, |item| item.unsigned().unwrap());
        let key = input.get(1).unwrap().map().unwrap();
        let shared = self.shared_with(key, protocol);
        let encrypted = input.get(2).unwrap().bytes().unwrap();
        assert_eq!(shared.authenticate(encrypted), input.get(3).unwrap().bytes().unwrap());
        let salts = shared.decrypt(encrypted);
        let outputs = salts.chunks(32).map(|salt| hmac(&sha256(id), &[&[u8::from(uv)], salt]));
        shared.encrypt(&outputs.collect::<Vec<_>>().concat())
    }

    fn shared(&self, request: Map<'_>, protocol: u64) -> Shared {
        self.shared_with(request.get(3).unwrap().map().unwrap(), protocol)
    }

    fn shared_with(&self, key: Map<'_>, protocol: u64) -> Shared {
        let PublicKey::EcdhEsHkdf256 { x, y } = PublicKey::decode(key).unwrap() else { panic!("no key") };
        let point = Sec1Point::from_affine_coordinates(&x.into(), &y.into(), false);
        let peer = p256::PublicKey::from_sec1_bytes(point.as_bytes()).unwrap();
        let z = p256::ecdh::diffie_hellman(self.secret.to_nonzero_scalar(), peer.as_affine());
        let z = z.raw_secret_bytes();
        if protocol == 1 {
            return Shared { protocol, mac: sha256(z), aes: sha256(z) };
        }
        // RFC 5869 with one block of output.
        let prk = hmac(&[0; 32], &[z]);
        let derive = |info: &[u8]| hmac(&prk, &[info, &[1]]);
        Shared { protocol, mac: derive(b"CTAP2 HMAC key"), aes: derive(b"CTAP2 AES key") }
    }
}

struct Shared {
    protocol: u64,
    mac: [u8; 32],
    aes: [u8; 32],
}

impl Shared {
    fn authenticate(&self, message: &[u8]) -> Vec<u8> {
        hmac(&self.mac, &[message])[..if self.protocol == 1 { 16 } else { 32 }].to_vec()
    }

    fn encrypt(&self, plaintext: &[u8]) -> Vec<u8> {
        let iv = if self.protocol == 1 { [0; 16] } else { [0x5c; 16] };
        let mut out = if self.protocol == 1 { Vec::new() } else { iv.to_vec() };
        let mut last = iv;
        for block in plaintext.chunks(16) {
            let mixed: [u8; 16] = std::array::from_fn(|at| block[at] ^ last[at]);
            let mut block = mixed.into();
            Aes256::new((&self.aes).into()).encrypt_block(&mut block);
            last = block.into();
            out.extend(last);
        }
        out
    }

    fn decrypt(&self, ciphertext: &[u8]) -> Vec<u8> {
        let (iv, ciphertext) =
            if self.protocol == 1 { (&[0; 16][..], ciphertext) } else { ciphertext.split_at(16) };
        assert_eq!(ciphertext.len() % 16, 0);
        let mut last = iv.to_vec();
        let mut out = Vec::new();
        for encrypted in ciphertext.chunks(16) {
            let mut block = <[u8; 16]>::try_from(encrypted).unwrap().into();
            Aes256::new((&self.aes).into()).decrypt_block(&mut block);
            out.extend(block.iter().zip(&last).map(|(a, b)| a ^ b));
            last = encrypted.to_vec();
        }
        out
    }
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}
