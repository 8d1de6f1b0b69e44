//! A key of our own behind a socket, the hands that touch it, and what comes between it and its driver.

use std::sync::{Arc, Mutex};

use keywright_emulator::{Emulator, Frontend, Handle, Options, Running, TouchPolicy};
use keywright_hil::{Hands, Rig};
use keywright_host::transport::{self, DeviceAddress, Transport};

/// A key that runs, and its hands.
pub(crate) struct Bench {
    pub(crate) running: Running,
    pub(crate) said: Arc<Mutex<Vec<String>>>,
}

/// Does through the emulator's handle what a person would do.
struct Machine {
    handle: Handle,
    address: DeviceAddress,
    said: Arc<Mutex<Vec<String>>>,
    wrap: Wrap,
}

/// What is put between the key and its driver, each time it is opened.
pub(crate) type Wrap = Box<dyn Fn(Box<dyn Transport>) -> Box<dyn Transport>>;

impl Bench {
    /// A new key that is touched when it asks, and not otherwise.
    pub(crate) fn new() -> Self {
        let frontends = vec![Frontend::Udp("127.0.0.1:0".parse().unwrap())];
        let options = Options { frontends, touch: TouchPolicy::Manual, ..Options::default() };
        Self { running: Emulator::start(options).unwrap(), said: Arc::default() }
    }

    /// A rig at this key.
    pub(crate) fn rig(&self) -> Rig {
        self.rig_with(Box::new(|transport| transport))
    }

    /// A rig at this key, with something in between.
    pub(crate) fn rig_with(&self, wrap: Wrap) -> Rig {
        let [Frontend::Udp(address)] = self.running.frontends() else { panic!("a key behind UDP") };
        let machine = Machine {
            handle: self.running.handle().clone(),
            address: DeviceAddress::Udp(*address),
            said: self.said.clone(),
            wrap,
        };
        Rig::new(machine.open(), Box::new(machine))
    }
}

impl Machine {
    fn open(&self) -> Box<dyn Transport> {
        (self.wrap)(transport::open(&self.address).unwrap())
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

    fn say(&mut self, text: &str) {
        self.said.lock().unwrap().push(text.to_owned());
    }
}
