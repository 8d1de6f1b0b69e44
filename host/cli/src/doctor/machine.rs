//! A machine, as far as it is looked at.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A machine: its files below a folder, and who asks.
pub(crate) struct Machine {
    /// As Rust names it: `linux`, `macos`, `windows`.
    pub(crate) system: &'static str,
    /// Where its files are: `/`, or the folder of an image.
    pub(crate) root: PathBuf,
    /// The number of the user who asks, where users have one.
    pub(crate) user: Option<u32>,
    /// Tries to open a file for reading and writing.
    pub(crate) open: Opening,
}

/// A way to try whether a file can be opened.
pub(crate) type Opening = Box<dyn Fn(&Path) -> io::Result<()>>;

/// What came of opening a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Open,
    Absent,
    Denied,
    /// For another reason, in the system's words.
    Refused(String),
}

/// A kernel module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Module {
    /// It runs, or is part of the kernel.
    Loaded,
    /// It could be loaded.
    Available,
    /// This kernel has none.
    Absent,
    /// The kernel's modules are not to be seen from here.
    Unknown,
}

impl Machine {
    /// This machine, or an image of one below `root`.
    pub(crate) fn new(root: Option<PathBuf>) -> Self {
        Self {
            system: std::env::consts::OS,
            root: root.unwrap_or_else(|| PathBuf::from("/")),
            user: user(),
            open: Box::new(|path| OpenOptions::new().read(true).write(true).open(path).map(drop)),
        }
    }

    /// Whether its kernel is the one that runs.
    pub(super) fn is_this(&self) -> bool {
        self.root == Path::new("/")
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path(name)).is_ok()
    }

    /// The text of a file; empty if it cannot be read.
    pub(super) fn text(&self, name: &str) -> String {
        fs::read(self.path(name))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The names in a folder, sorted; none if it cannot be read.
    pub(super) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    pub(super) fn access(&self, name: &str) -> Access {
        match (self.open)(&self.path(name)) {
            Ok(()) => Access::Open,
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => Access::Absent,
                io::ErrorKind::PermissionDenied => Access::Denied,
                _ => Access::Refused(error.to_string()),
            },
        }
    }

    /// The kernel's release.
    pub(super) fn kernel(&self) -> Option<String> {
        let release = self.text("proc/sys/kernel/osrelease").trim().to_owned();
        (!release.is_empty()).then_some(release)
    }

    /// WSL's kernels say who built them.
    pub(super) fn is_wsl(&self) -> bool {
        self.kernel().is_some_and(|release| release.to_lowercase().contains("microsoft"))
    }

    /// What kind of container this is, by the marks that the usual ones leave.
    pub(super) fn container(&self) -> Option<String> {
        let named = self.text("run/systemd/container").trim().to_owned();
        let marks = [("run/.containerenv", "podman"), (".dockerenv", "docker")];
        let marked = marks.into_iter().find(|(mark, _)| self.has(mark)).map(|(_, name)| name.to_owned());
        (!named.is_empty()).then_some(named).or(marked)
    }

    /// A module by its file's name, such as `vhci-hcd`.
    pub(super) fn module(&self, name: &str) -> Module {
        let folder = format!("lib/modules/{}", self.kernel().unwrap_or_default());
        let file = format!("/{name}.ko");
        let lists = |list: &str| self.text(&format!("{folder}/{list}")).contains(&file);
        if self.has(&format!("sys/module/{}", name.replace('-', "_"))) || lists("modules.builtin") {
            Module::Loaded
        } else if lists("modules.dep") {
            Module::Available
        } else if self.has(&format!("{folder}/modules.dep")) {
            Module::Absent
        } else {
            Module::Unknown
        }
    }

    /// Whether the user sits at the machine, as logind sees it; `None` if there is no logind.
    pub(super) fn is_at_the_seat(&self) -> Option<bool> {
        let seat = self.text("run/systemd/seats/seat0");
        let active = seat.lines().find_map(|line| line.strip_prefix("ACTIVE_UID="));
        self.has("run/systemd/seats").then(|| active.and_then(|uid| uid.parse().ok()) == self.user)
    }
}

#[cfg(unix)]
fn user() -> Option<u32> {
    use std::os::unix::fs::MetadataExt as _;

    // Its owner is whoever asks.
    fs::metadata("/proc/self").ok().map(|process| process.uid())
}

#[cfg(not(unix))]
const fn user() -> Option<u32> {
    None
}
