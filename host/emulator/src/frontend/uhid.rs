//! A key on `/dev/uhid`: the kernel makes a HID device of it, and a hidraw node that any program can use.
//!
//! Two threads serve the device file. One only reads: the kernel keeps 32 messages and drops reports beyond, so it takes all
//! that are there before it hands the first one on. The other writes reports, at a [`Pace`] that hidraw can keep up with.

mod event;

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Instant;

use keywright_common::ctaphid::{CONTINUATION_DATA, INITIALIZATION_DATA, Report};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::OFlags;

use self::event::{Event, MAX_EVENT, ReportKind};
use super::pace::Pace;
use super::{Shared, hid};
use crate::error::Error;
use crate::input::{Closed, Input, Link, Peer};

/// Where a key is plugged into this machine.
pub(crate) struct Port {
    /// Opens the device file. Each time the key is plugged in it is opened anew, with nothing in it of the time before.
    open: Box<dyn Fn() -> io::Result<Arc<dyn Node>> + Send>,
    /// Shown as the device's port (`HID_PHYS`), by which its hidraw node can be found.
    place: String,
    shared: Shared,
}

/// The device file, or what stands for it in a test: whole messages go in and come out.
pub(crate) trait Node: AsFd + Send + Sync {
    /// Takes a message; gives its length, or `WouldBlock` if there is none.
    fn read(&self, message: &mut [u8]) -> io::Result<usize>;
    /// Hands a message over.
    fn write(&self, message: &[u8]) -> io::Result<()>;
}

impl Port {
    /// A port of this machine, with a place that no other has.
    pub(crate) fn new(shared: Shared) -> Self {
        let place = format!("keywright/{}/{}", std::process::id(), PLACES.fetch_add(1, Ordering::Relaxed));
        Self { open: Box::new(open_device), place, shared }
    }

    /// Plugs the key in: its connection and the way back. It is unplugged when that is closed.
    ///
    /// # Errors
    /// [`Error::Uhid`].
    pub(crate) fn plug(&self) -> Result<(u64, Box<dyn Link>), Error> {
        let uhid = |source| Error::Uhid { source };
        let node = (self.open)().map_err(uhid)?;
        node.write(&event::create2(&self.place)).map_err(uhid)?;
        let (wake, woken) = UnixStream::pair().map_err(uhid)?;
        let id = self.shared.next_connection();
        let (queue, reports) = sync_channel(QUEUE);
        let (reader, shared) = (Arc::clone(&node), self.shared.clone());
        thread::spawn(move || {
            let take =
                |report| shared.inputs.send(Input::Report { from: Peer::Connection(id), report }).is_ok();
            if let Err(source) = read_reports(&*reader, &woken, take) {
                let _ = shared.inputs.send(Input::Broken(Error::Uhid { source }));
            }
        });
        let writer = Arc::clone(&node);
        thread::spawn(move || write_reports(&*writer, &reports));
        Ok((id, Box::new(Plugged { node, queue, _wake: wake })))
    }
}

/// The key in its port.
struct Plugged {
    node: Arc<dyn Node>,
    queue: SyncSender<Report>,
    /// The reader ends when this does.
    _wake: UnixStream,
}

impl Link for Plugged {
    /// Reports that do not fit any more are lost, as they are to a program that does not read its hidraw node: a host that
    /// floods the key harms itself, and the key stays plugged in.
    fn send(&self, report: &Report) -> Result<(), Closed> {
        let _ = self.queue.try_send(*report);
        Ok(())
    }

    fn close(&self) {
        // Fails only if the device is gone already.
        let _ = self.node.write(&event::destroy());
    }
}

impl Node for File {
    fn read(&self, message: &mut [u8]) -> io::Result<usize> {
        let mut file = self;
        Read::read(&mut file, message)
    }

    fn write(&self, message: &[u8]) -> io::Result<()> {
        // One message is one system call; `write_all` would make two of one that was taken in part.
        let mut file = self;
        let taken = Write::write(&mut file, message)?;
        if taken == message.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
    }
}

fn open_device() -> io::Result<Arc<dyn Node>> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    Ok(Arc::new(OpenOptions::new().read(true).write(true).custom_flags(flags).open(DEVICE)?))
}

/// Hands reports from the host to `take` until that says no, the other end of `woken` is gone, or the file cannot be read.
fn read_reports(node: &dyn Node, woken: &UnixStream, take: impl Fn(Report) -> bool) -> io::Result<()> {
    let mut message = vec![0; MAX_EVENT];
    let mut reports = Vec::with_capacity(RING);
    while wait(node, woken)? {
        while reports.len() < RING
            && let Some(message) = read(node, &mut message)?
        {
            reports.extend(handle(node, message)?);
        }
        if !reports.drain(..).all(&take) {
            return Ok(());
        }
    }
    Ok(())
}

/// Takes the next message, if there is one.
fn read<'a>(node: &dyn Node, message: &'a mut [u8]) -> io::Result<Option<&'a [u8]>> {
    loop {
        return match node.read(message) {
            Ok(length) => Ok(message.get(..length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
    }
}

/// Waits for a message; false if the key is unplugged instead.
fn wait(node: &dyn Node, woken: &UnixStream) -> io::Result<bool> {
    loop {
        let mut sources =
            [PollFd::new(woken, PollFlags::IN), PollFd::from_borrowed_fd(node.as_fd(), PollFlags::IN)];
        match poll(&mut sources, None) {
            Err(rustix::io::Errno::INTR) => {}
            outcome => {
                outcome?;
                let [woken, node] = sources;
                if node.revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
                    // There will never be another message.
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                return Ok(woken.revents().is_empty());
            }
        }
    }
}

/// Answers a message where the kernel waits for that; gives the report that a program wrote, if it was one.
fn handle(node: &dyn Node, message: &[u8]) -> io::Result<Option<Report>> {
    match Event::parse(message) {
        Ok(Event::Output(ReportKind::OUTPUT, data)) => Ok(hid::output_report(data)),
        Ok(Event::SetReport { id, kind, data }) => {
            let report = hid::output_report(data).filter(|_| kind == ReportKind::OUTPUT);
            answer(node, &event::answer_set_report(id, report.is_some()))?;
            Ok(report)
        }
        Ok(Event::GetReport { id }) => {
            answer(node, &event::refuse_get_report(id))?;
            Ok(None)
        }
        // Programs open and close the device without the key: CTAPHID's channels are all that it knows of them. What is
        // malformed or unknown is not for this key either.
        _ => Ok(None),
    }
}

/// Writes reports to the host until there are no more to come.
fn write_reports(node: &dyn Node, reports: &Receiver<Report>) {
    let mut pace = Pace::default();
    for report in reports {
        // After a burst the other end has to catch up, as it would on a bus.
        thread::sleep(pace.delay(Instant::now()));
        if answer(node, &event::input2(&report)).is_err() {
            return;
        }
        pace.sent(Instant::now());
    }
}

/// Writes what nobody may be waiting for any more: the kernel says EINVAL when the key was unplugged meanwhile.
fn answer(node: &dyn Node, message: &[u8]) -> io::Result<()> {
    match node.write(message) {
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        outcome => outcome,
    }
}

/// Counts the ports of this process.
static PLACES: AtomicU64 = AtomicU64::new(0);

/// The longest message that can be counted on to arrive, in bytes: 30 reports. The kernel keeps [`RING`] and drops what a program
/// writes beyond before the reader has had its turn, which on a busy machine is soon.
pub(crate) const MAX_MESSAGE: usize = INITIALIZATION_DATA + 29 * CONTINUATION_DATA;
/// Messages that the kernel keeps.
const RING: usize = 32;
const DEVICE: &str = "/dev/uhid";
/// Reports that wait for the host: four of the longest messages.
const QUEUE: usize = 4 * 129;

#[cfg(test)]
mod tests;
