//! Where the console is, as browsers write it: `http://localhost:PORT`, or `https://` and a name behind TLS.

use std::{fmt, net::SocketAddr, ops::Deref};

use url::{Host, Url};

use crate::error::Error;

/// The console's origin: WebAuthn's, and the only one that may post. A text without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    text: String,
    rp_id: String,
    port: u16,
}

impl Origin {
    /// The origin on this machine alone. Port 80, or 443, is not written.
    pub(crate) fn local(is_secure: bool, address: SocketAddr) -> Result<Self, Error> {
        let scheme = if is_secure { "https" } else { "http" };
        Self::parse(&format!("{scheme}://localhost:{}", address.port()))
    }

    /// The origin under which other machines know the console. An RP ID cannot be an IP address, and credentials are
    /// for a name and TLS alone.
    pub(crate) fn secure(text: &str) -> Result<Self, Error> {
        let origin = Self::parse(text)?;
        if !origin.is_secure() {
            return Err(Error::Origin(text.into()));
        }
        Ok(origin)
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Origin(text.into());
        let url = Url::parse(text).map_err(|_| wrong())?;
        let (Some(Host::Domain(name)), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(wrong());
        };
        let origin = url.origin().ascii_serialization();
        // Nothing but scheme, name and port: a path or a user would be forgotten without a word.
        let is_bare = url.as_str().strip_suffix('/') == Some(origin.as_str());
        if !is_bare || name.ends_with('.') {
            return Err(wrong());
        }
        Ok(Self { rp_id: name.to_owned(), port, text: origin })
    }

    /// WebAuthn's RP ID.
    pub(crate) fn rp_id(&self) -> &str {
        &self.rp_id
    }

    /// What a request's `Host` is: the name, and the port unless it is the scheme's own.
    pub(crate) fn host(&self) -> &str {
        self.text.split_once("://").map_or("", |(_, host)| host)
    }

    /// The port that browsers know, written or not.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether browsers reach it over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.text.starts_with("https://")
    }

    /// Whether every machine means itself by the name.
    pub(crate) fn is_local(&self) -> bool {
        self.rp_id == "localhost"
    }
}

impl Deref for Origin {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(is_secure: bool, port: u16) -> Origin {
        Origin::local(is_secure, SocketAddr::from(([127, 0, 0, 1], port))).unwrap()
    }

    #[test]
    fn the_port_of_the_scheme_is_not_written() {
        assert_eq!(&*local(false, 8080), "http://localhost:8080");
        assert_eq!((&*local(false, 80), local(false, 80).port()), ("http://localhost", 80));
        assert_eq!((&*local(true, 443), local(true, 443).port()), ("https://localhost", 443));
        assert_eq!(&*local(true, 80), "https://localhost:80");
    }

    #[test]
    fn an_origin_has_its_rp_id_and_host() {
        let origin = Origin::secure("https://IAM.example.org:8443/").unwrap();
        assert_eq!(&*origin, "https://iam.example.org:8443");
        assert_eq!(
            (origin.rp_id(), origin.host(), origin.port()),
            ("iam.example.org", "iam.example.org:8443", 8443)
        );
        assert!(origin.is_secure() && !origin.is_local());
    }

    #[test]
    fn an_address_and_whatever_is_more_than_an_origin_are_refused() {
        for text in [
            "",
            "iam.example.org",
            "http://iam.example.org",
            "https://",
            "https://192.0.2.1",
            "https://[::1]:8443",
            "https://3221225985",
            "https://iam.example.org/console",
            "https://iam.example.org?x",
            "https://iam.example.org#x",
            "https://user@iam.example.org",
            "https://iam.example.org.",
            "ftp://iam.example.org",
            "data:text/plain,x",
        ] {
            let error = Origin::secure(text).unwrap_err().to_string();
            assert!(error.contains("https://iam.example.org"), "{text}: {error}");
        }
    }
}
