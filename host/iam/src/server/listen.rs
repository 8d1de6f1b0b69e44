//! The sockets: 127.0.0.1, and `::1` with the same port where the machine has it; with TLS, whatever was asked for.
//!
//! A browser may find `localhost` under either address. Were `::1` left free, another user of this machine could
//! listen there and be taken for the console.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
};

use crate::error::Error;

/// What is listened on.
pub(super) struct Listeners {
    pub(super) first: TcpListener,
    /// `::1` beside 127.0.0.1, unless the machine has no IPv6.
    pub(super) second: Option<TcpListener>,
}

impl Listeners {
    /// Without TLS, on loopback alone.
    pub(super) fn bind(address: SocketAddr, has_tls: bool) -> Result<Self, Error> {
        if address.ip() != Ipv4Addr::LOCALHOST {
            if !has_tls {
                return Err(Error::NotLoopback(address));
            }
            let first = nonblocking(address).map_err(|source| Error::Listen { address, source })?;
            return Ok(Self { first, second: None });
        }
        for _ in 1..TRIES {
            match Self::both(address) {
                // Any port was asked for, and this one is free on one of the two only.
                Err(Error::Listen { address: taken, .. }) if address.port() == 0 && taken.is_ipv6() => {}
                bound => return bound,
            }
        }
        Self::both(address)
    }

    fn both(address: SocketAddr) -> Result<Self, Error> {
        let failed = |address| move |source| Error::Listen { address, source };
        let first = nonblocking(address).map_err(failed(address))?;
        let port = first.local_addr().map_err(failed(address))?.port();
        let other = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
        let second = match nonblocking(other) {
            Ok(listener) => Some(listener),
            Err(error) if is_absent(&error) => None,
            Err(source) => return Err(failed(other)(source)),
        };
        Ok(Self { first, second })
    }
}

fn nonblocking(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Whether nobody on this machine can listen on such an address.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::AddrNotAvailable | ErrorKind::Unsupported)
        || error.raw_os_error() == Some(NO_IPV6)
}

const TRIES: u32 = 16;
/// EAFNOSUPPORT of Linux.
const NO_IPV6: i32 = 97;

#[cfg(test)]
mod tests {
    use super::*;

    fn has_ipv6() -> bool {
        TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
    }

    #[test]
    fn the_same_port_is_taken_on_both_loopback_addresses_where_there_are_two() {
        let listeners = Listeners::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), false).unwrap();
        assert_eq!(listeners.second.is_some(), has_ipv6());
        let port = listeners.first.local_addr().unwrap().port();
        if let Some(second) = &listeners.second {
            assert_eq!(second.local_addr().unwrap(), SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
        }
    }

    #[test]
    fn a_port_that_someone_has_on_the_other_address_is_refused() {
        let Ok(taken) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else {
            // Nobody can take what the machine does not have.
            assert!(!has_ipv6());
            return;
        };
        let port = taken.local_addr().unwrap().port();
        let result = Listeners::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), false);
        let Err(Error::Listen { address, .. }) = result else { panic!("the port is taken on ::1") };
        assert!(address.is_ipv6());
    }
}
