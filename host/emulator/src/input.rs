//! What comes to the key's thread, from every other one.

use std::net::SocketAddr;
use std::sync::mpsc::SyncSender;

use keywright_common::ctaphid::Report;

use crate::error::Error;
use crate::state::State;
use crate::touch::Answer;

/// One input. All of them go through one bounded channel, so that whoever sends too fast waits, and nothing piles up.
pub(crate) enum Input {
    /// A report from a host.
    Report { from: Peer, report: Report },
    /// A host connected.
    Attach { id: u64, link: Box<dyn Link> },
    /// A host is gone.
    Detach { id: u64 },
    /// The user answered the prompt of this number.
    Answered { number: u64, answer: Answer },
    /// Something that is done to the key, and where its outcome goes.
    Command { command: Command, reply: SyncSender<Outcome> },
    /// A frontend cannot go on.
    Broken(Error),
}

/// Who sent a report, and gets the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Peer {
    /// The sender of datagrams to one of the UDP frontends.
    Datagrams { socket: usize, address: SocketAddr },
    /// A connection.
    Connection(u64),
}

/// The way back over a connection. Must not block: one host that does not read must not stop the others.
pub(crate) trait Link: Send {
    /// Takes a report, or says that the connection is of no use any more.
    fn send(&self, report: &Report) -> Result<(), Closed>;
    /// Ends the connection.
    fn close(&self);
}

/// The connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Closed;

/// What is done to a key, other than by a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Touch,
    Decline,
    PowerCycle,
    Wipe,
    Plug,
    Unplug,
    State,
    Stop,
}

/// What became of a command.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// Whether it changed anything.
    pub(crate) changed: bool,
    /// How the key is now.
    pub(crate) state: State,
}

/// How many inputs wait at most.
pub(crate) const INPUTS: usize = 256;
