"""The RP2040's image on an emulated board outside of the guest, attached over USB/IP: the guest's kernel enumerates the image itself, and
libfido2's tools use it."""

import os
import tempfile
from pathlib import Path

import libfido2
from keys import PATIENCE, hidraw_nodes, until
from lab import expect

# The guest's way to the loopback of the machine that it runs on.
HOST = "10.0.2.2"
OPERATIONS = ("list", "info", "second factor", "EdDSA", "U2F", "PIN", "discoverable")


def add_to(scenarios):
    for name in OPERATIONS:
        scenarios.add("board usbip", name, lambda log, name=name: with_board(log, libfido2.OPERATIONS[name], name))


def with_board(log, play, name):
    with Board(log) as board:
        if name != "info":
            # Whatever an earlier scenario left on it.
            log.run("fido2-token", "-R", board.node)
        remark = play(log, board)
        if name == "info":
            listed = log.run("lsusb", "-v", "-d", "1209:0001")
            for told in ("Keywright RP2040", "bcdDevice            0.10", "bInterval               1"):
                expect("the image's own descriptors must be seen", told in listed, listed)
        return remark


class Board:
    """The emulated board as a device of the guest; it is touched whenever it asks. Leaving the block detaches it."""

    def __init__(self, log):
        self.log = log
        self.folder = tempfile.TemporaryDirectory(prefix="keywright-board-")

    def __enter__(self):
        self.attach()
        return self

    def __exit__(self, *_):
        self.detach()
        self.folder.cleanup()

    def attach(self):
        """To attach is to plug in: the board powers up."""
        self.log.run("usbip", "-t", os.environ["BOARD_PORT"], "attach", "-r", HOST, "-b", "1-1")
        until("the node must come", lambda: hidraw_nodes("usb-vhci"))
        self.log.run("udevadm", "settle", "-t", PATIENCE)
        self.node = hidraw_nodes("usb-vhci")[0]

    def detach(self):
        self.log.run("usbip", "detach", "-p", "0")
        until("the node must go", lambda: not hidraw_nodes("usb-vhci"))

    def replug(self):
        self.detach()
        self.attach()

    def path(self, name):
        return str(Path(self.folder.name) / name)
