"""Programs that have the key open at once, and messages of every length that the key promises to take."""

import os
import statistics
import time

from ctaphid import CBOR, PING, Channel
from fido2 import cbor
from keys import Keys
from lab import expect
from libfido2 import make, prove

GET_INFO = b"\x04"
UNKNOWN_COMMAND = b"\x7e"
INVALID_COMMAND = b"\x01"
MAX_MESSAGE_SIZE = 5


def add_to(scenarios):
    for form in ("uhid", "usbip"):
        for name, play in OPERATIONS.items():
            scenarios.add(f"CTAPHID {form}", name, lambda log, play=play, form=form: play(log, form))


def longest_message(log, form):
    """As many bytes as the key says that it takes, and an answer of as many reports as hidraw keeps for a slow program."""
    number, taken = 100, []
    with Keys(log, form) as key:
        channel = Channel(key.node)
        longest = cbor.decode(channel.call(CBOR, GET_INFO)[1:])[MAX_MESSAGE_SIZE]
        length = min(longest, 57 + 63 * 59)
        for _ in range(number):
            refused = channel.call(CBOR, UNKNOWN_COMMAND.ljust(longest, b"x"))
            expect("the message must have come whole", refused == INVALID_COMMAND, refused.hex())
            payload = os.urandom(length)
            start = time.perf_counter()
            expect("the answer must be the question", channel.call(PING, payload) == payload)
            taken.append(time.perf_counter() - start)
        channel.close()
    return f"{number} of {longest} bytes; of {length} there and back: {latency(taken)}"


def two_programs(log, form):
    """Two programs that have the device open get each their own answers, and a third one, libfido2, its credential."""
    with Keys(log, form) as key:
        channels = [Channel(key.node), Channel(key.node)]
        for _ in range(20):
            for channel in channels:
                payload = os.urandom(300)
                expect("a PING must come back", channel.call(PING, payload) == payload)
        prove(log, key, make(log, key), "-p")
        for channel in channels:
            expect("its channel must still be there", channel.call(PING, b"x") == b"x")
            channel.close()


def latency(taken):
    ordered = sorted(taken)
    return "median %.1f ms, p99 %.1f ms" % (1e3 * statistics.median(ordered), 1e3 * ordered[len(ordered) * 99 // 100])


OPERATIONS = {"longest message": longest_message, "two programs": two_programs}
