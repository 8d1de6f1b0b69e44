//! The bytes of USB/IP 1.1.1, as the kernel's `Documentation/usb/usbip_protocol.rst` has them: all numbers big endian.
//!
//! A connection begins with one operation, a question about devices or the import of one. After an import it carries
//! commands of 48 bytes, each followed by the data that goes out, and their answers.

/// The version in every operation.
pub(crate) const VERSION: u16 = 0x0111;
/// Bytes of an operation's head.
pub(crate) const OPERATION: usize = 8;
/// Bytes of a bus id, which is padded with zeros.
pub(crate) const BUS_ID: usize = 32;
/// Bytes of a command, without its data.
pub(crate) const COMMAND: usize = 48;
/// The most data that a command may carry. The longest that this device has a use for is a report.
pub(crate) const MAX_DATA: usize = 4096;

/// What a connection begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// `OP_REQ_DEVLIST`.
    ListDevices,
    /// `OP_REQ_IMPORT`; a bus id follows.
    Import,
}

/// A command of an imported device's host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Command {
    /// Tells commands apart; their answers carry it.
    pub(crate) sequence: u32,
    /// Which device.
    pub(crate) device: u32,
    /// What is to be done.
    pub(crate) action: Action,
}

/// What a command asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// `USBIP_CMD_SUBMIT`.
    Submit(Transfer),
    /// `USBIP_CMD_UNLINK`: the command of this number is not wanted any more.
    Unlink(u32),
}

/// A transfer. The data of an OUT transfer follows the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// The endpoint's number.
    pub(crate) endpoint: u32,
    /// Where the data goes.
    pub(crate) direction: Direction,
    /// Bytes: of the data of an OUT transfer, at most for an IN transfer.
    pub(crate) length: usize,
    /// The setup packet of a control transfer.
    pub(crate) setup: [u8; 8],
}

/// Where the data of a transfer goes, seen from the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To the device.
    Out,
    /// From the device.
    In,
}

/// Which rule the host broke. After any of them the rest of the stream cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    /// Another protocol, or a version that nobody has.
    #[error("operation of version {0:#06x} instead of 0x0111")]
    Version(u16),
    /// No operation that a server answers.
    #[error("operation {0:#06x} is not known")]
    Operation(u16),
    /// No command that a device's host sends.
    #[error("command {0} is not known")]
    Command(u32),
    /// A direction that is neither.
    #[error("direction {0} is neither out nor in")]
    Direction(u32),
    /// More data than any of the device's endpoints takes, or a negative number.
    #[error("{0} bytes of data are too many")]
    Data(u32),
    /// A key has no isochronous endpoints.
    #[error("{0} isochronous packets for a device that has none")]
    Isochronous(u32),
}

impl Operation {
    /// Reads an operation's head.
    pub(crate) fn parse(head: [u8; OPERATION]) -> Result<Self, WireError> {
        let [v1, v0, c1, c0, ..] = head;
        let version = u16::from_be_bytes([v1, v0]);
        if version != VERSION {
            return Err(WireError::Version(version));
        }
        match u16::from_be_bytes([c1, c0]) {
            REQ_DEVLIST => Ok(Self::ListDevices),
            REQ_IMPORT => Ok(Self::Import),
            code => Err(WireError::Operation(code)),
        }
    }

    /// The head of the reply.
    pub(crate) fn reply(self, status: OperationStatus) -> Vec<u8> {
        let code = match self {
            Self::ListDevices => REQ_DEVLIST,
            Self::Import => REQ_IMPORT,
        } & !REQUEST;
        let mut reply = VERSION.to_be_bytes().to_vec();
        reply.extend(code.to_be_bytes());
        reply.extend((status as u32).to_be_bytes());
        reply
    }
}

/// The outcome of an operation (`ST_…` of the kernel's tools).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum OperationStatus {
    /// It was done.
    Ok = 0,
    /// Another host has the device.
    Busy = 2,
    /// There is no such device.
    NoDevice = 4,
}

impl Command {
    /// Reads a command.
    pub(crate) fn parse(bytes: &[u8; COMMAND]) -> Result<Self, WireError> {
        let (words, _) = bytes.as_chunks::<4>();
        let mut words = words.iter().map(|word| u32::from_be_bytes(*word));
        let mut next = || words.next().unwrap_or_default();
        let [kind, sequence, device, direction, endpoint] = [(); 5].map(|()| next());
        let action = match kind {
            CMD_SUBMIT => {
                let [_flags, length, _start_frame, packets, _interval] = [(); 5].map(|()| next());
                let direction = Direction::parse(direction)?;
                if !matches!(packets, 0 | u32::MAX) {
                    return Err(WireError::Isochronous(packets));
                }
                let setup = bytes.last_chunk().copied().unwrap_or_default();
                Action::Submit(Transfer {
                    endpoint,
                    direction,
                    length: data_length(direction, length)?,
                    setup,
                })
            }
            CMD_UNLINK => Action::Unlink(next()),
            kind => return Err(WireError::Command(kind)),
        };
        Ok(Self { sequence, device, action })
    }
}

impl Transfer {
    /// How many bytes of data follow the command.
    pub(crate) fn following(&self) -> usize {
        if self.direction == Direction::Out { self.length } else { 0 }
    }
}

impl Direction {
    fn parse(word: u32) -> Result<Self, WireError> {
        match word {
            0 => Ok(Self::Out),
            1 => Ok(Self::In),
            word => Err(WireError::Direction(word)),
        }
    }
}

/// The length of a transfer's data. The host may have room for more than the device ever sends.
fn data_length(direction: Direction, length: u32) -> Result<usize, WireError> {
    let bytes = usize::try_from(length).unwrap_or(usize::MAX);
    match direction {
        Direction::In if i32::try_from(length).is_ok() => Ok(bytes),
        Direction::Out if bytes <= MAX_DATA => Ok(bytes),
        _ => Err(WireError::Data(length)),
    }
}

/// The outcome of a transfer: a negative error number of Linux, or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TransferStatus(pub(crate) i32);

impl TransferStatus {
    /// It was done.
    pub(crate) const OK: Self = Self(0);
    /// `-EPIPE`: the endpoint stalled.
    pub(crate) const STALL: Self = Self(-32);
    /// `-EOVERFLOW`: the device sends more than there is room for.
    pub(crate) const OVERFLOW: Self = Self(-75);
    /// `-ENOMEM`: too many transfers wait.
    pub(crate) const NO_MEMORY: Self = Self(-12);
    /// `-ECONNRESET`: the transfer was unlinked.
    pub(crate) const UNLINKED: Self = Self(-104);
}

/// `USBIP_RET_SUBMIT`, with the data of an IN transfer; `actual` counts the bytes that went either way.
pub(crate) fn ret_submit(sequence: u32, status: TransferStatus, actual: usize, data: &[u8]) -> Vec<u8> {
    let mut bytes = head(RET_SUBMIT, sequence);
    bytes.extend(status.0.to_be_bytes());
    bytes.extend(u32::try_from(actual).unwrap_or(u32::MAX).to_be_bytes());
    bytes.resize(COMMAND, 0);
    bytes.extend(data);
    bytes
}

/// `USBIP_RET_UNLINK`.
pub(crate) fn ret_unlink(sequence: u32, status: TransferStatus) -> Vec<u8> {
    let mut bytes = head(RET_UNLINK, sequence);
    bytes.extend(status.0.to_be_bytes());
    bytes.resize(COMMAND, 0);
    bytes
}

/// Device, direction and endpoint are zero in answers.
fn head(kind: u32, sequence: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(COMMAND + size_of::<keywright_common::ctaphid::Report>());
    for word in [kind, sequence, 0, 0, 0] {
        bytes.extend(word.to_be_bytes());
    }
    bytes
}

const REQUEST: u16 = 0x8000;
const REQ_IMPORT: u16 = 0x8003;
const REQ_DEVLIST: u16 = 0x8005;
const CMD_SUBMIT: u32 = 1;
const CMD_UNLINK: u32 = 2;
const RET_SUBMIT: u32 = 3;
const RET_UNLINK: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn command(words: [u32; 10], setup: [u8; 8]) -> [u8; COMMAND] {
        let mut bytes = words.map(u32::to_be_bytes).concat();
        bytes.extend(setup);
        bytes.try_into().unwrap()
    }

    /// A submission with everything right: 64 bytes out to endpoint 1.
    const GOOD: [u32; 10] = [1, 5, 0x0001_0002, 0, 1, 0, 64, 0, 0, 0];

    fn with(at: usize, value: u32) -> [u8; COMMAND] {
        let mut words = GOOD;
        words[at] = value;
        command(words, [0; 8])
    }

    #[test]
    fn a_submission_is_read() {
        let transfer = Transfer { endpoint: 1, direction: Direction::Out, length: 64, setup: [9; 8] };
        let expected = Command { sequence: 5, device: 0x0001_0002, action: Action::Submit(transfer) };
        assert_eq!(Command::parse(&command(GOOD, [9; 8])), Ok(expected));
    }

    #[test]
    fn an_unlink_is_read_with_the_number_of_its_victim() {
        let words = [2, 6, 0x0001_0002, 0, 0, 5, 0, 0, 0, 0];
        let expected = Command { sequence: 6, device: 0x0001_0002, action: Action::Unlink(5) };
        assert_eq!(Command::parse(&command(words, [0; 8])), Ok(expected));
    }

    #[test]
    fn an_answer_is_no_command() {
        for kind in [0, 3, 4, 5, u32::MAX] {
            assert_eq!(Command::parse(&with(0, kind)), Err(WireError::Command(kind)));
        }
    }

    #[test]
    fn a_direction_is_out_or_in() {
        for direction in [2, 0x0100_0000, u32::MAX] {
            assert_eq!(Command::parse(&with(3, direction)), Err(WireError::Direction(direction)));
        }
    }

    #[test]
    fn data_out_has_a_bound() {
        assert!(Command::parse(&with(6, 4096)).is_ok());
        for length in [4097, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
            assert_eq!(Command::parse(&with(6, length)), Err(WireError::Data(length)));
        }
    }

    #[test]
    fn room_for_data_in_is_no_reason_to_refuse_unless_it_is_negative() {
        let inward = |length| {
            let mut words = GOOD;
            (words[3], words[6]) = (1, length);
            Command::parse(&command(words, [0; 8]))
        };
        assert!(inward(0x7fff_ffff).is_ok());
        assert_eq!(inward(0x8000_0000), Err(WireError::Data(0x8000_0000)));
    }

    #[test]
    fn isochronous_packets_are_refused() {
        assert!(Command::parse(&with(8, u32::MAX)).is_ok(), "means that there are none");
        for packets in [1, 32, u32::MAX - 1] {
            assert_eq!(Command::parse(&with(8, packets)), Err(WireError::Isochronous(packets)));
        }
    }

    #[test]
    fn operations_of_the_version_are_read_and_no_others() {
        let head = |version: u16, code: u16| {
            let mut head = [0; 8];
            head[..2].copy_from_slice(&version.to_be_bytes());
            head[2..4].copy_from_slice(&code.to_be_bytes());
            Operation::parse(head)
        };
        assert_eq!(head(0x0111, 0x8005), Ok(Operation::ListDevices));
        assert_eq!(head(0x0111, 0x8003), Ok(Operation::Import));
        for version in [0, 0x0100, 0x0110, 0x0112, 0x4745] {
            assert_eq!(head(version, 0x8005), Err(WireError::Version(version)));
        }
        for code in [0, 0x0003, 0x0005, 0x8002, 0x8004, 0x8006] {
            assert_eq!(head(0x0111, code), Err(WireError::Operation(code)));
        }
    }

    #[test]
    fn replies_carry_the_operations_code_without_its_request_bit() {
        assert_eq!(Operation::Import.reply(OperationStatus::Busy), [1, 0x11, 0, 3, 0, 0, 0, 2]);
        assert_eq!(Operation::ListDevices.reply(OperationStatus::Ok), [1, 0x11, 0, 5, 0, 0, 0, 0]);
    }

    #[test]
    fn answers_have_the_length_of_commands_and_their_data() {
        let answer = ret_submit(7, TransferStatus::STALL, 3, b"abc");
        assert_eq!(answer.len(), 51);
        assert_eq!(
            &answer[..28],
            [[3, 7, 0, 0, 0].map(u32::to_be_bytes).concat(), vec![255, 255, 255, 224, 0, 0, 0, 3]].concat()
        );
        assert_eq!(ret_unlink(8, TransferStatus::UNLINKED)[20..24], (-104_i32).to_be_bytes());
    }
}
