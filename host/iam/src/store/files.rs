//! Files that only their owner can reach: directories 0700, files 0600.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use zeroize::Zeroizing;

use crate::{error::Error, random};

/// Makes the directory, or refuses one that others can reach.
pub(super) fn make_directory(path: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(path).map_err(at(path))?;
    refuse_open(path, &fs::metadata(path).map_err(at(path))?, 0o700)
}

/// Makes an empty file when there is none; SQLite gives its mode to the files beside it.
pub(super) fn make_private(path: &Path) -> Result<(), Error> {
    match create_new(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            refuse_open(path, &fs::metadata(path).map_err(at(path))?, 0o600)
        }
        Err(error) => Err(at(path)(error)),
    }
}

/// The lock that only one server of a directory has, or `None` while another has it. It ends with its process.
pub(super) fn lock(path: &Path) -> Result<Option<File>, Error> {
    make_private(path)?;
    let file = File::open(path).map_err(at(path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(at(path)(error)),
    }
}

/// Makes an empty file, or refuses to when there is one.
pub(super) fn create_private(path: &Path) -> Result<(), Error> {
    create_new(path).map(drop).map_err(at(path))
}

/// Brings a file and its name to the disk.
pub(super) fn sync(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|file| file.sync_all()).map_err(at(path))?;
    sync_directory(path)
}

/// The key in the file, or `None` when there is no file.
pub(super) fn read_key(path: &Path) -> Result<Option<Zeroizing<[u8; 32]>>, Error> {
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(at(path))?,
    };
    refuse_open(path, &file.metadata().map_err(at(path))?, 0o600)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(64));
    file.take(64).read_to_end(&mut bytes).map_err(at(path))?;
    let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| Error::SealKey(path.into()))?;
    Ok(Some(Zeroizing::new(key)))
}

/// A new key in a new file, on the disk before anything is sealed with it.
pub(super) fn create_key(path: &Path) -> Result<Zeroizing<[u8; 32]>, Error> {
    let key = Zeroizing::new(random()?);
    let mut file = create_new(path).map_err(at(path))?;
    file.write_all(key.as_slice()).map_err(at(path))?;
    file.sync_all().map_err(at(path))?;
    sync_directory(path)?;
    Ok(key)
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    let Some(directory) = path.parent() else { return Ok(()) };
    // A path of one name is in the current directory.
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    File::open(directory).and_then(|opened| opened.sync_all()).map_err(at(directory))
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn refuse_open(path: &Path, found: &fs::Metadata, mode: u32) -> Result<(), Error> {
    if found.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(Error::TooOpen { path: path.into(), mode })
}

fn at(path: &Path) -> impl Fn(io::Error) -> Error + '_ {
    |source| Error::File { path: path.into(), source }
}
