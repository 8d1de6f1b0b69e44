//! An authenticator app, at any IAM: a virtual MFA device is created, its secret kept, and two codes in a row of that enable it.
//!
//! AWS says that the second code has to be waited for. It need not be: the codes of the step before and of this one are two in a row, and
//! both are known at once.
//!
//! Each step is undone if a later one fails. A request that is not answered may have been carried out, and then it is looked up what is there.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use keywright_totp::{Account, Parameters, Store};
use zeroize::Zeroizing;

use super::Enrolled;
use crate::args::aws::Enrol;
use crate::aws::{Answer, ApiError, Aws, Service};
use crate::commands::iam::identity::{Identity, devices_of, kept_name};
use crate::commands::totp::{now, place};
use crate::failure::{Failure, Kind};
use crate::interrupt::Interrupt;
use crate::output::Output;

/// Enrols an app.
///
/// # Errors
/// As [`super::run`].
pub(super) fn enrol(arguments: &Enrol) -> Result<Enrolled, Failure> {
    let mut interrupt = Interrupt::default();
    let aws = Aws::of(&arguments.account)?;
    let identity = Identity::ask(&aws)?;
    let user = arguments.user.clone().map_or_else(|| identity.user().map(str::to_owned), Ok)?;
    let serial = identity.serial(&arguments.name)?;
    let name = arguments.keep_as.clone().or_else(|| kept_name(&serial));
    let name = name.ok_or_else(|| Failure::usage("a device has a name: give one"))?;
    // Before anything is done that would have to be undone.
    let store = place::open(&arguments.place, place::Purpose::Keep, &mut interrupt)?;
    if store.accounts()?.iter().any(|account| account.name() == name) {
        return Err(Failure::usage(format!(
            "{} has an account {name} already: keep this one under another name with --keep-as, or remove that one with \
             `keywright totp remove`",
            store.place()
        )));
    }
    interrupt.watch();
    Enrolment { aws, store, user, serial, device: arguments.name.clone(), name, interrupt }.run()
}

struct Enrolment {
    aws: Aws,
    store: Store,
    user: String,
    serial: String,
    /// The device's name.
    device: String,
    /// The name of its secret here.
    name: String,
    interrupt: Interrupt,
}

impl Enrolment {
    fn run(&self) -> Result<Enrolled, Failure> {
        if self.is_unassigned()? {
            return Err(Failure::usage(format!(
                "there is a virtual MFA device {} already, which nobody uses: take another name, or delete it with \
                 `keywright iam devices remove {}`",
                self.serial, self.serial
            )));
        }
        let account = self.create()?;
        self.heed().map_err(|failure| self.undo(failure, false))?;
        self.store.add(&account).map_err(|error| self.undo(error.into(), false))?;
        self.heed().map_err(|failure| self.undo(failure, true))?;
        self.enable(&account)?;
        Ok(Enrolled {
            serial: self.serial.clone(),
            user: self.user.clone(),
            kind: "authenticator_app",
            kept_as: Some(self.name.clone()),
            kept_in: Some(self.store.place()),
            done: "enrolled",
        })
    }

    /// Creates the device; its secret.
    fn create(&self) -> Result<Account, Failure> {
        match self.call("CreateVirtualMFADevice", &[("VirtualMFADeviceName", &self.device)]) {
            Ok(answer) => self.account(&answer).map_err(|failure| self.undo(failure, false)),
            Err(error @ ApiError::Refused { .. }) => Err(error.into()),
            // There was none of that serial number before. Whoever else made it meanwhile would have lost nothing: it is not in use.
            Err(error) => match self.is_unassigned() {
                Ok(true) => Err(self.undo(error.into(), false)),
                Ok(false) => Err(clean(error.into())),
                Err(_) => Err(self.unsure(error.into(), "may have been created", false)),
            },
        }
    }

    fn account(&self, answer: &Answer) -> Result<Account, Failure> {
        if answer.text("SerialNumber").as_deref() != Some(&self.serial) {
            return Err(Failure::new(
                Kind::Other,
                "the endpoint created a device with another serial number than asked for",
            ));
        }
        let failed = || Failure::new(Kind::Other, "the endpoint gave a secret that is none");
        // The API's blobs are base64, and this one is the text of a base32 secret.
        let blob = BASE64_STANDARD.decode(answer.required("Base32StringSeed")?.as_bytes());
        let blob = Zeroizing::new(blob.map_err(|_| failed())?);
        let seed = std::str::from_utf8(&blob).map_err(|_| failed())?;
        Account::from_base32(&self.name, seed, Parameters::default()).map_err(|error| match error {
            keywright_totp::Error::Name => error.into(),
            _ => failed(),
        })
    }

    /// Takes the device into use; whoever reads no answer looks whether it is.
    fn enable(&self, account: &Account) -> Result<(), Failure> {
        let now = now().map_err(|failure| self.undo(failure, true))?;
        let step = u64::from(account.parameters().period);
        let [first, second] = [now.saturating_sub(step), now].map(|time| account.code(time).text);
        let members = [
            ("UserName", self.user.as_str()),
            ("SerialNumber", &self.serial),
            ("AuthenticationCode1", &first),
            ("AuthenticationCode2", &second),
        ];
        match self.call("EnableMFADevice", &members) {
            Ok(_) => Ok(()),
            Err(error @ ApiError::Refused { .. }) => Err(self.undo(error.into(), true)),
            Err(error) => match self.is_enabled() {
                Ok(true) => {
                    Output::note(format_args!("{}; it was done all the same.", Failure::from(error)));
                    Ok(())
                }
                Ok(false) => Err(self.undo(error.into(), true)),
                // Without the secret nobody could sign in with a device that is in use: it stays.
                Err(_) => Err(self.unsure(error.into(), "may be in use", true)),
            },
        }
    }

    fn call(&self, action: &'static str, members: &[(&str, &str)]) -> Result<Answer, ApiError> {
        self.aws.call(Service::Iam, action, members)
    }

    fn is_unassigned(&self) -> Result<bool, ApiError> {
        let members = [("AssignmentStatus", "Unassigned")];
        let devices = insist(|| self.aws.list("ListVirtualMFADevices", &members, "VirtualMFADevices"))?;
        Ok(devices.iter().any(|device| device.get("SerialNumber") == Some(&self.serial)))
    }

    fn is_enabled(&self) -> Result<bool, ApiError> {
        let devices = insist(|| devices_of(&self.aws, &self.user))?;
        Ok(devices.iter().any(|device| device.serial == self.serial))
    }

    fn heed(&self) -> Result<(), Failure> {
        if self.interrupt.is_asked() { Err(Failure::new(Kind::User, "cancelled")) } else { Ok(()) }
    }

    /// Deletes the device, and forgets the secret if it is kept; the failure, with what came of that.
    fn undo(&self, failure: Failure, is_kept: bool) -> Failure {
        let deleted =
            insist(|| match self.call("DeleteVirtualMFADevice", &[("SerialNumber", &self.serial)]) {
                Err(error) if error.is("NoSuchEntity") => Ok(()),
                result => result.map(drop),
            });
        if let Err(error) = deleted {
            let failure = failure.and(&Failure::from(error));
            return self.unsure(failure, "is left", is_kept);
        }
        match is_kept.then(|| self.store.remove(&self.name)) {
            Some(Err(error)) => failure.and(&Failure::from(error)).and(&format!(
                "the device was deleted, and its secret is left in {}: `keywright totp remove {}` removes it",
                self.store.place(),
                self.name
            )),
            _ => clean(failure),
        }
    }

    /// The failure, with what is left and how it is removed.
    fn unsure(&self, failure: Failure, how: &str, is_kept: bool) -> Failure {
        let serial = &self.serial;
        let device = format!(
            "the device {serial} {how}: `keywright iam devices remove {serial} --user {}` removes it",
            self.user
        );
        let failure = failure.and(&device);
        if !is_kept {
            return failure;
        }
        failure.and(&format!(
            "its secret is kept in {} as {name}, and `keywright totp remove {name}` removes that",
            self.store.place(),
            name = self.name
        ))
    }
}

/// Asks again for what may be asked for twice, where there was no answer.
fn insist<A>(ask: impl Fn() -> Result<A, ApiError>) -> Result<A, ApiError> {
    (1..TRIES)
        .find_map(|_| match ask() {
            Err(ApiError::Unknown { .. }) => None,
            result => Some(result),
        })
        .unwrap_or_else(ask)
}

fn clean(failure: Failure) -> Failure {
    failure.and(&"nothing was left behind")
}

const TRIES: u32 = 3;
