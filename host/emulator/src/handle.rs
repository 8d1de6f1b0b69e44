//! What can be done to a running key.

use std::sync::mpsc::{Receiver, Sender, SyncSender, sync_channel};

use keywright_common::ctaphid::Report;

use crate::error::Stopped;
use crate::frontend::{self, Shared};
use crate::input::{Command, Input, Outcome};
use crate::state::State;

/// The hand of a running key, for as many threads as like to have one. Each method returns when the key has done it.
#[derive(Clone)]
pub struct Handle(Shared);

impl Handle {
    pub(crate) const fn new(shared: Shared) -> Self {
        Self(shared)
    }

    /// Touches the key; true if it waited for that.
    ///
    /// # Errors
    /// [`Stopped`], as all of these.
    pub fn touch(&self) -> Result<bool, Stopped> {
        Ok(self.command(Command::Touch)?.changed)
    }

    /// Declines what the key asks for; true if it asked.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn decline(&self) -> Result<bool, Stopped> {
        Ok(self.command(Command::Decline)?.changed)
    }

    /// Takes the power away and gives it back; connections stay open, and channels are gone. False if the key is not plugged in.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn power_cycle(&self) -> Result<bool, Stopped> {
        Ok(self.command(Command::PowerCycle)?.changed)
    }

    /// Erases everything, without a touch and at any time, and powers the key up if it is plugged in.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn wipe(&self) -> Result<(), Stopped> {
        self.command(Command::Wipe).map(|_| ())
    }

    /// Plugs the key in, which is a power-up; false if it is.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn plug(&self) -> Result<bool, Stopped> {
        Ok(self.command(Command::Plug)?.changed)
    }

    /// Unplugs the key: connections are closed, and datagrams are not answered. False if it is unplugged.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn unplug(&self) -> Result<bool, Stopped> {
        Ok(self.command(Command::Unplug)?.changed)
    }

    /// How the key is.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn state(&self) -> Result<State, Stopped> {
        Ok(self.command(Command::State)?.state)
    }

    /// Stops the key: [`crate::Running::wait`] returns. What was acknowledged is durable.
    ///
    /// # Errors
    /// [`Stopped`] if it was before.
    pub fn stop(&self) -> Result<(), Stopped> {
        self.command(Command::Stop).map(|_| ())
    }

    /// Connects a host in this process: reports to the key, and reports from it. When the key is unplugged, the receiver ends.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn connect(&self) -> Result<(Sender<Report>, Receiver<Report>), Stopped> {
        frontend::connect(&self.0)
    }

    /// What the threads of this key share.
    pub(crate) const fn shared(&self) -> &Shared {
        &self.0
    }

    pub(crate) fn command(&self, command: Command) -> Result<Outcome, Stopped> {
        let (reply, outcome): (SyncSender<Outcome>, _) = sync_channel(1);
        self.0.inputs.send(Input::Command { command, reply }).map_err(|_| Stopped)?;
        outcome.recv().map_err(|_| Stopped)
    }
}
