"""A key that runs in a process of its own, and python-fido2's way to it.

KEYWRIGHT_FORM says which way: `udp`, or `uhid`, where the key is a hidraw node of this machine (in the lab, as root).
"""

import json
import os
import select
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from fido2.ctap2 import Ctap2
from fido2.hid import CtapHidDevice, linux
from fido2.hid.base import CtapHidConnection, HidDescriptor

PATIENCE = 20
FORM = os.environ.get("KEYWRIGHT_FORM", "udp")


class UdpConnection(CtapHidConnection):
    """Reports of 64 bytes, one in each datagram."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(address)

    def read_packet(self):
        return self.socket.recv(64)

    def write_packet(self, data):
        if self.socket.send(data) != 64:
            raise OSError("a report was not sent whole")

    def close(self):
        self.socket.close()


def hidraw_node(place):
    """The node of the device at a place that begins like that, when the kernel has made it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for folder in Path("/sys/class/hidraw").glob("hidraw*"):
            node = Path("/dev") / folder.name
            if f"HID_PHYS={place}" in (folder / "device/uevent").read_text() and node.exists():
                return str(node)
        time.sleep(0.02)
    raise RuntimeError("the key did not become a hidraw node")


class RunningKey:
    """A key over a state file of its own. Starting it is a power-up; `kill` takes the power away in the middle of anything."""

    def __init__(self, touch="auto"):
        self.touch = touch
        self.folder = tempfile.TemporaryDirectory(prefix="keywright-foreign-")
        self.state = Path(self.folder.name) / "state"
        self.process = None
        self.connections = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        self.folder.cleanup()

    def start(self):
        words = ["emulate", "--json", *(["--uhid"] if FORM == "uhid" else ["--udp", "127.0.0.1:0"])]
        words += ["--state", str(self.state), "--touch", self.touch]
        self.process = subprocess.Popen([os.environ["KEYWRIGHT"], *words], stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise RuntimeError("the key did not say where it can be reached")
        if FORM == "uhid":
            self.node = hidraw_node(f"keywright/{self.process.pid}/")
        else:
            host, port = json.loads(line)["udp"].rsplit(":", 1)
            self.address = (host, int(port))

    def kill(self):
        for connection in self.connections:
            connection.close()
        self.connections = []
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            self.process = None

    def power_cycle(self):
        self.kill()
        self.start()

    def device(self):
        """A channel of its own to the key."""
        if FORM == "uhid":
            descriptor = linux.get_descriptor(self.node)
            connection = linux.open_connection(descriptor)
        else:
            descriptor = HidDescriptor(self.address, 0, 0, 64, 64, "Keywright", None)
            connection = UdpConnection(self.address)
        self.connections.append(connection)
        return CtapHidDevice(descriptor, connection)

    def ctap2(self):
        return Ctap2(self.device())
