//! `keywright iam devices`.

mod report;

use std::fmt;

use serde::Serialize;

use super::identity::{self, Device, devices_of};
use super::proof::kept;
use crate::args;
use crate::args::aws::Devices;
use crate::args::totp::Place;
use crate::aws::{Aws, Service};
use crate::commands::totp::now;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{Foreign, Output};
use crate::user::{check_confirmable, confirm};

/// Hands a command to its function.
///
/// # Errors
/// Whatever kept it from being done.
pub(super) fn run(command: Devices, output: &Output) -> Result<(), Failure> {
    match command {
        Devices::List { user, account } => list(user.as_deref(), &account, output),
        Devices::Remove { serial, user, yes, account } => {
            remove(serial, user.as_deref(), yes, &account, output)
        }
        Devices::Resync { serial, user, totp, account, place } => {
            resync(serial, user.as_deref(), totp.as_deref(), &account, &place, output)
        }
        Devices::Report { csv, output: file, account } => report::run(csv, file.as_deref(), &account, output),
    }
}

fn list(user: Option<&str>, account: &args::aws::Account, output: &Output) -> Result<(), Failure> {
    let aws = Aws::of(account)?;
    let user = identity::user(&aws, user)?;
    let devices = devices_of(&aws, &user)?.into_iter().map(Shown::from).collect();
    output.answer(&List { user, devices })
}

/// Deactivates a device and deletes what is left of it; each may have been done before.
fn remove(
    serial: String,
    user: Option<&str>,
    yes: bool,
    account: &args::aws::Account,
    output: &Output,
) -> Result<(), Failure> {
    check_confirmable(yes)?;
    let aws = Aws::of(account)?;
    let user = identity::user(&aws, user)?;
    let question = format!("This removes the MFA device {} of {}. Go on?", Foreign(&serial), Foreign(&user));
    confirm(&question, yes)?;
    let members = [("UserName", user.as_str()), ("SerialNumber", &serial)];
    let deactivated = aws.call(Service::Iam, "DeactivateMFADevice", &members);
    let was_in_use = !deactivated.as_ref().is_err_and(|error| error.is("NoSuchEntity"));
    if was_in_use {
        deactivated?;
    }
    let is_virtual = identity::kept_name(&serial).is_some();
    if is_virtual {
        let deleted = aws.call(Service::Iam, "DeleteVirtualMFADevice", &[("SerialNumber", &serial)]);
        // AWS forgets some with their last use.
        let is_gone = was_in_use && deleted.as_ref().is_err_and(|error| error.is("NoSuchEntity"));
        deleted.map(drop).or_else(|error| if is_gone { Ok(()) } else { Err(error) }).map_err(|error| {
            let failure = Failure::from(error);
            if was_in_use {
                failure.and(&"it is deactivated, and left to be deleted: run this again")
            } else {
                failure
            }
        })?;
    } else if !was_in_use {
        return Err(Failure::usage(format!(
            "{user} has no MFA device {serial}: `keywright iam devices list` shows them"
        )));
    }
    output.answer(&Done { serial, user, done: "removed" })
}

/// Two codes that were not used yet: that of now, and the next.
fn resync(
    serial: String,
    user: Option<&str>,
    totp: Option<&str>,
    account: &args::aws::Account,
    place: &Place,
    output: &Output,
) -> Result<(), Failure> {
    let aws = Aws::of(account)?;
    let found = kept(&serial, totp, place, &mut Interrupt::default())?;
    let (secret, _) = found.ok_or_else(|| {
        Failure::usage(format!(
            "no secret of {serial} is kept here: name one with --totp, or add it with `keywright totp add`"
        ))
    })?;
    let user = identity::user(&aws, user)?;
    let now = now()?;
    let [first, second] =
        [now, now + u64::from(secret.parameters().period)].map(|time| secret.code(time).text);
    let members = [
        ("UserName", user.as_str()),
        ("SerialNumber", &serial),
        ("AuthenticationCode1", &first),
        ("AuthenticationCode2", &second),
    ];
    aws.call(Service::Iam, "ResyncMFADevice", &members)?;
    output.answer(&Done { serial, user, done: "resynced" })
}

/// A device of a user.
#[derive(Serialize)]
struct Shown {
    serial: String,
    #[serde(rename = "type")]
    kind: &'static str,
    enabled_at: String,
}

#[derive(Serialize)]
struct List {
    user: String,
    devices: Vec<Shown>,
}

#[derive(Serialize)]
struct Done {
    serial: String,
    user: String,
    done: &'static str,
}

impl From<Device> for Shown {
    fn from(device: Device) -> Self {
        Self { kind: device.kind(), serial: device.serial, enabled_at: device.enabled_at }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.devices.is_empty() {
            return write!(f, "{} has no MFA devices.", Foreign(&self.user));
        }
        self.devices.iter().try_for_each(|Shown { serial, kind, enabled_at }| {
            writeln!(f, "{}  {}  since {}", Foreign(serial), kind.replace('_', " "), Foreign(enabled_at))
        })
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: {}.", Foreign(&self.serial), Foreign(&self.user), self.done)?;
        match identity::kept_name(&self.serial).filter(|_| self.done == "removed") {
            Some(name) => write!(
                f,
                " If its secret is kept here, `keywright totp remove {}` removes that.",
                Foreign(&name)
            ),
            None => Ok(()),
        }
    }
}
