//! Where a service is.

use super::profile::{Profile, variable};
use super::{Failure, Service};

/// An address that is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) url: String,
    /// As the Host header has it.
    pub(super) host: String,
    pub(super) signed_region: String,
}

impl Endpoint {
    /// The option, the environment, the profile, or AWS itself.
    pub(super) fn of(
        service: Service,
        option: Option<&str>,
        profile: &Profile,
        region: Option<&str>,
    ) -> Result<Self, Failure> {
        let named = option.map(str::to_owned);
        let named =
            named.or_else(|| variable(&format!("AWS_ENDPOINT_URL_{}", service.name().to_uppercase())));
        let named =
            named.or_else(|| variable("AWS_ENDPOINT_URL")).or_else(|| profile.setting("endpoint_url"));
        match named {
            Some(url) => Self::at(&url, region.unwrap_or("us-east-1")),
            None => Ok(Self::aws(service, region)),
        }
    }

    /// An endpoint that was named. What is asked there holds secrets, and so does what is answered.
    fn at(url: &str, region: &str) -> Result<Self, Failure> {
        let failed = |why: &str| Failure::usage(format!("{url}: {why}"));
        let url_ = url.trim_end_matches('/');
        let (scheme, host) =
            url_.split_once("://").ok_or_else(|| failed("an endpoint is like https://host"))?;
        if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
            return Err(failed("an endpoint is a scheme and a host, and nothing after it"));
        }
        match scheme {
            "https" => {}
            "http" if is_loopback(host) => {}
            "http" => {
                return Err(failed("secrets would pass in the clear: https is needed beyond this machine"));
            }
            _ => return Err(failed("an endpoint begins with https://, or http:// on this machine")),
        }
        Ok(Self { url: format!("{url_}/"), host: host.to_owned(), signed_region: region.to_owned() })
    }

    pub(super) fn is_secure(&self) -> bool {
        self.url.starts_with("https://")
    }

    /// AWS's own: IAM is one for a whole partition.
    fn aws(service: Service, region: Option<&str>) -> Self {
        let (host, signed) = match (service, region) {
            (Service::Iam, Some(region)) if region.starts_with("cn-") => {
                ("iam.cn-north-1.amazonaws.com.cn".to_owned(), "cn-north-1")
            }
            (Service::Iam, Some(region)) if region.starts_with("us-gov-") => {
                ("iam.us-gov.amazonaws.com".to_owned(), "us-gov-west-1")
            }
            (Service::Iam, _) => ("iam.amazonaws.com".to_owned(), "us-east-1"),
            (Service::Sts, Some(region)) if region.starts_with("cn-") => {
                (format!("sts.{region}.amazonaws.com.cn"), region)
            }
            (Service::Sts, Some(region)) => (format!("sts.{region}.amazonaws.com"), region),
            (Service::Sts, None) => ("sts.amazonaws.com".to_owned(), "us-east-1"),
        };
        Self { url: format!("https://{host}/"), host, signed_region: signed.to_owned() }
    }
}

pub(super) fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn awss_own_endpoints_are_those_that_it_publishes() {
        for (service, region, host, signed) in [
            (Service::Iam, None, "iam.amazonaws.com", "us-east-1"),
            (Service::Iam, Some("eu-west-1"), "iam.amazonaws.com", "us-east-1"),
            (Service::Iam, Some("cn-northwest-1"), "iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            (Service::Iam, Some("us-gov-east-1"), "iam.us-gov.amazonaws.com", "us-gov-west-1"),
            (Service::Sts, None, "sts.amazonaws.com", "us-east-1"),
            (Service::Sts, Some("eu-west-1"), "sts.eu-west-1.amazonaws.com", "eu-west-1"),
            (Service::Sts, Some("cn-north-1"), "sts.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ] {
            let endpoint = Endpoint::aws(service, region);
            assert_eq!((endpoint.host.as_str(), endpoint.signed_region.as_str()), (host, signed));
            assert_eq!(endpoint.url, format!("https://{host}/"));
        }
    }

    #[test]
    fn secrets_pass_in_the_clear_on_this_machine_alone() {
        for url in ["http://127.0.0.1:1", "http://localhost:1/", "http://[::1]:1", "https://example.org"] {
            assert!(Endpoint::at(url, "us-east-1").is_ok(), "{url}");
        }
        for url in [
            "",
            "127.0.0.1:1",
            "http://example.org",
            "http://127.0.0.1.example.org",
            "http://localhost@example.org",
            "http://10.0.0.1",
            "ftp://localhost",
            "https://",
            "https://example.org/iam",
        ] {
            assert!(Endpoint::at(url, "us-east-1").is_err(), "{url}");
        }
    }
}
