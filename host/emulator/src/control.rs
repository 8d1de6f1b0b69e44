//! The control socket: what a hand would do to the key, as lines of JSON. `CONTROL.md` has the shapes.

mod line;

use std::collections::HashMap;
use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io::{self, BufReader, ErrorKind, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::error::Error;
use crate::frontend::{Reader, Shared};
use crate::handle::Handle;
use crate::input::Input;

/// A bound control socket; its name is removed when this is dropped.
pub(crate) struct Control {
    path: PathBuf,
    /// Device and inode: the name is removed only while it is still ours.
    identity: (u64, u64),
}

/// The connections that are open, so that they can be closed.
#[derive(Clone, Default)]
struct Connections(Arc<Mutex<HashMap<u64, UnixStream>>>);

impl Control {
    /// Makes the socket, mode 0600 from the first moment that it can be found. One that nobody listens to is replaced.
    ///
    /// # Errors
    /// [`Error::ControlInUse`], [`Error::ControlNotSocket`], [`Error::Control`].
    pub(crate) fn bind(path: &Path) -> Result<(Self, UnixListener), Error> {
        check_free(path)?;
        let failed = |source| Error::Control { path: path.into(), source };
        let listener = bind_private(path).map_err(failed)?;
        let metadata = fs::symlink_metadata(path).map_err(failed)?;
        Ok((Self { path: path.into(), identity: identity(&metadata) }, listener))
    }

    /// Starts to serve the socket.
    ///
    /// # Errors
    /// [`Error::Control`].
    pub(crate) fn start(
        &self,
        listener: UnixListener,
        shared: Shared,
        handle: Handle,
    ) -> Result<Reader, Error> {
        let second =
            listener.try_clone().map_err(|source| Error::Control { path: self.path.clone(), source })?;
        let connections = Connections::default();
        let open = connections.clone();
        let thread = thread::spawn(move || accept(&listener, &shared, &handle, &open));
        // The name may be gone, or another's, so the wait is ended from this side and not by connecting.
        let listening = UnixStream::from(OwnedFd::from(second));
        Ok(Reader::new(thread, move || {
            connections.close_all();
            listening.shutdown(Shutdown::Both).is_ok()
        }))
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.identity) {
            // If it cannot be removed, the next start finds that nobody listens to it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Connections {
    fn open(&self) -> MutexGuard<'_, HashMap<u64, UnixStream>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a handle of a new connection; `None` if there are too many.
    fn add(&self, id: u64, stream: &UnixStream) -> Option<()> {
        let mut open = self.open();
        (open.len() < MAX_CONNECTIONS).then_some(())?;
        open.insert(id, stream.try_clone().ok()?);
        Some(())
    }

    fn close_all(&self) {
        for stream in self.open().values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn accept(listener: &UnixListener, shared: &Shared, handle: &Handle, connections: &Connections) {
    for stream in listener.incoming() {
        if shared.is_stopping() {
            return;
        }
        match stream {
            Ok(stream) => {
                let (id, handle) = (shared.next_connection(), handle.clone());
                if connections.add(id, &stream).is_some() {
                    let connections = connections.clone();
                    thread::spawn(move || {
                        serve(&stream, &handle);
                        connections.open().remove(&id);
                    });
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
            Err(source) => {
                let _ = shared.inputs.send(Input::Broken(Error::Frontend { what: "control socket", source }));
                return;
            }
        }
    }
}

/// Answers line by line until the other end closes, or sends what is no line.
fn serve(mut stream: &UnixStream, handle: &Handle) {
    let mut reader = BufReader::new(stream);
    while let Some(line) = line::read(&mut reader) {
        let (answer, goes_on) = match line {
            Ok(line) => (line::answer(&line, handle), true),
            Err(error) => (line::refusal(&error), false),
        };
        if stream.write_all(format!("{answer}\n").as_bytes()).is_err() || !goes_on {
            return;
        }
    }
}

/// Whether the name can be taken.
fn check_free(path: &Path) -> Result<(), Error> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(Error::Control { path: path.into(), source }),
    };
    if !metadata.file_type().is_socket() {
        return Err(Error::ControlNotSocket(path.into()));
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
        // Whoever listens, listens; and what cannot be asked is not taken for gone.
        _ => Err(Error::ControlInUse(path.into())),
    }
}

/// Binds in a folder of mode 0700 and moves the socket to its place: until its mode is set, nobody else can reach it.
fn bind_private(path: &Path) -> io::Result<UnixListener> {
    let parent = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = parent.join(format!(".kw{}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&folder)?;
    let beside = folder.join("s");
    let bound = UnixListener::bind(&beside).and_then(|listener| {
        fs::set_permissions(&beside, Permissions::from_mode(0o600))?;
        fs::rename(&beside, path)?;
        Ok(listener)
    });
    if bound.is_err() {
        let _ = fs::remove_file(&beside);
    }
    fs::remove_dir(&folder)?;
    bound
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

const MAX_CONNECTIONS: usize = 16;
