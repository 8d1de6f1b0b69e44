"""The project's own driver: each `keywright` command on hidraw, over uhid and over USB/IP, with `--json`."""

import json
import os
import signal
import subprocess
from contextlib import contextmanager

from keys import Keys, until
from lab import expect

RP = "lab.example"
PIN, OTHER_PIN = "correct horse", "battery staple"
RESET_LIMIT_MS = 10_000
# The exit codes of host/cli/JSON.md.
DEVICE, USER, PIN_REFUSED, NO_CREDENTIAL, STATE = 3, 4, 5, 7, 9


def add_to(scenarios):
    for form in ("uhid", "usbip"):
        for name, play in OPERATIONS.items():
            scenarios.add(f"keywright {form}", name, lambda log, play=play, form=form: play(log, form))


def command(*words, at=None):
    """A command line, for the key at a node or for whichever is plugged in."""
    place = ["--device", f"hid:{at}"] if at else []
    return [os.environ["KEYWRIGHT"], "--json", *map(str, words), *place]


def answer_of(printed, code, expected):
    """The one JSON value that a command printed; of a failure, what `error` holds."""
    expect("standard output must be one line", printed.count("\n") == 1, printed)
    answer = json.loads(printed)
    expect(f"it must end with {expected}", code == expected, f"and ended with {code}: {printed}")
    if expected == 0:
        return answer
    error = answer["error"]
    expect("the code must be said too", error["exit_code"] == code, printed)
    return error


def keywright(log, *words, at=None, code=0, **how):
    """A command that ends with `code`; its answer."""
    done = log.done(*command(*words, at=at), **how)
    return answer_of(done.stdout, done.returncode, code)


class Waiting:
    """A command that waits for a touch."""

    def __init__(self, log, *words, at=None):
        words = command(*words, at=at)
        log.line("$ " + " ".join(words) + " &")
        self.log = log
        self.process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def end(self, code=0):
        printed, told = self.process.communicate(timeout=60)
        self.log.line(told + printed + f"[{self.process.returncode}]")
        expect("it must say that a touch is wanted", "ouch" in told, told)
        return answer_of(printed, self.process.returncode, code)

    def kill(self):
        self.process.kill()
        self.process.communicate()


@contextmanager
def waiting(log, keys, *words, at=None, asked=(0,)):
    """A command whose keys have begun to ask for a touch."""
    command = Waiting(log, *words, at=at)
    try:
        for place in asked:
            until("the key must ask for a touch", lambda place=place: keys.is_asking(place))
        yield command
    finally:
        command.kill()


def register(log, key, name, *flags, **how):
    """Registers a user of that name, whose credential is in the file of that name."""
    file = key.path(f"{name}.json")
    return keywright(log, "register", "--rp", RP, "--user", name, "-o", file, *flags, **how)


def authenticate(log, key, name, *flags, **how):
    return keywright(log, "authenticate", key.path(f"{name}.json"), *flags, **how)


def by_input(*pins):
    return "".join(f"{pin}\n" for pin in pins)


def set_pin(log, key):
    told = keywright(log, "pin", "set", "--new-pin-fd", "0", stdin=by_input(PIN))
    expect("the PIN must be set", told["done"] == "pin_set")


def list_keys(log, form):
    with Keys(log, form, number=2) as keys:
        found = {device["device"]: device for device in keywright(log, "list")["devices"]}
        expect("both keys must be listed, and no more", set(found) == {f"hid:{node}" for node in keys.nodes}, str(found))
        for device in found.values():
            expect("by their number", (device["vendor_id"], device["product_id"]) == (0x1209, 0x0001), str(device))
            expect("and their name", "Keywright" in device["product"], str(device))
    expect("none must be listed when none is there", keywright(log, "list") == {"devices": []})
    error = keywright(log, "info", code=DEVICE)
    expect("and a command must say what to do", "plug one in" in error["message"], error["message"])


def info(log, form):
    with Keys(log, form) as key:
        found, named = keywright(log, "info"), keywright(log, "info", at=key.node)
        expect("the only key must be the one that is named", found["device"] == named["device"] == f"hid:{key.node}")
        ctap2 = found["ctap2"]
        expect("it must be a Keywright key", found["known_as"]["name"] == "Keywright virtual key", str(found))
        expect("that speaks FIDO 2.1 and U2F", "FIDO_2_1" in ctap2["versions"] and found["u2f"] == "U2F_V2", str(found))
        expect("and has no PIN", ctap2["options"]["clientPin"] is False)
        return f"messages of {ctap2['max_msg_size']} bytes"


def credentials(log, form):
    """A second factor: proven, counted, and refused by another key."""
    with Keys(log, form, number=2) as keys:
        own, other = keys.nodes
        for name, flags in {"ada": [], "eve": ["--alg", "eddsa"]}.items():
            made = register(log, keys, name, *flags, at=own)
            expect("it must be verified", made["verified"] and not made["discoverable"])
            expect("and of the algorithm asked for", made["algorithm"] == (-8 if flags else -7))
            counts = [authenticate(log, keys, name, at=own)["sign_count"] for _ in range(3)]
            expect("the counter must rise", made["sign_count"] < counts[0] < counts[1] < counts[2], str(counts))
        error = authenticate(log, keys, "ada", at=other, code=NO_CREDENTIAL)
        expect("a foreign key must be told of in words", "key" in error["message"], error["message"])
        authenticate(log, keys, "ada", at=own)


def discoverable(log, form):
    with Keys(log, form) as key:
        set_pin(log, key)
        made = {name: register(log, key, name, "--resident", "--pin-env", "LAB_PIN", LAB_PIN=PIN) for name in ("ada", "eve")}
        key.replug()

        def change(*words):
            return keywright(log, "credentials", *words, "--pin-fd", "0", stdin=by_input(PIN))

        listed = change("list", "--rp", RP)
        expect("both must be there after a re-plug", listed["existing"] == 2, str(listed))
        ids = {credential["user"]["name"]: credential["id"] for credential in listed["credentials"]}
        expect("by the ids that they were made with", ids == {name: of["credential_id"] for name, of in made.items()})
        renamed = change("rename", ids["ada"], "--name", "ada.l", "--display-name", "Ada Lovelace")["credential"]
        expect("the name must be the new one", renamed["user"]["name"] == "ada.l", str(renamed))
        change("delete", ids["eve"], "--yes")
        left = change("list")["credentials"]
        expect("the renamed one alone must be left", left == [renamed], str(left))
        authenticate(log, key, "ada", "--uv", "--pin-env", "LAB_PIN", LAB_PIN=PIN)
        authenticate(log, key, "eve", code=NO_CREDENTIAL)


def pins(log, form):
    """Wrong PINs are counted, stop until a re-plug, and stop for good; the PIN is never sent twice by itself."""
    with Keys(log, form) as key:
        set_pin(log, key)
        made = register(log, key, "ada", "--uv", "--pin-fd", "0", stdin=by_input(PIN))
        expect("the user must be verified", made["user_verified"])
        keywright(log, "pin", "change", "--pin-fd", "0", "--new-pin-fd", "0", stdin=by_input(PIN, OTHER_PIN))
        error = authenticate(log, key, "ada", "--uv", code=PIN_REFUSED)
        expect("without a terminal it must say how a PIN is given", "--pin-fd" in error["message"], error["message"])
        for left in range(7, -1, -1):
            error = try_pin(log, key, PIN, code=PIN_REFUSED)
            told = keywright(log, "pin", "retries")
            expect("each wrong one must cost a try", told["retries"] == error.get("retries", left) == left, str(told))
            if told["power_cycle_needed"]:
                try_pin(log, key, OTHER_PIN, code=PIN_REFUSED)
                expect("the right one is not heard then", keywright(log, "pin", "retries")["retries"] == left)
                key.replug()
            if left == 7:
                proven = try_pin(log, key, OTHER_PIN)
                expect("the right one gives the tries back", proven["user_verified"])
                expect("all of them", keywright(log, "pin", "retries")["retries"] == 8)
                try_pin(log, key, PIN, code=PIN_REFUSED)
        error = try_pin(log, key, OTHER_PIN, code=PIN_REFUSED)
        expect("a blocked PIN must be told with what is left to do", "reset" in error["message"], error["message"])
        authenticate(log, key, "ada")
        key.replug()
        keywright(log, "reset", "--yes")
        expect("a reset takes the PIN away", not keywright(log, "pin", "retries")["pin_set"])


def try_pin(log, key, pin, code=0):
    return authenticate(log, key, "ada", "--uv", "--pin-fd", "0", stdin=by_input(pin), code=code)


def reset(log, form):
    with Keys(log, form) as key:
        register(log, key, "ada")
        until("the time for a reset must end", lambda: key.control("state")["state"]["powered_ms"] > RESET_LIMIT_MS)
        error = keywright(log, "reset", "--yes", code=STATE)
        expect("a late reset must be told how", "plug it in again" in error["message"], error["message"])
        authenticate(log, key, "ada")
        key.replug()
        expect("it must be done", keywright(log, "reset", "--yes")["done"] == "reset")
        authenticate(log, key, "ada", code=NO_CREDENTIAL)


def choose(log, form):
    """Of two keys the one that is touched is meant; the other stops asking."""
    with Keys(log, form, touch="manual", number=2) as keys:
        for touched in (1, 0):
            with waiting(log, keys, "select", asked=(0, 1)) as command:
                keys.control("touch", touched)
                expect("it must be the touched one", command.end()["device"] == f"hid:{keys.nodes[touched]}")
            until("the other must stop asking", lambda touched=touched: not keys.is_asking(1 - touched))
        words = ["register", "--rp", RP, "--user", "ada", "-o", keys.path("ada.json")]
        with waiting(log, keys, *words, asked=(0, 1)) as command:
            keys.control("touch", 1)
            until("the other must stop asking", lambda: not keys.is_asking(0))
            until("the chosen one must ask for the credential's touch", lambda: keys.is_asking(1))
            keys.control("touch", 1)
            expect("it must be on the touched one", command.end()["device"] == f"hid:{keys.nodes[1]}")
        with waiting(log, keys, "authenticate", keys.path("ada.json"), at=keys.nodes[1], asked=(1,)) as command:
            keys.control("touch", 1)
            command.end()


def one_alone(log, form):
    """`select` asks a single key too, and `wink` shows on it."""
    with Keys(log, form, touch="manual") as key:
        with waiting(log, key, "select", at=key.node) as command:
            key.control("touch")
            expect("it must be this one", command.end()["device"] == f"hid:{key.node}")
        expect("it must wink", keywright(log, "wink")["done"] == "wink")
        expect("and be seen to", key.control("state")["state"]["indication"] == "wink")


def give_up(log, form):
    """Ctrl-C, and a user who declines: the key stops asking, and nothing is written."""
    with Keys(log, form, touch="manual") as key:
        words = ["register", "--rp", RP, "--user", "ada", "-o", key.path("ada.json")]
        with waiting(log, key, *words) as command:
            command.process.send_signal(signal.SIGINT)
            command.end(code=USER)
        until("the key must stop asking", lambda: not key.is_asking())
        with waiting(log, key, *words) as command:
            key.control("decline")
            command.end(code=USER)
        expect("there must be no file", not os.path.exists(key.path("ada.json")))


def unplug(log, form):
    with Keys(log, form, touch="manual") as key:
        with waiting(log, key, "register", "--rp", RP, "--user", "ada", "-o", key.path("ada.json")) as command:
            key.control("unplug")
            error = command.end(code=DEVICE)
            expect("it must say what to do", "plug it in again" in error["message"], error["message"])
        expect("there must be no file", not os.path.exists(key.path("ada.json")))
        node = key.node
        until("it must be gone", lambda: keywright(log, "list") == {"devices": []})
        error = keywright(log, "info", at=node, code=DEVICE)
        expect("and be told as not there", "there is no device" in error["message"], error["message"])
        key.control("plug")
        key.attach()
        expect("plugged in again it must answer", keywright(log, "info")["device"] == f"hid:{key.node}")


OPERATIONS = {
    "list": list_keys,
    "info": info,
    "second factor": credentials,
    "discoverable": discoverable,
    "PIN": pins,
    "reset": reset,
    "choice by touch": choose,
    "select and wink": one_alone,
    "cancel": give_up,
    "unplug amid request": unplug,
}
