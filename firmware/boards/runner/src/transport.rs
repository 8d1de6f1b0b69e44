//! The transport's end of the mailbox: USB, the device end of CTAPHID, button and light.
//!
//! Nothing here computes or waits for flash, so that every report is answered while the authenticator does both.

use core::cell::RefCell;

use embassy_futures::join::join5;
use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::Timer;
use embassy_usb::class::hid::{HidReader, HidWriter, ReadError};
use embassy_usb::driver::{Driver, EndpointError};
use keywright_common::ctaphid::Report;
use keywright_common::time::{Instant, Millis};
use keywright_firmware::authenticator::Touch;
use keywright_firmware::ctaphid::{Device, KeepaliveStatus};
use keywright_firmware::key::Indication;

use crate::button::{Button, SAMPLE_MILLIS};
use crate::mailbox::{Mailbox, Number, Order, Progress};
use crate::usb::Usb;
use crate::{Buffer, VERSION, at, light, now};

/// What a board gives to the loop.
pub trait Panel {
    /// Whether the button is held down; `None` if it cannot be told at this moment.
    fn is_button_down(&mut self) -> Option<bool>;

    /// Switches the light.
    fn set_light(&mut self, is_on: bool);

    /// Called every [`SAMPLE_MILLIS`] while the transport is alive: the time to feed a watchdog.
    fn alive(&mut self);
}

/// Serves USB for ever. `channel_base` is random; `buffer` is for requests.
pub async fn run<D: Driver<'static>>(
    usb: Usb<D>,
    channel_base: u32,
    buffer: Buffer,
    mailbox: &Mailbox,
    panel: impl Panel,
) {
    let Usb { mut device, reader, writer } = usb;
    let transport = Transport::new(channel_base, buffer, mailbox);
    join5(
        device.run(),
        transport.receive(reader),
        transport.transmit(writer),
        transport.follow_progress(),
        transport.watch(panel),
    )
    .await;
}

/// The device, shared by the loops of one task.
struct Transport<'a> {
    state: RefCell<State>,
    mailbox: &'a Mailbox,
    /// There may be something to transmit.
    outgoing: Signal<NoopRawMutex, ()>,
    /// The next time-out may be another one.
    rescheduled: Signal<NoopRawMutex, ()>,
}

struct State {
    device: Device<Buffer>,
    number: Number,
    wanted_touch: Option<Touch>,
    wink_until: Option<Instant>,
}

impl<'a> Transport<'a> {
    fn new(channel_base: u32, buffer: Buffer, mailbox: &'a Mailbox) -> Self {
        let device = Device::new(VERSION, channel_base, buffer);
        let state = State { device, number: Number::default(), wanted_touch: None, wink_until: None };
        Self { state: RefCell::new(state), mailbox, outgoing: Signal::new(), rescheduled: Signal::new() }
    }

    /// Reports from the host.
    async fn receive<D: Driver<'static>>(&self, mut reader: HidReader<'static, D, 64>) {
        let mut report: Report = [0; 64];
        loop {
            match reader.read(&mut report).await {
                Ok(64) => self.with_device(|device| device.handle_report(&report, now())),
                // CTAPHID knows no shorter report (§11.2.4).
                Ok(_) => {}
                Err(ReadError::Disabled) => {
                    self.abandon();
                    reader.ready().await;
                }
                Err(ReadError::BufferOverflow | ReadError::Sync(_)) => {}
            }
        }
    }

    /// Reports for the host.
    async fn transmit<D: Driver<'static>>(&self, mut writer: HidWriter<'static, D, 64>) {
        loop {
            let report = self.state.borrow_mut().device.poll_transmit();
            let Some(report) = report else {
                self.outgoing.wait().await;
                continue;
            };
            if writer.write(&report).await == Err(EndpointError::Disabled) {
                // The bus was reset: nobody waits for this any more.
                writer.ready().await;
            }
        }
    }

    /// What the authenticator says, and what is due.
    async fn follow_progress(&self) {
        loop {
            let due = self.state.borrow().device.poll_timeout();
            let due = due.map_or(embassy_time::Instant::MAX, at);
            let changed = select(self.rescheduled.wait(), Timer::at(due));
            match select(self.mailbox.progress.receive(), changed).await {
                Either::First(progress) => self.apply(progress),
                Either::Second(Either::First(())) => {}
                Either::Second(Either::Second(())) => {
                    self.with_device(|device| device.handle_timeout(now()));
                }
            }
        }
    }

    /// Button and light.
    async fn watch(&self, mut panel: impl Panel) {
        let mut button = Button::new();
        loop {
            Timer::after_millis(SAMPLE_MILLIS).await;
            let time = now();
            if panel.is_button_down().is_some_and(|is_down| button.sample(is_down)) {
                self.mailbox.touches.signal(time);
            }
            panel.set_light(light::is_on(self.indication(time), time.as_millis()));
            panel.alive();
        }
    }

    fn apply(&self, progress: Progress) {
        let wanted = match &progress {
            Progress::TouchWanted(touch) => Some(*touch),
            Progress::Done(_) => None,
        };
        self.state.borrow_mut().wanted_touch = wanted;
        self.with_device(|device| match progress {
            Progress::TouchWanted(_) => device.set_status(KeepaliveStatus::UpNeeded, now()),
            Progress::Done(response) => device.complete(response),
        });
    }

    /// The host is gone: its request is not worth a touch.
    fn abandon(&self) {
        self.mailbox.cancels.signal(self.state.borrow().number);
    }

    /// Lets the device do something, and carries what comes of it to where it belongs.
    fn with_device(&self, act: impl FnOnce(&mut Device<Buffer>)) {
        let mut state = self.state.borrow_mut();
        act(&mut state.device);
        let time = now();
        if state.device.take_wink() {
            state.wink_until = Some(time + WINK_TIME);
        }
        if let Some(request) = state.device.take_request(time) {
            state.number.0 = state.number.0.wrapping_add(1);
            // The device hands out one request at a time, so that the slot is free.
            let _ = self.mailbox.requests.try_send(Order { request, number: state.number, at: time });
        }
        if state.device.take_cancel() {
            self.mailbox.cancels.signal(state.number);
        }
        self.outgoing.signal(());
        self.rescheduled.signal(());
    }

    fn indication(&self, time: Instant) -> Indication {
        let state = self.state.borrow();
        if let Some(touch) = state.wanted_touch {
            Indication::TouchWanted(touch)
        } else if state.wink_until.is_some_and(|until| time < until) {
            Indication::Wink
        } else if state.device.is_busy() {
            Indication::Processing
        } else {
            Indication::Idle
        }
    }
}

const WINK_TIME: Millis = Millis(2000);
