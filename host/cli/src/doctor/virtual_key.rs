//! What a virtual key needs of a machine.

use super::machine::{Access, Machine, Module};
use super::{Finding, Purpose, udev_rule};

/// For `keywright emulate --uhid`: the kernel's uhid, and a device that may be opened.
pub(super) fn uhid(machine: &Machine) -> Vec<Finding> {
    const PURPOSE: Purpose = Purpose::Uhid;
    match machine.access("dev/uhid") {
        Access::Open => {
            let told = if machine.user == Some(0) {
                "/dev/uhid can be opened, as root."
            } else {
                "/dev/uhid can be opened."
            };
            vec![Finding::ok(PURPOSE, "uhid", told)]
        }
        Access::Denied => vec![denied(machine)],
        Access::Absent => vec![absent(machine)],
        // A node that stands there before its module: opening it loads the module, if there is one.
        Access::Refused(why) => {
            let message =
                format!("/dev/uhid is there and cannot be opened ({why}): the kernel has no uhid behind it.");
            vec![Finding::missing(PURPOSE, "uhid_module", message, without_module(machine))]
        }
    }
}

fn absent(machine: &Machine) -> Finding {
    let name = "uhid_module";
    if machine.container().is_some() {
        return Finding::missing(
            Purpose::Uhid,
            "uhid_node",
            "This container has no /dev/uhid: devices are the host's to give.",
            "on the host: sudo modprobe uhid; then start the container with --device /dev/uhid, and for programs that use the \
             key also with its /dev/hidrawN and -v /run/udev:/run/udev:ro",
        );
    }
    match machine.module("uhid") {
        Module::Loaded => Finding::missing(
            Purpose::Uhid,
            "uhid_node",
            "The kernel has uhid, and /dev/uhid is not there.",
            "udev makes it: start systemd-udevd, or make it by hand: sudo mknod -m 600 /dev/uhid c 10 239",
        ),
        Module::Available => Finding::missing(
            Purpose::Uhid,
            name,
            "The kernel's module uhid is not loaded.",
            "sudo modprobe uhid; to have it after each start: echo uhid | sudo tee /etc/modules-load.d/uhid.conf",
        ),
        Module::Absent | Module::Unknown => {
            Finding::missing(Purpose::Uhid, name, "The kernel has no module uhid.", without_module(machine))
        }
    }
}

fn without_module(machine: &Machine) -> &'static str {
    if machine.is_wsl() {
        "WSL's kernel has none: use a VM, or `keywright emulate --udp` for programs that know its address"
    } else if machine.module("uhid") == Module::Unknown {
        "sudo modprobe uhid; if there is no such module, install your distribution's full kernel (Debian: linux-image-amd64)"
    } else {
        "install your distribution's full kernel, not the one for clouds (Debian: linux-image-amd64), and start it"
    }
}

fn denied(machine: &Machine) -> Finding {
    let message = "/dev/uhid may not be opened: it is root's.";
    let rule = "keywright doctor --install-udev-rule (it lets the person at the machine make any input device), or \
                `sudo keywright emulate --uhid`";
    if !udev_rule::is_installed(machine) {
        return Finding::missing(Purpose::Uhid, "uhid_permission", message, rule);
    }
    let mend = match machine.is_at_the_seat() {
        Some(false) => {
            "the udev rule is there, but gives it to the person who sits at the machine, and you are logged in from \
             elsewhere: sudo keywright emulate --uhid"
        }
        Some(true) => {
            "the udev rule is there and has not been followed yet: sudo udevadm control --reload && sudo udevadm trigger \
             --subsystem-match=misc"
        }
        None => {
            "the udev rule is there, but without logind nobody counts as sitting here: sudo keywright emulate --uhid"
        }
    };
    Finding::missing(Purpose::Uhid, "uhid_permission", message, mend)
}

/// For attaching keys over USB/IP: the kernel's virtual host controller, and the program that uses it.
pub(super) fn usbip(machine: &Machine) -> Vec<Finding> {
    const PURPOSE: Purpose = Purpose::Usbip;
    let module = match (machine.module("vhci-hcd"), machine.container()) {
        (Module::Loaded, _) => {
            Finding::ok(PURPOSE, "vhci_module", "The kernel has vhci-hcd, which takes devices over USB/IP.")
        }
        (_, Some(_)) => Finding::missing(
            PURPOSE,
            "vhci_module",
            "vhci-hcd is not loaded, and a container cannot load it.",
            "attach the key on the host: sudo modprobe vhci-hcd && sudo usbip attach -r HOST -b 1-1",
        ),
        (Module::Available, None) => Finding::missing(
            PURPOSE,
            "vhci_module",
            "The kernel's module vhci-hcd is not loaded.",
            "sudo modprobe vhci-hcd; to have it after each start: echo vhci-hcd | sudo tee /etc/modules-load.d/vhci-hcd.conf",
        ),
        (Module::Absent, None) => Finding::missing(
            PURPOSE,
            "vhci_module",
            "The kernel has no module vhci-hcd.",
            "install your distribution's full kernel (Debian: linux-image-amd64; Ubuntu: linux-modules-extra), and start it",
        ),
        (Module::Unknown, None) => Finding::missing(
            PURPOSE,
            "vhci_module",
            "vhci-hcd is not loaded, and this kernel's modules are not installed.",
            "sudo modprobe vhci-hcd; if there is no such module, install your distribution's full kernel",
        ),
    };
    let program = if has_usbip(machine) {
        Finding::ok(PURPOSE, "usbip_program", "The program usbip is there; to attach a key takes root.")
    } else {
        let mend = "Debian: sudo apt-get install usbip; Ubuntu: sudo apt-get install linux-tools-generic; Fedora: sudo dnf \
                    install usbip";
        Finding::missing(PURPOSE, "usbip_program", "The program usbip is not installed.", mend)
    };
    vec![module, program]
}

fn has_usbip(machine: &Machine) -> bool {
    let folders = ["usr/bin", "usr/sbin", "sbin", "usr/local/bin", "usr/local/sbin"].map(str::to_owned);
    let tools =
        machine.names("usr/lib/linux-tools").into_iter().map(|name| format!("usr/lib/linux-tools/{name}"));
    folders.into_iter().chain(tools).any(|folder| machine.has(&format!("{folder}/usbip")))
}
