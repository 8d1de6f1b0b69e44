//! What security keys that are plugged in need of a machine, and browsers that are to see them.

use super::machine::{Access, Machine};
use super::{Finding, Purpose};

const PURPOSE: Purpose = Purpose::Keys;

pub(super) fn findings(machine: &Machine) -> Vec<Finding> {
    let mut findings = vec![hidraw(machine), udev(machine)];
    findings.extend(keys(machine).iter().map(|key| node(machine, key)));
    findings.extend(snaps(machine));
    findings.extend(flatpaks(machine));
    findings
}

/// The hidraw devices whose report descriptor begins with FIDO's usage page (§11.2.8.1).
fn keys(machine: &Machine) -> Vec<String> {
    let is_key = |name: &String| {
        let descriptor = machine.path(&format!("sys/class/hidraw/{name}/device/report_descriptor"));
        std::fs::read(descriptor).is_ok_and(|bytes| bytes.starts_with(&[0x06, 0xd0, 0xf1]))
    };
    machine.names("sys/class/hidraw").into_iter().filter(is_key).collect()
}

fn hidraw(machine: &Machine) -> Finding {
    if !machine.has("sys/class/hidraw") {
        let (message, mend) = if machine.is_wsl() {
            (
                "WSL shows the system no HID devices.",
                "use the key from Windows, or in a VM; a key over a socket needs no device: --device udp:ADDRESS:PORT",
            )
        } else {
            (
                "The kernel shows no HID devices (/sys/class/hidraw): it has none of hidraw, or /sys is not mounted.",
                "install your distribution's full kernel (Debian: linux-image-amd64), and start it",
            )
        };
        return Finding::missing(PURPOSE, "hidraw", message, mend);
    }
    match keys(machine).len() {
        0 if machine.is_wsl() => Finding::note(
            PURPOSE,
            "hidraw",
            "No key is to be seen, and WSL shows none of those that are plugged into Windows.",
            "attach it with usbipd-win, or use it from Windows",
        ),
        0 => Finding::ok(PURPOSE, "hidraw", "The kernel shows HID devices; no key is plugged in now."),
        1 => Finding::ok(PURPOSE, "hidraw", "The kernel shows HID devices, and one key among them."),
        count => Finding::ok(
            PURPOSE,
            "hidraw",
            format!("The kernel shows HID devices, and {count} keys among them."),
        ),
    }
}

/// libfido2 and browsers ask udev which devices there are.
fn udev(machine: &Machine) -> Finding {
    if machine.has("run/udev/data") {
        return Finding::ok(PURPOSE, "udev", "udev's database is there.");
    }
    let mend = if machine.container().is_some() {
        "start the container with -v /run/udev:/run/udev:ro"
    } else {
        "start udev: sudo systemctl start systemd-udevd"
    };
    let message = "udev's database (/run/udev) is not there: libfido2 and browsers find no key without it.";
    Finding::missing(PURPOSE, "udev", message, mend)
}

/// One key: its node, and who may open it.
fn node(machine: &Machine, key: &str) -> Finding {
    let path = format!("/dev/{key}");
    match machine.access(&format!("dev/{key}")) {
        Access::Open => Finding::ok(PURPOSE, "node", format!("{path} can be opened.")),
        Access::Absent if machine.container().is_some() => Finding::missing(
            PURPOSE,
            "node",
            format!("There is a key, and this container has no {path}."),
            format!("start the container with --device {path}"),
        ),
        Access::Absent => Finding::missing(
            PURPOSE,
            "node",
            format!("There is a key, and no {path}."),
            "udev makes it: start systemd-udevd, and plug the key in again",
        ),
        Access::Refused(why) => Finding::missing(
            PURPOSE,
            "node",
            format!("{path} cannot be opened ({why})."),
            "plug the key in again; if a container has the node, start it anew with the node as it is now",
        ),
        Access::Denied => {
            Finding::missing(PURPOSE, "node", format!("{path} may not be opened."), permission(machine, key))
        }
    }
}

/// How to be let in: by a rule, by a group, or by sitting there.
fn permission(machine: &Machine, key: &str) -> String {
    if let Some(group) = group(machine, key) {
        return format!("join the group that may: sudo usermod -aG {group} $USER, then log in again");
    }
    let device = machine.text(&format!("sys/class/hidraw/{key}/dev"));
    let entry = machine.text(&format!("run/udev/data/c{}", device.trim()));
    let is_given = entry.lines().any(|line| ["G:uaccess", "Q:uaccess"].contains(&line));
    match (is_given, machine.is_at_the_seat()) {
        (true, Some(false)) => "a udev rule gives it to the person who sits at the machine, and you are logged in from \
                                elsewhere: use sudo, or a rule with GROUP=\"plugdev\", MODE=\"0660\""
            .to_owned(),
        (true, _) => "a udev rule gives it to the person who sits at the machine, and nobody counts as sitting here: use sudo, \
                      or a rule with GROUP=\"plugdev\", MODE=\"0660\""
            .to_owned(),
        (false, _) => "a udev rule must give it to you: install the package libfido2-1 (Debian, Ubuntu) or libfido2 and plug the \
                       key in again; for this project's keys: keywright doctor --install-udev-rule"
            .to_owned(),
    }
}

/// The name of the node's group, if members may read and write, and it is not root's.
#[cfg(unix)]
fn group(machine: &Machine, key: &str) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;

    let node = std::fs::metadata(machine.path(&format!("dev/{key}"))).ok()?;
    let is_open = node.mode() & 0o060 == 0o060 && node.gid() != 0;
    let number = node.gid().to_string();
    let groups = machine.text("etc/group");
    let mut lines = groups.lines().map(|line| line.split(':'));
    let name = lines.find_map(|mut line| {
        let name = line.next()?;
        (line.nth(1) == Some(&number)).then(|| name.to_owned())
    });
    name.filter(|_| is_open)
}

#[cfg(not(unix))]
const fn group(_machine: &Machine, _key: &str) -> Option<String> {
    None
}

/// Browsers as snaps: snapd writes udev rules for what a snap may open.
fn snaps(machine: &Machine) -> Vec<Finding> {
    let installed = ["firefox", "chromium", "brave"]
        .into_iter()
        .filter(|name| machine.has(&format!("snap/{name}/current")));
    let look = |name: &str| {
        let rules = machine.text(&format!("etc/udev/rules.d/70-snap.{name}.rules"));
        if !rules.contains("u2f-devices") {
            return Some(Finding::note(
                PURPOSE,
                "snap",
                format!("{name} is a snap, and may not open security keys."),
                format!("sudo snap connect {name}:u2f-devices"),
            ));
        }
        // Older versions of snapd have a list of vendors; udev's own mark takes in every key.
        (!rules.contains("ID_FIDO_TOKEN") && !rules.contains("ID_SECURITY_TOKEN")).then(|| {
            Finding::note(
                PURPOSE,
                "snap",
                format!("{name} is a snap, and opens only keys on snapd's list, where a virtual key is not."),
                "sudo snap refresh snapd; until that helps, use a browser of the distribution for virtual keys",
            )
        })
    };
    installed.filter_map(look).collect()
}

/// Browsers as flatpaks: a sandbox without devices, unless it is told otherwise.
fn flatpaks(machine: &Machine) -> Vec<Finding> {
    let apps =
        machine.names("var/lib/flatpak/app").into_iter().filter(|app| BROWSERS.contains(&app.as_str()));
    let is_shut = |app: &String| {
        let metadata = machine.text(&format!("var/lib/flatpak/app/{app}/current/active/metadata"));
        let overrides = machine.text(&format!("var/lib/flatpak/overrides/{app}"));
        let opens = |text: &str| {
            let mut lines = text.lines().filter_map(|line| line.strip_prefix("devices="));
            lines.any(|devices| devices.split(';').any(|device| device == "all"))
        };
        !opens(&metadata) && !opens(&overrides)
    };
    let told = |app: String| {
        let message = format!("{app} is a flatpak, and may not open security keys unless you have let it.");
        Finding::note(PURPOSE, "flatpak", message, format!("flatpak override --user --device=all {app}"))
    };
    apps.filter(is_shut).map(told).collect()
}

const BROWSERS: [&str; 6] = [
    "org.mozilla.firefox",
    "org.chromium.Chromium",
    "com.google.Chrome",
    "com.brave.Browser",
    "com.microsoft.Edge",
    "io.gitlab.librewolf-community",
];
