"""`cargo xtask hil` against our own key as a device of the guest: the driver over hidraw, touched and re-plugged by control socket."""

import os
import xml.etree.ElementTree

from keys import Keys
from lab import RESULTS, expect


def add_to(scenarios):
    scenarios.add("hil uhid", "scenarios", play)


def play(log):
    with Keys(log, "uhid", touch="manual") as key:
        junit = RESULTS / "hil.junit.xml"
        words = ["--device", f"hid:{key.node}", "--control", key.path("control"), "--wipe", "--yes", "--slow"]
        printed = log.run(os.environ["HIL"], *words, "--junit", junit, limit=300)
        suite = xml.etree.ElementTree.parse(junit).find("testsuite")
        expect("scenarios must have been played", int(suite.get("tests")) - int(suite.get("skipped")) >= 38, printed)
        expect("our own key must give no reason for a remark", "remark:" not in printed, printed)
        return printed.splitlines()[-1]
