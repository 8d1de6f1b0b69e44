//! An imported key: the host's commands and the key's reports meet in one thread, which answers.
//!
//! As they meet in one place, a transfer is either answered or unlinked, never both.

use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use keywright_common::ctaphid::Report;

use super::device::Device;
use super::wire::{self, Action, COMMAND};
use crate::frontend::Shared;
use crate::frontend::pace::Pace;
use crate::frontend::tcp::read_until;
use crate::input::{Closed, Input, Link, Peer};

/// What happens to an imported key.
enum Event {
    /// The host sent a command and the data that follows it.
    Command(wire::Command, Vec<u8>),
    /// The key has a report for the host.
    Report(Report),
    /// The host is gone, or sent what cannot be understood.
    End,
}

/// Serves the host of an imported key until one of them is gone.
pub(super) fn run(stream: TcpStream, device_id: u32, shared: &Shared) {
    let (events, waiting) = sync_channel(EVENTS);
    let (Ok(reader), Ok(closer)) = (stream.try_clone(), stream.try_clone()) else { return };
    let id = shared.next_connection();
    let link = Box::new(Bus { events: events.clone(), stream: closer });
    if shared.inputs.send(Input::Attach { id, link }).is_err() {
        return;
    }
    let reader = thread::spawn(move || read(reader, device_id, &events));
    let host = Host { stream, shared, id };
    host.serve(&waiting);
    // The reader may wait for room in a channel that nobody empties any more, or for the host.
    drop(waiting);
    let _ = host.stream.shutdown(Shutdown::Both);
    let _ = reader.join();
    let _ = shared.inputs.send(Input::Detach { id });
}

/// The way from the key to its session.
struct Bus {
    events: SyncSender<Event>,
    stream: TcpStream,
}

impl Link for Bus {
    fn send(&self, report: &Report) -> Result<(), Closed> {
        self.events.try_send(Event::Report(*report)).map_err(|_| Closed)
    }

    fn close(&self) {
        // Fails only if the host was faster.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// Reads commands until there are no more, or one of them breaks the protocol: the stream cannot be followed then.
fn read(mut stream: TcpStream, device_id: u32, events: &SyncSender<Event>) {
    while let Some((command, data)) = read_command(&mut stream, device_id) {
        if events.send(Event::Command(command, data)).is_err() {
            return;
        }
    }
    let _ = events.send(Event::End);
}

/// The next command, however late; but what has begun must end in time.
fn read_command(stream: &mut TcpStream, device_id: u32) -> Option<(wire::Command, Vec<u8>)> {
    let mut bytes = [0; COMMAND];
    let (first, rest) = bytes.split_at_mut(1);
    stream.set_read_timeout(None).ok()?;
    std::io::Read::read_exact(stream, first).ok()?;
    let in_time = Instant::now() + COMMAND_TIMEOUT;
    read_until(stream, rest, in_time)?;
    let command = wire::Command::parse(&bytes).ok().filter(|command| command.device == device_id)?;
    let mut data = match &command.action {
        Action::Submit(transfer) => vec![0; transfer.following()],
        Action::Unlink(_) => Vec::new(),
    };
    read_until(stream, &mut data, in_time)?;
    Some((command, data))
}

/// The host of an imported key.
struct Host<'a> {
    stream: TcpStream,
    shared: &'a Shared,
    id: u64,
}

impl Host<'_> {
    fn serve(&self, events: &Receiver<Event>) {
        let mut device = Device::default();
        let mut pace = Pace::default();
        loop {
            let wait = if device.can_deliver() { Some(pace.delay(Instant::now())) } else { None };
            match next(events, wait) {
                Ok(Event::Command(command, data)) => {
                    let report = device.handle(command, &data);
                    if report.is_some_and(|report| !self.hand_on(report)) {
                        return;
                    }
                }
                Ok(Event::Report(report)) => device.report(report),
                Err(RecvTimeoutError::Timeout) => {}
                Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => return,
            }
            while pace.delay(Instant::now()).is_zero() && device.deliver() {
                pace.sent(Instant::now());
            }
            if self.answer(&mut device).is_err() {
                return;
            }
        }
    }

    fn hand_on(&self, report: Report) -> bool {
        self.shared.inputs.send(Input::Report { from: Peer::Connection(self.id), report }).is_ok()
    }

    /// All answers that are there go out in one piece.
    fn answer(&self, device: &mut Device) -> std::io::Result<()> {
        let answers: Vec<u8> = std::iter::from_fn(|| device.poll_transmit()).flatten().collect();
        let mut stream = &self.stream;
        stream.write_all(&answers)
    }
}

/// The next event, within `wait` if there is something to do by then.
fn next(events: &Receiver<Event>, wait: Option<Duration>) -> Result<Event, RecvTimeoutError> {
    match wait {
        Some(wait) => events.recv_timeout(wait),
        None => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
    }
}

/// For a command to come whole.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(2);
/// Events that wait: four of the longest messages.
const EVENTS: usize = 4 * 129;
