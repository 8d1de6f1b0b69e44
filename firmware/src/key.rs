//! Device and authenticator on one thread.

use core::ops::DerefMut;

use embedded_storage::nor_flash::NorFlash;
use keywright_common::ctaphid::{Message, Report};
use keywright_common::time::{Instant, Millis};
use rand_core::CryptoRng;

use crate::authenticator::{Authenticator, Progress, Start, Touch};
use crate::ctaphid::{Device, KeepaliveStatus};
use crate::identity::Identity;
use crate::store::StoreError;

/// A whole key: what simulations, fuzzers and the frontends on a PC drive.
pub struct Key<F, R, B> {
    device: Device<B>,
    authenticator: Authenticator<F, R, B>,
    wink_until: Option<Instant>,
}

/// What the key shows the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Indication {
    /// Nothing.
    Idle,
    /// A request is being worked on.
    Processing,
    /// The user is asked to touch.
    TouchWanted(Touch),
    /// The host asks which key this is.
    Wink,
}

impl<F, R, B> Key<F, R, B>
where
    F: NorFlash,
    R: CryptoRng,
    B: DerefMut<Target = Message>,
{
    /// A key over `flash`; `buffers` are for requests and responses. A store that cannot be read is a
    /// [fault](Self::fault).
    pub fn new(
        identity: Identity,
        flash: F,
        mut random: R,
        buffers: [B; 2],
        start: Start,
        now: Instant,
    ) -> Self {
        let channel_base = random.next_u32();
        let [requests, responses] = buffers;
        let device = Device::new(identity.device_version, channel_base, requests);
        let authenticator = Authenticator::new(identity, flash, random, responses, start, now);
        Self { device, authenticator, wink_until: None }
    }

    /// Takes a report from the host.
    pub fn handle_report(&mut self, report: &Report, now: Instant) {
        self.device.handle_report(report, now);
        self.exchange(now);
    }

    /// Why the store cannot be used, if it cannot.
    pub fn fault(&self) -> Option<StoreError> {
        self.authenticator.fault()
    }

    /// Does a piece of the work that is best done while nothing else is asked for. Whether there is more of it.
    pub fn idle(&mut self) -> bool {
        !self.device.is_busy() && self.authenticator.idle()
    }

    /// Does ahead what the request that waits for the user will take longest for.
    pub fn prepare(&mut self) {
        self.authenticator.prepare();
    }

    /// The user touched the key.
    pub fn touch(&mut self, now: Instant) {
        let progress = self.authenticator.touch(now);
        self.apply(progress, now);
    }

    /// The user declined what the key asks for.
    pub fn decline(&mut self, now: Instant) {
        let progress = self.authenticator.decline(now);
        self.apply(progress, now);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.device.handle_timeout(now);
        self.wink_until = self.wink_until.filter(|until| *until > now);
        let progress = self.authenticator.handle_timeout(now);
        self.apply(progress, now);
    }

    /// When [`Key::handle_timeout`] must be called next.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timers = [self.device.poll_timeout(), self.authenticator.poll_timeout(), self.wink_until];
        timers.into_iter().flatten().min()
    }

    /// The next report for the host.
    pub fn poll_transmit(&mut self) -> Option<Report> {
        self.device.poll_transmit()
    }

    /// What the key shows the user now.
    pub fn indication(&self) -> Indication {
        if let Some(touch) = self.authenticator.wanted_touch() {
            Indication::TouchWanted(touch)
        } else if self.wink_until.is_some() {
            Indication::Wink
        } else if self.device.is_busy() {
            Indication::Processing
        } else {
            Indication::Idle
        }
    }

    /// Carries messages between the two until neither has one.
    fn exchange(&mut self, now: Instant) {
        if self.device.take_wink() {
            self.wink_until = Some(now + WINK_TIME);
        }
        if let Some(request) = self.device.take_request(now) {
            let progress = self.authenticator.start(request, now);
            self.apply(Some(progress), now);
        }
        if self.device.take_cancel() {
            let progress = self.authenticator.cancel(now);
            self.apply(progress, now);
        }
    }

    fn apply(&mut self, progress: Option<Progress<B>>, now: Instant) {
        let mut progress = progress;
        while let Some(Progress::Working) = progress {
            self.device.set_status(KeepaliveStatus::Processing, now);
            progress = self.authenticator.resume(now);
        }
        match progress {
            Some(Progress::Done(response)) => self.device.complete(response),
            Some(Progress::TouchWanted(_)) => self.device.set_status(KeepaliveStatus::UpNeeded, now),
            Some(Progress::Working) | None => {}
        }
    }
}

const WINK_TIME: Millis = Millis(2000);
