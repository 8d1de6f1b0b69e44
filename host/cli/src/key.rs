//! Finding a key and opening it.

use keywright_host::ClientError;
use keywright_host::choose;
use keywright_host::ctap2::Client;
use keywright_host::ctaphid::Channel;
use keywright_host::transport::{self, DeviceAddress, DeviceDescription, Transport};
use keywright_host::webauthn::Authenticator;

use crate::args::Device;
use crate::failure::{Failure, Kind};
use crate::output::{Foreign, Output};
use crate::user::User;

/// What every key is reached through.
pub(crate) type Way = Box<dyn Transport>;

/// A key that is open.
pub(crate) struct Key {
    /// Where it is, as `--device` takes it.
    pub(crate) device: String,
    /// What it calls itself, if it was found and not named.
    pub(crate) product: Option<String>,
    /// What is spoken to it.
    pub(crate) authenticator: Authenticator<Way>,
}

impl Key {
    /// The key that was named; else the only one plugged in, or the one of several that the user touches.
    ///
    /// # Errors
    /// [`Kind::Device`] if there is none.
    pub(crate) fn find(device: &Device, user: &mut User) -> Result<Self, Failure> {
        match &device.device {
            Some(address) => Self::open(address, None),
            None => Self::among(found()?, user),
        }
    }

    /// The key at an address.
    ///
    /// # Errors
    /// [`Kind::Device`] if nothing there is a key.
    pub(crate) fn open(address: &DeviceAddress, product: Option<String>) -> Result<Self, Failure> {
        let channel = Channel::open(transport::open(address)?)?;
        Ok(Self { device: address.to_string(), product, authenticator: Authenticator::over(channel)? })
    }

    /// The only key of a list, or the one that the user touches. Keys that cannot be opened are told and left out.
    ///
    /// # Errors
    /// [`Kind::Device`] if none can be opened.
    pub(crate) fn among(found: Vec<DeviceDescription>, user: &mut User) -> Result<Self, Failure> {
        touched(open_all(found)?, user)
    }

    /// The CTAP2 client.
    ///
    /// # Errors
    /// [`Kind::Unsupported`] if the key speaks U2F only.
    pub(crate) fn ctap2(&mut self) -> Result<&mut Client<Way>, Failure> {
        match &mut self.authenticator {
            Authenticator::Ctap2(client) => Ok(client),
            Authenticator::U2f(_) => Err(Failure::new(
                Kind::Unsupported,
                "this key speaks U2F only, which has no PIN, no list of credentials and no reset: use another key",
            )),
        }
    }
}

/// Every key that the system shows.
///
/// # Errors
/// [`Kind::Device`] if there is none, or they cannot be listed.
pub(crate) fn found() -> Result<Vec<DeviceDescription>, Failure> {
    let found = transport::list()?;
    if found.is_empty() {
        return Err(Failure::new(
            Kind::Device,
            "no key was found: plug one in, or say with --device where one is",
        ));
    }
    Ok(found)
}

/// Opens keys. Those that cannot be are told and left out.
///
/// # Errors
/// What the last one said, if none can be opened.
pub(crate) fn open_all(found: Vec<DeviceDescription>) -> Result<Vec<Key>, Failure> {
    let mut keys = Vec::new();
    let mut last = ClientError::NoKey.into();
    let is_one = found.len() == 1;
    for description in found {
        let product = Some(description.product).filter(|product| !product.is_empty());
        match Key::open(&description.address, product) {
            Ok(key) => keys.push(key),
            Err(failure) => {
                if !is_one {
                    Output::note(format_args!(
                        "{} is left out: {failure}",
                        Foreign(&description.address.to_string())
                    ));
                }
                last = failure;
            }
        }
    }
    if keys.is_empty() { Err(last) } else { Ok(keys) }
}

/// The one of several keys that the user touches; one alone is not asked.
///
/// # Errors
/// [`Kind::User`] if the user cancels.
pub(crate) fn touched(keys: Vec<Key>, user: &mut User) -> Result<Key, Failure> {
    if keys.len() > 1 {
        user.touch_words("There are several keys: touch the one that is meant.");
    }
    let (names, mut authenticators): (Vec<_>, Vec<_>) =
        keys.into_iter().map(|key| ((key.device, key.product), key.authenticator)).unzip();
    let chosen = choose::choose(&mut authenticators, user);
    user.touch_words("Touch the key.");
    let chosen = user.outcome(chosen)?;
    let key = names.into_iter().zip(authenticators).nth(chosen);
    key.map(|((device, product), authenticator)| Key { device, product, authenticator })
        .ok_or_else(|| ClientError::NoKey.into())
}
