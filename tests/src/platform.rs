//! The platform's end of the PIN/UV auth protocols (§6.5.6, §6.5.7), written apart from the key's.

use aes::cipher::{Block, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use ciborium::{Value, cbor};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use keywright_common::status::Status;
use p256::elliptic_curve::sec1::{FromSec1Point, ToSec1Point};
use p256::{PublicKey, Sec1Point, SecretKey};
use sha2::{Digest, Sha256};

use crate::{Parameters, Simulation, value_at};

/// What platform and key have agreed on.
#[derive(Clone)]
pub struct Agreement {
    /// The protocol, 1 or 2.
    pub protocol: u64,
    /// The platform's public key.
    pub public_key: Value,
    hmac_key: [u8; 32],
    aes_key: [u8; 32],
}

impl Agreement {
    /// Asks the key for its public key and agrees with it.
    pub fn new(key: &mut Simulation, protocol: u64) -> Self {
        let response = key.client_pin(&Parameters::default().with(1, protocol).with(2, 2)).unwrap();
        let platform = SecretKey::from_slice(&[0x42; 32]).unwrap();
        let peer = public_key(value_at(&response, 1));
        let point = p256::ecdh::diffie_hellman(platform.to_nonzero_scalar(), peer.as_affine());
        let point = point.raw_secret_bytes();
        let (hmac_key, aes_key) = match protocol {
            1 => (Sha256::digest(point).into(), Sha256::digest(point).into()),
            _ => (expand(point, b"CTAP2 HMAC key"), expand(point, b"CTAP2 AES key")),
        };
        let own = platform.public_key().to_sec1_point(false);
        let public_key = cose_key(&own.as_bytes()[1..33], &own.as_bytes()[33..]);
        Self { protocol, public_key, hmac_key, aes_key }
    }

    /// encrypt(): the IV of protocol 2 is fixed here.
    pub fn encrypt(&self, plaintext: &[u8]) -> Vec<u8> {
        let iv = if self.protocol == 1 { [0; 16] } else { [0xa5; 16] };
        let mut data = plaintext.to_vec();
        let (blocks, rest) = Block::<aes::Aes256>::slice_as_chunks_mut(&mut data);
        assert!(rest.is_empty(), "whole blocks");
        cbc::Encryptor::<aes::Aes256>::new(&self.aes_key.into(), &iv.into()).encrypt_blocks(blocks);
        if self.protocol == 1 { data } else { [&iv[..], &data].concat() }
    }

    /// decrypt().
    pub fn decrypt(&self, ciphertext: &[u8]) -> Vec<u8> {
        let (iv, body) =
            if self.protocol == 1 { (&[0; 16][..], ciphertext) } else { ciphertext.split_at(16) };
        let mut data = body.to_vec();
        let (blocks, rest) = Block::<aes::Aes256>::slice_as_chunks_mut(&mut data);
        assert!(rest.is_empty(), "whole blocks");
        let iv: [u8; 16] = iv.try_into().unwrap();
        cbc::Decryptor::<aes::Aes256>::new(&self.aes_key.into(), &iv.into()).decrypt_blocks(blocks);
        data
    }

    /// authenticate() with the shared secret.
    pub fn authenticate(&self, message: &[u8]) -> Vec<u8> {
        authenticate(self.protocol, &self.hmac_key, message)
    }

    /// A setPIN of padded bytes.
    pub fn setting(&self, padded: &[u8]) -> Parameters {
        let new_pin_enc = self.encrypt(padded);
        let param = self.authenticate(&new_pin_enc);
        self.request(3).with(4, param).with(5, new_pin_enc)
    }

    /// A changePIN from one PIN to padded bytes.
    pub fn changing(&self, pin: &str, padded: &[u8]) -> Parameters {
        let (new_pin_enc, pin_hash_enc) = (self.encrypt(padded), self.encrypt(&pin_hash(pin)));
        let param = self.authenticate(&[&new_pin_enc[..], &pin_hash_enc].concat());
        self.request(4).with(4, param).with(5, new_pin_enc).with(6, pin_hash_enc)
    }

    /// A getPinToken.
    pub fn pin_token(&self, pin: &str) -> Parameters {
        self.request(5).with(6, self.encrypt(&pin_hash(pin)))
    }

    /// A getPinUvAuthTokenUsingPinWithPermissions.
    pub fn permitted_token(&self, pin: &str, permissions: u64, rp_id: Option<&str>) -> Parameters {
        let request = self.request(9).with(6, self.encrypt(&pin_hash(pin))).with(9, permissions);
        match rp_id {
            Some(rp_id) => request.with(10, rp_id),
            None => request,
        }
    }

    /// hmac-secret's input for salts that are 32 or 64 bytes together.
    pub fn salts(&self, salts: &[u8]) -> Parameters {
        let salt_enc = self.encrypt(salts);
        let salt_auth = self.authenticate(&salt_enc);
        let input =
            Parameters::default().with(1, self.public_key.clone()).with(2, salt_enc).with(3, salt_auth);
        input.with(4, self.protocol)
    }

    fn request(&self, subcommand: i64) -> Parameters {
        Parameters::default().with(1, self.protocol).with(2, subcommand).with(3, self.public_key.clone())
    }
}

impl Simulation {
    /// Runs authenticatorClientPIN, which never asks for a touch.
    pub fn client_pin(&mut self, parameters: &Parameters) -> Result<Value, Status> {
        let touches = self.touches;
        let answer = self.cbor(0x06, Some(parameters.value()));
        assert_eq!(self.touches, touches);
        answer
    }

    /// Sets the first PIN.
    pub fn set_pin(&mut self, protocol: u64, pin: &str) -> Result<(), Status> {
        let agreement = Agreement::new(self, protocol);
        self.client_pin(&agreement.setting(&padded(pin))).map(|answer| assert_eq!(answer, Value::Null))
    }

    /// Changes the PIN.
    pub fn change_pin(&mut self, protocol: u64, pin: &str, new: &str) -> Result<(), Status> {
        let agreement = Agreement::new(self, protocol);
        self.client_pin(&agreement.changing(pin, &padded(new))).map(|answer| assert_eq!(answer, Value::Null))
    }

    /// A token as CTAP 2.0 gets it.
    pub fn pin_token(&mut self, protocol: u64, pin: &str) -> Result<Vec<u8>, Status> {
        let agreement = Agreement::new(self, protocol);
        let response = self.client_pin(&agreement.pin_token(pin))?;
        Ok(agreement.decrypt(value_at(&response, 2).as_bytes().unwrap()))
    }

    /// A token with permissions.
    pub fn permitted_token(
        &mut self,
        protocol: u64,
        pin: &str,
        permissions: u64,
        rp_id: Option<&str>,
    ) -> Result<Vec<u8>, Status> {
        let agreement = Agreement::new(self, protocol);
        let response = self.client_pin(&agreement.permitted_token(pin, permissions, rp_id))?;
        Ok(agreement.decrypt(value_at(&response, 2).as_bytes().unwrap()))
    }

    /// PIN retries, and whether the key says that it must be plugged in again.
    pub fn pin_retries(&mut self) -> (u8, bool) {
        let response = self.client_pin(&Parameters::default().with(2, 1)).unwrap();
        let entries = response.as_map().unwrap();
        let retries = value_at(&response, 3).as_integer().unwrap().try_into().unwrap();
        (retries, entries.contains(&(Value::from(4), Value::from(true))))
    }
}

/// authenticate() of a protocol.
pub fn authenticate(protocol: u64, key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    let mac = mac.finalize().into_bytes();
    if protocol == 1 { mac[..16].to_vec() } else { mac.to_vec() }
}

/// A COSE_Key for key agreement.
pub fn cose_key(x: &[u8], y: &[u8]) -> Value {
    cbor!({ 1 => 2, 3 => -25, -1 => 1, -2 => Value::from(x), -3 => Value::from(y) }).unwrap()
}

/// A PIN with zeros behind it.
pub fn padded(pin: &str) -> [u8; 64] {
    let mut padded = [0; 64];
    padded[..pin.len()].copy_from_slice(pin.as_bytes());
    padded
}

/// LEFT(SHA-256(PIN), 16).
pub fn pin_hash(pin: &str) -> [u8; 16] {
    Sha256::digest(pin)[..16].try_into().unwrap()
}

fn expand(point: &[u8], info: &[u8]) -> [u8; 32] {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(&[0; 32]), point).expand(info, &mut key).unwrap();
    key
}

fn public_key(cose_key: &Value) -> PublicKey {
    let coordinate =
        |key| -> [u8; 32] { value_at(cose_key, key).as_bytes().unwrap()[..].try_into().unwrap() };
    assert_eq!((value_at(cose_key, 1), value_at(cose_key, 3)), (&Value::from(2), &Value::from(-25)));
    let point = Sec1Point::from_affine_coordinates(&coordinate(-2).into(), &coordinate(-3).into(), false);
    PublicKey::from_sec1_point(&point).unwrap()
}
