//! What the key keeps. For now in memory: the secret is new at every start.

use embedded_storage::nor_flash::NorFlash;
use rand_core::CryptoRng;

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
}

/// The store.
pub struct Store<F> {
    _flash: F,
    secret: DeviceSecret,
    sign_count: u32,
}

/// A view of the store through which nothing can be written.
pub struct Reading<'a, F> {
    _store: &'a mut Store<F>,
}

impl<F: NorFlash> Store<F> {
    /// Opens the store.
    ///
    /// # Errors
    /// None yet.
    pub fn open(flash: F, random: &mut impl CryptoRng) -> Result<Self, StoreError> {
        Ok(Self { _flash: flash, secret: Secret::random(random), sign_count: 0 })
    }

    /// The device secret.
    pub const fn secret(&self) -> &DeviceSecret {
        &self.secret
    }

    /// A view that can only read.
    pub const fn reading(&mut self) -> Reading<'_, F> {
        Reading { _store: self }
    }

    /// The next signature counter; only rises.
    ///
    /// # Errors
    /// [`StoreError::Full`] when the counter is at its end.
    pub fn next_sign_count(&mut self) -> Result<u32, StoreError> {
        self.sign_count = self.sign_count.checked_add(1).ok_or(StoreError::Full)?;
        Ok(self.sign_count)
    }
}
