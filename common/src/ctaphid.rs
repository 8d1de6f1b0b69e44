//! CTAPHID (§11.2): packets of 64 bytes, messages of up to 7609, and the way from one to the other.

mod descriptor;
mod message;
mod packet;

pub use descriptor::REPORT_DESCRIPTOR;
pub use message::{Message, Receiving, Sending, TooLong};
pub use packet::{ChannelId, Command, Content, ErrorCode, Packet, Report};

/// Bytes of a HID report in either direction.
pub const REPORT_SIZE: usize = 64;
/// Payload of an initialization packet.
pub const INITIALIZATION_DATA: usize = REPORT_SIZE - 7;
/// Payload of a continuation packet.
pub const CONTINUATION_DATA: usize = REPORT_SIZE - 5;
/// The longest message: one initialization and 128 continuation packets (§11.2.4).
pub const MAX_MESSAGE: usize = INITIALIZATION_DATA + 128 * CONTINUATION_DATA;

/// Capability bits of the INIT response (§11.2.9.1.3).
pub mod capability {
    /// The device implements CTAPHID_WINK.
    pub const WINK: u8 = 0x01;
    /// The device implements CTAPHID_CBOR.
    pub const CBOR: u8 = 0x04;
    /// The device does *not* implement CTAPHID_MSG.
    pub const NMSG: u8 = 0x08;
}

/// The protocol version of the INIT response.
pub const PROTOCOL_VERSION: u8 = 2;
