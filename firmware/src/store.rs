//! What the key remembers: the device secret, the PIN, the signature counter, credentials.
//!
//! A [`Store`] stands on any NOR flash of 2 to 128 erase blocks of equal size, 4 KiB to 128 KiB each and 1 MiB together,
//! that is read and written in units of 1, 2, 4, 8 or 16 bytes. It survives a power cut at every operation: each function
//! that writes has either happened or not. Records are sealed under keys derived from the device secret and the epoch,
//! and bound to the key of the record; a record of one kind or slot is not one of another.
//!
//! | room | what is in it |
//! |---|---|
//! | `log` | keys and values on raw flash: what survives a cut, and why |
//! | `superblock` | what stands at the start of each page: format, epoch, secret, clean or wiping |
//! | `record`, `addresses`, `media` | the shape of a record; where each is; the flash in pages and units |
//! | `index` | what is known of each credential without reading flash |
//! | `pin`, `credential` | the records themselves |
//!
//! A flash on which nothing was ever written becomes a new store. Anything else that is not a whole store is a fault, and
//! only a reset ends it. Deleted records stay on the flash, sealed, until their page is recycled; a reset erases all.

use embedded_storage::nor_flash::NorFlash;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

mod addresses;
mod codec;
mod crc;
mod credential;
mod error;
mod index;
mod log;
mod media;
mod pin;
mod reading;
mod record;
mod superblock;

pub(crate) use credential::truncated;
pub use credential::{CreationNumber, Credential, CredentialId, User};
pub use error::StoreError;
pub use index::Candidate;
pub use pin::PinRecord;
pub use reading::Reading;
pub use superblock::DeviceSecret;

use crate::crypto::seal::SealingKey;
use addresses::Key;
use codec::{Reader, Writer};
use index::{Index, Tags};
use log::{Log, ValueBuffer};

/// How many credentials a store holds unless it is told otherwise: 4 KiB of memory.
pub const MAX_CREDENTIALS: usize = 256;

/// The store, with room for `N` credentials: 16 bytes of memory each.
pub struct Store<F, const N: usize = MAX_CREDENTIALS> {
    log: Log<F, N>,
    /// There is none while there is a fault.
    key: Option<SealingKey>,
    index: Index<N>,
    /// The last signature counter that was given out, and the highest that may be without a write.
    sign_count: u32,
    sign_count_bound: u32,
    /// Whether the log could be read.
    mounted: bool,
    fault: Option<StoreError>,
}

/// How far a reset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetProgress {
    /// Call again; there is time for a keepalive.
    More,
    /// The store is new and empty.
    Done,
}

/// How far recycling is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recycling {
    /// Call again when there is time.
    More,
    /// The next write needs no erase.
    Idle,
}

impl<F: NorFlash, const N: usize> Store<F, N> {
    /// Reads the store on this flash, repairs what a power cut left, finishes a reset that was begun, and makes a new
    /// store if nothing was ever written to the flash. May erase; to be called before the key is on the bus.
    ///
    /// # Errors
    ///
    /// [`StoreError::Flash`], [`StoreError::Corrupt`], [`StoreError::NewerFormat`], [`StoreError::Geometry`]. The flash is
    /// given up; a key that must still serve a reset uses [`Store::open_or_fault`].
    pub fn open(flash: F, random: &mut impl CryptoRng) -> Result<Self, StoreError> {
        let store = Self::open_or_fault(flash, random);
        store.fault.map_or(Ok(store), Err)
    }

    /// As [`Store::open`], but a store that cannot be read is kept: everything fails with its fault, until a reset.
    pub fn open_or_fault(flash: F, random: &mut impl CryptoRng) -> Self {
        let mut store = Self {
            log: Log::unmounted(flash),
            key: None,
            index: Index::new(),
            sign_count: 0,
            sign_count_bound: 0,
            mounted: false,
            fault: None,
        };
        store.fault = store.mount(random).err();
        store
    }

    /// Why the store cannot be used, if it cannot. [`StoreError::Wiping`] between the steps of a reset.
    pub const fn fault(&self) -> Option<StoreError> {
        self.fault
    }

    /// The device secret, new with every reset.
    ///
    /// # Errors
    ///
    /// The fault of the store, if it has one.
    pub fn secret(&self) -> Result<&DeviceSecret, StoreError> {
        self.key()?;
        Ok(self.log.secret())
    }

    /// The store as something that can only be read.
    pub const fn reading(&mut self) -> Reading<'_, F, N> {
        Reading::of(self)
    }

    /// Sets the PIN, or spends or restores its retries. Two short writes.
    ///
    /// # Errors
    ///
    /// [`StoreError::Flash`]: the retry may be spent or not, so nothing may be compared. The fault of the store.
    pub fn set_pin(&mut self, pin: &PinRecord) -> Result<(), StoreError> {
        let mut plain = Zeroizing::new([0; 64]);
        let length = pin.encode(&mut *plain).ok_or(StoreError::TooLong)?;
        self.write(Key::PIN, &[], plain.get(..length).unwrap_or_default())
    }

    /// The next signature counter: higher than every one before, also after a power cut. Writes once in 64 times.
    ///
    /// # Errors
    ///
    /// [`StoreError::Flash`], [`StoreError::Full`] after 2^32 signatures, the fault of the store: no counter was given.
    pub fn next_sign_count(&mut self) -> Result<u32, StoreError> {
        let next = self.coming_sign_count()?;
        if next > self.sign_count_bound {
            let bound = next.saturating_add(SIGN_COUNTS_A_WRITE - 1);
            self.write(Key::SIGN_COUNT, &[], &bound.to_le_bytes())?;
            self.sign_count_bound = bound;
        }
        self.sign_count = next;
        Ok(next)
    }

    /// What [`Store::next_sign_count`] will give, if nothing comes between.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`] after 2^32 signatures, the fault of the store.
    pub fn coming_sign_count(&self) -> Result<u32, StoreError> {
        self.key()?;
        self.sign_count.checked_add(1).ok_or(StoreError::Full)
    }

    /// Stores a credential as the newest. It replaces the one of the same RP and user id, if there is one, at once.
    ///
    /// # Errors
    ///
    /// [`StoreError::Full`]: nothing changed. [`StoreError::Flash`], [`StoreError::Corrupt`], the fault of the store: after
    /// the next start it is stored or not.
    pub fn put_credential(&mut self, credential: &Credential) -> Result<CreationNumber, StoreError> {
        let replaced = self.find_slot_by_user(&credential.rp_id_hash, &credential.user.id)?;
        let slot = replaced.or_else(|| self.index.free_slot()).ok_or(StoreError::Full)?;
        let number = self.index.next_number().ok_or(StoreError::Full)?;
        self.write_credential(slot, number, credential)?;
        Ok(number)
    }

    /// Deletes a credential.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`]. [`StoreError::Flash`], the fault of the store: after the next start it is there or not.
    pub fn delete_credential(&mut self, number: CreationNumber) -> Result<(), StoreError> {
        self.key()?;
        let slot = self.index.slot(number).ok_or(StoreError::NotFound)?;
        self.log.delete(Key::slot(slot))?;
        self.index.clear(slot);
        Ok(())
    }

    /// Replaces the names of a credential's account; it keeps its number. The user id must be the stored one.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotFound`] if there is no such credential or it is another user's. Else as of
    /// [`Store::put_credential`].
    pub fn update_user(&mut self, number: CreationNumber, user: &User) -> Result<(), StoreError> {
        let slot = self.index.slot(number).ok_or(StoreError::NotFound)?;
        let mut credential = self.read_credential(slot)?;
        if credential.user.id != user.id {
            return Err(StoreError::NotFound);
        }
        credential.user = user.clone();
        self.write_credential(slot, number, &credential)
    }

    /// Does the next step of a reset, or begins one: at most one erase. From the first step on nothing of the old store
    /// can be read, and after a power cut the next start goes on. Works whatever fault the store has.
    ///
    /// When it is done, the old secret and the old records are nowhere on the flash.
    ///
    /// # Errors
    ///
    /// [`StoreError::Flash`]: the step can be tried again. [`StoreError::Geometry`].
    pub fn reset_step(&mut self, random: &mut impl CryptoRng) -> Result<ResetProgress, StoreError> {
        self.key = None;
        self.index = Index::new();
        self.fault = Some(StoreError::Wiping);
        let done = self.log.wipe_step(self.mounted, random)?;
        self.mounted = true;
        if done {
            self.load()?;
            self.fault = None;
        }
        Ok(if done { ResetProgress::Done } else { ResetProgress::More })
    }

    /// Idle work: makes room ahead of need, with at most one erase, or one page of records moved. To be called again and
    /// again while the key waits, until it says [`Recycling::Idle`].
    ///
    /// # Errors
    ///
    /// [`StoreError::Flash`], [`StoreError::Corrupt`], the fault of the store. Nothing is lost.
    pub fn recycle_step(&mut self) -> Result<Recycling, StoreError> {
        self.key()?;
        Ok(if self.log.recycle_step()? { Recycling::More } else { Recycling::Idle })
    }

    /// How many erases were made while something waited, because recycling had not been called in time.
    pub fn forced_erases(&self) -> u32 {
        self.log.forced_erases()
    }

    /// The flash under the store, for tests that make it fail.
    #[cfg(any(test, feature = "testing"))]
    pub const fn flash_mut(&mut self) -> &mut F {
        self.log.flash_mut()
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.log.into_flash()
    }

    fn mount(&mut self, random: &mut impl CryptoRng) -> Result<(), StoreError> {
        self.log.mount(random)?;
        self.mounted = true;
        while self.log.is_wiping() {
            self.log.wipe_step(true, random)?;
        }
        self.load()
    }

    /// Reads what is kept in memory.
    fn load(&mut self) -> Result<(), StoreError> {
        let mut label = [0; 19];
        let mut writer = Writer::new(&mut label);
        writer.put(b"keywright store");
        writer.put(&self.log.epoch().to_le_bytes());
        self.key = Some(SealingKey::derive(self.log.secret().expose(), &label));
        let mut buffer: ValueBuffer = [0; _];
        let mut plain = [0; 4];
        // A start jumps to the bound: the counters up to it may have been given out.
        self.sign_count_bound = match self.read(Key::SIGN_COUNT, 0, &mut buffer, &mut plain)? {
            Some(4) => u32::from_le_bytes(plain),
            Some(_) => return Err(StoreError::Corrupt),
            None => 0,
        };
        self.sign_count = self.sign_count_bound;
        self.index = Index::new();
        for slot in 0..N {
            let Some(value) = self.log.get(Key::slot(slot), &mut buffer)? else { continue };
            let (candidate, tags) = decode_hint(value).ok_or(StoreError::Corrupt)?;
            self.index.set(slot, candidate, tags);
        }
        Ok(())
    }

    fn key(&self) -> Result<&SealingKey, StoreError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.key.as_ref().ok_or(StoreError::Corrupt)
    }

    fn write_credential(
        &mut self,
        slot: usize,
        number: CreationNumber,
        credential: &Credential,
    ) -> Result<(), StoreError> {
        let tags = self.tags(credential)?;
        let candidate = Candidate { number, cred_protect: credential.cred_protect };
        let mut plain: ValueBuffer = [0; _];
        let length = credential.encode(&mut plain).ok_or(StoreError::TooLong)?;
        let hint = encode_hint(candidate, &tags);
        self.write(Key::slot(slot), &hint, plain.get(..length).unwrap_or_default())?;
        self.index.set(slot, candidate, tags);
        Ok(())
    }

    fn read_credential(&mut self, slot: usize) -> Result<Credential, StoreError> {
        let (mut buffer, mut plain): (ValueBuffer, ValueBuffer) = ([0; _], [0; _]);
        let length =
            self.read(Key::slot(slot), HINT, &mut buffer, &mut plain)?.ok_or(StoreError::NotFound)?;
        Credential::decode(plain.get(..length).unwrap_or_default()).ok_or(StoreError::Corrupt)
    }

    fn find_slot_by_user(
        &mut self,
        rp_id_hash: &[u8; 32],
        user_id: &[u8],
    ) -> Result<Option<usize>, StoreError> {
        let (rp, user) = (self.rp_tag(rp_id_hash)?, self.user_tag(rp_id_hash, user_id)?);
        for slot in 0..N {
            if self.index.get(slot).is_some_and(|(_, tags)| tags.rp == rp && tags.user == user) {
                let found = self.read_credential(slot)?;
                if found.rp_id_hash == *rp_id_hash && found.user.id == user_id {
                    return Ok(Some(slot));
                }
            }
        }
        Ok(None)
    }

    fn tags(&self, credential: &Credential) -> Result<Tags, StoreError> {
        let rp_id_hash = &credential.rp_id_hash;
        Ok(Tags {
            rp: self.rp_tag(rp_id_hash)?,
            user: self.user_tag(rp_id_hash, &credential.user.id)?,
            id: self.id_tag(rp_id_hash, &credential.id)?,
        })
    }

    fn rp_tag(&self, rp_id_hash: &[u8; 32]) -> Result<[u8; 6], StoreError> {
        self.tag(&[b"rp", rp_id_hash])
    }

    fn user_tag(&self, rp_id_hash: &[u8; 32], user_id: &[u8]) -> Result<[u8; 2], StoreError> {
        self.tag(&[b"user", rp_id_hash, user_id])
    }

    fn id_tag(&self, rp_id_hash: &[u8; 32], id: &[u8]) -> Result<[u8; 2], StoreError> {
        self.tag(&[b"id", rp_id_hash, id])
    }

    fn tag<const LENGTH: usize>(&self, parts: &[&[u8]]) -> Result<[u8; LENGTH], StoreError> {
        let hash = self.key()?.fingerprint(parts);
        Ok(hash.first_chunk().copied().unwrap_or([0; LENGTH]))
    }

    /// Seals a value under the key of its record and writes it. `hint` is stored before it, readable but bound.
    fn write(&mut self, record: Key, hint: &[u8], plain: &[u8]) -> Result<(), StoreError> {
        let key = self.key()?;
        let mut value: ValueBuffer = [0; _];
        let (number, epoch) = (record.number().to_le_bytes(), self.log.epoch().to_le_bytes());
        let context: [&[u8]; 3] = [&number, &epoch, hint];
        let (before, sealed) = value.split_at_mut_checked(hint.len()).ok_or(StoreError::TooLong)?;
        before.copy_from_slice(hint);
        let iv = key.synthetic_iv(&context, plain);
        let length = key.seal(&context, iv, plain, sealed).map_err(|_| StoreError::TooLong)?;
        self.log.put(record, value.get(..hint.len() + length).unwrap_or_default())
    }

    /// Reads a value and unseals it; `None` if there is no record.
    fn read(
        &mut self,
        record: Key,
        hint_length: usize,
        buffer: &mut ValueBuffer,
        plain: &mut [u8],
    ) -> Result<Option<usize>, StoreError> {
        let Some(value) = self.log.get(record, buffer)? else { return Ok(None) };
        let (hint, sealed) = value.split_at_checked(hint_length).ok_or(StoreError::Corrupt)?;
        let (number, epoch) = (record.number().to_le_bytes(), self.log.epoch().to_le_bytes());
        let key = self.key.as_ref().ok_or(StoreError::Corrupt)?;
        let verified = key.verify(&[&number, &epoch, hint], sealed).map_err(|_| StoreError::Corrupt)?;
        verified.open(plain).map(Some).map_err(|_| StoreError::Corrupt)
    }
}

/// What stands before a sealed credential, so that the index is made without unsealing: number, level and tags.
fn encode_hint(candidate: Candidate, tags: &Tags) -> [u8; HINT] {
    let mut hint = [0; HINT];
    let mut writer = Writer::new(&mut hint);
    writer.put(&index::pack(candidate).to_le_bytes());
    writer.put(&tags.rp);
    writer.put(&tags.user);
    writer.put(&tags.id);
    hint
}

fn decode_hint(value: &[u8]) -> Option<(Candidate, Tags)> {
    let mut reader = Reader(value);
    let candidate = index::unpack(u32::from_le_bytes(reader.take()?));
    let tags = Tags { rp: reader.take()?, user: reader.take()?, id: reader.take()? };
    (candidate.number.0 != 0).then_some((candidate, tags))
}

/// The length of what stands before a sealed credential.
const HINT: usize = 14;
const SIGN_COUNTS_A_WRITE: u32 = 64;

#[cfg(test)]
mod tests;
