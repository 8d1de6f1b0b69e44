//! Messages: a buffer, and the two directions of framing.

use super::{
    CONTINUATION_DATA, ChannelId, Command, Content, ErrorCode, INITIALIZATION_DATA, MAX_MESSAGE, Packet,
    Report,
};

/// A buffer for the longest message, and how much of it is in use.
#[derive(Clone, Debug)]
pub struct Message {
    bytes: [u8; MAX_MESSAGE],
    length: usize,
}

/// More bytes than a message can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Message {
    /// An empty message.
    pub const fn new() -> Self {
        Self { bytes: [0; MAX_MESSAGE], length: 0 }
    }

    /// The bytes in use.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Wipes the message: nothing of an earlier one is left in the buffer.
    pub fn clear(&mut self) {
        self.bytes.fill(0);
        self.length = 0;
    }

    /// The whole buffer, to write into; [`Message::set_length`] then says how much of it is in use.
    pub const fn buffer_mut(&mut self) -> &mut [u8; MAX_MESSAGE] {
        &mut self.bytes
    }

    /// Says how many bytes of the buffer are in use; no more than there are.
    pub const fn set_length(&mut self, length: usize) {
        self.length = if length < MAX_MESSAGE { length } else { MAX_MESSAGE };
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    /// [`TooLong`] if they do not fit; nothing is appended then.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        let end = self.length.checked_add(bytes.len()).ok_or(TooLong)?;
        self.bytes.get_mut(self.length..end).ok_or(TooLong)?.copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }

    /// Replaces the content.
    ///
    /// # Errors
    /// [`TooLong`] if `bytes` do not fit; the message is empty then.
    pub fn set(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        self.length = 0;
        self.extend(bytes)
    }
}

impl Default for Message {
    fn default() -> Self {
        Self::new()
    }
}

/// A message that is being put together from packets.
#[derive(Clone, Copy, Debug)]
pub struct Receiving {
    channel: ChannelId,
    command: Command,
    total: usize,
    next_sequence: u8,
}

impl Receiving {
    /// Begins with an initialization packet's parts; what was in `message` is wiped.
    ///
    /// # Errors
    /// [`ErrorCode::INVALID_LEN`] if `length` is more than a message can hold.
    pub fn begin(
        channel: ChannelId,
        command: Command,
        length: u16,
        data: &[u8; INITIALIZATION_DATA],
        message: &mut Message,
    ) -> Result<Self, ErrorCode> {
        let total = usize::from(length);
        if total > MAX_MESSAGE {
            return Err(ErrorCode::INVALID_LEN);
        }
        message.clear();
        let receiving = Self { channel, command, total, next_sequence: 0 };
        receiving.append(data, message);
        Ok(receiving)
    }

    /// Begins with `packet` if it is an initialization packet.
    ///
    /// # Errors
    /// [`ErrorCode::INVALID_SEQ`] if it is a continuation packet, else as [`Receiving::begin`].
    pub fn begin_with(packet: &Packet<'_>, message: &mut Message) -> Result<Self, ErrorCode> {
        match packet.content {
            Content::Initialization { command, length, data } => {
                Self::begin(packet.channel, command, length, data, message)
            }
            Content::Continuation { .. } => Err(ErrorCode::INVALID_SEQ),
        }
    }

    /// Takes the next continuation packet.
    ///
    /// # Errors
    /// [`ErrorCode::INVALID_SEQ`] if it is not the one that is due (§11.2.5.4).
    pub fn accept(
        &mut self,
        sequence: u8,
        data: &[u8; CONTINUATION_DATA],
        message: &mut Message,
    ) -> Result<(), ErrorCode> {
        if sequence != self.next_sequence || self.is_complete(message) {
            return Err(ErrorCode::INVALID_SEQ);
        }
        self.next_sequence = self.next_sequence.saturating_add(1);
        self.append(data, message);
        Ok(())
    }

    /// Whether every byte of the message is there.
    pub const fn is_complete(&self, message: &Message) -> bool {
        message.length == self.total
    }

    /// The channel the message comes on.
    pub const fn channel(&self) -> ChannelId {
        self.channel
    }

    /// What the message is.
    pub const fn command(&self) -> Command {
        self.command
    }

    fn append(&self, data: &[u8], message: &mut Message) {
        let missing = self.total.saturating_sub(message.length).min(data.len());
        // `begin` saw that the whole fits.
        let _ = message.extend(data.get(..missing).unwrap_or_default());
    }
}

/// A message that is being cut into packets.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    channel: ChannelId,
    command: Command,
    sent: usize,
    next: Option<u8>,
    has_begun: bool,
}

impl Sending {
    /// Begins a message.
    pub const fn new(channel: ChannelId, command: Command) -> Self {
        Self { channel, command, sent: 0, next: Some(0), has_begun: false }
    }

    /// The next packet of `payload`, which must be the same at every call; `None` when all has been sent.
    pub fn next_report(&mut self, payload: &[u8]) -> Option<Report> {
        let rest = payload.get(self.sent..).unwrap_or_default();
        if !self.has_begun {
            self.has_begun = true;
            self.sent = INITIALIZATION_DATA;
            let length = u16::try_from(payload.len()).ok().filter(|_| payload.len() <= MAX_MESSAGE)?;
            return Some(Packet::initialization(self.channel, self.command, length, rest));
        }
        let sequence = self.next.filter(|_| !rest.is_empty())?;
        self.next = sequence.checked_add(1).filter(|next| *next < 128);
        self.sent = self.sent.saturating_add(CONTINUATION_DATA);
        Some(Packet::continuation(self.channel, sequence, rest))
    }

    /// Whether every byte of `payload` has been sent.
    pub const fn is_done(&self, payload: &[u8]) -> bool {
        self.has_begun && self.sent >= payload.len()
    }

    /// The channel the message goes to.
    pub const fn channel(&self) -> ChannelId {
        self.channel
    }
}

#[cfg(test)]
mod tests {
    use std::boxed::Box;
    use std::vec::Vec;

    use super::*;

    fn frames(payload: &[u8]) -> Vec<Report> {
        let mut sending = Sending::new(ChannelId(7), Command::PING);
        core::iter::from_fn(|| sending.next_report(payload)).collect()
    }

    fn reassemble(reports: &[Report]) -> Result<Box<Message>, ErrorCode> {
        let mut message = Box::new(Message::new());
        let (first, rest) = reports.split_first().unwrap();
        let mut receiving = Receiving::begin_with(&Packet::parse(first), &mut message)?;
        for report in rest {
            let Content::Continuation { sequence, data } = Packet::parse(report).content else {
                return Err(ErrorCode::INVALID_SEQ);
            };
            receiving.accept(sequence, data, &mut message)?;
        }
        assert!(receiving.is_complete(&message));
        Ok(message)
    }

    #[test]
    fn every_length_survives_the_way_there_and_back() {
        for length in [0, 1, 56, 57, 58, 116, 117, 1024, 7608, 7609] {
            let payload: Vec<u8> = (0..length).map(|n: u32| n.to_le_bytes()[0]).collect();
            let reports = frames(&payload);
            assert_eq!(reports.len(), 1 + payload.len().saturating_sub(57).div_ceil(59));
            assert_eq!(reassemble(&reports).unwrap().as_slice(), payload);
        }
    }

    #[test]
    fn a_message_of_7610_bytes_cannot_be_sent_or_received() {
        assert!(frames(&[0; 7610]).is_empty());
        let report = Packet::initialization(ChannelId(7), Command::PING, 7610, &[]);
        let begun = Receiving::begin_with(&Packet::parse(&report), &mut Message::new());
        assert_eq!(begun.err(), Some(ErrorCode::INVALID_LEN));
    }

    #[test]
    fn a_packet_out_of_order_or_behind_the_end_is_refused() {
        let mut reports = frames(&[1; 200]);
        reports.swap(1, 2);
        assert_eq!(reassemble(&reports).err(), Some(ErrorCode::INVALID_SEQ));
        let mut reports = frames(&[1; 100]);
        reports.push(Packet::continuation(ChannelId(7), 1, &[]));
        assert_eq!(reassemble(&reports).err(), Some(ErrorCode::INVALID_SEQ));
    }

    #[test]
    fn nothing_of_an_earlier_message_is_left_in_the_buffer() {
        let mut message = Message::new();
        message.set(&[0xaa; 500]).unwrap();
        let report = Packet::initialization(ChannelId(7), Command::PING, 3, &[1, 2, 3]);
        Receiving::begin_with(&Packet::parse(&report), &mut message).unwrap();
        assert_eq!(message.as_slice(), [1, 2, 3]);
        assert!(message.bytes[3..].iter().all(|byte| *byte == 0));
    }
}
