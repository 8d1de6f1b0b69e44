//! Reports in connections.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use keywright_common::ctaphid::{REPORT_SIZE, Report};

use super::{Reader, Shared, check_reach, reachable};
use crate::error::Error;
use crate::input::{Closed, Input, Link, Peer};

/// A bound socket that is not read yet.
pub(crate) struct Listener {
    listener: TcpListener,
    /// Where it is bound.
    pub(crate) address: SocketAddr,
}

impl Listener {
    /// Binds a socket.
    ///
    /// # Errors
    /// [`Error::NotLoopback`] and [`Error::Listen`].
    pub(crate) fn bind(address: SocketAddr, allow_remote: bool) -> Result<Self, Error> {
        check_reach(address, allow_remote)?;
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        Ok(Self { listener, address })
    }

    /// Starts accepting.
    pub(crate) fn start(self, shared: Shared) -> Reader {
        let Self { listener, address } = self;
        let thread = thread::spawn(move || accept(&listener, &shared));
        Reader::new(thread, move || TcpStream::connect_timeout(&reachable(address), WAKE_TIMEOUT).is_ok())
    }
}

fn accept(listener: &TcpListener, shared: &Shared) {
    // Each thread has one of these while it runs.
    let running = Arc::new(());
    for stream in listener.incoming() {
        if shared.is_stopping() {
            return;
        }
        match stream {
            Ok(stream) if Arc::strong_count(&running) <= MAX_CONNECTIONS => {
                let (shared, running) = (shared.clone(), Arc::clone(&running));
                thread::spawn(move || {
                    serve(stream, &shared);
                    drop(running);
                });
            }
            // Dropped, which closes it.
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
            Err(source) => {
                let _ = shared.inputs.send(Input::Broken(Error::Frontend { what: "TCP socket", source }));
                return;
            }
        }
    }
}

/// Reads one connection to its end.
fn serve(mut stream: TcpStream, shared: &Shared) {
    let Some(first) = read_first(&mut stream) else { return };
    let Ok(link) = Connection::start(&stream) else { return };
    let id = shared.next_connection();
    if shared.inputs.send(Input::Attach { id, link: Box::new(link) }).is_err() {
        return;
    }
    let mut next = Some(first);
    while let Some(report) = next {
        if shared.inputs.send(Input::Report { from: Peer::Connection(id), report }).is_err() {
            return;
        }
        next = read_report(&mut stream);
    }
    let _ = shared.inputs.send(Input::Detach { id });
}

/// The first report, if it asks for a channel. Not one byte more is read of what does not begin like that.
fn read_first(stream: &mut TcpStream) -> Option<Report> {
    let deadline = Instant::now() + FRAME_TIMEOUT;
    let mut report = [0; REPORT_SIZE];
    let (head, rest) = report.split_at_mut(BROADCAST_INIT.len());
    read_until(stream, head, deadline)?;
    if *head != BROADCAST_INIT {
        return None;
    }
    read_until(stream, rest, deadline)?;
    Some(report)
}

/// The next report, however late; but what has begun must end in time.
fn read_report(stream: &mut TcpStream) -> Option<Report> {
    let mut report = [0; REPORT_SIZE];
    let (head, rest) = report.split_at_mut(1);
    stream.set_read_timeout(None).ok()?;
    stream.read_exact(head).ok()?;
    read_until(stream, rest, Instant::now() + FRAME_TIMEOUT)?;
    Some(report)
}

/// Fills `buffer`; `None` if that is not done by then.
pub(super) fn read_until(stream: &mut TcpStream, mut buffer: &mut [u8], deadline: Instant) -> Option<()> {
    while !buffer.is_empty() {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        stream.set_read_timeout(Some(left)).ok()?;
        match stream.read(buffer) {
            Ok(0) => return None,
            Ok(count) => buffer = buffer.get_mut(count..)?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(())
}

/// The way back: a queue, and a thread that writes it out.
struct Connection {
    queue: SyncSender<Report>,
    stream: TcpStream,
}

impl Connection {
    fn start(stream: &TcpStream) -> std::io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let (queue, reports) = sync_channel(QUEUE);
        let writer = stream.try_clone()?;
        thread::spawn(move || write(writer, &reports));
        Ok(Self { queue, stream: stream.try_clone()? })
    }
}

impl Link for Connection {
    fn send(&self, report: &Report) -> Result<(), Closed> {
        self.queue.try_send(*report).map_err(|_| Closed)
    }

    fn close(&self) {
        // Fails only if the other end was faster.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn write(mut stream: TcpStream, reports: &Receiver<Report>) {
    for report in reports {
        if stream.write_all(&report).is_err() {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

/// INIT with its 8 bytes on the broadcast channel (§11.2.9.1.3).
const BROADCAST_INIT: [u8; 7] = [0xff, 0xff, 0xff, 0xff, 0x86, 0, 8];
/// For a report to come whole, and for the first to come at all.
const FRAME_TIMEOUT: Duration = Duration::from_secs(2);
/// A host that reads nothing for so long is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
const WAKE_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_CONNECTIONS: usize = 64;
/// Reports that wait for a host: four of the longest messages.
const QUEUE: usize = 4 * 129;
