//! The store as something that can only be read.

use embedded_storage::nor_flash::NorFlash;
use zeroize::Zeroizing;

use super::addresses::Key;
use super::log::ValueBuffer;
use super::{Candidate, CreationNumber, Credential, DeviceSecret, PinRecord, Store, StoreError};

/// What a command may do to the store before it has a touch: nothing can be written through this.
///
/// Searches go by keyed hashes. A [`Candidate`] is almost always what was looked for, and [`Reading::credential`] tells.
pub struct Reading<'a, F, const N: usize = { super::MAX_CREDENTIALS }>(&'a mut Store<F, N>);

impl<'a, F: NorFlash, const N: usize> Reading<'a, F, N> {
    pub(super) const fn of(store: &'a mut Store<F, N>) -> Self {
        Self(store)
    }

    /// The device secret, new with every reset.
    ///
    /// # Errors
    ///
    /// The fault of the store, if it has one.
    pub fn secret(&self) -> Result<&DeviceSecret, StoreError> {
        self.0.secret()
    }

    /// The PIN; `None` if none is set.
    ///
    /// # Errors
    ///
    /// [`StoreError::Flash`], [`StoreError::Corrupt`], the fault of the store: whether there is a PIN is then unknown, and
    /// the key must act as if there were.
    pub fn pin(&mut self) -> Result<Option<PinRecord>, StoreError> {
        self.0.key()?;
        let mut buffer: ValueBuffer = [0; _];
        let mut plain = Zeroizing::new([0; 64]);
        let Some(length) = self.0.read(Key::PIN, 0, &mut buffer, &mut *plain)? else { return Ok(None) };
        PinRecord::decode(plain.get(..length).unwrap_or_default()).ok_or(StoreError::Corrupt).map(Some)
    }

    /// The credential with this number; `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`StoreError::Flash`], [`StoreError::Corrupt`], the fault of the store.
    pub fn credential(&mut self, number: CreationNumber) -> Result<Option<Credential>, StoreError> {
        self.0.key()?;
        let Some(slot) = self.0.index.slot(number) else { return Ok(None) };
        self.0.read_credential(slot).map(Some)
    }

    /// The newest credential of an RP that is older than `before`, or the newest of all: a cursor, newest first.
    ///
    /// # Errors
    ///
    /// The fault of the store.
    pub fn find_by_rp(
        &self,
        rp_id_hash: &[u8; 32],
        before: Option<CreationNumber>,
    ) -> Result<Option<Candidate>, StoreError> {
        Ok(self.0.index.find_by_rp(self.0.rp_tag(rp_id_hash)?, before))
    }

    /// How many credentials of an RP have a `credProtect` level of at most `at_most`. Reads no flash.
    ///
    /// # Errors
    ///
    /// The fault of the store.
    pub fn count_by_rp(&self, rp_id_hash: &[u8; 32], at_most: u8) -> Result<usize, StoreError> {
        let rp = self.0.rp_tag(rp_id_hash)?;
        let all = self.0.index.iter();
        Ok(all.filter(|(_, candidate, tags)| tags.rp == rp && candidate.cred_protect <= at_most).count())
    }

    /// The credential of an RP with this id. A foreign id costs a keyed hash, and no flash is read for it.
    ///
    /// # Errors
    ///
    /// As of [`Reading::credential`].
    pub fn find_by_id(
        &mut self,
        rp_id_hash: &[u8; 32],
        id: &[u8],
    ) -> Result<Option<(CreationNumber, Credential)>, StoreError> {
        let (rp, id_tag) = (self.0.rp_tag(rp_id_hash)?, self.0.id_tag(rp_id_hash, id)?);
        for slot in 0..N {
            let Some((candidate, tags)) = self.0.index.get(slot) else { continue };
            if tags.rp == rp && tags.id == id_tag {
                let found = self.0.read_credential(slot)?;
                if found.rp_id_hash == *rp_id_hash && found.id == id {
                    return Ok(Some((candidate.number, found)));
                }
            }
        }
        Ok(None)
    }

    /// The credential of an RP for this user: the one that a new credential would replace.
    ///
    /// # Errors
    ///
    /// As of [`Reading::credential`].
    pub fn find_by_user(
        &mut self,
        rp_id_hash: &[u8; 32],
        user_id: &[u8],
    ) -> Result<Option<CreationNumber>, StoreError> {
        let slot = self.0.find_slot_by_user(rp_id_hash, user_id)?;
        Ok(slot.and_then(|slot| self.0.index.get(slot)).map(|(candidate, _)| candidate.number))
    }

    /// A cursor over the RPs: the newest credential of each, newest first. The next after `before`.
    ///
    /// # Errors
    ///
    /// The fault of the store.
    pub fn rps(&self, before: Option<CreationNumber>) -> Result<Option<Candidate>, StoreError> {
        self.0.key()?;
        Ok(self.0.index.next_rp(before))
    }

    /// How many RPs have a credential here.
    ///
    /// # Errors
    ///
    /// The fault of the store.
    pub fn rp_count(&self) -> Result<usize, StoreError> {
        self.0.key()?;
        let index = &self.0.index;
        Ok(index.iter().filter(|(_, found, tags)| index.find_by_rp(tags.rp, None) == Some(*found)).count())
    }

    /// How many credentials there are.
    #[must_use]
    pub fn credential_count(&self) -> usize {
        self.0.index.count()
    }

    /// How many more credentials certainly fit, were each as large as can be.
    #[must_use]
    pub fn remaining_credentials(&self) -> usize {
        let slots = N - self.0.index.count();
        slots.min(usize::try_from(self.0.log.remaining()).unwrap_or(usize::MAX))
    }
}
