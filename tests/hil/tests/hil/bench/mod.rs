//! A key of our own behind a socket, the hands that touch it, and what comes between it and its driver.

pub(crate) mod spoil;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use keywright_emulator::{Emulator, Frontend, Handle, Options, Running, TouchPolicy};
use keywright_hil::{Hands, Rig};
use keywright_host::transport::{self, DeviceAddress, Transport};

use spoil::{Fault, Spoiled};

/// A key that runs, and its hands.
pub(crate) struct Bench {
    pub(crate) running: Running,
    pub(crate) said: Arc<Mutex<Vec<String>>>,
    /// How many lines may be said until the run is to end.
    pub(crate) patience: Arc<AtomicUsize>,
}

/// Does through the emulator's handle what a person would do.
struct Machine {
    handle: Handle,
    address: DeviceAddress,
    said: Arc<Mutex<Vec<String>>>,
    patience: Arc<AtomicUsize>,
    fault: Option<Fault>,
}

impl Bench {
    /// A new key that is touched when it asks, and not otherwise.
    pub(crate) fn new() -> Self {
        Self::touched(TouchPolicy::Manual)
    }

    /// A new key that is touched in some way.
    pub(crate) fn touched(touch: TouchPolicy) -> Self {
        let frontends = vec![Frontend::Udp("127.0.0.1:0".parse().unwrap())];
        let running = Emulator::start(Options { frontends, touch, ..Options::default() }).unwrap();
        Self { running, said: Arc::default(), patience: Arc::new(usize::MAX.into()) }
    }

    /// A rig at this key.
    pub(crate) fn rig(&self) -> Rig {
        self.rig_with(None)
    }

    /// A rig at this key, with something wrong in between.
    pub(crate) fn rig_with(&self, fault: Option<Fault>) -> Rig {
        let machine = Machine {
            handle: self.running.handle().clone(),
            address: self.address(),
            said: self.said.clone(),
            patience: self.patience.clone(),
            fault,
        };
        Rig::new(machine.open(), Box::new(machine))
    }

    /// Where it is.
    pub(crate) fn address(&self) -> DeviceAddress {
        let [Frontend::Udp(address)] = self.running.frontends() else { panic!("a key behind UDP") };
        DeviceAddress::Udp(*address)
    }
}

impl Machine {
    fn open(&self) -> Box<dyn Transport> {
        let key = transport::open(&self.address).unwrap();
        match self.fault {
            Some(fault) => Box::new(Spoiled::new(key, fault)),
            None => key,
        }
    }
}

impl Hands for Machine {
    fn touch(&mut self) {
        self.handle.touch().unwrap();
    }

    fn replug(&mut self) -> Result<Box<dyn Transport>, String> {
        self.handle.power_cycle().map_err(|error| error.to_string())?;
        Ok(self.open())
    }

    fn withhold(&mut self) -> bool {
        self.say("do not touch it");
        true
    }

    fn say(&mut self, text: &str) {
        self.said.lock().unwrap().push(text.to_owned());
    }

    fn is_stopped(&mut self) -> bool {
        self.said.lock().unwrap().len() >= self.patience.load(Ordering::SeqCst)
    }
}
