//! The authenticator's end of the mailbox.

use embassy_futures::select::{Either4, select4};
use embassy_time::Timer;
use embedded_storage::nor_flash::NorFlash;
use keywright_common::time::Instant;
use keywright_firmware::authenticator::{Authenticator, Progress as Step};
use rand_core::CryptoRng;

use crate::mailbox::{Mailbox, Number, Order, Progress, Shown};
use crate::{Buffer, at, now};

/// Serves requests for ever. `rest` is called once when nothing was asked for a while: the time for what no command may
/// wait for.
pub async fn run<F: NorFlash, R: CryptoRng>(
    mut authenticator: Authenticator<F, R, Buffer>,
    mailbox: &Mailbox,
    mut rest: impl FnMut(),
) -> ! {
    let mut current = Number::default();
    let mut idleness = Idleness::Fresh;
    loop {
        mailbox.show(Shown {
            wanted_touch: authenticator.wanted_touch(),
            is_faulty: authenticator.fault().is_some(),
        });
        let due = if authenticator.can_prepare() {
            embassy_time::Instant::now()
        } else {
            due(authenticator.poll_timeout(), idleness)
        };
        let timeout = Timer::at(due);
        // A touch is looked at before a request: what was pressed before cannot be meant for what came after. A request
        // is looked at before a cancellation, which would else not meet the request it is for.
        let event =
            select4(mailbox.touches.wait(), mailbox.requests.receive(), mailbox.cancels.wait(), timeout);
        let event = event.await;
        mailbox.set_busy_since(Some(now()));
        let step = match event {
            Either4::First(touched) => authenticator.touch(touched),
            Either4::Second(Order { request, number }) => {
                current = number;
                idleness = Idleness::Fresh;
                Some(authenticator.start(request, now()))
            }
            Either4::Third(number) if number == current => authenticator.cancel(now()),
            Either4::Third(_) => None,
            Either4::Fourth(()) if authenticator.poll_timeout().is_some_and(|due| due <= now()) => {
                authenticator.handle_timeout(now())
            }
            Either4::Fourth(()) if authenticator.can_prepare() => {
                authenticator.prepare();
                None
            }
            Either4::Fourth(()) => {
                idleness = idleness.spend(|| authenticator.idle(), &mut rest);
                None
            }
        };
        finish(&mut authenticator, mailbox, step).await;
        mailbox.set_busy_since(None);
    }
}

/// Goes on as long as there is work, and says what comes of it.
async fn finish<F: NorFlash, R: CryptoRng>(
    authenticator: &mut Authenticator<F, R, Buffer>,
    mailbox: &Mailbox,
    mut step: Option<Step<Buffer>>,
) {
    while let Some(progress) = step.take() {
        match progress {
            Step::TouchWanted(_) => mailbox.progress.send(Progress::TouchWanted).await,
            Step::Done(response) => mailbox.progress.send(Progress::Done(response)).await,
            Step::Working => {
                mailbox.progress.send(Progress::Working).await;
                mailbox.set_busy_since(Some(now()));
                step = authenticator.resume(now());
            }
        }
    }
}

/// What there still is to do while nothing is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Idleness {
    /// Something was asked for just now.
    Fresh,
    /// Pieces of work follow each other; between two, a request is looked for.
    Working,
    /// There is nothing left.
    Resting,
}

impl Idleness {
    fn spend(self, idle: impl FnOnce() -> bool, rest: &mut impl FnMut()) -> Self {
        if idle() {
            return Self::Working;
        }
        rest();
        Self::Resting
    }
}

/// When something is to be done next.
fn due(of_authenticator: Option<Instant>, idleness: Idleness) -> embassy_time::Instant {
    let of_idleness = match idleness {
        Idleness::Fresh => embassy_time::Instant::now() + IDLE,
        Idleness::Working => embassy_time::Instant::now(),
        Idleness::Resting => embassy_time::Instant::MAX,
    };
    of_authenticator.map_or(of_idleness, |due| at(due).min(of_idleness))
}

/// How long nothing must have been asked before idle work begins: an STM32F4 stands still for a second in an erase.
const IDLE: embassy_time::Duration = embassy_time::Duration::from_secs(2);
