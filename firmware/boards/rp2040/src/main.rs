//! Keywright on the Raspberry Pi Pico: pins, clocks, noise and flash; the rest is `keywright-runner` and the core.
#![no_std]
#![no_main]

mod flash;
mod noise;
mod panel;
mod watchdog;

use core::cell::RefCell;

use cortex_m_rt::entry;
use embassy_executor::{Executor, InterruptExecutor, Spawner};
use embassy_rp::gpio::{Level, Output};
use embassy_rp::interrupt;
use embassy_rp::interrupt::{InterruptExt, Priority};
use embassy_rp::peripherals::USB;
use embassy_rp::usb::{Driver, InterruptHandler};
use embassy_rp::{Peri, bind_interrupts};
use embassy_time::{Duration, block_for};
use keywright_common::ctaphid::Message;
use keywright_entropy::seed_file::SeedFile;
use keywright_entropy::{Failure, Shared, Source};
use keywright_firmware::Authenticator;
use keywright_runner::light::{Fault, is_on_in_fault};
use keywright_runner::mailbox::Mailbox;
use keywright_runner::usb::Usb;
use keywright_runner::{Buffer, authenticator, identity, now, transport};
use rand_core::Rng;
use static_cell::StaticCell;

use flash::{Chip, Region};
use panel::PicoPanel;

bind_interrupts!(struct Irqs {
    USBCTRL_IRQ => InterruptHandler<USB>;
});

mod vectors {
    //! What the processor jumps to by itself.
    #![expect(
        unsafe_code,
        reason = "a loader, an interrupt and a fault come before or beside what Rust can check"
    )]

    use cortex_m_rt::{ExceptionFrame, exception};
    use embassy_rp::interrupt;

    // Copies the image into RAM and starts it.
    core::arch::global_asm!(include_str!("loader.s"));
    // Takes the place of the compiler's own, which can be replaced.
    core::arch::global_asm!(include_str!("multiply.s"));

    #[interrupt]
    fn SWI_IRQ_1() {
        // SAFETY: this is the interrupt that the executor was started with.
        unsafe { super::URGENT.on_interrupt() }
    }

    /// What a stack that leaves RAM runs into, if there is room left for it; else the watchdog's time is up.
    #[exception]
    unsafe fn HardFault(_frame: &ExceptionFrame) -> ! {
        super::watchdog::restart()
    }
}

#[entry]
fn main() -> ! {
    EXECUTOR.init_with(Executor::new).run(set_up)
}

/// Everything before the first task. On its own, because `main` never returns: what is on its stack stays there.
#[inline(never)]
fn set_up(spawner: Spawner) {
    let board = embassy_rp::init(embassy_rp::config::Config::default());
    let start = watchdog::start();
    let mut light = Output::new(board.PIN_25, Level::Low);
    let chip = CHIP.init(Chip::unmap());

    let Ok(mut source) = random_source(chip) else { show_fault(&mut light) };
    let channel_base = source.next_u32();
    let source: &RefCell<_> = SOURCE.init(RefCell::new(source));

    let [requests, responses] = BUFFERS.init_with(|| [Message::new(), Message::new()]);
    let authenticator =
        Authenticator::new(identity(AAGUID), chip.store(), Shared(source), responses, start, now());

    // The transport interrupts the authenticator, and the interrupts that wake it interrupt the transport.
    interrupt::SWI_IRQ_1.set_priority(Priority::P2);
    let urgent = URGENT.start(interrupt::SWI_IRQ_1);
    if let Ok(task) = transport_task(board.USB, channel_base, requests, PicoPanel { light }) {
        urgent.spawn(task);
    }
    if let Ok(task) = authenticator_task(authenticator, source) {
        spawner.spawn(task);
    }
}

#[embassy_executor::task]
async fn transport_task(usb: Peri<'static, USB>, channel_base: u32, requests: Buffer, panel: PicoPanel) {
    let usb = Usb::new(Driver::new(usb, Irqs), "Keywright RP2040");
    transport::run(usb, channel_base, requests, &MAILBOX, panel).await;
}

#[embassy_executor::task]
async fn authenticator_task(
    key: Authenticator<Region<'static>, Shared<Sample>, Buffer>,
    source: &'static RefCell<Source<Sample>>,
) {
    authenticator::run(key, &MAILBOX, || source.borrow_mut().reseed()).await;
}

/// Noise that passed its tests, with the seed of the last start, which is replaced before anything is drawn.
fn random_source(chip: &mut Chip) -> Result<Source<Sample>, Failure> {
    let id = chip.unique_id();
    // The file only adds: without it the noise is as good as it is.
    let file = SeedFile::open(chip.seed()).ok();
    let saved = file.as_ref().map(SeedFile::seed).unwrap_or_default();
    let mut source = Source::start(noise::sample as Sample, &id, saved, |_| watchdog::restart())?;
    let next = source.seed_to_save();
    let _ = file.map(|file| file.replace(&next));
    Ok(source)
}

/// Shows for ever that there is no randomness, and answers nothing.
fn show_fault(light: &mut Output<'static>) -> ! {
    loop {
        light.set_level(is_on_in_fault(Fault::Randomness, now().as_millis()).into());
        block_for(Duration::from_millis(10));
        watchdog::feed();
    }
}

/// A fault in the code restarts the key: what was committed is on flash, and what was not has never been said.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    watchdog::restart()
}

type Sample = fn() -> Result<bool, Failure>;

/// Every Keywright on an RP2040.
const AAGUID: [u8; 16] = 0x48f7_79d8_cfc3_4300_afef_1059_30b7_877e_u128.to_be_bytes();

static BUFFERS: StaticCell<[Message; 2]> = StaticCell::new();
static CHIP: StaticCell<Chip> = StaticCell::new();
static EXECUTOR: StaticCell<Executor> = StaticCell::new();
static MAILBOX: Mailbox = Mailbox::new();
static SOURCE: StaticCell<RefCell<Source<Sample>>> = StaticCell::new();
static URGENT: InterruptExecutor = InterruptExecutor::new();
