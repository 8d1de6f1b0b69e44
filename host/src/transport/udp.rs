//! A key behind a UDP socket: each datagram is one report.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use keywright_common::ctaphid::{REPORT_SIZE, Report};

use super::{Transport, TransportError, at_least_a_millisecond, is_timeout};

/// A connected UDP socket.
///
/// ```
/// use std::net::UdpSocket;
/// use std::time::Duration;
///
/// use keywright_host::transport::{Transport, udp::Udp};
///
/// let key = UdpSocket::bind("127.0.0.1:0")?;
/// let mut transport = Udp::connect(key.local_addr()?)?;
/// transport.send(&[7; 64])?;
/// let mut report = [0; 64];
/// let (_, host) = key.recv_from(&mut report)?;
/// key.send_to(&report, host)?;
/// assert_eq!(transport.receive(Duration::from_secs(5))?, Some([7; 64]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Udp(UdpSocket);

impl Udp {
    /// A socket that exchanges datagrams with `address` alone. Whether a key is there shows with the first report.
    ///
    /// # Errors
    /// [`TransportError::System`] if there is no way to the address.
    pub fn connect(address: SocketAddr) -> Result<Self, TransportError> {
        let local: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(local)?;
        socket.connect(address)?;
        Ok(Self(socket))
    }
}

impl Transport for Udp {
    fn send(&mut self, report: &Report) -> Result<(), TransportError> {
        self.0.send(report)?;
        Ok(())
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Report>, TransportError> {
        let deadline = Instant::now().checked_add(timeout);
        let mut left = timeout;
        loop {
            self.0.set_read_timeout(Some(at_least_a_millisecond(left)))?;
            // One byte more than a report, so that a longer datagram is not taken for one.
            let mut datagram = [0; REPORT_SIZE + 1];
            match self.0.recv(&mut datagram) {
                Ok(REPORT_SIZE) => return Ok(datagram.first_chunk().copied()),
                Ok(_) => left = remaining(deadline),
                Err(error) if is_timeout(&error) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }
}

fn remaining(deadline: Option<Instant>) -> Duration {
    deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn pair() -> (UdpSocket, Udp, SocketAddr) {
        let key = UdpSocket::bind("127.0.0.1:0").unwrap();
        let host = Udp::connect(key.local_addr().unwrap()).unwrap();
        let port = host.0.local_addr().unwrap().port();
        (key, host, (Ipv4Addr::LOCALHOST, port).into())
    }

    #[test]
    fn datagrams_of_another_length_are_ignored() {
        let (key, mut host, address) = pair();
        for length in [0, 1, 63, 65, 200] {
            key.send_to(&vec![1; length], address).unwrap();
        }
        key.send_to(&[2; 64], address).unwrap();
        assert_eq!(host.receive(LONG).unwrap(), Some([2; 64]));
    }

    #[test]
    fn datagrams_from_elsewhere_are_ignored() {
        let (key, mut host, address) = pair();
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&[1; 64], address).unwrap();
        key.send_to(&[2; 64], address).unwrap();
        assert_eq!(host.receive(LONG).unwrap(), Some([2; 64]));
    }

    #[test]
    fn nothing_in_time_is_no_error() {
        let (_key, mut host, _) = pair();
        assert_eq!(host.receive(Duration::ZERO).unwrap(), None);
        assert_eq!(host.receive(Duration::from_millis(2)).unwrap(), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_port_where_nobody_listens_is_a_key_that_is_gone() {
        let (key, mut host, _) = pair();
        drop(key);
        host.send(&[1; 64]).unwrap();
        assert!(matches!(host.receive(LONG), Err(TransportError::Gone)));
    }
}
