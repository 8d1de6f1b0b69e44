"""What a key sends, as a program that only listens sees it: hidraw gives each report to whoever has the device open."""

import os
import select
import struct
import threading
from contextlib import contextmanager

from ctaphid import CBOR, KEEPALIVE
from fido2 import cbor

CANCELLED = b"\x2d"


class Packets:
    """The messages of a key, in order: `(channel, command, payload)`."""

    def __init__(self, node, log):
        self.log = log
        self.messages = []
        self.file = os.open(node, os.O_RDONLY)
        self.wake, self.end = os.pipe()
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def close(self):
        os.write(self.end, b"x")
        self.thread.join()
        for file in (self.file, self.wake, self.end):
            os.close(file)

    def listen(self):
        begun = {}
        while True:
            ready, _, _ = select.select([self.file, self.wake], [], [])
            if self.wake in ready:
                return
            try:
                packet = os.read(self.file, 64)
            except OSError:  # The key was unplugged.
                return
            if packet[4] != KEEPALIVE:
                self.log.line(f"< {packet.hex()}")
            self.take(begun, packet)

    def take(self, begun, packet):
        """Adds a packet to the message of its channel."""
        channel = packet[:4]
        if packet[4] & 0x80:
            command, length = struct.unpack(">BH", packet[4:7])
            begun[channel] = command, length, packet[7:]
        else:
            command, length, payload = begun[channel]
            begun[channel] = command, length, payload + packet[5:]
        command, length, payload = begun[channel]
        if len(payload) >= length:
            del begun[channel]
            self.messages.append((channel, command, payload[:length]))

    def answers(self):
        """What CTAP2 commands were answered: a status byte, and CBOR."""
        return [payload for _, command, payload in self.messages if command == CBOR]


    def given(self):
        """What the last makeCredential and the last getAssertion that went well gave, as maps."""
        maps = [cbor.decode(answer[1:]) for answer in self.answers() if answer[:1] == b"\0" and len(answer) > 1]
        by_kind = {type(given[1]): given for given in maps if 2 in given and 3 in given}
        return by_kind[str], by_kind[dict]


@contextmanager
def packets(node, log):
    heard = Packets(node, log)
    try:
        yield heard
    finally:
        heard.close()
