//! What a key offers, and what a scenario needs of it.

use keywright_host::ctap2::Info;
use keywright_host::ctaphid::DeviceInfo;

/// What a key says of itself.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    /// In its answer to INIT.
    pub device: DeviceInfo,
    /// In its answer to getInfo; `None` for a key that speaks U2F only.
    pub info: Option<Info>,
}

/// What a key must offer for a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// CTAP2.
    Ctap2,
    /// U2F.
    U2f,
    /// CTAPHID_WINK.
    Wink,
    /// A PIN, set or not: the option `clientPin`, whatever its value.
    ClientPin,
    /// An option that is on.
    Option(&'static str),
    /// An extension.
    Extension(&'static str),
    /// A version.
    Version(&'static str),
    /// An algorithm, by its COSE identifier and its name. Keys of CTAP 2.0 name none and have ES256.
    Algorithm(i64, &'static str),
    /// Credential management, or its preview.
    CredentialManagement,
}

impl Need {
    /// Why `offer` does not do; `None` if it does.
    pub fn lacking(self, offer: &Offer) -> Option<String> {
        let is_there = match (self, &offer.info) {
            (Self::U2f, info) => {
                // §7.2.4: a key that has switched U2F off says so in its versions, and may keep the capability.
                offer.device.has_msg() && info.as_ref().is_none_or(|info| info.has_version("U2F_V2"))
            }
            (Self::Wink, _) => offer.device.can_wink(),
            (_, None) => false,
            (Self::Ctap2, Some(_)) => true,
            (Self::ClientPin, Some(info)) => info.options.contains_key("clientPin"),
            (Self::Option(name), Some(info)) => info.option(name),
            (Self::Extension(name), Some(info)) => info.has_extension(name),
            (Self::Version(name), Some(info)) => info.has_version(name),
            (Self::Algorithm(wanted, _), Some(info)) => {
                let is_default = info.algorithms.is_empty() && wanted == ES256;
                is_default || info.algorithms.iter().any(|offered| offered.algorithm == wanted)
            }
            (Self::CredentialManagement, Some(info)) => {
                info.option("credMgmt") || info.option("credentialMgmtPreview")
            }
        };
        (!is_there).then(|| format!("the key does not offer {}", self.words()))
    }

    fn words(self) -> String {
        match self {
            Self::Ctap2 => "CTAP2".to_owned(),
            Self::U2f => "U2F".to_owned(),
            Self::Wink => "WINK".to_owned(),
            Self::ClientPin => "a PIN".to_owned(),
            Self::CredentialManagement => "credential management".to_owned(),
            Self::Option(name) => format!("the option {name}"),
            Self::Extension(name) => format!("the extension {name}"),
            Self::Version(name) => name.to_owned(),
            Self::Algorithm(_, name) => name.to_owned(),
        }
    }
}

const ES256: i64 = -7;

#[cfg(test)]
mod tests {
    use super::*;

    fn u2f_only() -> Offer {
        Offer { device: DeviceInfo { capabilities: 0x01, ..DeviceInfo::default() }, info: None }
    }

    #[test]
    fn a_key_of_u2f_offers_u2f_and_nothing_of_ctap2() {
        assert_eq!(Need::U2f.lacking(&u2f_only()), None);
        assert_eq!(Need::Wink.lacking(&u2f_only()), None);
        for need in [Need::Ctap2, Need::ClientPin, Need::CredentialManagement, Need::Algorithm(-7, "ES256")] {
            assert!(need.lacking(&u2f_only()).is_some(), "{need:?}");
        }
    }

    #[test]
    fn a_key_that_names_no_algorithm_has_es256_and_no_other() {
        let offer = Offer { info: Some(Info::default()), ..u2f_only() };
        assert_eq!(Need::Algorithm(-7, "ES256").lacking(&offer), None);
        assert_eq!(Need::Algorithm(-8, "EdDSA").lacking(&offer).unwrap(), "the key does not offer EdDSA");
    }

    #[test]
    fn u2f_that_is_switched_off_is_not_offered() {
        let offer = Offer { info: Some(Info::default()), ..u2f_only() };
        assert!(Need::U2f.lacking(&offer).is_some());
    }
}
