//! A key behind a TCP socket: a stream of reports, one after the other.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use keywright_common::ctaphid::{REPORT_SIZE, Report};

use super::{Transport, TransportError, at_least_a_millisecond, is_timeout};

/// A connected TCP socket.
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::TcpListener;
/// use std::time::Duration;
///
/// use keywright_host::transport::{Transport, tcp::Tcp};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut transport = Tcp::connect(listener.local_addr()?)?;
/// let (mut key, _) = listener.accept()?;
/// transport.send(&[7; 64])?;
/// let mut report = [0; 64];
/// key.read_exact(&mut report)?;
/// key.write_all(&report)?;
/// assert_eq!(transport.receive(Duration::from_secs(5))?, Some([7; 64]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tcp {
    stream: TcpStream,
    /// The beginning of a report whose rest has not come yet.
    partial: Report,
    length: usize,
}

impl Tcp {
    /// Connects to `address`.
    ///
    /// # Errors
    /// [`TransportError::Gone`] if nobody listens there.
    pub fn connect(address: SocketAddr) -> Result<Self, TransportError> {
        let stream = TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
        // Each report is waited for; none may be held back to be sent together with the next.
        stream.set_nodelay(true)?;
        Ok(Self { stream, partial: [0; REPORT_SIZE], length: 0 })
    }
}

impl Transport for Tcp {
    fn send(&mut self, report: &Report) -> Result<(), TransportError> {
        self.stream.write_all(report)?;
        Ok(())
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Report>, TransportError> {
        let deadline = Instant::now().checked_add(timeout);
        let mut left = timeout;
        loop {
            self.stream.set_read_timeout(Some(at_least_a_millisecond(left)))?;
            let free = self.partial.get_mut(self.length..).unwrap_or_default();
            match self.stream.read(free) {
                Ok(0) => return Err(TransportError::Gone),
                Ok(count) => self.length = self.length.saturating_add(count),
                Err(error) if is_timeout(&error) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            if self.length >= REPORT_SIZE {
                self.length = 0;
                return Ok(Some(self.partial));
            }
            left = deadline.map_or(timeout, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(None);
            }
        }
    }
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    fn pair() -> (TcpStream, Tcp) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = Tcp::connect(listener.local_addr().unwrap()).unwrap();
        (listener.accept().unwrap().0, host)
    }

    #[test]
    fn a_report_in_pieces_is_one_report_and_two_in_one_piece_are_two() {
        let (mut key, mut host) = pair();
        key.write_all(&[1; 30]).unwrap();
        assert_eq!(host.receive(Duration::from_millis(1)).unwrap(), None);
        key.write_all(&[1; 34]).unwrap();
        assert_eq!(host.receive(LONG).unwrap(), Some([1; 64]));
        key.write_all(&[[2; 64], [3; 64]].concat()).unwrap();
        assert_eq!(host.receive(LONG).unwrap(), Some([2; 64]));
        assert_eq!(host.receive(LONG).unwrap(), Some([3; 64]));
    }

    #[test]
    fn a_closed_connection_is_a_key_that_is_gone() {
        let (key, mut host) = pair();
        drop(key);
        assert!(matches!(host.receive(LONG), Err(TransportError::Gone)));
    }

    #[test]
    fn a_connection_closed_within_a_report_is_a_key_that_is_gone() {
        let (mut key, mut host) = pair();
        key.write_all(&[1; 63]).unwrap();
        drop(key);
        assert!(matches!(host.receive(LONG), Err(TransportError::Gone)));
    }

    #[test]
    fn a_port_where_nobody_listens_is_a_key_that_is_gone() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(Tcp::connect(address), Err(TransportError::Gone)));
    }
}
