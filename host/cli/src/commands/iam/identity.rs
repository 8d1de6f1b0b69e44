//! Who asks, and the names that follow from it.

use crate::aws::{ApiError, Aws, Service};
use crate::failure::Failure;

/// Whose credentials ask.
pub(super) struct Identity {
    arn: String,
}

impl Identity {
    /// Asks STS, which everyone may.
    ///
    /// # Errors
    /// [`ApiError`].
    pub(super) fn ask(aws: &Aws) -> Result<Self, ApiError> {
        let arn = aws.call(Service::Sts, "GetCallerIdentity", &[])?.required("Arn")?;
        Ok(Self { arn: arn.to_string() })
    }

    /// The name of the user, if it is one.
    ///
    /// # Errors
    /// For the root user and roles.
    pub(super) fn user(&self) -> Result<&str, Failure> {
        let name = self.arn.split(':').nth(5).and_then(|resource| resource.strip_prefix("user/"));
        let name = name.and_then(|path| path.rsplit('/').next()).filter(|name| !name.is_empty());
        name.ok_or_else(|| {
            Failure::usage(format!("{} is no user: say whose device it is with --user", self.arn))
        })
    }

    /// The serial number of a virtual device of this account.
    ///
    /// # Errors
    /// If STS gave no ARN.
    pub(super) fn serial(&self, device: &str) -> Result<String, Failure> {
        let parts: Vec<_> = self.arn.split(':').collect();
        match parts.as_slice() {
            ["arn", partition, _, _, account, ..] => {
                Ok(format!("arn:{partition}:iam::{account}:mfa/{device}"))
            }
            _ => {
                Err(Failure::usage(format!("the endpoint says that you are {:?}, which is no ARN", self.arn)))
            }
        }
    }
}

/// The user who was named, or who asks.
///
/// # Errors
/// If nobody was named and no user asks.
pub(super) fn user(aws: &Aws, named: Option<&str>) -> Result<String, Failure> {
    match named {
        Some(name) => Ok(name.to_owned()),
        None => Identity::ask(aws)?.user().map(str::to_owned),
    }
}

/// The name that AWS's own QR code gives the account of a virtual device, DEVICE@ACCOUNT: under it the secret is kept here.
pub(super) fn kept_name(serial: &str) -> Option<String> {
    let mut parts = serial.splitn(6, ':');
    let (account, resource) = (parts.nth(4)?, parts.next()?);
    let (_, device) =
        resource.strip_prefix("mfa/").map(|path| path.rsplit_once('/').unwrap_or(("", path)))?;
    (!device.is_empty() && !account.is_empty()).then(|| format!("{device}@{account}"))
}

/// The user's devices, as the API has them.
///
/// # Errors
/// [`ApiError`].
pub(super) fn devices_of(aws: &Aws, user: &str) -> Result<Vec<Device>, ApiError> {
    let found = aws.list("ListMFADevices", &[("UserName", user)], "MFADevices")?;
    let device = |mut members: crate::aws::Members| Device {
        serial: members.remove("SerialNumber").unwrap_or_default(),
        enabled_at: members.remove("EnableDate").unwrap_or_default(),
    };
    Ok(found.into_iter().map(device).collect())
}

/// An MFA device that is in use.
pub(super) struct Device {
    pub(super) serial: String,
    pub(super) enabled_at: String,
}

impl Device {
    /// What it is, as its serial number tells.
    pub(super) fn kind(&self) -> &'static str {
        match self.serial.split(':').nth(5) {
            Some(resource) if resource.starts_with("mfa/") => "authenticator_app",
            Some(resource) if resource.starts_with("u2f/") => "security_key",
            _ => "hardware_token",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_kept_under_the_name_that_awss_qr_code_has() {
        for (serial, name) in [
            ("arn:aws:iam::123456789012:mfa/phone", Some("phone@123456789012")),
            ("arn:aws:iam::123456789012:mfa/team/blue/phone", Some("phone@123456789012")),
            ("arn:aws-cn:iam::123456789012:mfa/a=b", Some("a=b@123456789012")),
            ("arn:aws:iam::123456789012:u2f/user/ann/key-ABC", None),
            ("arn:aws:iam::123456789012:mfa/", None),
            ("GAKT12345678", None),
            ("", None),
        ] {
            assert_eq!(kept_name(serial).as_deref(), name, "{serial}");
        }
    }

    #[test]
    fn a_user_is_known_by_the_end_of_the_arn() {
        let who = |arn: &str| Identity { arn: arn.to_owned() };
        assert_eq!(who("arn:aws:iam::123456789012:user/team/ann").user().unwrap(), "ann");
        for arn in ["arn:aws:iam::123456789012:root", "arn:aws:sts::123456789012:assumed-role/r/s", "", "ann"]
        {
            assert!(who(arn).user().is_err(), "{arn}");
        }
        let serial = who("arn:aws-us-gov:iam::123456789012:user/ann").serial("phone").unwrap();
        assert_eq!(serial, "arn:aws-us-gov:iam::123456789012:mfa/phone");
        assert!(who("nonsense").serial("phone").is_err());
    }
}
