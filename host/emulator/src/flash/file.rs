//! The file that keeps a flash: made once, private, locked, and never overwritten with something else.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::journal::{Journal, MAX_SECTORS, file_size};
use super::{ERASED, SECTOR_SIZE, SECTORS};

/// Why a state file was refused. It was left as it is.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Others may read or write it.
    #[error("{path}: others can read it (mode {mode:04o}), and it holds the key's secrets: chmod 600 {path}")]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Another key runs on it.
    #[error("{path}: another process has it open: stop that one, or name another file")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// It is something else.
    #[error("{path}: this is no state of a Keywright key; it was left as it is: name another file")]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A later Keywright wrote it.
    #[error(
        "{path}: a newer Keywright wrote it (format {version}, this one knows {VERSION}): use the newer one"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        version: u32,
    },
    /// It is ours and not whole.
    #[error("{path}: the file is damaged, {what}: bring it back from a copy, or name another file")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The operating system refused.
    #[error("{path}: could not {what}: {source}")]
    System {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: io::Error,
    },
}

/// Opens the file, or makes it; gives the cells and the log.
pub(super) fn open(path: &Path) -> Result<(Vec<u8>, Journal), StateError> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create(path)?,
        opened => {
            let file = opened.map_err(system(path, "open it"))?;
            check_private(path, &file)?;
            lock(path, &file)?;
            file
        }
    };
    let sectors = check_header(path, &file)?;
    Journal::recover(Box::new(file), sectors).map(|(journal, cells)| (cells, journal)).map_err(|error| {
        match error.kind() {
            io::ErrorKind::InvalidData => StateError::Damaged { path: path.into(), what: error.to_string() },
            _ => system(path, "read it")(error),
        }
    })
}

/// Makes the file beside its place and moves it there whole: a start that is killed leaves none that looks like ours and is not.
fn create(path: &Path) -> Result<File, StateError> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let beside = PathBuf::from(name);
    let made = create_beside(&beside, path);
    let removed = fs::remove_file(&beside);
    let file = made?;
    removed.map_err(system(&beside, "remove it"))?;
    sync_folder(path).map_err(system(path, "make its name durable"))?;
    Ok(file)
}

fn create_beside(beside: &Path, path: &Path) -> Result<File, StateError> {
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).create_new(true).mode(0o600);
    let mut file = options.open(beside).map_err(system(beside, "make it"))?;
    lock(path, &file)?;
    // The umask may have taken more away, and the owner needs both.
    file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(system(beside, "set its mode"))?;
    // Every byte is written, so that a disk that is full says so now.
    file.write_all(&blank(SECTORS)).and_then(|()| file.sync_all()).map_err(system(path, "write it"))?;
    match fs::hard_link(beside, path) {
        Ok(()) => Ok(file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(StateError::InUse { path: path.into() })
        }
        Err(error) => Err(system(path, "make it")(error)),
    }
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn check_private(path: &Path, file: &File) -> Result<(), StateError> {
    let metadata = file.metadata().map_err(system(path, "look at it"))?;
    if !metadata.is_file() {
        return Err(StateError::NotOurs { path: path.into() });
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(StateError::NotPrivate { path: path.into(), mode });
    }
    Ok(())
}

fn lock(path: &Path, file: &File) -> Result<(), StateError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => StateError::InUse { path: path.into() },
        TryLockError::Error(error) => system(path, "lock it")(error),
    })
}

/// The number of sectors, if the file is one of ours that this version can use.
fn check_header(path: &Path, file: &File) -> Result<u32, StateError> {
    let length = file.metadata().map_err(system(path, "look at it"))?.len();
    let mut header = [0; HEADER];
    match file.read_exact_at(&mut header, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(StateError::NotOurs { path: path.into() });
        }
        read => read.map_err(system(path, "read it"))?,
    }
    let [rest @ .., v0, v1, v2, v3, s0, s1, s2, s3] = first_chunk(&header);
    let (version, sectors) = (u32::from_le_bytes([v0, v1, v2, v3]), u32::from_le_bytes([s0, s1, s2, s3]));
    if rest != *MAGIC {
        return Err(StateError::NotOurs { path: path.into() });
    }
    // Before the hash: what a newer format hashes is not known.
    if version > VERSION {
        return Err(StateError::Newer { path: path.into(), version });
    }
    let damaged = |what: &str| Err(StateError::Damaged { path: path.into(), what: what.into() });
    if header != header_of(version, sectors) || version != VERSION {
        return damaged("its header is not whole");
    }
    if !(1..=MAX_SECTORS).contains(&sectors) || length != file_size(sectors) {
        return damaged("its length is not what its header says");
    }
    Ok(sectors)
}

fn first_chunk(header: &[u8; HEADER]) -> [u8; HEADER - 32] {
    let mut chunk = [0; HEADER - 32];
    chunk.iter_mut().zip(header).for_each(|(to, from)| *to = *from);
    chunk
}

/// A file with an erased flash.
fn blank(sectors: u32) -> Vec<u8> {
    let mut bytes = header_of(VERSION, sectors).to_vec();
    bytes.resize(SECTOR_SIZE, 0);
    bytes.resize(SECTOR_SIZE * (1 + sectors as usize), ERASED);
    bytes.resize(usize::try_from(file_size(sectors)).unwrap_or(usize::MAX), 0);
    bytes
}

/// `magic (16) || version (4) || sectors (4) || SHA-256 of these`, little-endian.
fn header_of(version: u32, sectors: u32) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let content = MAGIC.iter().copied().chain(version.to_le_bytes()).chain(sectors.to_le_bytes());
    let hash = Sha256::digest(content.clone().collect::<Vec<u8>>());
    header.iter_mut().zip(content.chain(hash)).for_each(|(to, from)| *to = from);
    header
}

fn system(path: &Path, what: &'static str) -> impl Fn(io::Error) -> StateError {
    move |source| StateError::System { path: path.into(), what, source }
}

const MAGIC: &[u8; 16] = b"KEYWRIGHT FLASH\n";
const VERSION: u32 = 1;
const HEADER: usize = 16 + 4 + 4 + 32;
