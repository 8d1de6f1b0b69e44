"""CTAPHID as most clients do it: of the reports that a hidraw node gives to all programs, only those of the own channel count.

python-fido2 takes a report of another program's channel for a fault; libfido2 and browsers pass it over, as this does.
"""

import os
import select
import struct

INIT, PING, CBOR, ERROR, KEEPALIVE = 0x86, 0x81, 0x90, 0xBF, 0xBB
BROADCAST = 0xFFFFFFFF
PATIENCE = 20


class Lost(Exception):
    """No answer, or an error in its place."""


class Channel:
    """A channel of its own over a node of its own."""

    def __init__(self, node):
        self.file = os.open(node, os.O_RDWR)
        nonce = os.urandom(8)
        self.channel = BROADCAST
        answer = self.call(INIT, nonce, lambda answer: answer[:8] == nonce)
        (self.channel,) = struct.unpack(">I", answer[8:12])

    def close(self):
        os.close(self.file)

    def call(self, command, payload, is_mine=lambda answer: True):
        self.send(command, payload)
        while True:
            answered, answer = self.receive()
            if answered == KEEPALIVE or not is_mine(answer):
                continue
            if answered != command:
                raise Lost(f"answered {answered:#x} {answer.hex()}")
            return answer

    def send(self, command, payload):
        packets = [struct.pack(">IBH", self.channel, command, len(payload)) + payload[:57]]
        for number, at in enumerate(range(57, len(payload), 59)):
            packets.append(struct.pack(">IB", self.channel, number) + payload[at : at + 59])
        for packet in packets:
            os.write(self.file, b"\0" + packet.ljust(64, b"\0"))

    def receive(self):
        packet = self.packet()
        while not packet[4] & 0x80:  # What is left of a message that somebody else asked for.
            packet = self.packet()
        command, length = struct.unpack(">BH", packet[4:7])
        payload, number = packet[7:], 0
        while len(payload) < length:
            packet = self.packet()
            if packet[4] != number:
                raise Lost(f"packet {packet[4]:#x} in the place of {number}")
            payload, number = payload + packet[5:], number + 1
        return command, payload[:length]

    def packet(self):
        """The next packet of this channel."""
        while True:
            ready, _, _ = select.select([self.file], [], [], PATIENCE)
            if not ready:
                raise Lost(f"nothing within {PATIENCE} s")
            packet = os.read(self.file, 64)
            if struct.unpack(">I", packet[:4]) == (self.channel,):
                return packet
