//! The default control pipe: standard requests (USB 2.0 §9.4) and those of the HID class (HID 1.11 §7.2).

use keywright_common::ctaphid::{REPORT_DESCRIPTOR, Report};

use super::super::hid;
use super::descriptors::{self, CONFIGURATION, kind};

/// The state that control requests change.
#[derive(Debug, Default)]
pub(crate) struct Control {
    /// Whether the host chose the configuration.
    is_configured: bool,
    /// The idle rate, which means nothing to a device whose reports are never repeated, but can be read back.
    idle: u8,
}

/// What a control request comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// These bytes, cut to what the host asked for.
    Data(Vec<u8>),
    /// It was done.
    Done,
    /// It was done, and the endpoints begin anew.
    Configured,
    /// A report of the host, which came this way instead of over its endpoint.
    Report(Report),
    /// The device does not do that.
    Stall,
}

/// A setup packet (USB 2.0 §9.3).
#[derive(Clone, Copy, Debug)]
struct Setup {
    kind: u8,
    request: u8,
    value: u16,
    index: u16,
    length: u16,
}

impl Control {
    /// Whether the endpoints can be used.
    pub(crate) fn is_configured(&self) -> bool {
        self.is_configured
    }

    /// Does what `setup` and the `data` of its second stage ask for.
    pub(crate) fn handle(&mut self, setup: [u8; 8], data: &[u8]) -> Answer {
        let setup = Setup::parse(setup);
        let answer = match setup.kind & !IN {
            DEVICE => self.device(setup),
            INTERFACE => interface(setup),
            ENDPOINT => endpoint(setup),
            CLASS_INTERFACE if setup.index == 0 => self.class(setup, data),
            _ => Answer::Stall,
        };
        match answer {
            Answer::Data(mut bytes) => {
                bytes.truncate(setup.length.into());
                Answer::Data(bytes)
            }
            answer => answer,
        }
    }

    fn device(&mut self, setup: Setup) -> Answer {
        let [_, configuration] = setup.value.to_be_bytes();
        match (setup.kind, setup.request) {
            (0x80, GET_DESCRIPTOR) => device_descriptor(setup),
            (0x80, GET_STATUS) => Answer::Data(vec![0, 0]),
            (0x80, GET_CONFIGURATION) => {
                Answer::Data(vec![if self.is_configured { CONFIGURATION } else { 0 }])
            }
            (0x00, SET_CONFIGURATION) if matches!(configuration, 0 | CONFIGURATION) => {
                self.is_configured = configuration == CONFIGURATION;
                Answer::Configured
            }
            _ => Answer::Stall,
        }
    }

    fn class(&mut self, setup: Setup, data: &[u8]) -> Answer {
        let [duration, _] = setup.value.to_be_bytes();
        match (setup.kind, setup.request) {
            (0x21, SET_IDLE) => {
                self.idle = duration;
                Answer::Done
            }
            (0xa1, GET_IDLE) => Answer::Data(vec![self.idle]),
            // A host may send a report this way too. It cannot fetch one: a report belongs to whoever waits for it.
            (0x21, SET_REPORT) if setup.value == OUTPUT_REPORT => match hid::output_report(data) {
                Some(report) if self.is_configured => Answer::Report(report),
                _ => Answer::Stall,
            },
            _ => Answer::Stall,
        }
    }
}

fn device_descriptor(setup: Setup) -> Answer {
    let [kind, index] = setup.value.to_be_bytes();
    let bytes = match (kind, index) {
        (kind::DEVICE, 0) => Some(descriptors::device()),
        (kind::CONFIGURATION, 0) => Some(descriptors::configuration()),
        (kind::STRING, index) => descriptors::string(index),
        // A device that knows full speed only has no qualifier (§9.6.2).
        _ => None,
    };
    bytes.map_or(Answer::Stall, Answer::Data)
}

fn interface(setup: Setup) -> Answer {
    if setup.index != 0 {
        return Answer::Stall;
    }
    match (setup.kind, setup.request, setup.value) {
        (0x81, GET_DESCRIPTOR, value) if value == u16::from(kind::HID) << 8 => {
            Answer::Data(descriptors::hid_class())
        }
        (0x81, GET_DESCRIPTOR, value) if value == u16::from(kind::REPORT) << 8 => {
            Answer::Data(REPORT_DESCRIPTOR.to_vec())
        }
        (0x81, GET_STATUS, 0) => Answer::Data(vec![0, 0]),
        (0x81, GET_INTERFACE, 0) => Answer::Data(vec![0]),
        (0x01, SET_INTERFACE, 0) => Answer::Done,
        _ => Answer::Stall,
    }
}

/// The endpoints are never halted, so that clearing a halt is always done.
fn endpoint(setup: Setup) -> Answer {
    if !matches!(setup.index, 0x00 | 0x80 | 0x01 | 0x81) {
        return Answer::Stall;
    }
    match (setup.kind, setup.request, setup.value) {
        (0x82, GET_STATUS, 0) => Answer::Data(vec![0, 0]),
        (0x02, CLEAR_FEATURE, ENDPOINT_HALT) => Answer::Done,
        _ => Answer::Stall,
    }
}

impl Setup {
    fn parse([kind, request, v0, v1, i0, i1, l0, l1]: [u8; 8]) -> Self {
        let word = |low, high| u16::from_le_bytes([low, high]);
        Self { kind, request, value: word(v0, v1), index: word(i0, i1), length: word(l0, l1) }
    }
}

/// The direction bit of `bmRequestType`.
const IN: u8 = 0x80;
const DEVICE: u8 = 0x00;
const INTERFACE: u8 = 0x01;
const ENDPOINT: u8 = 0x02;
const CLASS_INTERFACE: u8 = 0x21;

const GET_STATUS: u8 = 0;
const CLEAR_FEATURE: u8 = 1;
const GET_DESCRIPTOR: u8 = 6;
const GET_CONFIGURATION: u8 = 8;
const SET_CONFIGURATION: u8 = 9;
const GET_INTERFACE: u8 = 10;
const SET_INTERFACE: u8 = 11;
const GET_IDLE: u8 = 2;
const SET_REPORT: u8 = 9;
const SET_IDLE: u8 = 10;
const ENDPOINT_HALT: u16 = 0;
/// `wValue` of the class requests for the output report without a number.
const OUTPUT_REPORT: u16 = 0x0200;

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(kind: u8, request: u8, value: u16, index: u16, length: u16) -> [u8; 8] {
        let [v0, v1] = value.to_le_bytes();
        let [i0, i1] = index.to_le_bytes();
        let [l0, l1] = length.to_le_bytes();
        [kind, request, v0, v1, i0, i1, l0, l1]
    }

    fn ask(kind: u8, request: u8, value: u16, index: u16) -> Answer {
        Control::default().handle(setup(kind, request, value, index, 255), &[])
    }

    fn configured() -> Control {
        let mut control = Control::default();
        assert_eq!(control.handle(setup(0x00, 9, 1, 0, 0), &[]), Answer::Configured);
        control
    }

    #[test]
    fn descriptors_are_cut_to_what_the_host_asked_for() {
        let ask = |length| Control::default().handle(setup(0x80, 6, 0x0100, 0, length), &[]);
        let whole = descriptors::device();
        assert_eq!(ask(8), Answer::Data(whole[..8].to_vec()));
        assert_eq!(ask(18), Answer::Data(whole.clone()));
        assert_eq!(ask(64), Answer::Data(whole));
        assert_eq!(ask(0), Answer::Data(Vec::new()));
    }

    #[test]
    fn the_report_descriptor_belongs_to_the_interface() {
        assert_eq!(ask(0x81, 6, 0x2200, 0), Answer::Data(REPORT_DESCRIPTOR.to_vec()));
        assert_eq!(ask(0x80, 6, 0x2200, 0), Answer::Stall);
        assert_eq!(ask(0x81, 6, 0x2200, 1), Answer::Stall, "there is no second interface");
    }

    #[test]
    fn descriptors_that_are_not_there_stall() {
        for value in [0x0000, 0x0101, 0x0201, 0x0304, 0x03ee, 0x0400, 0x0600, 0x0700, 0x0f00, 0x2100] {
            assert_eq!(ask(0x80, 6, value, 0), Answer::Stall, "{value:#06x}");
        }
        for value in [0x2101, 0x2201, 0x2300, 0x0100] {
            assert_eq!(ask(0x81, 6, value, 0), Answer::Stall, "{value:#06x}");
        }
    }

    #[test]
    fn the_configuration_is_read_back() {
        let mut control = configured();
        assert_eq!(control.handle(setup(0x80, 8, 0, 0, 1), &[]), Answer::Data(vec![1]));
        assert_eq!(control.handle(setup(0x00, 9, 0, 0, 0), &[]), Answer::Configured);
        assert!(!control.is_configured());
        assert_eq!(control.handle(setup(0x80, 8, 0, 0, 1), &[]), Answer::Data(vec![0]));
    }

    #[test]
    fn a_configuration_that_is_not_there_stalls_and_changes_nothing() {
        let mut control = configured();
        assert_eq!(control.handle(setup(0x00, 9, 2, 0, 0), &[]), Answer::Stall);
        assert!(control.is_configured());
    }

    #[test]
    fn the_idle_rate_is_read_back() {
        let mut control = configured();
        assert_eq!(control.handle(setup(0x21, 10, 0x7d00, 0, 0), &[]), Answer::Done);
        assert_eq!(control.handle(setup(0xa1, 2, 0, 0, 1), &[]), Answer::Data(vec![0x7d]));
    }

    #[test]
    fn a_report_may_come_over_the_control_pipe() {
        assert_eq!(configured().handle(setup(0x21, 9, 0x0200, 0, 64), &[3; 64]), Answer::Report([3; 64]));
    }

    #[test]
    fn a_report_before_the_configuration_or_of_another_kind_or_length_stalls() {
        assert_eq!(Control::default().handle(setup(0x21, 9, 0x0200, 0, 64), &[3; 64]), Answer::Stall);
        for (value, index, length) in [
            (0x0100, 0, 64),
            (0x0300, 0, 64),
            (0x0201, 0, 64),
            (0x0200, 1, 64),
            (0x0200, 0, 63),
            (0x0200, 0, 0),
        ] {
            let request = setup(0x21, 9, value, index, 64);
            assert_eq!(configured().handle(request, &vec![3; length]), Answer::Stall);
        }
    }

    #[test]
    fn reports_cannot_be_fetched_over_the_control_pipe() {
        for value in [0x0100, 0x0200, 0x0300] {
            assert_eq!(configured().handle(setup(0xa1, 1, value, 0, 64), &[]), Answer::Stall);
        }
    }

    #[test]
    fn every_other_request_stalls() {
        for kind in [0x40, 0xc0, 0x20, 0xa0, 0x22, 0x03, 0x43, 0x60, 0xff] {
            for request in 0..=255 {
                assert_eq!(ask(kind, request, 0, 0), Answer::Stall, "{kind:#04x} {request}");
            }
        }
        for (kind, request) in [(0x00, 0), (0x00, 1), (0x00, 3), (0x00, 5), (0x00, 7), (0x80, 9), (0x00, 6)] {
            assert_eq!(ask(kind, request, 0, 0), Answer::Stall, "{kind:#04x} {request}");
        }
    }

    #[test]
    fn an_endpoint_that_is_not_there_has_no_status() {
        assert_eq!(ask(0x82, 0, 0, 0x81), Answer::Data(vec![0, 0]));
        assert_eq!(ask(0x02, 1, 0, 0x01), Answer::Done);
        for endpoint in [0x02, 0x82, 0x0101] {
            assert_eq!(ask(0x82, 0, 0, endpoint), Answer::Stall);
        }
    }
}
