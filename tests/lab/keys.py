"""Keys that run in a process of their own, and how they come to be hidraw nodes of the guest."""

import json
import os
import re
import select
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from lab import expect

PATIENCE = 30
ANY = "127.0.0.1:0"


def until(what, check, patience=PATIENCE):
    """Waits for something that the kernel or another process does; gives what `check` found."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.02)
    expect(what, False, f"(not within {patience} s)")


def hidraw_nodes(beginning):
    """The hidraw nodes of devices whose place begins like that, by place."""
    nodes = {}
    for folder in Path("/sys/class/hidraw").glob("hidraw*"):
        try:
            text = (folder / "device/uevent").read_text()
        except OSError:  # It was unplugged meanwhile.
            continue
        place = re.search(r"^HID_PHYS=(.*)$", text, re.M)
        node = Path("/dev") / folder.name
        if place and place[1].startswith(beginning) and node.exists():
            nodes[place[1]] = str(node)
    return [nodes[place] for place in sorted(nodes)]


def as_user(number):
    """The beginning of a command line that makes it a command of a user without rights."""
    return ["setpriv", f"--reuid={number}", f"--regid={number}", "--clear-groups"]


class Keys:
    """Keys in one process over state files of their own; `form` is uhid, usbip, or udp, which gives no nodes.

    The process is root's, or `user`'s. Leaving the block kills it.
    """

    def __init__(self, log, form="uhid", touch="auto", number=1, attestation="self", user=None):
        self.log, self.form, self.touch, self.number = log, form, touch, number
        self.attestation, self.user = attestation, user
        self.folder = tempfile.TemporaryDirectory(prefix="keywright-lab-")
        self.process = None

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        self.folder.cleanup()

    def start(self):
        words = []
        if self.user is not None:
            os.chown(self.folder.name, self.user, self.user)
            words = as_user(self.user)
        words += [os.environ["KEYWRIGHT"], "emulate", "--json", "--touch", self.touch, "--keys", str(self.number)]
        words += ["--attestation", self.attestation, "--state", self.path("state"), "--control", self.path("control")]
        words += {"uhid": ["--uhid"], "usbip": ["--usbip", ANY], "udp": ["--udp", ANY]}[self.form]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=self.log.file, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        expect("the key must say where it is", line)
        self.log.line(line)
        self.line = json.loads(line)
        self.attach()

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            if self.form != "udp":
                until("the nodes must go", lambda: not hidraw_nodes(self.place()))
            self.process = None

    def replug(self):
        """Takes the key out and plugs it in again, as a hand would."""
        self.control("unplug")
        until("the nodes must go", lambda: not hidraw_nodes(self.place()))
        self.control("plug")
        self.attach()

    def attach(self):
        """Makes the keys devices of the guest, if they do not come by themselves, and waits for them."""
        if self.form == "udp":
            return
        if self.form == "usbip":
            for bus_id in self.line["bus_ids"]:
                self.log.run("usbip", "-t", self.port(), "attach", "-r", "127.0.0.1", "-b", bus_id)
        until("the nodes must come", lambda: len(hidraw_nodes(self.place())) == self.number)
        # Clients ask udev which devices there are.
        self.log.run("udevadm", "settle", "-t", PATIENCE)
        self.nodes = hidraw_nodes(self.place())
        self.node = self.nodes[0]

    def place(self):
        """How the places of these keys begin."""
        return f"keywright/{self.process.pid}/" if self.form == "uhid" else "usb-vhci"

    def port(self):
        return self.line["usbip"].rsplit(":", 1)[1]

    def path(self, name):
        return str(Path(self.folder.name) / name)

    def is_asking(self, at=0):
        """Whether a key waits for a touch."""
        return self.control("state", at)["state"]["indication"] == "touch-wanted"

    def control(self, word, at=0):
        """Does what a hand would do to the key in this place."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(self.line["control"] if self.number == 1 else self.line["control"][at])
            connection.sendall(json.dumps({"do": word}).encode() + b"\n")
            answer = json.loads(connection.makefile().readline())
        if word != "state":
            self.log.line(f"{word}: {answer}")
        expect(f"`{word}` must be obeyed", "error" not in answer, str(answer))
        return answer
