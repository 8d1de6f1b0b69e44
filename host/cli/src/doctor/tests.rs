//! Machines that are made up.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::failure::Kind;

/// The files of a machine, in a folder that is removed with it.
struct MadeUp {
    root: PathBuf,
    denied: Vec<&'static str>,
    user: u32,
    system: &'static str,
}

impl MadeUp {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("kwdoctor-{}-{number}", std::process::id()));
        fs::create_dir(&root).unwrap();
        Self { root, denied: Vec::new(), user: 1000, system: "linux" }
    }

    /// A desktop of Debian 12 on which everything is as it must be, and one key is plugged in.
    fn desktop() -> Self {
        Self::new()
            .with("proc/sys/kernel/osrelease", "6.1.0-28-amd64\n")
            .with(
                "lib/modules/6.1.0-28-amd64/modules.dep",
                "kernel/drivers/hid/uhid.ko: \nkernel/drivers/usb/usbip/vhci-hcd.ko:\n",
            )
            .with("lib/modules/6.1.0-28-amd64/modules.builtin", "kernel/drivers/hid/hid.ko\n")
            .with("sys/module/uhid/refcnt", "0")
            .with("sys/module/vhci_hcd/refcnt", "0")
            .with("dev/uhid", "")
            .with("usr/sbin/usbip", "")
            .with("run/udev/data/c240:0", "E:ID_SECURITY_TOKEN=1\nG:uaccess\n")
            .with("run/systemd/seats/seat0", "IS_SEAT0=1\nACTIVE_UID=1000\n")
            .with_bytes("sys/class/hidraw/hidraw0/device/report_descriptor", &[0x06, 0xd0, 0xf1, 0x09, 0x01])
            .with("sys/class/hidraw/hidraw0/dev", "240:0\n")
            .with_bytes("sys/class/hidraw/hidraw1/device/report_descriptor", &[0x05, 0x01, 0x09, 0x06])
            .with("dev/hidraw0", "")
    }

    fn with(self, path: &str, text: &str) -> Self {
        self.with_bytes(path, text.as_bytes())
    }

    fn with_bytes(self, path: &str, bytes: &[u8]) -> Self {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    fn without(self, path: &str) -> Self {
        let path = self.root.join(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        }
        self
    }

    fn denying(mut self, path: &'static str) -> Self {
        self.denied.push(path);
        self
    }

    fn machine(&self) -> Machine {
        let denied: Vec<_> = self.denied.iter().map(|path| self.root.join(path)).collect();
        Machine {
            system: self.system,
            root: self.root.clone(),
            user: Some(self.user),
            // Tests may run as root, who is denied nothing.
            open: Box::new(move |path: &Path| match denied.iter().any(|other| other == path) {
                true => Err(io::ErrorKind::PermissionDenied.into()),
                false => fs::metadata(path).map(drop),
            }),
        }
    }

    fn report(&self, purpose: Purpose) -> Report {
        examine(&self.machine(), &[purpose])
    }

    /// The one thing that is missing: its name, and how to mend it.
    #[track_caller]
    fn missing(&self, purpose: Purpose) -> (&'static str, String) {
        let report = self.report(purpose);
        assert!(!report.ready);
        let missing: Vec<_> = report.findings.iter().filter(|found| found.state == State::Missing).collect();
        let [finding] = &missing[..] else { panic!("{report}") };
        (finding.name, finding.mend.clone().unwrap())
    }

    #[track_caller]
    fn lacks(&self, purpose: Purpose, name: &str, mend: &str) {
        let (found, how) = self.missing(purpose);
        assert_eq!(found, name);
        assert!(how.contains(mend), "{how}");
    }

    #[track_caller]
    fn notes(&self, words: &str) {
        let report = self.report(Purpose::Keys);
        assert!(report.ready, "a note is nothing that is missing: {report}");
        assert!(report.to_string().contains(words), "{report}");
    }
}

impl Drop for MadeUp {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

#[test]
fn a_machine_that_lacks_nothing_is_told_so() {
    let desktop = MadeUp::desktop();
    let report = examine(&desktop.machine(), &[Purpose::Keys, Purpose::Uhid, Purpose::Usbip]);
    assert!(report.ready, "{report}");
    assert!(
        report.findings.iter().all(|finding| finding.state == State::Ok && finding.mend.is_none()),
        "{report}"
    );
    let text = report.to_string();
    assert!(text.starts_with("linux 6.1.0-28-amd64\n") && text.ends_with("Nothing is missing."), "{text}");
    assert!(text.contains("one key among them"), "{text}");
}

#[test]
fn a_module_that_is_not_loaded_is_to_be_loaded() {
    MadeUp::desktop().without("dev/uhid").without("sys/module/uhid").lacks(
        Purpose::Uhid,
        "uhid_module",
        "sudo modprobe uhid",
    );
    MadeUp::desktop().without("sys/module/vhci_hcd").lacks(
        Purpose::Usbip,
        "vhci_module",
        "sudo modprobe vhci-hcd",
    );
}

#[test]
fn a_kernel_without_the_module_is_to_be_replaced() {
    let cloud = || {
        MadeUp::desktop()
            .with("lib/modules/6.1.0-28-amd64/modules.dep", "kernel/net/x.ko:\n")
            .without("dev/uhid")
            .without("sys/module")
    };
    cloud().lacks(Purpose::Uhid, "uhid_module", "not the one for clouds");
    cloud().lacks(Purpose::Usbip, "vhci_module", "full kernel");
    // Whether there is one cannot be known where the modules are not installed.
    let bare = cloud().without("lib/modules");
    bare.lacks(Purpose::Uhid, "uhid_module", "if there is no such module");
    bare.lacks(Purpose::Usbip, "vhci_module", "if there is no such module");
}

#[test]
fn a_module_that_is_part_of_the_kernel_is_there() {
    let built_in = MadeUp::desktop().without("sys/module").with(
        "lib/modules/6.1.0-28-amd64/modules.builtin",
        "kernel/drivers/usb/usbip/vhci-hcd.ko\nkernel/drivers/hid/uhid.ko\n",
    );
    assert!(built_in.report(Purpose::Usbip).ready);
    built_in.without("dev/uhid").lacks(Purpose::Uhid, "uhid_node", "mknod");
}

#[test]
fn a_device_that_is_roots_takes_the_rule_or_sudo() {
    let denied = || MadeUp::desktop().denying("dev/uhid");
    denied().lacks(Purpose::Uhid, "uhid_permission", "--install-udev-rule");
    let with_rule = || denied().with("etc/udev/rules.d/70-keywright.rules", "");
    with_rule().lacks(Purpose::Uhid, "uhid_permission", "udevadm control --reload");
    let mut elsewhere = with_rule();
    elsewhere.user = 1001;
    elsewhere.lacks(Purpose::Uhid, "uhid_permission", "logged in from elsewhere");
    with_rule().without("run/systemd").lacks(Purpose::Uhid, "uhid_permission", "without logind");
}

#[test]
fn a_container_is_to_be_started_with_the_devices_of_the_host() {
    let container = || MadeUp::desktop().with(".dockerenv", "");
    container().without("dev/uhid").lacks(Purpose::Uhid, "uhid_node", "--device /dev/uhid");
    container().without("dev/hidraw0").lacks(Purpose::Keys, "node", "--device /dev/hidraw0");
    container().without("run/udev").lacks(Purpose::Keys, "udev", "-v /run/udev:/run/udev:ro");
    container().without("sys/module/vhci_hcd").lacks(Purpose::Usbip, "vhci_module", "on the host");
    assert!(container().report(Purpose::Keys).to_string().contains("in a container (docker)"));
    for (mark, text, name) in [("run/.containerenv", "", "podman"), ("run/systemd/container", "lxc\n", "lxc")]
    {
        let report = MadeUp::desktop().with(mark, text).report(Purpose::Keys);
        assert_eq!(report.container.as_deref(), Some(name));
    }
}

#[test]
fn wsl_is_told_from_a_machine() {
    let wsl = || MadeUp::new().with("proc/sys/kernel/osrelease", "5.15.167.4-microsoft-standard-WSL2\n");
    wsl().lacks(Purpose::Uhid, "uhid_module", "use a VM");
    let with_udev = wsl().with("run/udev/data/x", "");
    with_udev.lacks(Purpose::Keys, "hidraw", "from Windows");
    assert!(with_udev.report(Purpose::Keys).wsl);
    let hidraw = with_udev.with_bytes("sys/class/hidraw/hidraw0/device/report_descriptor", &[5, 1]);
    hidraw.notes("usbipd-win");
    assert!(!MadeUp::desktop().report(Purpose::Keys).wsl);
}

#[test]
fn a_key_that_may_not_be_opened_says_who_may() {
    let denied = || MadeUp::desktop().denying("dev/hidraw0");
    denied().with("run/udev/data/c240:0", "").lacks(Purpose::Keys, "node", "install the package libfido2");
    let mut elsewhere = denied();
    elsewhere.user = 1001;
    elsewhere.lacks(Purpose::Keys, "node", "logged in from elsewhere");
    denied().without("run/systemd").lacks(Purpose::Keys, "node", "nobody counts as sitting here");
}

#[test]
#[cfg(unix)]
fn a_key_that_a_group_may_open_says_which() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    let made = MadeUp::desktop().denying("dev/hidraw0");
    let node = made.root.join("dev/hidraw0");
    fs::set_permissions(&node, fs::Permissions::from_mode(0o660)).unwrap();
    if std::os::unix::fs::chown(&node, None, Some(12345)).is_err() {
        // Without root a file keeps the group of whoever makes it, which will do unless that is root's.
        if fs::metadata(&node).unwrap().gid() == 0 {
            return;
        }
    }
    let number = fs::metadata(&node).unwrap().gid();
    let made = made.with("etc/group", &format!("root:x:0:\nplugdev:x:{number}:ada\n"));
    made.lacks(Purpose::Keys, "node", "usermod -aG plugdev");
    // A group that may only read is of no help.
    fs::set_permissions(&node, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(!made.missing(Purpose::Keys).1.contains("usermod"));
}

#[test]
fn a_key_without_a_node_or_udev_is_told() {
    MadeUp::desktop().without("dev/hidraw0").lacks(Purpose::Keys, "node", "systemd-udevd");
    MadeUp::desktop().without("run/udev").lacks(Purpose::Keys, "udev", "systemctl start systemd-udevd");
    let none = MadeUp::desktop().without("sys/class/hidraw/hidraw0");
    assert!(
        none.report(Purpose::Keys).ready
            && none.report(Purpose::Keys).to_string().contains("no key is plugged in")
    );
    MadeUp::desktop().without("sys/class").lacks(Purpose::Keys, "hidraw", "full kernel");
}

#[test]
fn a_browser_in_a_box_is_a_note() {
    let snap = || MadeUp::desktop().with("snap/firefox/current/x", "");
    snap().notes("sudo snap connect firefox:u2f-devices");
    let list = "# u2f-devices\nATTRS{idVendor}==\"1050\", TAG+=\"snap_firefox_firefox\"\n";
    snap().with("etc/udev/rules.d/70-snap.firefox.rules", list).notes("a virtual key is not");
    let all = "# u2f-devices\nENV{ID_FIDO_TOKEN}==\"1\", TAG+=\"snap_firefox_firefox\"\n";
    let open = snap().with("etc/udev/rules.d/70-snap.firefox.rules", all);
    assert!(!open.report(Purpose::Keys).to_string().contains("snap"));

    let app = "var/lib/flatpak/app/org.chromium.Chromium/current/active/metadata";
    let flatpak = || MadeUp::desktop().with(app, "[Context]\ndevices=dri;\n");
    flatpak().notes("flatpak override --user --device=all org.chromium.Chromium");
    let told = flatpak().with("var/lib/flatpak/overrides/org.chromium.Chromium", "[Context]\ndevices=all;\n");
    assert!(!told.report(Purpose::Keys).to_string().contains("flatpak"));
}

#[test]
fn usbip_is_looked_for_where_systems_put_it() {
    MadeUp::desktop().without("usr/sbin/usbip").lacks(
        Purpose::Usbip,
        "usbip_program",
        "apt-get install usbip",
    );
    let ubuntu =
        MadeUp::desktop().without("usr/sbin/usbip").with("usr/lib/linux-tools/6.8.0-50-generic/usbip", "");
    assert!(ubuntu.report(Purpose::Usbip).ready);
}

#[test]
fn other_systems_are_told_what_is_known_of_them() {
    for system in ["macos", "windows", "freebsd"] {
        let mut made = MadeUp::new();
        made.system = system;
        assert!(made.report(Purpose::Keys).ready);
        made.lacks(Purpose::Uhid, "system", "Linux");
    }
}

#[test]
fn a_report_has_its_words_as_json_too() {
    let report = MadeUp::desktop().denying("dev/uhid").report(Purpose::Uhid);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["ready"], false);
    assert_eq!(json["findings"][0]["purpose"], "uhid");
    assert_eq!(json["findings"][0]["state"], "missing");
}

mod rule {
    use super::*;

    const PLACE: &str = "etc/udev/rules.d/70-keywright.rules";

    #[test]
    fn the_rule_is_written_once_and_for_everybody_to_read() {
        let made = MadeUp::new().with("etc/hostname", "x");
        let json = |installed| serde_json::to_value(installed).unwrap();
        let first = json(install(&made.machine(), false).unwrap());
        assert_eq!(first["done"], "udev_rule_installed");
        assert_eq!(first["reloaded"], false, "the image of a machine has no udev that runs");
        let content = fs::read_to_string(made.root.join(PLACE)).unwrap();
        assert!(content.contains("KERNEL==\"uhid\""));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(made.root.join(PLACE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o644);
        }
        assert_eq!(
            fs::read_dir(made.root.join("etc/udev/rules.d")).unwrap().count(),
            1,
            "nothing is left beside it"
        );
        let again = json(install(&made.machine(), false).unwrap());
        assert_eq!(again["done"], "udev_rule_was_there");
    }

    #[test]
    fn a_rule_that_was_changed_stays_unless_it_may_go() {
        let made = MadeUp::new().with(PLACE, "# mine\n");
        let failure = install(&made.machine(), false).unwrap_err();
        assert_eq!(failure.kind(), Kind::State);
        assert!(failure.to_string().contains("--replace"), "{failure}");
        assert_eq!(fs::read_to_string(made.root.join(PLACE)).unwrap(), "# mine\n");
        let installed = install(&made.machine(), true).unwrap().to_string();
        assert!(installed.contains("Wrote") && installed.contains("To undo it: sudo rm"), "{installed}");
        assert_ne!(fs::read_to_string(made.root.join(PLACE)).unwrap(), "# mine\n");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_told() {
        let made = MadeUp::new().with("etc/udev/rules.d", "a file in the place of the folder");
        let failure = install(&made.machine(), false).unwrap_err();
        assert!(failure.to_string().contains("70-keywright.rules"), "{failure}");
    }
}
