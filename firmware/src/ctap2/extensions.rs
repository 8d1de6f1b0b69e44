//! Extension outputs (§12).

use keywright_common::cbor::{Encoder, Full};
use keywright_common::ctap2::extensions::{CRED_PROTECT, CreationInputs, HMAC_SECRET, HmacSecret};
use keywright_common::status::Status;
use rand_core::CryptoRng;

use crate::crypto::{Secret, hmac_sha256};
use crate::pin_uv_auth::{Ciphertext, PinUvAuth, Protocol, SharedSecret};

/// Extensions that the key supports, as getInfo names them.
pub(super) const SUPPORTED: [&str; 2] = [CRED_PROTECT, HMAC_SECRET];

/// How many extensions have an output in the authenticator data of a new credential.
pub(super) fn creation_outputs(inputs: CreationInputs) -> usize {
    usize::from(inputs.cred_protect.is_some()).saturating_add(usize::from(inputs.hmac_secret))
}

/// Writes the outputs for a new credential; nothing if there are none.
pub(super) fn encode_creation_outputs(inputs: CreationInputs, encoder: &mut Encoder<'_>) -> Result<(), Full> {
    match creation_outputs(inputs) {
        0 => return Ok(()),
        count => encoder.map(count)?,
    };
    if let Some(policy) = inputs.cred_protect {
        encoder.text(CRED_PROTECT)?.integer(policy.level())?;
    }
    if inputs.hmac_secret {
        encoder.text(HMAC_SECRET)?.boolean(true)?;
    }
    Ok(())
}

/// Writes the outputs for an assertion.
pub(super) fn encode_assertion_outputs(
    hmac_secret: &Ciphertext,
    encoder: &mut Encoder<'_>,
) -> Result<(), Full> {
    encoder.map(1)?.text(HMAC_SECRET)?.bytes(hmac_secret)?;
    Ok(())
}

/// The protocol of hmac-secret's input; protocol 1 if it names none (§12.7).
///
/// # Errors
/// `INVALID_PARAMETER` for one that is not supported.
pub(super) fn protocol(input: &HmacSecret<'_>) -> Result<Protocol, Status> {
    input.pin_uv_auth_protocol.map_or(Ok(Protocol::One), |number| Protocol::requested(Some(number)))
}

/// hmac-secret's salts, one or two, and the secret under which their outputs go back.
pub(crate) struct Salts {
    shared: SharedSecret,
    first: Secret<32>,
    second: Option<Secret<32>>,
}

impl Salts {
    /// §12.7: opens what the platform sent.
    ///
    /// # Errors
    /// `INVALID_PARAMETER` if the platform's key is not on the curve, or if not one salt or two were encrypted;
    /// `PIN_AUTH_INVALID` if `saltAuth` is wrong.
    pub(super) fn open(
        pin_uv_auth: &mut PinUvAuth,
        input: &HmacSecret<'_>,
        random: &mut impl CryptoRng,
    ) -> Result<Self, Status> {
        let shared = pin_uv_auth.decapsulate(protocol(input)?, input.key_agreement, random)?;
        if !shared.verify(&[input.salt_enc], input.salt_auth) {
            return Err(Status::PIN_AUTH_INVALID);
        }
        if let Some(first) = shared.decrypt::<32>(input.salt_enc) {
            return Ok(Self { shared, first, second: None });
        }
        let both = shared.decrypt::<64>(input.salt_enc).ok_or(Status::INVALID_PARAMETER)?;
        let [mut first, mut second] = [Secret::new([0; 32]), Secret::new([0; 32])];
        let halves = first.expose_mut().iter_mut().chain(second.expose_mut());
        halves.zip(both.expose()).for_each(|(to, from)| *to = *from);
        Ok(Self { shared, first, second: Some(second) })
    }

    /// §12.7: the HMAC of each salt under CredRandom, encrypted for the platform.
    pub(super) fn output(&self, cred_random: &Secret<32>, random: &mut impl CryptoRng) -> Option<Ciphertext> {
        let first = hmac_sha256(cred_random, &[self.first.expose()]);
        let Some(second) = &self.second else { return self.shared.encrypt(first.expose(), random) };
        let second = hmac_sha256(cred_random, &[second.expose()]);
        let mut both = Secret::new([0; 64]);
        let outputs = first.expose().iter().chain(second.expose());
        both.expose_mut().iter_mut().zip(outputs).for_each(|(to, from)| *to = *from);
        self.shared.encrypt(both.expose(), random)
    }
}
