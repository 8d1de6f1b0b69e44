//! The authenticator's end of the mailbox.

use embassy_futures::select::{Either4, select4};
use embassy_time::Timer;
use embedded_storage::nor_flash::NorFlash;
use keywright_common::time::Instant;
use keywright_firmware::authenticator::{Authenticator, Progress as Step};
use rand_core::CryptoRng;

use crate::mailbox::{Mailbox, Number, Order, Progress};
use crate::{Buffer, at, now};

/// Serves requests for ever. `idle` is called when nothing was asked for [`IDLE`]: the time for what no command may wait
/// for.
pub async fn run<F: NorFlash, R: CryptoRng>(
    mut authenticator: Authenticator<F, R, Buffer>,
    mailbox: &Mailbox,
    mut idle: impl FnMut(),
) -> ! {
    let mut current = Current::default();
    let mut is_rested = false;
    loop {
        let timeout = match authenticator.poll_timeout() {
            Some(due) => Timer::at(at(due)),
            None if is_rested => Timer::at(embassy_time::Instant::MAX),
            None => Timer::after(IDLE),
        };
        // A touch is looked at before a request: what was pressed before cannot be meant for what came after. A request
        // is looked at before a cancellation, which would else not meet the request it is for.
        let event =
            select4(mailbox.touches.wait(), mailbox.requests.receive(), mailbox.cancels.wait(), timeout);
        let step = match event.await {
            Either4::First(touched) if current.is_later(touched) => authenticator.touch(touched),
            Either4::Third(number) if number == current.number => authenticator.cancel(now()),
            Either4::First(_) | Either4::Third(_) => None,
            Either4::Second(Order { request, number, at }) => {
                current = Current { number, began: Some(at) };
                is_rested = false;
                Some(authenticator.start(request, now()))
            }
            Either4::Fourth(()) if authenticator.poll_timeout().is_some() => {
                authenticator.handle_timeout(now())
            }
            Either4::Fourth(()) => {
                idle();
                is_rested = true;
                None
            }
        };
        match step {
            Some(Step::TouchWanted(touch)) => mailbox.progress.send(Progress::TouchWanted(touch)).await,
            Some(Step::Done(response)) => mailbox.progress.send(Progress::Done(response)).await,
            None => {}
        }
    }
}

/// The request that was taken last.
#[derive(Default)]
struct Current {
    number: Number,
    began: Option<Instant>,
}

impl Current {
    /// Whether a touch came after the request, as it must to count for it.
    fn is_later(&self, touched: Instant) -> bool {
        self.began.is_none_or(|began| began < touched)
    }
}

/// How long nothing must have been asked before idle work begins.
const IDLE: embassy_time::Duration = embassy_time::Duration::from_millis(1000);
