//! One packet.

use super::{CONTINUATION_DATA, INITIALIZATION_DATA, MAX_MESSAGE, REPORT_SIZE};

/// The bytes of one HID report.
pub type Report = [u8; REPORT_SIZE];

/// A logical channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelId(pub u32);

impl ChannelId {
    /// Where a host asks for a channel of its own.
    pub const BROADCAST: Self = Self(0xffff_ffff);
    /// Never allocated.
    pub const RESERVED: Self = Self(0);
}

/// A CTAPHID command without its initialization bit. Open: vendor and unknown commands survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command(pub u8);

impl Command {
    /// Echo.
    pub const PING: Self = Self(0x01);
    /// A U2F APDU.
    pub const MSG: Self = Self(0x03);
    /// Holds the device for one channel.
    pub const LOCK: Self = Self(0x04);
    /// Allocates or resynchronises a channel.
    pub const INIT: Self = Self(0x06);
    /// Shows which device is meant.
    pub const WINK: Self = Self(0x08);
    /// A CTAP2 command.
    pub const CBOR: Self = Self(0x10);
    /// Ends the command that runs.
    pub const CANCEL: Self = Self(0x11);
    /// The device is still at work.
    pub const KEEPALIVE: Self = Self(0x3b);
    /// The device refuses.
    pub const ERROR: Self = Self(0x3f);
}

/// The content of a CTAPHID_ERROR message (§11.2.9.1.6). Open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode(pub u8);

impl ErrorCode {
    /// The command is not known.
    pub const INVALID_CMD: Self = Self(0x01);
    /// A parameter is not acceptable.
    pub const INVALID_PAR: Self = Self(0x02);
    /// BCNT is not acceptable for the command.
    pub const INVALID_LEN: Self = Self(0x03);
    /// The packets of the message did not come in order.
    pub const INVALID_SEQ: Self = Self(0x04);
    /// The rest of the message did not come in time.
    pub const MSG_TIMEOUT: Self = Self(0x05);
    /// Another channel is being served.
    pub const CHANNEL_BUSY: Self = Self(0x06);
    /// The command needs a channel lock.
    pub const LOCK_REQUIRED: Self = Self(0x0a);
    /// The channel is not allocated.
    pub const INVALID_CHANNEL: Self = Self(0x0b);
    /// Any other failure.
    pub const OTHER: Self = Self(0x7f);
}

/// A packet: its channel and what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The channel.
    pub channel: ChannelId,
    /// What it carries.
    pub content: Content<'a>,
}

/// The two kinds of packet (§11.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// The first packet of a message.
    Initialization {
        /// What the message is.
        command: Command,
        /// BCNT: the length of the whole message, as the sender states it.
        length: u16,
        /// The first bytes of the message, and padding.
        data: &'a [u8; INITIALIZATION_DATA],
    },
    /// A further packet.
    Continuation {
        /// Counts from 0.
        sequence: u8,
        /// The next bytes of the message, and padding.
        data: &'a [u8; CONTINUATION_DATA],
    },
}

impl<'a> Packet<'a> {
    /// Reads a report; every report is a packet.
    pub fn parse(report: &'a Report) -> Self {
        let [c0, c1, c2, c3, kind, data @ ..] = report;
        let channel = ChannelId(u32::from_be_bytes([*c0, *c1, *c2, *c3]));
        let content = if kind & INITIALIZATION == 0 {
            Content::Continuation { sequence: *kind, data }
        } else {
            let [high, low, data @ ..] = data;
            Content::Initialization {
                command: Command(kind & !INITIALIZATION),
                length: u16::from_be_bytes([*high, *low]),
                data,
            }
        };
        Self { channel, content }
    }

    /// The first packet of a message: `payload` is the whole message or its beginning.
    pub fn initialization(channel: ChannelId, command: Command, length: u16, payload: &[u8]) -> Report {
        let [high, low] = length.to_be_bytes();
        let head = [command.0 | INITIALIZATION, high, low];
        build(channel, &head, payload)
    }

    /// A further packet with the bytes that it carries.
    pub fn continuation(channel: ChannelId, sequence: u8, payload: &[u8]) -> Report {
        build(channel, &[sequence & !INITIALIZATION], payload)
    }
}

fn build(channel: ChannelId, head: &[u8], payload: &[u8]) -> Report {
    let mut report = [0; REPORT_SIZE];
    let bytes = channel.0.to_be_bytes();
    let content = bytes.iter().chain(head).chain(payload);
    report.iter_mut().zip(content).for_each(|(to, from)| *to = *from);
    report
}

const INITIALIZATION: u8 = 0x80;
const _: () = assert!(MAX_MESSAGE == 7609);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_init_packet_has_the_bytes_of_the_specification() {
        let report =
            Packet::initialization(ChannelId::BROADCAST, Command::INIT, 8, &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(report[..15], [0xff, 0xff, 0xff, 0xff, 0x86, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert!(report[15..].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_packet_reads_as_it_was_written() {
        let report = Packet::continuation(ChannelId(0x0102_0304), 5, &[9; 59]);
        let expected = Content::Continuation { sequence: 5, data: &[9; 59] };
        assert_eq!(Packet::parse(&report), Packet { channel: ChannelId(0x0102_0304), content: expected });
    }

    #[test]
    fn a_payload_that_is_too_long_is_cut_at_the_end_of_the_report() {
        assert_eq!(Packet::continuation(ChannelId(1), 0, &[7; 90])[63], 7);
    }
}
