//! Which answers go to whom.

use std::collections::HashMap;

use keywright_common::ctaphid::{ChannelId, Command, Content, Packet, Report};

use crate::input::Peer;

/// Channels and the hosts that they were given to.
///
/// A channel belongs to the host that was answered with it: another one can neither use it nor read what comes over it. There is room for a
/// number of channels; beyond it, the one that was used least recently is forgotten. The key itself still knows a forgotten channel, so it
/// belongs to whoever uses it next: a flood of INITs makes no host's channel invalid (G21).
#[derive(Debug, Default)]
pub(crate) struct Routes {
    owners: HashMap<ChannelId, Owner>,
    /// The channel that last was told to wait: its answer is still to come, so it is not forgotten.
    waiting: Option<ChannelId>,
    /// Counts uses.
    clock: u64,
}

#[derive(Clone, Copy, Debug)]
struct Owner {
    peer: Peer,
    used: u64,
}

impl Routes {
    /// Whether `peer` may send on `channel`.
    pub(crate) fn admits(&self, channel: ChannelId, peer: Peer) -> bool {
        self.owners.get(&channel).is_none_or(|owner| owner.peer == peer)
    }

    /// `peer` has sent on `channel`.
    pub(crate) fn note_use(&mut self, channel: ChannelId, peer: Peer) {
        self.clock += 1;
        if let Some(owner) = self.owners.get_mut(&channel).filter(|owner| owner.peer == peer) {
            owner.used = self.clock;
        }
    }

    /// Who gets `report`, which came out of the key after a report from `asker` on the channel `asked`, or unasked.
    pub(crate) fn recipient(&mut self, report: &Report, asker: Option<(ChannelId, Peer)>) -> Option<Peer> {
        let packet = Packet::parse(report);
        let asked = asker.filter(|(channel, _)| *channel == packet.channel).map(|(_, peer)| peer);
        if let (ChannelId::BROADCAST, Some(peer)) = (packet.channel, asked) {
            if let Some(channel) = allocated(&packet) {
                self.give(channel, peer);
            }
            return Some(peer);
        }
        if is(&packet, Command::KEEPALIVE) {
            self.waiting = Some(packet.channel);
        }
        if let Some(owner) = self.owners.get(&packet.channel) {
            return Some(owner.peer);
        }
        // A channel that was forgotten, which the key still serves, or an error about one that never was.
        if let Some(peer) = asked.filter(|_| !is(&packet, Command::ERROR)) {
            self.give(packet.channel, peer);
        }
        asked
    }

    /// Forgets what a host that is gone had.
    pub(crate) fn forget(&mut self, peer: Peer) {
        self.owners.retain(|_, owner| owner.peer != peer);
    }

    /// Forgets everything: channels do not outlive the key's power.
    pub(crate) fn clear(&mut self) {
        self.owners.clear();
    }

    fn give(&mut self, channel: ChannelId, peer: Peer) {
        if self.owners.len() >= CAPACITY {
            let idle = self.owners.iter().filter(|(channel, _)| Some(**channel) != self.waiting);
            if let Some(oldest) = idle.min_by_key(|(_, owner)| owner.used).map(|(channel, _)| *channel) {
                self.owners.remove(&oldest);
            }
        }
        self.clock += 1;
        self.owners.insert(channel, Owner { peer, used: self.clock });
    }
}

/// The channel that an INIT response on the broadcast channel hands out (§11.2.9.1.3): behind the nonce of 8 bytes.
fn allocated(packet: &Packet<'_>) -> Option<ChannelId> {
    let Content::Initialization { command: Command::INIT, data, .. } = packet.content else { return None };
    let bytes = data.get(8..12)?.first_chunk::<4>()?;
    Some(ChannelId(u32::from_be_bytes(*bytes)))
}

fn is(packet: &Packet<'_>, wanted: Command) -> bool {
    matches!(packet.content, Content::Initialization { command, .. } if command == wanted)
}

const CAPACITY: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const A: Peer = Peer::Connection(1);
    const B: Peer = Peer::Connection(2);

    fn init_response(channel: u32) -> Report {
        let mut payload = [0; 17];
        payload[8..12].copy_from_slice(&channel.to_be_bytes());
        Packet::initialization(ChannelId::BROADCAST, Command::INIT, 17, &payload)
    }

    fn open(routes: &mut Routes, channel: u32, peer: Peer) {
        assert_eq!(routes.recipient(&init_response(channel), Some((ChannelId::BROADCAST, peer))), Some(peer));
    }

    fn short(channel: u32, command: Command) -> Report {
        Packet::initialization(ChannelId(channel), command, 1, &[0x0b])
    }

    #[test]
    fn an_answer_goes_to_the_host_that_the_channel_was_given_to() {
        let mut routes = Routes::default();
        open(&mut routes, 5, A);
        open(&mut routes, 6, B);
        assert_eq!(routes.recipient(&short(5, Command::KEEPALIVE), None), Some(A));
        assert_eq!(routes.recipient(&short(6, Command::CBOR), Some((ChannelId(5), A))), Some(B));
    }

    #[test]
    fn another_host_can_not_use_a_channel_or_take_it_over() {
        let mut routes = Routes::default();
        open(&mut routes, 5, A);
        assert!(!routes.admits(ChannelId(5), B));
        routes.note_use(ChannelId(5), B);
        assert_eq!(routes.recipient(&short(5, Command::CBOR), Some((ChannelId(5), B))), Some(A));
    }

    #[test]
    fn what_belongs_to_nobody_goes_to_nobody() {
        assert_eq!(Routes::default().recipient(&short(5, Command::CBOR), None), None);
        assert_eq!(Routes::default().recipient(&init_response(5), None), None);
    }

    #[test]
    fn an_error_about_a_channel_that_never_was_is_answered_and_not_remembered() {
        let mut routes = Routes::default();
        assert_eq!(routes.recipient(&short(9, Command::ERROR), Some((ChannelId(9), A))), Some(A));
        assert!(routes.admits(ChannelId(9), B));
    }

    #[test]
    fn g21_a_flood_of_inits_is_bounded_and_makes_no_channel_invalid() {
        let mut routes = Routes::default();
        open(&mut routes, 1, A);
        (2..5000).for_each(|channel| open(&mut routes, channel, B));
        assert_eq!(routes.owners.len(), CAPACITY);
        assert!(routes.admits(ChannelId(1), A));
        assert_eq!(routes.recipient(&short(1, Command::CBOR), Some((ChannelId(1), A))), Some(A));
        assert!(!routes.admits(ChannelId(1), B), "it has an owner again");
    }

    #[test]
    fn g21_a_flood_of_inits_does_not_take_the_answer_from_a_host_that_waits() {
        let mut routes = Routes::default();
        open(&mut routes, 1, A);
        routes.recipient(&short(1, Command::KEEPALIVE), Some((ChannelId(1), A)));
        (2..5000).for_each(|channel| open(&mut routes, channel, B));
        assert_eq!(routes.recipient(&short(1, Command::CBOR), None), Some(A));
    }

    #[test]
    fn a_host_that_is_gone_gets_nothing() {
        let mut routes = Routes::default();
        open(&mut routes, 1, A);
        routes.forget(A);
        assert_eq!(routes.recipient(&short(1, Command::CBOR), None), None);
    }
}
