//! `cargo xtask lab`: a Linux guest over this machine's own files, with a kernel that has uhid and USB/IP.
//!
//! `tests/lab/vm-run` starts it; here is which programs it and the clients in it need, and where results go.

use std::{env, ffi::OsString, path::PathBuf, process::Command};

use crate::run::{Outcome, Project, skipped};

/// Runs `words` in the guest, or an interactive shell without any; true if it ended well.
pub(crate) fn run(project: &Project, words: &[OsString], shell: bool) -> Result<bool, String> {
    if words.is_empty() && !shell {
        return Err("say what to run (cargo xtask lab -- COMMAND), or --shell".to_owned());
    }
    let lacking = missing(GUEST);
    if !lacking.is_empty() {
        return Err(format!("the lab lacks {}; to mend it: {}", lacking.join(", "), by_hand()));
    }
    let folder = results(project).map_err(|stop| format!("{stop:?}"))?;
    let mut command = guest(project, &folder);
    // Where the person stands, not the project's folder: paths on the command line are theirs.
    command.current_dir(env::current_dir().map_err(|error| error.to_string())?);
    if shell {
        command.env("VM_TTY", "1").env("VM_TIMEOUT", "86400").arg("bash");
    }
    let status = command.args(words).status().map_err(|error| format!("vm-run: {error}"))?;
    Ok(status.success())
}

/// The command that boots the guest; what it runs there is still to be added.
pub(crate) fn guest(project: &Project, results: &PathBuf) -> Command {
    let mut command = project.command(project.root.join("tests/lab/vm-run"));
    command.env("VM_OUT", results);
    command
}

/// The one folder that the guest can write to and that stays: results, logs, screenshots.
pub(crate) fn results(project: &Project) -> Outcome<PathBuf> {
    let folder = project.scratch()?.join("lab");
    std::fs::create_dir_all(&folder).map_err(|error| crate::run::failed(&folder.display(), &error))?;
    Ok(folder)
}

/// Skips where the guest or one of the clients cannot run.
pub(crate) fn require() -> Outcome {
    let lacking: Vec<_> = [GUEST, CLIENTS].into_iter().flat_map(missing).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(skipped(format!("not installed: {}", lacking.join(", ")), by_hand()))
}

/// What a person on Debian types to have the lab.
pub(crate) fn by_hand() -> String {
    format!("apt-get install --no-install-recommends {} (Debian 12)", PACKAGES.join(" "))
}

/// The things of a list that are not there.
fn missing(things: &[&'static str]) -> Vec<&'static str> {
    things.iter().copied().filter(|thing| !is_there(thing)).collect()
}

/// A path, a path that ends in `*`, or a program on the search path or in the administrator's folders.
fn is_there(thing: &str) -> bool {
    if let Some(beginning) = thing.strip_suffix('*') {
        let (folder, name) = beginning.rsplit_once('/').unwrap_or((".", beginning));
        return std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with(name));
    }
    if thing.starts_with('/') {
        return PathBuf::from(thing).exists();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.into_iter().any(|folder| folder.join(thing).is_file())
}

/// What boots the guest.
const GUEST: &[&str] =
    &["qemu-system-x86_64", "busybox", "modprobe", "xz", "/boot/vmlinuz-*", "/lib/modules"];

/// What stands in the guest between the key and the clients, and the clients.
const CLIENTS: &[&str] = &[
    "/lib/systemd/systemd-udevd",
    "usbip",
    "lsusb",
    "fido2-token",
    "fido2-cred",
    "fido2-assert",
    "ssh-keygen",
    "sshd",
    "pamtester",
    "pamu2fcfg",
    "setpriv",
    "chromium",
    "firefox-esr",
];

/// Debian's packages that hold all of it.
pub(crate) const PACKAGES: &[&str] = &[
    "linux-image-amd64",
    "qemu-system-x86",
    "busybox-static",
    "kmod",
    "xz-utils",
    "udev",
    "usbip",
    "usbutils",
    "fido2-tools",
    "openssh-client",
    "openssh-server",
    "libpam-u2f",
    "pamu2fcfg",
    "pamtester",
    "util-linux",
    "chromium",
    "firefox-esr",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_on_the_search_path_and_by_its_whole_path() {
        assert!(is_there("sh"));
        assert!(is_there("/bin/sh"));
        assert!(is_there("/bin/s*"));
    }

    #[test]
    fn what_is_not_there_is_named() {
        assert_eq!(
            missing(&["sh", "keywright-no-such-program", "/no/such/*"]),
            ["keywright-no-such-program", "/no/such/*"]
        );
    }

    #[test]
    fn the_mending_command_names_every_package() {
        let command = by_hand();
        assert!(PACKAGES.iter().all(|package| command.contains(package)));
    }
}
