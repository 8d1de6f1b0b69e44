//! Which answers go to whom.

use std::cmp::Reverse;
use std::collections::HashMap;

use keywright_common::ctaphid::{ChannelId, Command, Content, Packet, Report};

use crate::input::Peer;

/// Channels and the hosts that they were given to.
///
/// A channel belongs to the host that was answered with it: another one can neither use it nor read what comes over it, also when its host
/// is gone, for what that host began and the touch that it was given stay with the channel for a while (G8). There is room for a number
/// of channels. Beyond it, the host that has the most loses the one that it used least recently: who floods the key with INITs takes room
/// from himself (G21). A channel that was lost belongs to nobody any more.
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
    /// Whether `peer` may send on `channel`; anybody may ask for one.
    pub(crate) fn admits(&self, channel: ChannelId, peer: Peer) -> bool {
        channel == ChannelId::BROADCAST || self.owners.get(&channel).is_some_and(|owner| owner.peer == peer)
    }

    /// The owner of `channel` has sent on it.
    pub(crate) fn note_use(&mut self, channel: ChannelId) {
        self.clock += 1;
        if let Some(owner) = self.owners.get_mut(&channel) {
            owner.used = self.clock;
        }
    }

    /// Who gets `report`, which came out of the key after a report from `asker` on the channel `asked`, or unasked.
    pub(crate) fn recipient(&mut self, report: &Report, asker: Option<(ChannelId, Peer)>) -> Option<Peer> {
        let packet = Packet::parse(report);
        if packet.channel == ChannelId::BROADCAST {
            let (_, peer) = asker.filter(|(asked, _)| *asked == ChannelId::BROADCAST)?;
            if let Some(channel) = allocated(&packet) {
                self.give(channel, peer);
            }
            return Some(peer);
        }
        if is(&packet, Command::KEEPALIVE) {
            self.waiting = Some(packet.channel);
        }
        self.owners.get(&packet.channel).map(|owner| owner.peer)
    }

    /// Forgets what a host that is gone had: these channels.
    pub(crate) fn forget(&mut self, peer: Peer) -> Vec<ChannelId> {
        self.owners.extract_if(|_, owner| owner.peer == peer).map(|(channel, _)| channel).collect()
    }

    /// Forgets everything: channels do not outlive the key's power.
    pub(crate) fn clear(&mut self) {
        self.owners.clear();
        self.waiting = None;
    }

    fn give(&mut self, channel: ChannelId, peer: Peer) {
        if self.owners.len() >= CAPACITY
            && let Some(channel) = self.most_dispensable()
        {
            self.owners.remove(&channel);
        }
        self.clock += 1;
        self.owners.insert(channel, Owner { peer, used: self.clock });
    }

    /// The least recently used channel of the host that has the most.
    fn most_dispensable(&self) -> Option<ChannelId> {
        let mut counts = HashMap::<Peer, usize>::new();
        self.owners.values().for_each(|owner| *counts.entry(owner.peer).or_default() += 1);
        let idle = self.owners.iter().filter(|(channel, _)| Some(**channel) != self.waiting);
        let most = idle.max_by_key(|(_, owner)| (counts.get(&owner.peer), Reverse(owner.used)));
        most.map(|(channel, _)| *channel)
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
        assert!(routes.admits(ChannelId(5), A) && !routes.admits(ChannelId(5), B));
        assert_eq!(routes.recipient(&short(5, Command::CBOR), Some((ChannelId(5), B))), Some(A));
    }

    #[test]
    fn what_belongs_to_nobody_goes_to_nobody() {
        assert_eq!(Routes::default().recipient(&short(5, Command::CBOR), None), None);
        assert_eq!(Routes::default().recipient(&init_response(5), None), None);
    }

    #[test]
    fn a_channel_that_never_was_is_nobodys_and_everybody_may_ask_for_one() {
        let routes = Routes::default();
        assert!(!routes.admits(ChannelId(9), A));
        assert!(routes.admits(ChannelId::BROADCAST, A));
    }

    #[test]
    fn g21_a_flood_of_inits_is_bounded_and_takes_no_channel_from_another_host() {
        let mut routes = Routes::default();
        open(&mut routes, 1, A);
        (2..5000).for_each(|channel| open(&mut routes, channel, B));
        assert_eq!(routes.owners.len(), CAPACITY);
        assert!(routes.admits(ChannelId(1), A) && !routes.admits(ChannelId(1), B));
        assert!(routes.admits(ChannelId(4999), B) && !routes.admits(ChannelId(2), B));
    }

    #[test]
    fn g08_a_channel_that_many_hosts_crowd_out_is_nobodys() {
        let mut routes = Routes::default();
        open(&mut routes, 1, A);
        (2..5000).for_each(|channel| open(&mut routes, channel, Peer::Connection(channel.into())));
        assert_eq!(routes.owners.len(), CAPACITY);
        assert!(!routes.admits(ChannelId(1), A) && !routes.admits(ChannelId(1), B));
        assert_eq!(routes.recipient(&short(1, Command::CBOR), Some((ChannelId(1), B))), None);
    }

    #[test]
    fn g21_what_is_used_is_kept_longest() {
        let mut routes = Routes::default();
        open(&mut routes, 1, A);
        for channel in 2..5000 {
            open(&mut routes, channel, A);
            routes.note_use(ChannelId(1));
        }
        assert!(routes.admits(ChannelId(1), A));
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
    fn g08_a_host_that_is_gone_gets_nothing_and_leaves_its_channel_to_nobody() {
        let mut routes = Routes::default();
        open(&mut routes, 1, A);
        assert_eq!(routes.forget(A), [ChannelId(1)]);
        assert!(!routes.admits(ChannelId(1), B));
        assert_eq!(routes.recipient(&short(1, Command::CBOR), None), None);
    }
}
