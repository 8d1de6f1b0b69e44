//! A conversation in CTAP2: credentials are made and used as a relying party would, and all that comes back is verified.

use ciborium::Value;
use keywright_common::auth_data::flag;
use keywright_common::cbor::Item;
use keywright_common::cose::Algorithm;
use keywright_common::status::Status;
use keywright_host::ClientError;
use keywright_host::auth_data::AuthData;
use keywright_host::ctap2::{
    Assertion, AssertionRequest, Client, CredentialRequest, Info, RpEntity, Verification,
};
use keywright_host::pin_uv_auth::{Pin, Token, permission};
use keywright_host::user::Account;
use keywright_host::verify::{PublicKey, VerifyError, verify_statement};
use sha2::{Digest, Sha256};

use super::{User, Way};
use crate::scenario::{Stop, expect};
use crate::wire::random;

/// A conversation in CTAP2.
pub(crate) struct Session<'r> {
    pub(crate) client: Client<Way<'r>>,
    pub(crate) user: &'r mut User,
}

/// A credential that was made, as a relying party keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) rp_id: String,
    pub(crate) id: Vec<u8>,
    pub(crate) public_key: PublicKey,
    pub(crate) count: u32,
    pub(crate) created: AuthData,
}

/// What an assertion is to be over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected {
    client_data_hash: [u8; 32],
    is_verified: bool,
}

/// Assertions, or why the key gave none.
pub(crate) type Asserted = Result<(Vec<Assertion>, Expected), ClientError>;

impl Session<'_> {
    /// Makes a credential, with the user verified if the key wants that.
    pub(crate) fn register(&mut self, request: CredentialRequest) -> Result<Credential, Stop> {
        Ok(self.try_register(request)??)
    }

    /// As [`Session::register`]; what the key refuses is for the caller to judge.
    pub(crate) fn try_register(
        &mut self,
        mut request: CredentialRequest,
    ) -> Result<Result<Credential, ClientError>, Stop> {
        request.client_data_hash = random()?;
        if self.wants_verification(&request) {
            request.verification =
                self.verify_user(permission::MAKE_CREDENTIAL, &request.rp.id, &request.client_data_hash)?;
        }
        self.make(request)
    }

    /// Makes a credential as the request has it, and verifies what comes back.
    pub(crate) fn make(
        &mut self,
        request: CredentialRequest,
    ) -> Result<Result<Credential, ClientError>, Stop> {
        let made = match self.client.make_credential(&request, self.user) {
            Ok(made) => made,
            Err(error) => return Ok(Err(error)),
        };
        let data = self.read(&made.auth_data, &request.rp.id, request.verification != Verification::None)?;
        expect("a registration must say that the user was present", data.user_present())?;
        let Some(attested) = &data.attested_credential else {
            return Err(Stop::Failed("a registration must hold the new credential".to_owned()));
        };
        match verify_statement(
            &made.format,
            made.statement,
            &made.auth_data,
            &data,
            &request.client_data_hash,
        ) {
            Ok(_) => {}
            Err(VerifyError::Format) => {
                // As a key wrote it, which could drive a terminal.
                self.user.remark(format!("attests as {:?}, which is not verified here", made.format));
            }
            Err(error) => return Err(Stop::failed("the attestation", &error)),
        }
        let key = PublicKey::parse(&attested.public_key)
            .ok_or_else(|| Stop::Failed("the public key is no COSE_Key".to_owned()))?;
        let wanted = request.algorithms.iter().any(|wanted| i64::from(wanted.0) == key.algorithm());
        expect("the public key must be of an algorithm that was asked for", wanted)?;
        Ok(Ok(Credential {
            rp_id: request.rp.id,
            id: attested.id.clone(),
            public_key: key,
            count: data.sign_count,
            created: data,
        }))
    }

    /// Has a credential sign, named in an allowList, and verifies it; gives what was signed.
    pub(crate) fn authenticate(&mut self, credential: &mut Credential) -> Result<AuthData, Stop> {
        let request = allow(credential);
        let (assertions, expected) = self.assert(request)??;
        self.check(credential, only(&assertions)?, &expected)
    }

    /// Asks for assertions; gives them, and what they are to be over. What the key refuses is for the caller to judge.
    pub(crate) fn assert(&mut self, request: AssertionRequest) -> Result<Asserted, Stop> {
        let is_silent = request.user_presence == Some(false);
        let is_verified = !is_silent && self.client.info().option("alwaysUv");
        self.assert_as(request, is_verified)
    }

    /// As [`Session::assert`], with the user verified.
    pub(crate) fn assert_verified(&mut self, request: AssertionRequest) -> Result<Asserted, Stop> {
        self.assert_as(request, true)
    }

    fn assert_as(&mut self, mut request: AssertionRequest, is_verified: bool) -> Result<Asserted, Stop> {
        request.client_data_hash = random()?;
        if is_verified {
            request.verification =
                self.verify_user(permission::GET_ASSERTION, &request.rp_id, &request.client_data_hash)?;
        }
        let expected = Expected { client_data_hash: request.client_data_hash, is_verified };
        Ok(self.client.get_assertions(&request, self.user).map(|assertions| (assertions, expected)))
    }

    /// Verifies an assertion with what a relying party keeps, and moves its counter on.
    pub(crate) fn check(
        &mut self,
        credential: &mut Credential,
        assertion: &Assertion,
        expected: &Expected,
    ) -> Result<AuthData, Stop> {
        let data = self.read(&assertion.auth_data, &credential.rp_id, expected.is_verified)?;
        if let Some(id) = &assertion.credential_id {
            expect("an assertion must be of the credential that was asked for", *id == credential.id)?;
        }
        expect("an assertion must not hold a new credential", data.attested_credential.is_none())?;
        let signed = [&assertion.auth_data[..], &expected.client_data_hash].concat();
        match credential.public_key.verify(&signed, &assertion.signature) {
            Ok(()) => {}
            Err(VerifyError::Algorithm) => {
                self.user.remark("signs with an algorithm that is not verified here")
            }
            Err(error) => return Err(Stop::failed("an assertion's signature", &error)),
        }
        let counts = data.sign_count != 0 || credential.count != 0;
        // Keys may count silent assertions or not: only a counter that goes back is wrong then.
        let rises = data.sign_count > credential.count
            || (!data.user_present() && data.sign_count == credential.count);
        expect("a signature counter must rise, or be 0 for ever", !counts || rises)?;
        credential.count = data.sign_count;
        Ok(data)
    }

    /// Has the user verified, for a command that signs over `hash`.
    pub(crate) fn verify_user(
        &mut self,
        permissions: u8,
        rp_id: &str,
        hash: &[u8],
    ) -> Result<Verification, Stop> {
        let is_known = self.user.pin.is_some() || self.client.info().option("uv");
        if !is_known {
            return Err(Stop::Skipped("the key wants its PIN for this: give it with --pin-env".to_owned()));
        }
        self.client.obtain_token(permissions, Some(rp_id), self.user)?;
        Ok(self.client.authorise(hash)?)
    }

    /// Sets the tests' PIN unless the key has it, or another that is known, already.
    pub(crate) fn have_pin(&mut self) -> Result<Pin, Stop> {
        if let Some(pin) = &self.user.pin {
            return Ok(pin.clone());
        }
        let [pin, _] = pins(self.client.info())?;
        self.client.set_pin(&pin)?;
        self.user.pin = Some(pin.clone());
        Ok(pin)
    }

    /// A token for a PIN: with these permissions where the key has such.
    pub(crate) fn token(&mut self, pin: &Pin, permissions: u8, rp_id: &str) -> Result<Token, ClientError> {
        if self.client.info().option("pinUvAuthToken") {
            self.client.token_using_pin(pin, permissions, Some(rp_id))
        } else {
            self.client.pin_token(pin)
        }
    }

    /// Sends a command as bytes; gives what stands behind the status.
    pub(crate) fn cbor(&mut self, message: &[u8]) -> Result<Result<Vec<u8>, Status>, Stop> {
        let answer = self.client.channel_mut().cbor(message, self.user)?;
        let Some((status, body)) = answer.split_first() else {
            return Err(Stop::Failed("an answer without a status".to_owned()));
        };
        if *status != 0 {
            return Ok(Err(Status(*status)));
        }
        let is_canonical = body.is_empty() || Item::parse(body).is_ok();
        expect("an answer must be one value in canonical CBOR (§8)", is_canonical)?;
        Ok(Ok(body.to_vec()))
    }

    /// Whether the key makes such a credential only for a user who is verified (§6.1.2 steps 6 and 7).
    fn wants_verification(&self, request: &CredentialRequest) -> bool {
        let info = self.client.info();
        let is_optional = info.option("makeCredUvNotRqd") && request.discoverable != Some(true);
        info.option("alwaysUv") || (info.can_verify_user() && !is_optional)
    }

    /// Reads authenticator data and checks what must hold of any.
    fn read(&mut self, bytes: &[u8], rp_id: &str, is_verified: bool) -> Result<AuthData, Stop> {
        let data = AuthData::parse(bytes)
            .ok_or_else(|| Stop::Failed("authenticator data that cannot be read".to_owned()))?;
        expect(
            "authenticator data must be for the relying party",
            data.rp_id_hash == sha256(rp_id.as_bytes()),
        )?;
        expect("a verified user must be said to be verified", !is_verified || data.user_verified())?;
        expect(
            "the user must not be said to be verified without proof",
            is_verified || !data.user_verified() || self.client.info().option("uv"),
        )?;
        expect("flags that are reserved must be 0 (WebAuthn §6.1)", data.flags & RESERVED == 0)?;
        Ok(data)
    }
}

/// A request for an ES256 credential that is not discoverable.
pub(crate) fn request(rp_id: &str, user: &str) -> CredentialRequest {
    CredentialRequest {
        rp: RpEntity { id: rp_id.to_owned(), name: Some("Keywright's tests".to_owned()) },
        user: Account {
            id: sha256(user.as_bytes()).to_vec(),
            name: Some(user.to_owned()),
            display_name: Some(user.to_owned()),
        },
        algorithms: vec![Algorithm::ES256],
        ..CredentialRequest::default()
    }
}

/// A request for an assertion by a credential.
pub(crate) fn allow(credential: &Credential) -> AssertionRequest {
    AssertionRequest {
        rp_id: credential.rp_id.clone(),
        allow_list: vec![credential.id.clone()],
        ..AssertionRequest::default()
    }
}

/// The assertion where one credential was asked for.
pub(crate) fn only(assertions: &[Assertion]) -> Result<&Assertion, Stop> {
    match assertions {
        [assertion] => Ok(assertion),
        _ => Err(Stop::Failed(format!("one assertion must come, and not {}", assertions.len()))),
    }
}

/// The tests' PIN and the one that it is changed to, in a length that the key takes. They are no secret: who ends a run
/// early is told them.
pub(crate) fn test_pins(info: &Info) -> [String; 2] {
    ["hil-", "new-"].map(|beginning| {
        let digits = ('1'..='9').cycle();
        beginning.chars().chain(digits).take(info.min_pin_length.clamp(8, 63)).collect()
    })
}

/// [`test_pins`] as PINs.
pub(crate) fn pins(info: &Info) -> Result<[Pin; 2], Stop> {
    let [old, new] = test_pins(info);
    let pin = |text: &str| Pin::new(text).map_err(|rule| Stop::failed("a PIN for the tests", &rule));
    Ok([pin(&old)?, pin(&new)?])
}

/// A command's message: its byte and its parameters, which stand in canonical order.
pub(crate) fn message(command: u8, parameters: &Value) -> Result<Vec<u8>, Stop> {
    let mut message = vec![command];
    ciborium::into_writer(parameters, &mut message).map_err(|error| Stop::failed("CBOR", &error))?;
    Ok(message)
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Bit 1, which no text has given a meaning; bits 3 and 4 are those of backup.
const RESERVED: u8 = !(flag::UP | flag::UV | flag::AT | flag::ED | 0x18);
