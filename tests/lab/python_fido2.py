"""python-fido2 over hidraw: rounds with a clock, several keys, cancellation, and all the scenarios of tests/foreign."""

import os
import sys
import threading
import time
from pathlib import Path

from fido2.ctap import CtapError
from fido2.ctap2 import Ctap2
from fido2.hid import CtapHidDevice
from fido2.hid import linux as hidraw
from fido2.hid.base import HidDescriptor
from keys import Keys
from lab import expect
from programs import latency
from running_key import UdpConnection

FOREIGN = Path(__file__).parents[1] / "foreign"
ROUNDS = int(os.environ.get("ROUNDS", "1000"))
RP = {"id": "lab.example", "name": "Lab"}
USER = {"id": b"user-1", "name": "alice"}
ES256 = [{"type": "public-key", "alg": -7}]


def add_to(scenarios):
    for form in ("uhid", "usbip"):
        for name, play in OPERATIONS.items():
            scenarios.add(f"python-fido2 {form}", name, lambda log, play=play, form=form: play(log, form))
    scenarios.add("python-fido2 udp", "rounds", lambda log: rounds(log, "udp"))
    scenarios.add("python-fido2 uhid", "tests/foreign", foreign_scenarios)


def open_key(key):
    if key.form != "udp":
        return open_node(key.node)
    host, port = key.line["udp"].rsplit(":", 1)
    return CtapHidDevice(HidDescriptor(host, 0, 0, 64, 64, "Keywright", None), UdpConnection((host, int(port))))


def open_node(node):
    descriptor = hidraw.get_descriptor(node)
    return CtapHidDevice(descriptor, hidraw.open_connection(descriptor))


def foreign_scenarios(log):
    """The scenarios that are also played over UDP."""
    printed = log.run(sys.executable, "-B", FOREIGN / "scenarios.py", limit=400, KEYWRIGHT_FORM="uhid")
    return printed.splitlines()[-1]


def register(device):
    challenge = os.urandom(32)
    made = Ctap2(device).make_credential(challenge, RP, USER, ES256)
    credential = made.auth_data.credential_data
    made.auth_data.credential_data.public_key.verify(bytes(made.auth_data) + challenge, made.att_stmt["sig"])
    return credential


def authenticate(device, credential):
    challenge = os.urandom(32)
    allowed = [{"type": "public-key", "id": credential.credential_id}]
    Ctap2(device).get_assertion(RP["id"], challenge, allowed).verify(challenge, credential.public_key)


def list_keys(log, form):
    with Keys(log, form, number=2) as keys:
        listed = {device.descriptor.path for device in CtapHidDevice.list_devices()}
        expect("both keys must be found", set(keys.nodes) <= listed, str(listed))


def rounds(log, form):
    """Registers and authenticates; a report that is lost would leave its round without an answer."""
    number = ROUNDS if form == "uhid" else ROUNDS // 5
    times = {"register": [], "authenticate": []}
    with Keys(log, form) as key:
        device = open_key(key)
        for _ in range(number):
            start = time.perf_counter()
            credential = register(device)
            middle = time.perf_counter()
            authenticate(device, credential)
            times["register"].append(middle - start)
            times["authenticate"].append(time.perf_counter() - middle)
        device.close()
    return f"{number} rounds: " + "; ".join(f"{name} {latency(taken)}" for name, taken in times.items())


def several_keys(log, form):
    """Keys of one process know nothing of each other's credentials."""
    with Keys(log, form, number=3) as keys:
        devices = [open_node(node) for node in keys.nodes]
        credentials = [register(device) for device in devices]
        for at, device in enumerate(devices):
            for other, credential in enumerate(credentials):
                try:
                    authenticate(device, credential)
                    expect("a foreign credential must be refused", at == other)
                except CtapError as error:
                    expect("an own credential must be taken", at != other, str(error))
                    expect("as one that is not there", error.code == CtapError.ERR.NO_CREDENTIALS, str(error))
        for device in devices:
            device.close()


def cancel(log, form):
    """The program gives a request up while the key waits for a touch."""
    with Keys(log, form, touch="manual") as key:
        device = open_node(key.node)
        event, seen = threading.Event(), []

        def keepalive(status):
            seen.append(status)
            event.set()

        try:
            Ctap2(device).make_credential(os.urandom(32), RP, USER, ES256, event=event, on_keepalive=keepalive)
            expect("a request that was cancelled must not succeed", False)
        except CtapError as error:
            expect("it must end as cancelled", error.code == CtapError.ERR.KEEPALIVE_CANCEL, str(error))
        expect("the key must have asked for a touch first", seen == [2], str(seen))
        expect("and not go on asking", key.control("state")["state"]["indication"] == "idle")
        device.close()


def replug(log, form):
    """A key that was taken out comes back with its credentials."""
    with Keys(log, form) as key:
        device = open_node(key.node)
        credential = register(device)
        device.close()
        for _ in range(3):
            key.replug()
            device = open_node(key.node)
            authenticate(device, credential)
            device.close()


OPERATIONS = {
    "list": list_keys,
    "rounds": rounds,
    "several keys": several_keys,
    "cancel": cancel,
    "re-plug": replug,
}
