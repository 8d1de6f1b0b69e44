//! The user's presence for U2F, whose requests do not wait for it.
//!
//! A request that needs the user opens a window of two seconds, in which the key asks for a touch. The touch serves the
//! next request of the same channel that needs the user, once, and only until the window ends: hosts ask again several
//! times a second, so a request that comes later is another one. Asking again before the touch opens the window anew. A
//! touch outside of a window counts for nothing.
//!
//! Requests that need no user (version, check-only, an unknown key handle) leave the window alone: hosts send them
//! between two attempts. Another channel that asks before the touch takes the window over, as the touch answers what was
//! asked last; after the touch it cannot, and is only told to ask again.

use keywright_common::ctaphid::ChannelId;
use keywright_common::time::{Instant, Millis};

use crate::decision::Grant;

/// The window, if one is open.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Presence(Option<Window>);

#[derive(Clone, Copy, Debug)]
struct Window {
    channel: ChannelId,
    since: Instant,
    is_touched: bool,
}

impl Presence {
    /// Whether the user has touched the key for `channel`; if not, asks for it. A touch is used up.
    pub(crate) fn take(&mut self, channel: ChannelId, now: Instant) -> Grant {
        self.expire(now);
        let window = self.0;
        let touched =
            Grant::if_twice(|| window.is_some_and(|window| window.is_touched && window.channel == channel));
        if touched.holds() {
            self.0 = None;
        } else if window.is_none_or(|window| !window.is_touched) {
            self.0 = Some(Window { channel, since: now, is_touched: false });
        }
        touched
    }

    /// The user touched the key.
    pub(crate) fn touch(&mut self, now: Instant) {
        self.expire(now);
        if let Some(window) = &mut self.0
            && window.since <= now
        {
            window.is_touched = true;
        }
    }

    /// Closes the window, and forgets a touch.
    pub(crate) const fn clear(&mut self) {
        self.0 = None;
    }

    /// Closes a window that has ended.
    pub(crate) fn expire(&mut self, now: Instant) {
        self.0 = self.0.filter(|window| now < window.until());
    }

    /// When [`Presence::expire`] must be called next.
    pub(crate) fn deadline(self) -> Option<Instant> {
        self.0.map(Window::until)
    }

    /// Whether the user is asked for a touch.
    pub(crate) fn is_wanted(self) -> bool {
        self.0.is_some_and(|window| !window.is_touched)
    }
}

impl Window {
    fn until(self) -> Instant {
        self.since + LENGTH
    }
}

/// What hosts and products agree on; the specification names no number.
const LENGTH: Millis = Millis(2000);

#[cfg(test)]
mod tests {
    use super::*;

    const A: ChannelId = ChannelId(1);
    const B: ChannelId = ChannelId(2);

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    /// A presence that channel A has asked for at 0.
    fn asked() -> Presence {
        let mut presence = Presence::default();
        assert!(!presence.take(A, at(0)).holds());
        assert!(presence.is_wanted());
        presence
    }

    #[test]
    fn a_touch_serves_one_request() {
        let mut presence = asked();
        presence.touch(at(100));
        assert!(!presence.is_wanted());
        assert!(presence.take(A, at(200)).holds());
        assert!(!presence.take(A, at(200)).holds());
    }

    #[test]
    fn a_touch_before_any_request_or_after_the_window_counts_for_nothing() {
        let mut presence = Presence::default();
        presence.touch(at(0));
        assert!(!presence.take(A, at(0)).holds());
        presence.touch(at(2000));
        assert!(!presence.take(A, at(2000)).holds());
        presence.touch(at(1999));
        assert!(!presence.take(A, at(2000)).holds(), "it was made before the window that is open now");
    }

    #[test]
    fn a_touch_in_the_last_millisecond_counts_until_the_window_ends() {
        for (used_at, is_served) in [(1999, true), (2000, false)] {
            let mut presence = asked();
            presence.touch(at(1999));
            assert_eq!(presence.take(A, at(used_at)).holds(), is_served);
        }
    }

    #[test]
    fn a_touch_does_not_prolong_the_window_but_asking_again_does() {
        let mut presence = asked();
        presence.touch(at(100));
        assert_eq!(presence.deadline(), Some(at(2000)));
        let mut presence = asked();
        assert!(!presence.take(A, at(1500)).holds());
        presence.touch(at(3400));
        assert!(presence.take(A, at(3499)).holds());
    }

    #[test]
    fn another_channel_cannot_use_a_touch_nor_spoil_it() {
        let mut presence = asked();
        presence.touch(at(100));
        assert!(!presence.take(B, at(200)).holds());
        assert!(presence.take(A, at(300)).holds());
    }

    #[test]
    fn the_touch_is_for_the_channel_that_asked_last() {
        let mut presence = asked();
        assert!(!presence.take(B, at(100)).holds());
        presence.touch(at(200));
        assert!(!presence.take(A, at(300)).holds());
        assert!(presence.take(B, at(300)).holds());
    }

    #[test]
    fn a_window_that_is_closed_or_has_ended_asks_for_nothing() {
        let mut presence = asked();
        presence.expire(at(1999));
        assert!(presence.is_wanted());
        presence.expire(at(2000));
        assert!(!presence.is_wanted());
        assert_eq!(presence.deadline(), None);
        let mut presence = asked();
        presence.touch(at(100));
        presence.clear();
        assert!(!presence.take(A, at(200)).holds());
    }
}
