//! The real key behind a transport whose time is simulated.

use std::time::{Duration, Instant};

use keywright_common::ctaphid::Report;
use keywright_firmware::key::Indication;
use keywright_host::transport::{Transport, TransportError};
use keywright_tests::{Simulation, User};

/// A transport into a simulated world, whose time passes when it is waited for.
pub(crate) struct SimulatedTransport {
    /// The key, its user and the clock.
    pub(crate) world: Simulation,
    begun: Instant,
}

impl SimulatedTransport {
    /// A new key and a user.
    pub(crate) fn new(user: User) -> Self {
        let mut world = Simulation::new();
        world.user = user;
        Self { world, begun: Instant::now() }
    }

    /// How long the world has been there.
    pub(crate) fn millis(&self) -> u64 {
        self.world.now.as_millis()
    }

    /// Lets the world run until a report comes or `end` is reached.
    fn run_until(&mut self, end: u64) -> Option<Report> {
        loop {
            if let Some(report) = self.world.key.poll_transmit() {
                return Some(report);
            }
            let wants_touch = matches!(self.world.key.indication(), Indication::TouchWanted(_));
            let left = end.saturating_sub(self.millis());
            if left == 0 {
                return None;
            }
            match self.world.user {
                User::Touches if wants_touch => {
                    self.world.advance(left.min(1));
                    self.world.touches += 1;
                    self.world.key.touch(self.world.now);
                }
                User::Declines if wants_touch => self.world.key.decline(self.world.now),
                User::MustNotBeAsked if wants_touch => panic!("the key asked for a touch"),
                // A step, so that what the key says at its own deadlines is not lost.
                _ => self.world.advance(left.min(10)),
            }
        }
    }
}

impl Transport for SimulatedTransport {
    fn send(&mut self, report: &Report) -> Result<(), TransportError> {
        self.world.key.handle_report(report, self.world.now);
        Ok(())
    }

    fn receive(&mut self, timeout: Duration) -> Result<Option<Report>, TransportError> {
        let millis = u64::try_from(timeout.as_millis()).unwrap();
        Ok(self.run_until(self.millis() + millis.max(1)))
    }

    fn now(&self) -> Instant {
        self.begun + Duration::from_millis(self.millis())
    }
}
