//! The key's thread: one loop over one channel of inputs.
//!
//! It waits for the next input until the key or the finger that touches it has something to do, and never sleeps or polls.
//! After every step it commits the flash, then lets go of what the key has to say: no response leaves before what it promises
//! is durable. What cannot be committed ends the loop with an error, and the response stays inside.

use std::collections::HashMap;
use std::net::UdpSocket;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant as SystemInstant};

use keywright_common::ctaphid::{ChannelId, Command as Ctaphid, Content, ErrorCode, Message, Packet, Report};
use keywright_common::time::Instant;
use keywright_firmware::Key;
use keywright_firmware::authenticator::Start;
use keywright_firmware::identity::Identity;
use keywright_firmware::key::Indication as Shown;

use crate::error::Error;
use crate::flash::{CommitError, Flash};
use crate::frontend::Port;
use crate::input::{Command, Input, Link, Outcome, Peer};
use crate::random::Random;
use crate::routes::Routes;
use crate::state::{Indication, State};
use crate::touch::{Answer, Finger};

/// A key with everything around it but the threads that bring its inputs.
pub(crate) struct VirtualKey {
    identity: Identity,
    flash: Flash,
    /// The origin of the key's clock.
    origin: SystemInstant,
    /// Absent while it is not plugged in.
    plugged: Option<Plugged>,
    finger: Finger,
    sockets: Vec<UdpSocket>,
    links: HashMap<u64, Box<dyn Link>>,
    /// Where the key is plugged into this machine, while it is plugged in at all.
    ports: Vec<Port>,
    routes: Routes,
}

/// A key that has power.
struct Plugged {
    key: Key<Flash, Random, Box<Message>>,
    since: Instant,
}

/// Whether the loop goes on.
enum Next {
    Input,
    Stop,
}

impl VirtualKey {
    /// Powers a key up over `flash`.
    ///
    /// # Errors
    /// Whatever keeps the store from being opened or what it writes from becoming durable.
    pub(crate) fn new(identity: Identity, flash: Flash, finger: Finger) -> Result<Self, Error> {
        let mut key = Self {
            identity,
            flash,
            origin: SystemInstant::now(),
            plugged: None,
            finger,
            sockets: Vec::new(),
            links: HashMap::new(),
            ports: Vec::new(),
            routes: Routes::default(),
        };
        key.power_up()?;
        Ok(key)
    }

    /// Answers to datagrams go through these sockets from now on.
    pub(crate) fn set_sockets(&mut self, sockets: Vec<UdpSocket>) {
        self.sockets = sockets;
    }

    /// Plugs the key into these ports, now and whenever it is plugged in.
    ///
    /// # Errors
    /// [`Error::Uhid`].
    pub(crate) fn set_ports(&mut self, ports: Vec<Port>) -> Result<(), Error> {
        self.ports = ports;
        self.enter_ports()
    }

    /// Runs the key until it is stopped.
    ///
    /// # Errors
    /// What stopped it, if nobody did.
    pub(crate) fn run(mut self, inputs: &Receiver<Input>) -> Result<(), Error> {
        loop {
            self.handle_due()?;
            let next = match self.wait(inputs) {
                Ok(input) => self.handle(input)?,
                Err(RecvTimeoutError::Timeout) => Next::Input,
                Err(RecvTimeoutError::Disconnected) => Next::Stop,
            };
            if matches!(next, Next::Stop) {
                return Ok(());
            }
        }
    }

    /// The next input, unless something is due before it comes.
    fn wait(&self, inputs: &Receiver<Input>) -> Result<Input, RecvTimeoutError> {
        let of_key = self.plugged.as_ref().and_then(|plugged| plugged.key.poll_timeout());
        match of_key.into_iter().chain(self.finger.poll_timeout()).min() {
            None => inputs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => {
                let due = self.origin + Duration::from_millis(due.as_millis());
                inputs.recv_timeout(due.saturating_duration_since(SystemInstant::now()))
            }
        }
    }

    fn handle_due(&mut self) -> Result<(), Error> {
        let now = self.now();
        if let Some(plugged) = &mut self.plugged
            && plugged.key.poll_timeout().is_some_and(|due| due <= now)
        {
            plugged.key.handle_timeout(now);
            self.settle(None)?;
        }
        if let Some(answer) = self.finger.take_due(now) {
            self.answer(answer)?;
        }
        Ok(())
    }

    fn handle(&mut self, input: Input) -> Result<Next, Error> {
        match input {
            Input::Report { from, report } => self.report(from, &report)?,
            Input::Attach { id, link } if self.plugged.is_some() => drop(self.links.insert(id, link)),
            Input::Attach { link, .. } => link.close(),
            Input::Detach { id } => self.detach(id)?,
            Input::Answered { number, answer } if self.finger.is_current(number) => {
                self.answer(answer)?;
            }
            Input::Answered { .. } => {}
            Input::Command { command, reply } => return self.command(command, &reply),
            Input::Broken(error) => return Err(error),
        }
        Ok(Next::Input)
    }

    fn report(&mut self, from: Peer, report: &Report) -> Result<(), Error> {
        let now = self.now();
        let Some(plugged) = &mut self.plugged else { return Ok(()) };
        if let Peer::Connection(id) = from
            && !self.links.contains_key(&id)
        {
            // It sent this before it was closed.
            return Ok(());
        }
        let packet = Packet::parse(report);
        if !self.routes.admits(packet.channel, from) {
            return self.refuse(from, &packet);
        }
        self.routes.note_use(packet.channel);
        plugged.key.handle_report(report, now);
        self.settle(Some((packet.channel, from)))
    }

    /// Answers a host on a channel that was not given to it as the key would if there were none.
    fn refuse(&mut self, from: Peer, packet: &Packet<'_>) -> Result<(), Error> {
        let Content::Initialization { command, .. } = packet.content else { return Ok(()) };
        if command == Ctaphid::CANCEL {
            return Ok(());
        }
        let error = [ErrorCode::INVALID_CHANNEL.0];
        self.send(from, &Packet::initialization(packet.channel, Ctaphid::ERROR, 1, &error))
    }

    fn command(&mut self, command: Command, reply: &SyncSender<Outcome>) -> Result<Next, Error> {
        let was_plugged = self.plugged.is_some();
        let changed = match command {
            Command::Touch => self.answer(Answer::Touch)?,
            Command::Decline => self.answer(Answer::Decline)?,
            Command::PowerCycle => self.power_cycle(was_plugged)?,
            Command::Wipe => self.wipe()?,
            Command::Plug => !was_plugged && self.plug()?,
            Command::Unplug => self.unplug(),
            Command::State | Command::Stop => false,
        };
        // Whoever asked may not wait for the answer any more.
        let _ = reply.send(Outcome { changed, state: self.state() });
        Ok(if command == Command::Stop { Next::Stop } else { Next::Input })
    }

    /// What the user, or whoever stands for him, does; true if the key waited for it.
    fn answer(&mut self, answer: Answer) -> Result<bool, Error> {
        let now = self.now();
        let Some(plugged) = &mut self.plugged else { return Ok(false) };
        let is_wanted = matches!(plugged.key.indication(), Shown::TouchWanted(_));
        match answer {
            Answer::Touch => plugged.key.touch(now),
            Answer::Decline => plugged.key.decline(now),
            Answer::Nothing => return Ok(false),
        }
        self.settle(None)?;
        Ok(is_wanted)
    }

    /// After every step: first what was written becomes durable, then what the key says goes out. Between the two, the finger
    /// sees what is wanted: a host that has its answer finds no prompt for it.
    fn settle(&mut self, asker: Option<(ChannelId, Peer)>) -> Result<(), Error> {
        self.flash.commit()?;
        let shown = self.plugged.as_ref().map(|plugged| plugged.key.indication());
        self.finger.watch(matches!(shown, Some(Shown::TouchWanted(_))), self.now());
        while let Some(report) = self.plugged.as_mut().and_then(|plugged| plugged.key.poll_transmit()) {
            if let Some(peer) = self.routes.recipient(&report, asker) {
                self.send(peer, &report)?;
            }
        }
        self.work_ahead()
    }

    /// What can be done while only the user is waited for, or nobody: room for what is written next, above all.
    fn work_ahead(&mut self) -> Result<(), Error> {
        if let Some(plugged) = &mut self.plugged {
            plugged.key.prepare();
        }
        while self.plugged.as_mut().is_some_and(|plugged| plugged.key.idle()) {}
        Ok(self.flash.commit()?)
    }

    fn send(&mut self, peer: Peer, report: &Report) -> Result<(), Error> {
        match peer {
            Peer::Datagrams { socket, address } => {
                // A datagram may be lost, and this one goes to a host that is gone, or does not read.
                let _ = self.sockets.get(socket).map(|socket| socket.send_to(report, address));
            }
            Peer::Connection(id) => {
                if self.links.get(&id).is_some_and(|link| link.send(report).is_err()) {
                    self.detach(id)?;
                }
            }
        }
        Ok(())
    }

    /// A host that is gone wants nothing any more: what it asked for must not keep others waiting, nor take their touch.
    fn detach(&mut self, id: u64) -> Result<(), Error> {
        if let Some(link) = self.links.remove(&id) {
            link.close();
        }
        let now = self.now();
        for channel in self.routes.forget(Peer::Connection(id)) {
            if let Some(plugged) = &mut self.plugged {
                plugged.key.handle_report(&Packet::initialization(channel, Ctaphid::CANCEL, 0, &[]), now);
            }
        }
        self.settle(None)
    }

    /// Takes the power away, and gives it back if `is_plugged`. What was in memory is gone; connections stay.
    fn power_cycle(&mut self, is_plugged: bool) -> Result<bool, Error> {
        self.plugged = None;
        self.routes.clear();
        self.settle(None)?;
        if is_plugged {
            self.power_up()?;
        }
        Ok(is_plugged)
    }

    fn power_up(&mut self) -> Result<(), Error> {
        let now = self.now();
        let buffers = [Box::new(Message::new()), Box::new(Message::new())];
        let flash = self.flash.clone();
        let key = Key::new(self.identity, flash, Random::new()?, buffers, Start::PowerUp, now);
        // A board would offer a reset; here there is a file that can be brought back.
        key.fault().map_or(Ok(()), Err)?;
        self.plugged = Some(Plugged { key, since: now });
        self.settle(None)
    }

    /// Erases everything, as at the factory.
    fn wipe(&mut self) -> Result<bool, Error> {
        let was_plugged = self.plugged.take().is_some();
        self.flash.wipe().map_err(CommitError::from)?;
        self.power_cycle(was_plugged)?;
        Ok(true)
    }

    fn plug(&mut self) -> Result<bool, Error> {
        self.power_cycle(true)?;
        self.enter_ports()?;
        Ok(true)
    }

    fn enter_ports(&mut self) -> Result<(), Error> {
        for port in &self.ports {
            let (id, link) = port.plug()?;
            self.links.insert(id, link);
        }
        Ok(())
    }

    fn unplug(&mut self) -> bool {
        let was_plugged = self.plugged.take().is_some();
        self.routes.clear();
        self.finger.watch(false, self.now());
        self.close_links();
        was_plugged
    }

    fn close_links(&mut self) {
        self.links.drain().for_each(|(_, link)| link.close());
    }

    fn state(&self) -> State {
        let now = self.now();
        let shown = self.plugged.as_ref().map_or(Shown::Idle, |plugged| plugged.key.indication());
        State {
            plugged: self.plugged.is_some(),
            indication: Indication::from(shown),
            powered_for: self.plugged.as_ref().map(|plugged| Duration::from_millis((now - plugged.since).0)),
        }
    }

    fn now(&self) -> Instant {
        Instant::from_millis(u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

/// However the loop ends: hosts see that the key is gone.
impl Drop for VirtualKey {
    fn drop(&mut self) {
        self.close_links();
    }
}
