//! Channel ids.

use keywright_common::ctaphid::ChannelId;

/// An id is valid if it was handed out: a random base and a count, so that no flood of INITs can exhaust a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channels {
    base: u32,
    handed_out: u32,
}

impl Channels {
    /// No channel yet; `base` is random, so that ids of an earlier run are not valid by chance.
    pub(super) const fn new(base: u32) -> Self {
        Self { base, handed_out: 0 }
    }

    /// A channel that was never handed out before.
    pub(super) fn allocate(&mut self) -> Option<ChannelId> {
        loop {
            self.handed_out = self.handed_out.checked_add(1)?;
            let channel = ChannelId(self.base.wrapping_add(self.handed_out));
            if channel != ChannelId::RESERVED && channel != ChannelId::BROADCAST {
                return Some(channel);
            }
        }
    }

    /// Whether the channel was handed out.
    pub(super) fn is_allocated(self, channel: ChannelId) -> bool {
        let number = channel.0.wrapping_sub(self.base);
        (1..=self.handed_out).contains(&number)
            && channel != ChannelId::RESERVED
            && channel != ChannelId::BROADCAST
    }
}
