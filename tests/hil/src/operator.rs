//! Whoever stands at the key: a person who is told what to do, or the emulator's control socket.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use keywright_hil::Hands;
use keywright_host::transport::{self, DeviceAddress, Transport};

use crate::control::ControlSocket;

/// A person, with a control socket or not.
pub(crate) struct Operator {
    address: DeviceAddress,
    control: Option<ControlSocket>,
    touches_itself: bool,
    is_stopped: Arc<AtomicBool>,
}

impl Operator {
    pub(crate) const fn new(
        address: DeviceAddress,
        control: Option<ControlSocket>,
        touches_itself: bool,
        is_stopped: Arc<AtomicBool>,
    ) -> Self {
        Self { address, control, touches_itself, is_stopped }
    }

    /// A HID device: it goes, and comes back, perhaps under another path.
    fn replug_hid(&mut self, path: &str) -> Result<(), String> {
        let others: BTreeSet<_> = paths().into_iter().filter(|found| found != path).collect();
        self.tell("unplug")?;
        self.wait_for("the key is still there: take it out", || (!paths().contains(path)).then_some(()))?;
        self.tell("plug")?;
        let found = self.wait_for("the key did not come back: plug it in", || {
            paths().into_iter().find(|found| !others.contains(found))
        })?;
        self.address = DeviceAddress::Hid(found);
        Ok(())
    }

    /// A key behind a socket, whose address stays.
    fn replug_socket(&self) -> Result<(), String> {
        if self.control.is_some() {
            return self.tell("power-cycle");
        }
        self.say_now("Unplug the key and plug it in again, or start it again; then press Enter.");
        let (pressed, waiting) = mpsc::channel();
        // A thread of its own, since nothing ends a wait for the terminal.
        std::thread::spawn(move || pressed.send(io::stdin().read_line(&mut String::new()).is_ok()));
        loop {
            match waiting.recv_timeout(INTERVAL) {
                Ok(_) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                Err(RecvTimeoutError::Timeout) if self.is_ended() => return Err(ENDED.to_owned()),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Opens the key; a device that has just appeared may not be opened before udev has seen it.
    fn open(&self) -> Result<Box<dyn Transport>, String> {
        let mut why = String::new();
        let opened = self
            .wait_for("", || transport::open(&self.address).map_err(|error| why = error.to_string()).ok());
        opened.map_err(|ended| if why.is_empty() { ended } else { why })
    }

    fn tell(&self, word: &str) -> Result<(), String> {
        self.control.as_ref().map_or(Ok(()), |control| control.tell(word))
    }

    /// Looks again and again, since no system tells in the same way that a device came or went.
    fn wait_for<T>(&self, why: &str, mut found: impl FnMut() -> Option<T>) -> Result<T, String> {
        let begun = Instant::now();
        loop {
            if let Some(found) = found() {
                return Ok(found);
            }
            if self.is_ended() {
                return Err(ENDED.to_owned());
            }
            if begun.elapsed() > PATIENCE {
                return Err(why.to_owned());
            }
            std::thread::sleep(INTERVAL);
        }
    }

    fn is_ended(&self) -> bool {
        self.is_stopped.load(Ordering::SeqCst)
    }

    fn say_now(&self, words: &str) {
        eprintln!("    >>> {words}");
    }
}

impl Hands for Operator {
    fn touch(&mut self) {
        if self.touches_itself {
            return;
        }
        match &self.control {
            // That it was not touched shows in what the key answers.
            Some(control) => drop(control.tell("touch").inspect_err(|why| eprintln!("{why}"))),
            None => self.say_now("Touch the key."),
        }
    }

    fn replug(&mut self) -> Result<Box<dyn Transport>, String> {
        match self.address.clone() {
            DeviceAddress::Hid(path) => {
                if self.control.is_none() {
                    self.say_now("Take the key out and plug it in again.");
                }
                self.replug_hid(&path)?;
            }
            DeviceAddress::Udp(_) | DeviceAddress::Tcp(_) => self.replug_socket()?,
        }
        self.open()
    }

    fn withhold(&mut self) -> bool {
        if self.control.is_none() && !self.touches_itself {
            self.say_now("Do not touch the key until you are asked to, even if it blinks.");
        }
        !self.touches_itself
    }

    fn say(&mut self, text: &str) {
        eprintln!("{text}");
    }

    fn is_stopped(&mut self) -> bool {
        self.is_ended()
    }
}

fn paths() -> BTreeSet<String> {
    let path = |device: transport::DeviceDescription| match device.address {
        DeviceAddress::Hid(path) => Some(path),
        _ => None,
    };
    transport::list().unwrap_or_default().into_iter().filter_map(path).collect()
}

const ENDED: &str = "the run was ended";
const INTERVAL: Duration = Duration::from_millis(50);
/// A person has to walk to the key.
const PATIENCE: Duration = Duration::from_secs(120);
