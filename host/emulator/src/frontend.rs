//! How hosts reach the key: threads that read reports and put them into the key's channel.

mod hid;
mod memory;
mod pace;
mod tcp;
mod udp;
mod uhid;
mod usbip;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use crate::error::Error;
use crate::input::Input;

pub(crate) use memory::connect;
pub(crate) use tcp::Listener;
pub(crate) use udp::Datagrams;
pub(crate) use uhid::{MAX_MESSAGE as UHID_MAX_MESSAGE, Port};
pub use usbip::UsbIp;

/// A way for hosts to reach the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frontend {
    /// Datagrams of exactly 64 bytes, one report each; others are ignored. Port 0 takes any.
    Udp(SocketAddr),
    /// Connections that carry reports of 64 bytes one after the other. The first must ask for a channel (INIT on the
    /// broadcast channel), or the connection is closed: what a web page can send begins otherwise. Port 0 takes any.
    Tcp(SocketAddr),
    /// A HID device of this machine, made by the kernel (`/dev/uhid`): whatever looks for keys there finds it.
    /// Messages of more than 1768 bytes may be lost on the way in, and the key says so to its hosts.
    Uhid,
}

/// What the threads of one key share.
#[derive(Clone)]
pub(crate) struct Shared {
    /// Where inputs go.
    pub(crate) inputs: SyncSender<Input>,
    is_stopping: Arc<AtomicBool>,
    connections: Arc<AtomicU64>,
}

/// A thread that waits for something outside, and how to end its wait.
pub(crate) struct Reader {
    thread: JoinHandle<()>,
    /// Whether the thread will notice.
    wake: Box<dyn Fn() -> bool + Send>,
}

impl Shared {
    pub(crate) fn new(inputs: SyncSender<Input>) -> Self {
        Self { inputs, is_stopping: Arc::default(), connections: Arc::default() }
    }

    /// Tells all threads to end when they wake.
    pub(crate) fn stop(&self) {
        self.is_stopping.store(true, Ordering::SeqCst);
    }

    /// Whether the key is about to end, or has.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// A number that no other connection has.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }
}

impl Reader {
    pub(crate) fn new(thread: JoinHandle<()>, wake: impl Fn() -> bool + Send + 'static) -> Self {
        Self { thread, wake: Box::new(wake) }
    }

    /// Ends the thread; [`Shared::stop`] comes first.
    pub(crate) fn join(self) {
        // A thread that could not be woken ends with the process, or at the next thing that comes to it.
        if (self.wake)() {
            // A panic there has been printed, and there is nobody else to tell.
            let _ = self.thread.join();
        }
    }
}

/// Refuses an address that other machines can reach, unless that was allowed.
///
/// # Errors
/// [`Error::NotLoopback`].
pub(crate) fn check_reach(address: SocketAddr, allow_remote: bool) -> Result<(), Error> {
    if allow_remote || address.ip().is_loopback() { Ok(()) } else { Err(Error::NotLoopback(address)) }
}

/// Where a socket of this machine that is bound to `bound` can be reached.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let mut address = bound;
    if bound.ip().is_unspecified() {
        address.set_ip(match bound {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
