//! What a key says while it works, and whether the user still wants it to.

/// Whoever waits for a message. Every method has a default, so that `()`-like listeners are short.
pub trait Interaction {
    /// The key is still at work; said at least every 100 ms by a good key.
    fn keepalive(&mut self, _status: KeepaliveStatus) {}

    /// The key waits for a touch now; said once a message.
    fn touch_needed(&mut self) {}

    /// Whether the user no longer wants it. Looked at with every report, and ten times a second.
    fn is_cancelled(&mut self) -> bool {
        false
    }
}

/// Nobody: is told nothing and never cancels.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unattended;

impl Interaction for Unattended {}

/// The content of a CTAPHID_KEEPALIVE message (§11.2.9.1.7). Open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepaliveStatus {
    /// The key computes.
    Processing,
    /// The key waits for a touch.
    UpNeeded,
    /// Of a later version.
    Other(u8),
}

impl From<u8> for KeepaliveStatus {
    fn from(byte: u8) -> Self {
        match byte {
            1 => Self::Processing,
            2 => Self::UpNeeded,
            other => Self::Other(other),
        }
    }
}
