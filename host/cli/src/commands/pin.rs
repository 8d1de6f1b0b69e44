//! `keywright pin set`, `change` and `retries`.

use std::fmt;

use keywright_host::ClientError;
use keywright_host::ctap2::Client;
use serde::Serialize;

use super::Done;
use crate::args::{Device, NewPin, Pin, PinSource};
use crate::failure::{Failure, Kind};
use crate::key::{Key, Way};
use crate::output::Output;
use crate::pin::Source;
use crate::user::User;

/// Runs one of the three.
///
/// # Errors
/// What the key, or the user, refused.
pub(crate) fn run(command: Pin, output: &Output) -> Result<(), Failure> {
    match command {
        Pin::Set { device, new } => set(&device, new, output),
        Pin::Change { device, pin, new } => change(&device, pin, new, output),
        Pin::Retries(device) => retries(&device, output),
    }
}

fn set(device: &Device, new: NewPin, output: &Output) -> Result<(), Failure> {
    let mut user = User::without_pin();
    let mut key = Key::find(device, &mut user)?;
    let client = key.ctap2()?;
    if has_pin(client)? {
        return Err(Failure::new(
            Kind::State,
            "the key has a PIN already: change it with `keywright pin change`",
        ));
    }
    let pin = user.new_pin(&new.into(), &prompt(client))?;
    let result = client.set_pin(&pin);
    user.outcome(result)?;
    output.answer(&Done { device: key.device, done: "pin_set", words: "The PIN is set.".to_owned() })
}

fn change(device: &Device, pin: PinSource, new: NewPin, output: &Output) -> Result<(), Failure> {
    let mut user = User::new(pin);
    let mut key = Key::find(device, &mut user)?;
    let client = key.ctap2()?;
    if !has_pin(client)? {
        return Err(ClientError::PinNotSet.into());
    }
    let current = user.current_pin()?;
    let pin = user.new_pin(&Source::from(new), &prompt(client))?;
    let result = client.change_pin(&current, &pin);
    user.outcome(result)?;
    output.answer(&Done { device: key.device, done: "pin_changed", words: "The PIN is changed.".to_owned() })
}

fn retries(device: &Device, output: &Output) -> Result<(), Failure> {
    let mut key = Key::find(device, &mut User::without_pin())?;
    let client = key.ctap2()?;
    let pin_set = has_pin(client)?;
    let retries = client.pin_retries()?;
    output.answer(&Retries {
        device: key.device,
        pin_set,
        retries: retries.retries,
        power_cycle_needed: retries.power_cycle_needed,
    })
}

/// Whether a PIN is set.
fn has_pin(client: &Client<Way>) -> Result<bool, Failure> {
    client.info().options.get("clientPin").copied().ok_or_else(|| ClientError::Unsupported("PINs").into())
}

fn prompt(client: &Client<Way>) -> String {
    format!("New PIN, at least {} characters: ", client.info().min_pin_length)
}

#[derive(Serialize)]
struct Retries {
    device: String,
    pin_set: bool,
    retries: u8,
    power_cycle_needed: Option<bool>,
}

impl fmt::Display for Retries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.pin_set, self.retries) {
            (false, _) => f.write_str("The key has no PIN."),
            (true, 0) => f.write_str(
                "The PIN is blocked for good: the key must be reset, which deletes every credential on it.",
            ),
            (true, 1) => f.write_str("The key takes 1 more wrong PIN; then the PIN is blocked for good."),
            (true, retries) => {
                write!(f, "The key takes {retries} more wrong PINs; then the PIN is blocked for good.")
            }
        }?;
        if self.power_cycle_needed == Some(true) {
            f.write_str("\nIt takes none at all until it is plugged in again.")?;
        }
        Ok(())
    }
}
