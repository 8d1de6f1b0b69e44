//! The descriptors: one HID interface with the FIDO usage page.

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_usb::class::hid::{
    Config as HidConfig, HidBootProtocol, HidReader, HidReaderWriter, HidSubclass, HidWriter, State,
};
use embassy_usb::driver::Driver;
use embassy_usb::{Builder, Config, Handler, UsbDevice};
use keywright_common::ctaphid::{REPORT_DESCRIPTOR, Report};
use static_cell::StaticCell;

use crate::VERSION;

/// A USB device with the one interface that a key has.
pub struct Usb<D: Driver<'static>> {
    pub(crate) device: UsbDevice<'static, D>,
    pub(crate) reader: HidReader<'static, D, REPORT>,
    pub(crate) writer: HidWriter<'static, D, REPORT>,
}

impl<D: Driver<'static>> Usb<D> {
    /// The device, once: its descriptors are static.
    pub fn new(driver: D, product: &'static str) -> Self {
        let statics = STATICS.init_with(Statics::new);
        let Statics { configuration, bos, control, hid, watch } = statics;
        let mut builder = Builder::new(driver, config(product), configuration, bos, &mut [], control);
        let hid_config = HidConfig {
            report_descriptor: &REPORT_DESCRIPTOR,
            request_handler: None,
            // Full speed's shortest: 16 reports for an assertion's request and answer take 16 ms.
            poll_ms: 1,
            max_packet_size: 64,
            hid_subclass: HidSubclass::No,
            hid_boot_protocol: HidBootProtocol::None,
        };
        builder.handler(watch);
        let (reader, writer) = HidReaderWriter::new(&mut builder, hid, hid_config).split();
        Self { device: builder.build(), reader, writer }
    }
}

/// Where the descriptors are put together.
struct Statics {
    configuration: [u8; 64],
    bos: [u8; 16],
    control: [u8; 64],
    hid: State<'static>,
    watch: BusWatch,
}

impl Statics {
    const fn new() -> Self {
        Self { configuration: [0; 64], bos: [0; 16], control: [0; 64], hid: State::new(), watch: BusWatch }
    }
}

/// Notices that the host began anew.
struct BusWatch;

impl Handler for BusWatch {
    fn reset(&mut self) {
        BUS_RESETS.signal(());
    }
}

/// Signalled when the bus was reset: nobody waits for what was asked for before.
pub(crate) static BUS_RESETS: Signal<CriticalSectionRawMutex, ()> = Signal::new();

fn config(product: &'static str) -> Config<'static> {
    let mut config = Config::new(VENDOR, PRODUCT);
    config.manufacturer = Some("Keywright");
    config.product = Some(product);
    // The same for every key: a serial number of its own would tell one key from another wherever it is plugged in.
    config.serial_number = Some("0");
    config.device_release = u16::from_be_bytes([VERSION.major, VERSION.minor << 4 | VERSION.build]);
    config.max_power = 100;
    // One interface, whose class stands in its own descriptor.
    config.device_class = 0;
    config.device_sub_class = 0;
    config.device_protocol = 0;
    config.composite_with_iads = false;
    config
}

static STATICS: StaticCell<Statics> = StaticCell::new();

/// pid.codes' vendor, and its product number for tests: a release needs one of its own.
const VENDOR: u16 = 0x1209;
const PRODUCT: u16 = 0x0001;
const REPORT: usize = size_of::<Report>();
