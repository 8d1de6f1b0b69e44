//! The messages of `/dev/uhid`: `struct uhid_event` of `linux/uhid.h`, in the machine's own byte order.
//!
//! A message is a number and a body whose shape the number says. The kernel writes the whole structure whatever the
//! number, and takes shorter ones, whose rest it reads as zeros.

use keywright_common::ctaphid::{REPORT_DESCRIPTOR, Report};

use super::super::hid;

/// Bytes of the longest message, `UHID_CREATE2`.
pub(crate) const MAX_EVENT: usize = 4 + CREATE2;

/// What the kernel tells the device.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    /// A driver has taken the device.
    Start,
    /// The driver is gone.
    Stop,
    /// The first program opened the device.
    Open,
    /// The last program closed it.
    Close,
    /// A program wrote.
    Output(ReportKind, &'a [u8]),
    /// A program asks for a report and waits for the answer, at most five seconds.
    GetReport {
        /// To be repeated in the answer.
        id: u32,
    },
    /// A program sets a report and waits for the answer, at most five seconds.
    SetReport {
        /// To be repeated in the answer.
        id: u32,
        /// Which of the device's reports.
        kind: ReportKind,
        /// The report.
        data: &'a [u8],
    },
    /// A kernel newer than this list.
    Unknown(u32),
}

/// The three kinds of report of a HID device. Open: a number that is none of them survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReportKind(u8);

impl ReportKind {
    /// `UHID_OUTPUT_REPORT`: what goes to the device.
    pub(crate) const OUTPUT: Self = Self(1);
}

/// The message ends before its own fields do, or claims more data than the structure holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("uhid message {number} is malformed")]
pub(crate) struct Malformed {
    number: u32,
}

impl<'a> Event<'a> {
    /// Reads a message.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let number = u32_at(bytes, 0).ok_or(Malformed { number: 0 })?;
        let body = bytes.get(4..).unwrap_or_default();
        let event = match number {
            START => Some(Self::Start),
            STOP => Some(Self::Stop),
            OPEN => Some(Self::Open),
            CLOSE => Some(Self::Close),
            OUTPUT => output(body),
            GET_REPORT => u32_at(body, 0).map(|id| Self::GetReport { id }),
            SET_REPORT => set_report(body),
            number => Some(Self::Unknown(number)),
        };
        event.ok_or(Malformed { number })
    }
}

/// `struct uhid_output_req`: the data first, in all its room, then how much of it counts.
fn output(body: &[u8]) -> Option<Event<'_>> {
    let length = u16_at(body, DATA)?;
    let kind = body.get(DATA + 2)?;
    Some(Event::Output(ReportKind(*kind), body.get(..DATA)?.get(..length.into())?))
}

/// `struct uhid_set_report_req`.
fn set_report(body: &[u8]) -> Option<Event<'_>> {
    let kind = ReportKind(*body.get(5)?);
    let length = u16_at(body, 6)?;
    let data = body.get(8..8 + usize::from(length)).filter(|data| data.len() <= DATA)?;
    Some(Event::SetReport { id: u32_at(body, 0)?, kind, data })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// `UHID_CREATE2`: plugs the device in. `place` says where, as the path of a port does.
pub(crate) fn create2(place: &str) -> Vec<u8> {
    let descriptor = REPORT_DESCRIPTOR;
    let mut message = Vec::with_capacity(MAX_EVENT);
    message.extend(CREATE2_NUMBER.to_ne_bytes());
    message.extend(field::<128>(hid::PRODUCT_NAME));
    message.extend(field::<64>(place));
    message.extend(field::<64>(hid::SERIAL_NUMBER));
    message.extend(u16::try_from(descriptor.len()).unwrap_or(u16::MAX).to_ne_bytes());
    message.extend(BUS_USB.to_ne_bytes());
    message.extend(u32::from(hid::VENDOR).to_ne_bytes());
    message.extend(u32::from(hid::PRODUCT).to_ne_bytes());
    message.extend(u32::from(hid::DEVICE_VERSION).to_ne_bytes());
    message.extend(NO_COUNTRY.to_ne_bytes());
    message.extend(descriptor);
    message.resize(MAX_EVENT, 0);
    message
}

/// `UHID_INPUT2`: a report to whoever has the device open.
pub(crate) fn input2(report: &Report) -> Vec<u8> {
    let mut message = INPUT2.to_ne_bytes().to_vec();
    message.extend(SIZE_OF_REPORT.to_ne_bytes());
    message.extend(report);
    message
}

/// `UHID_DESTROY`: unplugs the device.
pub(crate) fn destroy() -> Vec<u8> {
    DESTROY.to_ne_bytes().to_vec()
}

/// `UHID_GET_REPORT_REPLY`: there is no such report. All of the key's reports come and go by themselves.
pub(crate) fn refuse_get_report(id: u32) -> Vec<u8> {
    let mut message = GET_REPORT_REPLY.to_ne_bytes().to_vec();
    message.extend(id.to_ne_bytes());
    message.extend(EIO.to_ne_bytes());
    message.extend(0_u16.to_ne_bytes());
    message
}

/// `UHID_SET_REPORT_REPLY`: whether the report was taken.
pub(crate) fn answer_set_report(id: u32, taken: bool) -> Vec<u8> {
    let mut message = SET_REPORT_REPLY.to_ne_bytes().to_vec();
    message.extend(id.to_ne_bytes());
    message.extend((if taken { 0 } else { EIO }).to_ne_bytes());
    message
}

/// A string in a field of `N` bytes, cut where it must be so that the terminating zero stays.
fn field<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [0; N];
    for (to, from) in field.iter_mut().take(N.saturating_sub(1)).zip(text.bytes()) {
        *to = from;
    }
    field
}

const DESTROY: u32 = 1;
const START: u32 = 2;
const STOP: u32 = 3;
const OPEN: u32 = 4;
const CLOSE: u32 = 5;
const OUTPUT: u32 = 6;
const GET_REPORT: u32 = 9;
const GET_REPORT_REPLY: u32 = 10;
const CREATE2_NUMBER: u32 = 11;
const INPUT2: u32 = 12;
const SET_REPORT: u32 = 13;
const SET_REPORT_REPLY: u32 = 14;

/// `UHID_DATA_MAX` and `HID_MAX_DESCRIPTOR_SIZE`.
const DATA: usize = 4096;
/// Bytes of `struct uhid_create2_req`.
const CREATE2: usize = 128 + 64 + 64 + 2 + 2 + 4 * 4 + DATA;
const SIZE_OF_REPORT: u16 = 64;
/// `BUS_USB` of `linux/input.h`: what clients take for a security key.
const BUS_USB: u16 = 3;
const NO_COUNTRY: u32 = 0;
const EIO: u16 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    /// A message as the kernel writes it: the whole structure.
    fn message(number: u32, body: &[u8]) -> Vec<u8> {
        let mut message = number.to_ne_bytes().to_vec();
        message.extend(body);
        message.resize(MAX_EVENT, 0);
        message
    }

    fn output_message(data: &[u8], claimed: u16) -> Vec<u8> {
        let mut body = data.to_vec();
        body.resize(DATA, 0);
        body.extend(claimed.to_ne_bytes());
        body.push(1);
        message(OUTPUT, &body)
    }

    fn set_report_message(data: &[u8], claimed: u16) -> Vec<u8> {
        let mut body = 9_u32.to_ne_bytes().to_vec();
        body.extend([0, 1]);
        body.extend(claimed.to_ne_bytes());
        body.extend(data);
        message(SET_REPORT, &body)
    }

    #[test]
    fn events_without_a_body_are_read_however_long_the_message_is() {
        for (number, event) in [(2, Event::Start), (3, Event::Stop), (4, Event::Open), (5, Event::Close)] {
            assert_eq!(Event::parse(&message(number, &[])), Ok(event));
            assert!(Event::parse(&number.to_ne_bytes()).is_ok());
        }
    }

    #[test]
    fn output_counts_only_as_far_as_it_says() {
        let bytes = output_message(&[7; 100], 65);
        assert_eq!(Event::parse(&bytes), Ok(Event::Output(ReportKind::OUTPUT, &[7; 65])));
    }

    #[test]
    fn an_empty_output_is_an_output() {
        assert_eq!(Event::parse(&output_message(&[], 0)), Ok(Event::Output(ReportKind::OUTPUT, &[])));
    }

    #[test]
    fn an_output_that_claims_more_than_the_structure_holds_is_malformed() {
        for claimed in [4097, u16::MAX] {
            assert_eq!(Event::parse(&output_message(&[], claimed)), Err(Malformed { number: 6 }));
        }
    }

    #[test]
    fn a_set_report_that_claims_more_than_the_structure_holds_is_malformed() {
        assert!(matches!(Event::parse(&set_report_message(&[1; 64], 4096)), Ok(Event::SetReport { .. })));
        for claimed in [4097, u16::MAX] {
            assert_eq!(Event::parse(&set_report_message(&[], claimed)), Err(Malformed { number: 13 }));
        }
    }

    #[test]
    fn a_set_report_is_read_with_the_number_to_answer() {
        let bytes = set_report_message(&[5; 64], 64);
        let expected = Event::SetReport { id: 9, kind: ReportKind::OUTPUT, data: &[5; 64] };
        assert_eq!(Event::parse(&bytes), Ok(expected));
    }

    #[test]
    fn every_message_cut_short_within_its_fields_is_malformed() {
        let output = output_message(&[7; 64], 64);
        for length in 0..4 + DATA + 3 {
            assert!(Event::parse(&output[..length]).is_err(), "{length} bytes of an output");
        }
        let set_report = set_report_message(&[7; 64], 64);
        for length in 0..4 + 8 + 64 {
            assert!(Event::parse(&set_report[..length]).is_err(), "{length} bytes of a set report");
        }
        let get_report = message(GET_REPORT, &[1, 0, 0, 0]);
        for length in 0..8 {
            assert!(Event::parse(&get_report[..length]).is_err(), "{length} bytes of a get report");
        }
    }

    #[test]
    fn an_unknown_message_is_no_fault() {
        for number in [0, 1, 7, 8, 10, 11, 12, 14, 15, u32::MAX] {
            assert_eq!(Event::parse(&message(number, &[0xff; 100])), Ok(Event::Unknown(number)));
        }
    }

    #[test]
    fn the_device_is_created_as_a_usb_key_of_the_projects_own_number() {
        let message = create2("keywright/0");
        assert_eq!(message.len(), 4376);
        assert_eq!(u32_at(&message, 0), Some(11));
        assert_eq!(&message[4..4 + 21], b"Keywright virtual key");
        assert_eq!(&message[132..143], b"keywright/0");
        assert_eq!(u16_at(&message, 260).map(usize::from), Some(REPORT_DESCRIPTOR.len()));
        assert_eq!(u16_at(&message, 262), Some(3));
        assert_eq!((u32_at(&message, 264), u32_at(&message, 268)), (Some(0x1209), Some(0x0001)));
        assert!(message[280..].starts_with(&REPORT_DESCRIPTOR));
    }

    #[test]
    fn g20_two_keys_differ_in_nothing_but_their_place() {
        let (mut first, mut second) = (create2("keywright/7/0"), create2("keywright/7/1"));
        assert_ne!(first, second);
        let place = 4 + 128..4 + 128 + 64;
        first[place.clone()].fill(0);
        second[place].fill(0);
        assert_eq!(first, second);
    }

    #[test]
    fn a_place_that_is_too_long_is_cut_before_its_terminating_zero() {
        let message = create2(&"x".repeat(100));
        assert_eq!(&message[132..196], [[b'x'; 63].as_slice(), &[0]].concat());
        assert_eq!(&message[196..198], b"0\0", "the next field is untouched");
    }

    #[test]
    fn a_report_to_the_host_says_its_length() {
        let message = input2(&[9; 64]);
        assert_eq!(u32_at(&message, 0), Some(12));
        assert_eq!(u16_at(&message, 4), Some(64));
        assert_eq!(&message[6..], [9; 64]);
    }

    #[test]
    fn answers_repeat_the_number_of_their_question() {
        let get = refuse_get_report(77);
        assert_eq!((u32_at(&get, 4), u16_at(&get, 8)), (Some(77), Some(5)));
        assert_eq!(u16_at(&answer_set_report(1, true), 8), Some(0));
        assert_eq!(u16_at(&answer_set_report(1, false), 8), Some(5));
    }
}
