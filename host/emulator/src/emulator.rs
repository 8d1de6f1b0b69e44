//! Starting and ending a key.

use std::net::UdpSocket;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::thread::{self, JoinHandle};

use keywright_common::ctaphid::MAX_MESSAGE;

use crate::control::Control;
use crate::error::{Error, Stopped};
use crate::flash::Flash;
use crate::frontend::{Datagrams, Frontend, Listener, Port, Reader, Shared, UHID_MAX_MESSAGE};
use crate::handle::Handle;
use crate::identity::{Attestation, identity};
use crate::input::INPUTS;
use crate::touch::{Finger, TouchPolicy};
use crate::virtual_key::VirtualKey;

/// The key on a PC.
#[derive(Clone, Copy, Debug)]
pub struct Emulator;

/// How a key is to run.
#[derive(Debug)]
pub struct Options {
    /// How hosts reach it; hosts in the same process need none of these.
    pub frontends: Vec<Frontend>,
    /// Whether a frontend may be bound to an address that other machines can reach. Whoever reaches it can use the key.
    pub allow_remote: bool,
    /// Where it keeps what it keeps.
    pub storage: Storage,
    /// Who touches it.
    pub touch: TouchPolicy,
    /// How it attests.
    pub attestation: Attestation,
    /// Where its control socket is to be, if it is to have one.
    pub control: Option<PathBuf>,
}

/// Where a key keeps what it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In a file, which is made if there is none: mode 0600, one key at a time.
    File(PathBuf),
    /// In memory, until it stops.
    Ephemeral,
}

/// A key that runs. Dropping it stops it.
pub struct Running {
    handle: Handle,
    shared: Shared,
    frontends: Vec<Frontend>,
    key: Option<JoinHandle<Result<(), Error>>>,
    readers: Vec<Reader>,
    control: Option<Control>,
}

/// What is bound and not served yet: if the next thing fails, nothing has begun.
#[derive(Default)]
struct Bound {
    frontends: Vec<Frontend>,
    datagrams: Vec<Datagrams>,
    writers: Vec<UdpSocket>,
    listeners: Vec<Listener>,
    ports: Vec<Port>,
}

impl Emulator {
    /// Starts a key.
    ///
    /// # Errors
    /// [`Error`]: nothing runs then.
    pub fn start(options: Options) -> Result<Running, Error> {
        let flash = match &options.storage {
            Storage::File(path) => Flash::open(path)?,
            Storage::Ephemeral => Flash::in_memory(),
        };
        Self::start_over(flash, options)
    }

    pub(crate) fn start_over(flash: Flash, options: Options) -> Result<Running, Error> {
        let (inputs, waiting) = sync_channel(INPUTS);
        let finger = Finger::new(options.touch, &inputs);
        let mut key =
            VirtualKey::new(identity(options.attestation, max_message(&options.frontends)), flash, finger)?;
        let shared = Shared::new(inputs);
        let mut bound = Bound::bind(&options.frontends, options.allow_remote, &shared)?;
        key.set_sockets(std::mem::take(&mut bound.writers));
        let control = options.control.as_deref().map(Control::bind).transpose()?;
        key.set_ports(std::mem::take(&mut bound.ports))?;
        let handle = Handle::new(shared.clone());
        let thread = thread::Builder::new().name("key".into()).spawn(move || key.run(&waiting));
        let thread = Some(thread.map_err(|_| Error::Thread)?);
        let frontends = bound.frontends.clone();
        let mut running =
            Running { handle, shared, frontends, key: thread, readers: Vec::new(), control: None };
        running.start_readers(bound, control)?;
        Ok(running)
    }
}

impl Default for Options {
    /// A key in memory that touches itself and that only this process can reach.
    fn default() -> Self {
        Self {
            frontends: Vec::new(),
            allow_remote: false,
            storage: Storage::Ephemeral,
            touch: TouchPolicy::Auto,
            attestation: Attestation::default(),
            control: None,
        }
    }
}

/// The longest message that every way to the key carries.
fn max_message(frontends: &[Frontend]) -> usize {
    if frontends.contains(&Frontend::Uhid) { UHID_MAX_MESSAGE } else { MAX_MESSAGE }
}

impl Running {
    /// The frontends in the order of the options, with the addresses that they are bound to.
    pub fn frontends(&self) -> &[Frontend] {
        &self.frontends
    }

    /// The hand of the key.
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits until the key ends: somebody stopped it, or it cannot go on.
    ///
    /// # Errors
    /// Why it could not go on.
    pub fn wait(mut self) -> Result<(), Error> {
        self.end()
    }

    /// Stops the key. Everything that it has acknowledged is durable.
    ///
    /// # Errors
    /// What had stopped it before.
    pub fn stop(mut self) -> Result<(), Error> {
        // It may have ended by itself; how, is told below.
        let _: Result<(), Stopped> = self.handle.stop();
        self.end()
    }

    /// Begins to read everything that is bound. If that fails, what has begun ends when this is dropped.
    fn start_readers(&mut self, bound: Bound, control: Option<(Control, UnixListener)>) -> Result<(), Error> {
        for (number, socket) in bound.datagrams.into_iter().enumerate() {
            self.readers.push(socket.start(number, self.shared.clone()));
        }
        for listener in bound.listeners {
            self.readers.push(listener.start(self.shared.clone()));
        }
        if let Some((control, listener)) = control {
            let reader = control.start(listener, self.shared.clone(), self.handle.clone());
            self.control = Some(control);
            self.readers.push(reader?);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        let ended = self.key.take().map_or(Ok(Ok(())), JoinHandle::join);
        self.shared.stop();
        self.readers.drain(..).for_each(Reader::join);
        self.control = None;
        ended.unwrap_or(Err(Error::Thread))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.key.is_some() {
            let _ = self.handle.stop();
            let _ = self.end();
        }
    }
}

impl Bound {
    fn bind(frontends: &[Frontend], allow_remote: bool, shared: &Shared) -> Result<Self, Error> {
        let mut bound = Self::default();
        for frontend in frontends {
            bound.frontends.push(match *frontend {
                Frontend::Udp(address) => {
                    let socket = Datagrams::bind(address, allow_remote)?;
                    bound.writers.push(socket.writer()?);
                    let address = socket.address;
                    bound.datagrams.push(socket);
                    Frontend::Udp(address)
                }
                Frontend::Tcp(address) => {
                    let listener = Listener::bind(address, allow_remote)?;
                    let address = listener.address;
                    bound.listeners.push(listener);
                    Frontend::Tcp(address)
                }
                Frontend::Uhid => {
                    bound.ports.push(Port::new(shared.clone()));
                    Frontend::Uhid
                }
            });
        }
        Ok(bound)
    }
}

#[cfg(test)]
mod tests;
