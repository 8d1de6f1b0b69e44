//! Keys over USB/IP: each is a USB device that the kernel of another machine, a VM, or this one can attach.
//!
//! A connection asks which keys there are, or imports one and from then on carries its transfers; see `session`. A key that is
//! imported gets power: to the host it was just plugged in. It serves one host at a time.

mod control;
mod descriptors;
mod device;
mod session;
mod wire;

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use self::wire::{BUS_ID, OPERATION, Operation, OperationStatus};
use super::tcp::read_until;
use super::{Reader, check_reach, hid, reachable};
use crate::error::Error;
use crate::handle::Handle;
use crate::input::Command;

/// A USB/IP server. Dropping it ends it: hosts see their keys unplugged.
pub struct UsbIp {
    address: SocketAddr,
    is_stopping: Arc<AtomicBool>,
    exports: Arc<[Export]>,
    reader: Option<Reader>,
}

/// A key as the server offers it: `1-1` is the first, `1-2` the second.
struct Export {
    /// The device's number on the server's bus, from 1.
    number: u32,
    handle: Handle,
    hold: Hold,
}

/// Who has the key: one connection at a time.
#[derive(Default)]
struct Hold {
    holder: Mutex<Option<TcpStream>>,
    released: Condvar,
}

impl UsbIp {
    /// Serves `keys` on `address`; port 0 takes any.
    ///
    /// # Errors
    /// [`Error::NotLoopback`] and [`Error::Listen`].
    pub fn start(address: SocketAddr, allow_remote: bool, keys: &[Handle]) -> Result<Self, Error> {
        check_reach(address, allow_remote)?;
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let export = |(number, handle): (u32, &Handle)| Export {
            number,
            handle: handle.clone(),
            hold: Hold::default(),
        };
        let exports: Arc<[Export]> = (1..).zip(keys).map(export).collect();
        let is_stopping = Arc::new(AtomicBool::new(false));
        let (served, stopping) = (Arc::clone(&exports), Arc::clone(&is_stopping));
        let thread = thread::spawn(move || accept(&listener, &served, &stopping));
        let wake = move || TcpStream::connect_timeout(&reachable(address), WAKE_TIMEOUT).is_ok();
        Ok(Self { address, is_stopping, exports, reader: Some(Reader::new(thread, wake)) })
    }

    /// Where the server is bound.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bus ids of the keys, in their order: what a host attaches with `usbip attach --busid`.
    pub fn bus_ids(&self) -> Vec<String> {
        self.exports.iter().map(Export::bus_id).collect()
    }
}

impl Drop for UsbIp {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::SeqCst);
        if let Some(reader) = self.reader.take() {
            reader.join();
        }
        for export in self.exports.iter() {
            // Fails only if the host was faster.
            let _ = export.hold.holder().as_ref().map(|stream| stream.shutdown(Shutdown::Both));
        }
    }
}

impl Export {
    fn bus_id(&self) -> String {
        format!("1-{}", self.number)
    }

    /// Bus and number as one, as commands name the device.
    fn device_id(&self) -> u32 {
        BUS << 16 | self.number
    }

    /// Whether a host could import it now.
    fn is_available(&self) -> bool {
        self.hold.holder().is_none() && self.handle.state().is_ok_and(|state| state.plugged)
    }

    /// `struct usbip_usb_device`.
    fn description(&self) -> Vec<u8> {
        let mut bytes = padded::<256>(&format!("/sys/devices/platform/keywright/usb{BUS}/{}", self.bus_id()));
        bytes.extend(padded::<BUS_ID>(&self.bus_id()));
        for word in [BUS, self.number, FULL_SPEED] {
            bytes.extend(word.to_be_bytes());
        }
        for half in [hid::VENDOR, hid::PRODUCT, hid::DEVICE_VERSION] {
            bytes.extend(half.to_be_bytes());
        }
        // Class, subclass, protocol; the configuration that is in force; how many configurations and interfaces there are.
        bytes.extend([0, 0, 0, 0, 1, 1]);
        bytes
    }
}

impl Hold {
    fn holder(&self) -> MutexGuard<'_, Option<TcpStream>> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the key. A host that let it go a moment ago may not have been noticed yet, so this waits a little.
    fn take(&self, stream: &TcpStream) -> Option<Held<'_>> {
        let stream = stream.try_clone().ok()?;
        let waited =
            self.released.wait_timeout_while(self.holder(), RELEASE_TIMEOUT, |holder| holder.is_some());
        let (mut holder, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if holder.is_some() {
            return None;
        }
        *holder = Some(stream);
        Some(Held(self))
    }
}

/// The key is one connection's while this lives.
struct Held<'a>(&'a Hold);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *self.0.holder() = None;
        self.0.released.notify_one();
    }
}

fn accept(listener: &TcpListener, exports: &Arc<[Export]>, is_stopping: &AtomicBool) {
    // Each thread has one of these while it runs.
    let running = Arc::new(());
    for stream in listener.incoming() {
        if is_stopping.load(Ordering::SeqCst) {
            break;
        }
        match stream {
            Ok(stream) if Arc::strong_count(&running) <= MAX_CONNECTIONS => {
                let (exports, running) = (Arc::clone(exports), Arc::clone(&running));
                thread::spawn(move || {
                    serve(stream, &exports);
                    drop(running);
                });
            }
            // Dropped, which closes it.
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
            Err(_) => break,
        }
    }
}

/// Does the one operation that a connection begins with. What is none of the protocol's is not answered.
fn serve(mut stream: TcpStream, exports: &[Export]) {
    let mut head = [0; OPERATION];
    let in_time = Instant::now() + OPERATION_TIMEOUT;
    let read = read_until(&mut stream, &mut head, in_time);
    let _ = stream.set_nodelay(true);
    if stream.set_write_timeout(Some(WRITE_TIMEOUT)).is_err() {
        return;
    }
    match read.and_then(|()| Operation::parse(head).ok()) {
        Some(Operation::ListDevices) => {
            // A host that does not wait for the list does not get it.
            let _ = stream.write_all(&list(exports));
        }
        Some(Operation::Import) => {
            let mut bus_id = [0; BUS_ID];
            if read_until(&mut stream, &mut bus_id, in_time).is_some() {
                import(stream, exports, &bus_id);
            }
        }
        None => {}
    }
}

/// `OP_REP_DEVLIST`: the keys that can be imported now.
fn list(exports: &[Export]) -> Vec<u8> {
    let available: Vec<_> = exports.iter().filter(|export| export.is_available()).collect();
    let mut reply = Operation::ListDevices.reply(OperationStatus::Ok);
    reply.extend(u32::try_from(available.len()).unwrap_or(u32::MAX).to_be_bytes());
    for export in available {
        reply.extend(export.description());
        reply.extend([HID_CLASS, 0, 0, 0]);
    }
    reply
}

/// `OP_REP_IMPORT`, and the host's transfers after it.
fn import(mut stream: TcpStream, exports: &[Export], bus_id: &[u8; BUS_ID]) {
    let Some(export) = exports.iter().find(|export| padded::<BUS_ID>(&export.bus_id()) == bus_id) else {
        let _ = stream.write_all(&Operation::Import.reply(OperationStatus::NoDevice));
        return;
    };
    let Some(held) = export.hold.take(&stream) else {
        let _ = stream.write_all(&Operation::Import.reply(OperationStatus::Busy));
        return;
    };
    // To the host the key is plugged in now, and powers up. One that was unplugged is not there.
    if !export.handle.command(Command::PowerCycle).is_ok_and(|outcome| outcome.changed) {
        // Before the answer: whoever has it finds the key free.
        drop(held);
        let _ = stream.write_all(&Operation::Import.reply(OperationStatus::NoDevice));
        return;
    }
    let mut reply = Operation::Import.reply(OperationStatus::Ok);
    reply.extend(export.description());
    if stream.write_all(&reply).is_ok() {
        session::run(stream, export.device_id(), export.handle.shared());
    }
}

fn padded<const N: usize>(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(N, 0);
    bytes
}

/// The only bus of the server.
const BUS: u32 = 1;
/// `USB_SPEED_FULL` of the kernel.
const FULL_SPEED: u32 = 2;
const HID_CLASS: u8 = 3;
const OPERATION_TIMEOUT: Duration = Duration::from_secs(2);
/// A host that reads nothing for so long is given up.
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
const RELEASE_TIMEOUT: Duration = Duration::from_secs(1);
const WAKE_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_CONNECTIONS: usize = 64;

#[cfg(test)]
mod tests;
