//! The transport's end of the mailbox: USB, the device end of CTAPHID, button and light.
//!
//! Nothing here computes or waits for flash, so that every report is answered while the authenticator does both.

use core::cell::RefCell;

use embassy_futures::join::join5;
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::Timer;
use embassy_usb::class::hid::{HidReader, HidWriter, ReadError};
use embassy_usb::driver::{Driver, EndpointError};
use keywright_common::ctaphid::Report;
use keywright_common::time::{Instant, Millis};
use keywright_firmware::ctaphid::{Device, KeepaliveStatus};
use keywright_firmware::key::Indication;

use crate::button::{Button, SAMPLE_MILLIS};
use crate::light::Fault;
use crate::mailbox::{Mailbox, Number, Order, Progress, Shown};
use crate::usb::{BUS_RESETS, Usb};
use crate::{Buffer, VERSION, at, light, now};

/// What a board gives to the loop.
pub trait Panel {
    /// Whether the button is held down; `None` if it cannot be told at this moment.
    fn is_button_down(&mut self) -> Option<bool>;

    /// Switches the light.
    fn set_light(&mut self, is_on: bool);

    /// Called every [`SAMPLE_MILLIS`] while transport and authenticator are alive: the time to feed a watchdog.
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
    /// The request that a host made before it began anew.
    abandoned: Option<Number>,
    wink_until: Option<Instant>,
}

impl<'a> Transport<'a> {
    fn new(channel_base: u32, buffer: Buffer, mailbox: &'a Mailbox) -> Self {
        let device = Device::new(VERSION, channel_base, buffer);
        let state = State { device, number: Number::default(), abandoned: None, wink_until: None };
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
                Err(ReadError::Disabled) => reader.ready().await,
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
            match select3(self.mailbox.progress.receive(), BUS_RESETS.wait(), changed).await {
                Either3::First(progress) => self.apply(progress),
                Either3::Second(()) => self.abandon(),
                Either3::Third(Either::First(())) => {}
                Either3::Third(Either::Second(())) => {
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
            panel.set_light(self.is_light_on(time));
            if !self.mailbox.is_stuck(time) {
                panel.alive();
            }
        }
    }

    fn apply(&self, progress: Progress) {
        let is_done = matches!(progress, Progress::Done(_));
        self.with_device(|device| match progress {
            Progress::TouchWanted => device.set_status(KeepaliveStatus::UpNeeded, now()),
            Progress::Working => device.set_status(KeepaliveStatus::Processing, now()),
            Progress::Done(response) => device.complete(response),
        });
        let mut state = self.state.borrow_mut();
        if is_done && state.abandoned.take() == Some(state.number) {
            while state.device.poll_transmit().is_some() {}
        }
    }

    /// The host began anew: what it asked for is not worth a touch, and the answer to it is for nobody.
    fn abandon(&self) {
        let mut state = self.state.borrow_mut();
        while state.device.poll_transmit().is_some() {}
        if state.device.is_busy() {
            state.abandoned = Some(state.number);
            self.mailbox.cancels.signal(state.number);
        }
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
            let _ = self.mailbox.requests.try_send(Order { request, number: state.number });
        }
        if state.device.take_cancel() {
            self.mailbox.cancels.signal(state.number);
        }
        self.outgoing.signal(());
        self.rescheduled.signal(());
    }

    fn is_light_on(&self, time: Instant) -> bool {
        let state = self.state.borrow();
        let Shown { wanted_touch, is_faulty } = self.mailbox.shown();
        let indication = if let Some(touch) = wanted_touch {
            Indication::TouchWanted(touch)
        } else if state.wink_until.is_some_and(|until| time < until) {
            Indication::Wink
        } else if state.device.is_busy() {
            Indication::Processing
        } else if is_faulty {
            return light::is_on_in_fault(Fault::Store, time.as_millis());
        } else {
            Indication::Idle
        };
        light::is_on(indication, time.as_millis())
    }
}

const WINK_TIME: Millis = Millis(2000);
