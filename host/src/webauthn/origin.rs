//! Origins, and which RP IDs they may speak for.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

/// Where a ceremony takes place: `https://` and a host, or `http://localhost`, each with an optional port.
///
/// ```
/// use keywright_host::webauthn::Origin;
///
/// let origin: Origin = "https://login.example.org".parse()?;
/// assert_eq!(origin.rp_id(None)?, "login.example.org");
/// assert_eq!(origin.rp_id(Some("example.org"))?, "example.org");
/// assert!(origin.rp_id(Some("org")).is_err());
/// assert!("http://example.org".parse::<Origin>().is_err());
/// # Ok::<(), keywright_host::webauthn::OriginError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    text: String,
    host: String,
}

/// Why an origin cannot ask for a credential.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// No origin: a scheme, a host and perhaps a port, nothing else.
    #[error(
        "`{0}` is no origin: write it as https://example.org or https://example.org:8443, without a path"
    )]
    Malformed(String),
    /// Not protected on its way.
    #[error("`{0}` is not protected: keys work with https, and with http on localhost alone")]
    Insecure(String),
    /// The host is an IP address.
    #[error("`{0}` names an IP address: keys work with names only, such as localhost")]
    Address(String),
    /// The RP ID belongs to somebody else, or to too many.
    #[error(
        "{origin} may not use the RP ID `{rp_id}`: it must be the host itself, or a domain above it that is registered"
    )]
    Foreign {
        /// The origin.
        origin: String,
        /// The RP ID.
        rp_id: String,
    },
}

impl Origin {
    /// The origin as client data carries it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The RP ID to use: `wanted` if the origin may use it (HTML's "is a registrable domain suffix of or is equal to"), the
    /// host if nothing is wanted.
    ///
    /// # Errors
    /// [`OriginError::Foreign`].
    pub fn rp_id(&self, wanted: Option<&str>) -> Result<String, OriginError> {
        let Some(wanted) = wanted else { return Ok(self.host.clone()) };
        let is_above = self.host.strip_suffix(wanted).is_some_and(|labels| labels.ends_with('.'));
        // Whoever owns a domain below a public suffix does not speak for the suffix, which is everybody's.
        if self.host == wanted || (is_above && psl::domain_str(wanted).is_some()) {
            return Ok(wanted.to_owned());
        }
        Err(OriginError::Foreign { origin: self.text.clone(), rp_id: wanted.to_owned() })
    }

    /// Whether a U2F AppID is of the same site. A browser would also ask the AppID for its facets; this does not.
    pub(crate) fn may_use_app_id(&self, app_id: &str) -> bool {
        let Ok(url) = Url::parse(app_id) else { return false };
        let (Some(site), Some(Host::Domain(host))) = (psl::domain_str(&self.host), url.host()) else {
            return false;
        };
        url.scheme() == "https" && psl::domain_str(host) == Some(site)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let malformed = || OriginError::Malformed(text.to_owned());
        let url = Url::parse(text).map_err(|_| malformed())?;
        // Comparing with what was written keeps out paths, users, capitals and default ports: those are not origins.
        if url.origin().ascii_serialization() != text {
            return Err(malformed());
        }
        let host = match url.host() {
            Some(Host::Domain(host)) => host.to_owned(),
            Some(_) => return Err(OriginError::Address(text.to_owned())),
            None => return Err(malformed()),
        };
        let is_local = host == "localhost" || host.ends_with(".localhost");
        if url.scheme() == "https" || (url.scheme() == "http" && is_local) {
            return Ok(Self { text: text.to_owned(), host });
        }
        Err(OriginError::Insecure(text.to_owned()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<OriginError> for crate::ClientError {
    fn from(error: OriginError) -> Self {
        Self::Request(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse().unwrap()
    }

    #[test]
    fn the_host_and_what_is_registered_above_it_may_be_used() {
        let deep = origin("https://a.b.example.co.uk:8443");
        for rp_id in ["a.b.example.co.uk", "b.example.co.uk", "example.co.uk"] {
            assert_eq!(deep.rp_id(Some(rp_id)).unwrap(), rp_id);
        }
        assert_eq!(origin("http://localhost:8080").rp_id(Some("localhost")).unwrap(), "localhost");
        assert_eq!(origin("https://ada.github.io").rp_id(None).unwrap(), "ada.github.io");
    }

    #[test]
    fn public_suffixes_and_foreign_domains_may_not_be_used() {
        for (from, rp_id) in [
            ("https://a.example.co.uk", "co.uk"),
            ("https://a.example.co.uk", "uk"),
            ("https://ada.github.io", "github.io"),
            ("https://example.org", "example.com"),
            ("https://example.org", "a.example.org"),
            ("https://notexample.org", "example.org"),
            ("https://example.org", ""),
            ("https://example.org", ".org"),
            ("https://a.example.org", ".example.org"),
            ("https://example.org", "EXAMPLE.org"),
            ("http://a.localhost", "localhost"),
            ("https://example.org", "https://example.org"),
        ] {
            let result = origin(from).rp_id(Some(rp_id));
            assert!(matches!(result, Err(OriginError::Foreign { .. })), "{from} {rp_id}");
        }
    }

    #[test]
    fn what_is_no_protected_origin_is_refused_by_its_rule() {
        let error = |text: &str| text.parse::<Origin>().unwrap_err();
        for text in [
            "example.org",
            "https://example.org/",
            "https://example.org/path",
            "https://user@example.org",
            "https://EXAMPLE.org",
            "https://example.org:443",
            "https://",
            "null",
            "",
            "file:///etc",
        ] {
            assert!(matches!(error(text), OriginError::Malformed(_)), "{text}");
        }
        for text in ["http://example.org", "http://localhost.example.org", "ftp://example.org"] {
            assert!(matches!(error(text), OriginError::Insecure(_)), "{text}");
        }
        for text in ["https://127.0.0.1", "http://[::1]:8080"] {
            assert!(matches!(error(text), OriginError::Address(_)), "{text}");
        }
    }

    #[test]
    fn an_app_id_of_another_site_may_not_be_used() {
        let console = origin("https://console.example.org");
        assert!(console.may_use_app_id("https://example.org/app-id.json"));
        assert!(console.may_use_app_id("https://login.example.org"));
        for foreign in
            ["https://example.com", "http://example.org", "https://org", "nonsense", "https://1.2.3.4"]
        {
            assert!(!console.may_use_app_id(foreign), "{foreign}");
        }
    }
}
