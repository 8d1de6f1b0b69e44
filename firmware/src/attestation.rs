//! Who speaks for a new credential: its attestation in CTAP2 (WebAuthn §8.2 and §8.7) and in U2F.

mod self_issued;

use keywright_common::cbor::Encoder;
use keywright_common::status::Status;
use rand_core::CryptoRng;

use crate::credential::SigningKey;
use crate::crypto::{Es256Key, Prepared, Signature};
use crate::identity::{Attestation, Batch};

/// The certificate of a U2F registration, in DER.
#[expect(clippy::large_enum_variant, reason = "there is no heap, and it is used where it is made")]
pub(crate) enum Certificate {
    /// That of the batch.
    Batch(&'static [u8]),
    /// One that the credential issued to itself.
    SelfIssued(self_issued::Certificate),
}

impl Certificate {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Batch(certificate) => certificate,
            Self::SelfIssued(certificate) => certificate,
        }
    }
}

impl Attestation {
    /// Does what takes long of signing for the credential with `key`, where that can be done ahead.
    pub(crate) fn prepare(
        &self,
        key: &SigningKey,
        signed: &[&[u8]],
        random: &mut impl CryptoRng,
    ) -> Option<Prepared> {
        match self {
            Self::None => None,
            Self::PackedSelf => key.prepare(signed, random),
            Self::Packed(batch) => batch.signing_key()?.prepare(signed, random),
        }
    }

    /// Writes the members `fmt`, `authData` and `attStmt` of makeCredential's response for the credential with `key`.
    pub(crate) fn write(
        &self,
        key: &SigningKey,
        prepared: Option<Prepared>,
        auth_data: &[u8],
        client_data_hash: &[u8; 32],
        random: &mut impl CryptoRng,
        out: &mut Encoder<'_>,
    ) -> Result<(), Status> {
        let format = if matches!(self, Self::None) { "none" } else { "packed" };
        out.integer(FMT)?.text(format)?.integer(AUTH_DATA)?.bytes(auth_data)?.integer(ATT_STMT)?;
        let signed = [auth_data, client_data_hash];
        match self {
            Self::None => drop(out.map(0)?),
            Self::PackedSelf => {
                let (algorithm, signature) = (key.algorithm().0, key.finish(prepared, &signed, random));
                out.map(2)?.text("alg")?.integer(algorithm)?.text("sig")?.bytes(&signature)?;
            }
            Self::Packed(batch) => {
                let key = batch.signing_key().ok_or(Status::OTHER)?;
                let (algorithm, signature) = (key.algorithm().0, key.finish(prepared, &signed, random));
                out.map(3)?.text("alg")?.integer(algorithm)?.text("sig")?.bytes(&signature)?;
                out.text("x5c")?.array(batch.chain.len())?;
                for certificate in batch.chain {
                    out.bytes(certificate)?;
                }
            }
        }
        Ok(())
    }

    /// The certificate and signature of a U2F registration; `signed` is what the registration signs. `None` if the
    /// credential is not for ES256, or the batch has no certificate or no key.
    pub(crate) fn of_registration(
        &self,
        key: &SigningKey,
        signed: &[&[u8]],
        random: &mut impl CryptoRng,
    ) -> Option<(Certificate, Signature)> {
        match self {
            Self::None | Self::PackedSelf => {
                let certificate = Certificate::SelfIssued(self_issued::issue(key, random)?);
                Some((certificate, key.sign(signed, random)))
            }
            Self::Packed(batch) => {
                let certificate = Certificate::Batch(batch.chain.first()?);
                Some((certificate, batch.signing_key()?.sign(signed, random)))
            }
        }
    }
}

impl Batch {
    /// The key; `None` if it is none, or there is no certificate for it.
    fn signing_key(&self) -> Option<SigningKey> {
        self.chain.first()?;
        Es256Key::from_secret(self.key).map(SigningKey::Es256)
    }
}

const FMT: i32 = 0x01;
const AUTH_DATA: i32 = 0x02;
const ATT_STMT: i32 = 0x03;
