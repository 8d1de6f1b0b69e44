//! Keywright on an STM32F405 (drawn for Adafruit's Feather): pins, clocks, noise and flash; the rest is
//! `keywright-runner` and the core.
#![no_std]
#![no_main]

mod flash;
mod noise;
mod start;

use core::cell::RefCell;

use cortex_m_rt::entry;
use embassy_executor::{Executor, InterruptExecutor, Spawner};
use embassy_stm32::flash::Flash;
use embassy_stm32::gpio::{Input, Level, Output, Pull, Speed};
use embassy_stm32::interrupt;
use embassy_stm32::interrupt::{InterruptExt, Priority};
use embassy_stm32::peripherals::{IWDG, PA11, PA12, USB_OTG_FS};
use embassy_stm32::usb::{Driver, InterruptHandler};
use embassy_stm32::wdg::IndependentWatchdog;
use embassy_stm32::{Config, Peri, bind_interrupts, rcc, time::Hertz, usb};
use embassy_time::{Duration, block_for};
use keywright_common::ctaphid::Message;
use keywright_entropy::{Failure, Shared, Source};
use keywright_firmware::Authenticator;
use keywright_runner::light::{Fault, is_on_in_fault};
use keywright_runner::mailbox::Mailbox;
use keywright_runner::transport::Panel;
use keywright_runner::usb::Usb;
use keywright_runner::{Buffer, authenticator, identity, now, transport};
use rand_core::Rng;
use static_cell::StaticCell;

use flash::Region;

bind_interrupts!(struct Irqs {
    OTG_FS => InterruptHandler<USB_OTG_FS>;
});

#[entry]
fn main() -> ! {
    EXECUTOR.init_with(Executor::new).run(set_up)
}

/// Everything before the first task. On its own, because `main` never returns: what is on its stack stays there.
#[inline(never)]
fn set_up(spawner: Spawner) {
    let start = start::kind();
    let board = embassy_stm32::init(clocks());
    let mut light = Output::new(board.PC1, Level::Low, Speed::Low);
    let button = Input::new(board.PC7, Pull::Up);
    noise::start();

    let sample: Sample = noise::sample;
    let Ok(mut source) = Source::start(sample, &[], &[], |_| start::restart()) else {
        show_fault(&mut light)
    };
    let channel_base = source.next_u32();
    let source: &RefCell<_> = SOURCE.init(RefCell::new(source));

    let [requests, responses] = BUFFERS.init_with(|| [Message::new(), Message::new()]);
    let flash = Region(Flash::new_blocking(board.FLASH));
    let authenticator =
        Authenticator::new(identity(start::aaguid()), flash, Shared(source), responses, start, now());

    // From here on the transport feeds it.
    let mut watchdog = IndependentWatchdog::new(board.IWDG, WATCHDOG_MICROS);
    watchdog.unleash();
    let panel = FeatherPanel { light, button, watchdog };
    let bus = Bus { usb: board.USB_OTG_FS, plus: board.PA12, minus: board.PA11 };

    // The transport interrupts the authenticator, and the interrupts that wake it interrupt the transport.
    interrupt::CAN1_TX.set_priority(Priority::P6);
    let urgent = URGENT.start(interrupt::CAN1_TX);
    if let Ok(task) = transport_task(bus, channel_base, requests, panel) {
        urgent.spawn(task);
    }
    if let Ok(task) = authenticator_task(authenticator, source) {
        spawner.spawn(task);
    }
}

#[embassy_executor::task]
async fn transport_task(bus: Bus, channel_base: u32, requests: Buffer, panel: FeatherPanel) {
    let mut config = usb::Config::default();
    // The Feather does not lead VBUS to the pin that would sense it.
    config.vbus_detection = false;
    let buffer = USB_BUFFER.init([0; 256]);
    let driver = Driver::new_fs(bus.usb, Irqs, bus.plus, bus.minus, buffer, config);
    // Whether a debugger can read the key out is for everybody to see.
    let product =
        if start::is_read_protected() { "Keywright STM32F4" } else { "Keywright STM32F4 (not locked)" };
    transport::run(Usb::new(driver, product), channel_base, requests, &MAILBOX, panel).await;
}

#[embassy_executor::task]
async fn authenticator_task(
    key: Authenticator<Region, Shared<Sample>, Buffer>,
    source: &'static RefCell<Source<Sample>>,
) {
    authenticator::run(key, &MAILBOX, || source.borrow_mut().reseed()).await;
}

/// What USB needs.
struct Bus {
    usb: Peri<'static, USB_OTG_FS>,
    plus: Peri<'static, PA12>,
    minus: Peri<'static, PA11>,
}

/// The Feather's light, a button between its pin 5 and ground, and the watchdog.
struct FeatherPanel {
    light: Output<'static>,
    button: Input<'static>,
    watchdog: IndependentWatchdog<'static, IWDG>,
}

impl Panel for FeatherPanel {
    fn is_button_down(&mut self) -> Option<bool> {
        Some(self.button.is_low())
    }

    fn set_light(&mut self, is_on: bool) {
        self.light.set_level(is_on.into());
    }

    fn alive(&mut self) {
        self.watchdog.pet();
    }
}

/// 168 MHz and USB's 48 MHz from the Feather's crystal of 12 MHz.
fn clocks() -> Config {
    let mut config = Config::default();
    config.rcc.hse = Some(rcc::Hse { freq: Hertz(12_000_000), mode: rcc::HseMode::Oscillator });
    config.rcc.pll_src = rcc::PllSource::HSE;
    config.rcc.pll = Some(rcc::Pll {
        prediv: rcc::PllPreDiv::DIV6,
        mul: rcc::PllMul::MUL168,
        divp: Some(rcc::PllPDiv::DIV2),
        divq: Some(rcc::PllQDiv::DIV7),
        divr: None,
    });
    config.rcc.ahb_pre = rcc::AHBPrescaler::DIV1;
    config.rcc.apb1_pre = rcc::APBPrescaler::DIV4;
    config.rcc.apb2_pre = rcc::APBPrescaler::DIV2;
    config.rcc.sys = rcc::Sysclk::PLL1_P;
    config.rcc.mux.clk48sel = rcc::mux::Clk48sel::PLL1_Q;
    config
}

/// Shows for ever that there is no randomness, and answers nothing.
fn show_fault(light: &mut Output<'static>) -> ! {
    loop {
        light.set_level(is_on_in_fault(Fault::Randomness, now().as_millis()).into());
        block_for(Duration::from_millis(10));
    }
}

mod vectors {
    //! What the processor jumps to by itself.
    #![expect(unsafe_code, reason = "an interrupt and a fault come beside what Rust can check")]

    use cortex_m_rt::{ExceptionFrame, exception};
    use embassy_stm32::interrupt;

    #[interrupt]
    fn CAN1_TX() {
        // SAFETY: this is the interrupt that the executor was started with.
        unsafe { super::URGENT.on_interrupt() }
    }

    /// What a stack that leaves RAM runs into, if there is room left for it; else the watchdog's time is up.
    #[exception]
    unsafe fn HardFault(_frame: &ExceptionFrame) -> ! {
        super::start::restart()
    }
}

/// A fault in the code restarts the key: what was committed is on flash, and what was not has never been said.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    start::restart()
}

type Sample = fn() -> Result<bool, Failure>;

/// Longer than the erase of a sector, in which the core stands still.
const WATCHDOG_MICROS: u32 = 8_000_000;

static BUFFERS: StaticCell<[Message; 2]> = StaticCell::new();
static EXECUTOR: StaticCell<Executor> = StaticCell::new();
static MAILBOX: Mailbox = Mailbox::new();
static SOURCE: StaticCell<RefCell<Source<Sample>>> = StaticCell::new();
static URGENT: InterruptExecutor = InterruptExecutor::new();
static USB_BUFFER: StaticCell<[u8; 256]> = StaticCell::new();
