//! Files that are written whole or not at all, mode 0600.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// A file that is to stand at a path once it is whole. Until then it is a file beside it, which is removed if nothing comes of it.
#[derive(Debug)]
pub(crate) struct Replacement {
    path: PathBuf,
    beside: PathBuf,
    file: File,
}

impl Replacement {
    /// Makes the file beside `path`; that shows whether there can be one before anything is done that cannot be taken back.
    ///
    /// # Errors
    /// If the folder is not there or cannot be written.
    pub(crate) fn of(path: &Path) -> Result<Self, Failure> {
        let mut name = std::ffi::OsString::from(".");
        name.push(
            path.file_name()
                .ok_or_else(|| Failure::usage(format!("{}: this names no file: name one", path.display())))?,
        );
        name.push(format!(".{}", std::process::id()));
        let beside = path.with_file_name(name);
        let file = create(&beside).map_err(|error| Failure::file(path, &error))?;
        Ok(Self { path: path.to_owned(), beside, file })
    }

    /// Writes the content and moves it to its place, in one step for whoever looks. With `is_new`, what has come to stand there
    /// in the meantime is left alone.
    ///
    /// # Errors
    /// If it cannot be written, or something stands there; nothing is changed then.
    pub(crate) fn commit(mut self, content: &[u8], is_new: bool) -> Result<(), Failure> {
        self.write(content, is_new).map_err(|error| Failure::file(&self.path, &error))
    }

    fn write(&mut self, content: &[u8], is_new: bool) -> io::Result<()> {
        self.file.write_all(content)?;
        self.file.sync_all()?;
        if is_new {
            // A link, unlike a rename, does not take the place of what is there. Some file systems have none.
            match fs::hard_link(&self.beside, &self.path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
                Err(_) if fs::symlink_metadata(&self.path).is_err() => fs::rename(&self.beside, &self.path)?,
                linked => linked?,
            }
        } else {
            fs::rename(&self.beside, &self.path)?;
        }
        sync_folder(&self.path)
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove.
        let _ = fs::remove_file(&self.beside);
    }
}

fn create(path: &Path) -> io::Result<File> {
    // A process of the same number may have been killed here before.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "folders are made durable on Unix alone")]
fn sync_folder(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("keywright-replace-{}-{name}", std::process::id()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).unwrap();
        }
    }

    #[test]
    fn a_file_is_whole_and_private_and_nothing_stands_beside_it() {
        let folder = Folder::new("whole");
        let path = folder.0.join("a.json");
        Replacement::of(&path).unwrap().commit(b"1", true).unwrap();
        Replacement::of(&path).unwrap().commit(b"2", false).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"2");
        assert_eq!(folder.names(), ["a.json"]);
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777,
            0o600
        );
    }

    #[test]
    fn a_new_file_does_not_take_the_place_of_another() {
        let folder = Folder::new("new");
        let path = folder.0.join("a.json");
        let replacement = Replacement::of(&path).unwrap();
        fs::write(&path, b"somebody else's").unwrap();
        replacement.commit(b"mine", true).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"somebody else's");
        assert_eq!(folder.names(), ["a.json"]);
    }

    #[test]
    fn what_is_given_up_leaves_nothing() {
        let folder = Folder::new("up");
        drop(Replacement::of(&folder.0.join("a.json")).unwrap());
        assert!(folder.names().is_empty());
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_before_anything_is_done() {
        assert!(Replacement::of(Path::new("/there/is/no/such/folder/a.json")).is_err());
        assert!(Replacement::of(Path::new("/")).is_err());
    }
}
