//! A discoverable credential as a record.

use heapless::{String, Vec};
use keywright_common::ctap2::make_credential::UserEntity;
use keywright_common::status::Status;

use super::codec::{Reader, Writer};

/// The order in which credentials were made: the newest has the highest. At least 1.
///
/// It names a credential until that is replaced or deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CreationNumber(pub(super) u32);

/// A credential id: bytes that only the key that made them can read.
pub type CredentialId = Vec<u8, 128>;

/// A discoverable credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The credential id, as the platform sees it.
    pub id: CredentialId,
    /// SHA-256 of the RP id.
    pub rp_id_hash: [u8; 32],
    /// The RP id, perhaps shortened.
    pub rp_id: String<256>,
    /// The RP's name.
    pub rp_name: Option<String<64>>,
    /// The account.
    pub user: User,
    /// The `credProtect` level, 1 to 3; 0 if none was asked for.
    pub cred_protect: u8,
    /// The COSE algorithm identifier.
    pub algorithm: i32,
}

/// The account that a credential is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user handle.
    pub id: Vec<u8, 64>,
    /// The account's name.
    pub name: Option<String<64>>,
    /// The name to show.
    pub display_name: Option<String<64>>,
}

impl TryFrom<&UserEntity<'_>> for User {
    type Error = Status;

    /// What is kept of an account: names longer than 64 bytes are cut (WebAuthn §6.4.1).
    fn try_from(user: &UserEntity<'_>) -> Result<Self, Status> {
        Ok(Self {
            id: Vec::from_slice(user.id).map_err(|_| Status::INVALID_LENGTH)?,
            name: user.name.map(truncated),
            display_name: user.display_name.map(truncated),
        })
    }
}

/// As much of a text as fits, in whole characters (WebAuthn §6.4.1).
pub(crate) fn truncated<const LENGTH: usize>(text: &str) -> String<LENGTH> {
    let mut kept = String::new();
    // The first character that does not fit ends it.
    let _ = text.chars().try_for_each(|character| kept.push(character));
    kept
}

impl Credential {
    pub(super) fn encode(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut writer = Writer::new(buffer);
        let texts = self.texts();
        let present =
            texts.iter().zip([1, 2, 4]).filter(|(text, _)| text.is_some()).map(|(_, flag)| flag).sum();
        writer.put(&[VERSION, present, self.cred_protect]);
        writer.put(&self.algorithm.to_le_bytes());
        writer.put_short(&self.id);
        writer.put(&self.rp_id_hash);
        writer.put_long(self.rp_id.as_bytes());
        writer.put_short(&self.user.id);
        for text in texts.into_iter().flatten() {
            writer.put_short(text.as_bytes());
        }
        writer.finish()
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let [VERSION, present @ 0..=7, cred_protect] = reader.take()? else { return None };
        let algorithm = i32::from_le_bytes(reader.take()?);
        let id = Vec::from_slice(reader.short()?).ok()?;
        let rp_id_hash = reader.take()?;
        let rp_id = text(reader.long()?)?;
        let user_id = Vec::from_slice(reader.short()?).ok()?;
        let mut texts = [None, None, None];
        for (place, flag) in texts.iter_mut().zip([1, 2, 4]) {
            if present & flag != 0 {
                *place = Some(text(reader.short()?)?);
            }
        }
        let [rp_name, name, display_name] = texts;
        let user = User { id: user_id, name, display_name };
        reader.0.is_empty().then_some(Self { id, rp_id_hash, rp_id, rp_name, user, cred_protect, algorithm })
    }

    fn texts(&self) -> [Option<&String<64>>; 3] {
        [self.rp_name.as_ref(), self.user.name.as_ref(), self.user.display_name.as_ref()]
    }
}

fn text<const LENGTH: usize>(bytes: &[u8]) -> Option<String<LENGTH>> {
    String::try_from(core::str::from_utf8(bytes).ok()?).ok()
}

const VERSION: u8 = 1;
