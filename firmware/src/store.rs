//! What the key keeps: one page of flash that is written anew at every change. For now without power-fail safety.

use embedded_storage::nor_flash::NorFlash;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::crypto::Secret;

/// The bytes of a credential id.
pub type CredentialId = heapless::Vec<u8, 128>;

/// The secret that everything else is derived from.
pub type DeviceSecret = Secret<32>;

/// Why the store did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// There is no room.
    Full,
    /// The flash could not be read or written.
    Flash,
}

/// What is kept of a PIN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinRecord {
    /// HMAC of LEFT(SHA-256(PIN), 16) under a key derived from the device secret.
    pub verifier: Secret<32>,
    /// How often the PIN may still be wrong: 8 at most, blocked at 0.
    pub retries: u8,
    /// How often it was wrong in a row since power-up.
    pub consecutive_mismatches: u8,
    /// The length of the PIN in Unicode code points.
    pub length_code_points: u8,
}

/// The store.
pub struct Store<F> {
    flash: F,
    secret: DeviceSecret,
    pin: Option<PinRecord>,
    sign_count: u32,
}

/// A view of the store through which nothing can be written.
pub struct Reading<'a, F> {
    store: &'a mut Store<F>,
}

impl<F: NorFlash> Store<F> {
    /// Opens the store; empty flash gets a new device secret.
    ///
    /// # Errors
    /// [`StoreError::Flash`].
    pub fn open(mut flash: F, random: &mut impl CryptoRng) -> Result<Self, StoreError> {
        let mut page = Zeroizing::new([0; PAGE]);
        flash.read(0, &mut *page).map_err(|_| StoreError::Flash)?;
        let [MAGIC, secret @ ..] = &*page else {
            let mut store = Self { flash, secret: Secret::random(random), pin: None, sign_count: 0 };
            store.write(None)?;
            return Ok(store);
        };
        let (secret, pin) = secret.split_first_chunk::<32>().ok_or(StoreError::Flash)?;
        let secret = Secret::new(*secret);
        Ok(Self { flash, secret, pin: PinRecord::decode(pin), sign_count: 0 })
    }

    /// The device secret.
    pub const fn secret(&self) -> &DeviceSecret {
        &self.secret
    }

    /// A view that can only read.
    pub const fn reading(&mut self) -> Reading<'_, F> {
        Reading { store: self }
    }

    /// Writes the PIN's record in place of any other.
    ///
    /// # Errors
    /// [`StoreError::Flash`].
    pub fn set_pin(&mut self, record: &PinRecord) -> Result<(), StoreError> {
        self.write(Some(record))?;
        self.pin = Some(record.clone());
        Ok(())
    }

    /// The next signature counter; only rises.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the counter is at its end.
    pub fn next_sign_count(&mut self) -> Result<u32, StoreError> {
        self.sign_count = self.sign_count.checked_add(1).ok_or(StoreError::Full)?;
        Ok(self.sign_count)
    }

    fn write(&mut self, pin: Option<&PinRecord>) -> Result<(), StoreError> {
        let mut page = Zeroizing::new([0xff; PAGE]);
        let pin = pin.into_iter().flat_map(PinRecord::encode);
        let content = [MAGIC].into_iter().chain(*self.secret.expose()).chain(pin);
        page.iter_mut().zip(content).for_each(|(to, from)| *to = from);
        let erase = u32::try_from(F::ERASE_SIZE).map_err(|_| StoreError::Flash)?;
        self.flash.erase(0, erase).map_err(|_| StoreError::Flash)?;
        self.flash.write(0, &*page).map_err(|_| StoreError::Flash)
    }
}

impl<F: NorFlash> Reading<'_, F> {
    /// The PIN's record; `None` if no PIN is set.
    ///
    /// # Errors
    /// [`StoreError::Flash`].
    pub fn pin(&mut self) -> Result<Option<PinRecord>, StoreError> {
        Ok(self.store.pin.clone())
    }
}

impl PinRecord {
    fn encode(&self) -> impl Iterator<Item = u8> {
        let rest = [self.retries, self.consecutive_mismatches, self.length_code_points];
        rest.into_iter().chain(*self.verifier.expose())
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[retries, consecutive_mismatches, length_code_points], rest) = bytes.split_first_chunk()?;
        let verifier = Secret::new(*rest.first_chunk()?);
        let record = Self { verifier, retries, consecutive_mismatches, length_code_points };
        (retries != 0xff).then_some(record)
    }
}

const MAGIC: u8 = 0x4b;
/// Magic, secret and PIN, in whole units of any flash.
const PAGE: usize = 256;
