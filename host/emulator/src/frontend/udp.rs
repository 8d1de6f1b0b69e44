//! Reports in datagrams.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use keywright_common::ctaphid::REPORT_SIZE;

use super::{Reader, Shared, check_reach, reachable};
use crate::error::Error;
use crate::input::{Input, Peer};

/// A bound socket that is not read yet.
pub(crate) struct Datagrams {
    socket: UdpSocket,
    /// Where it is bound.
    pub(crate) address: SocketAddr,
}

impl Datagrams {
    /// Binds a socket.
    ///
    /// # Errors
    /// [`Error::NotLoopback`] and [`Error::Listen`].
    pub(crate) fn bind(address: SocketAddr, allow_remote: bool) -> Result<Self, Error> {
        check_reach(address, allow_remote)?;
        let listen = |source| Error::Listen { address, source };
        let socket = UdpSocket::bind(address).map_err(listen)?;
        socket.set_write_timeout(Some(WRITE_TIMEOUT)).map_err(listen)?;
        let address = socket.local_addr().map_err(listen)?;
        Ok(Self { socket, address })
    }

    /// A second handle, for the answers.
    ///
    /// # Errors
    /// [`Error::Listen`].
    pub(crate) fn writer(&self) -> Result<UdpSocket, Error> {
        self.socket.try_clone().map_err(|source| Error::Listen { address: self.address, source })
    }

    /// Starts reading; `number` is this frontend's among those of its kind.
    pub(crate) fn start(self, number: usize, shared: Shared) -> Reader {
        let Self { socket, address } = self;
        let thread = thread::spawn(move || read(&socket, number, &shared));
        Reader::new(thread, move || {
            // An empty datagram from a socket that ends here: only its arrival counts.
            let any = SocketAddr::new(reachable(address).ip(), 0);
            UdpSocket::bind(any).and_then(|socket| socket.send_to(&[], reachable(address))).is_ok()
        })
    }
}

fn read(socket: &UdpSocket, number: usize, shared: &Shared) {
    // One more than a report, so that what is longer is seen to be.
    let mut buffer = [0; REPORT_SIZE + 1];
    while !shared.is_stopping() {
        let input = match socket.recv_from(&mut buffer) {
            Ok((REPORT_SIZE, address)) => {
                let Some(report) = buffer.first_chunk() else { continue };
                Input::Report { from: Peer::Datagrams { socket: number, address }, report: *report }
            }
            Ok(_) => continue,
            // What an earlier answer to a host that is gone brought back.
            Err(error)
                if matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset) =>
            {
                continue;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(source) => Input::Broken(Error::Frontend { what: "UDP socket", source }),
        };
        let is_broken = matches!(input, Input::Broken(_));
        if shared.inputs.send(input).is_err() || is_broken {
            return;
        }
    }
}

/// The key's thread waits no longer than this for the system to take a datagram.
const WRITE_TIMEOUT: Duration = Duration::from_millis(50);
