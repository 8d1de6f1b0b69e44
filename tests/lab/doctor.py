"""`keywright doctor` on a machine that is one: what it says of a key, of a user who may not, and of a module that is not loaded."""

import json
import os
from pathlib import Path

from keys import Keys
from lab import expect

RULE = Path("/etc/udev/rules.d/70-keywright.rules")
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def add_to(scenarios):
    scenarios.add("doctor", "ready", ready)
    scenarios.add("doctor", "permission", permission)
    scenarios.add("doctor", "udev rule", udev_rule)
    scenarios.add("doctor", "module", module)


def doctor(log, *words, ok=True, user=()):
    # The guest sees the files of a machine that may be a container, and is none.
    Path("/.dockerenv").unlink(missing_ok=True)
    return json.loads(log.run(*user, os.environ["KEYWRIGHT"], "doctor", "--json", *words, ok=ok))


def missing(report):
    return {finding["name"]: finding["mend"] for finding in report["findings"] if finding["state"] == "missing"}


def ready(log):
    with Keys(log, "uhid") as key:
        report = doctor(log, "keys", "uhid")
        expect("it must be ready", report["ready"] and report["container"] is None, str(report))
        nodes = [finding["message"] for finding in report["findings"] if finding["name"] == "node"]
        expect("it must name the key's node", any(key.node in message for message in nodes), str(nodes))


def permission(log):
    with Keys(log, "uhid"):
        found = missing(doctor(log, "keys", "uhid", ok=False, user=NOBODY))
        expect("both must be told", set(found) == {"node", "uhid_permission"}, str(found))
        expect("and how to be let in", "--install-udev-rule" in found["uhid_permission"], str(found))


def udev_rule(log):
    try:
        report = doctor(log, "--install-udev-rule")
        expect("udev must follow it", report["done"] == "udev_rule_installed" and report["reloaded"], str(report))
        expect("twice is as once", doctor(log, "--install-udev-rule")["done"] == "udev_rule_was_there")
        with Keys(log, "uhid") as key:
            name = Path(key.node).name
            printed = log.run("udevadm", "info", f"/sys/class/hidraw/{name}")
            expect("udev must give the key to whoever sits there", ":uaccess:" in printed, printed)
            printed = log.run("udevadm", "info", "/sys/class/misc/uhid")
            expect("and uhid", ":uaccess:" in printed, printed)
        RULE.unlink()
        refusal = log.run(*NOBODY, os.environ["KEYWRIGHT"], "doctor", "--json", "--install-udev-rule", ok=False)
        expect("nobody but root may write it", "sudo" in json.loads(refusal)["error"]["message"], refusal)
    finally:
        RULE.unlink(missing_ok=True)
        log.run("udevadm", "control", "--reload")


def module(log):
    log.run("modprobe", "-r", "uhid")
    try:
        found = missing(doctor(log, "uhid", ok=False))
        expect("the module must be told", "modprobe uhid" in found.get("uhid_module", ""), str(found))
    finally:
        log.run("modprobe", "uhid")
