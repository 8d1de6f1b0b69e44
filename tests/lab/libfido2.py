"""libfido2's own tools, each operation over uhid and over USB/IP."""

import base64
import os
import subprocess
from pathlib import Path

from keys import Keys, until
from lab import expect

PIN = "correct horse"
RP = "lab.example"


def add_to(scenarios):
    for form in ("uhid", "usbip"):
        for name, play in OPERATIONS.items():
            scenarios.add(f"libfido2 {form}", name, lambda log, play=play, form=form: with_key(log, play, form))


def with_key(log, play, form):
    with Keys(log, form) as key:
        return play(log, key)


def encoded(number_of_bytes):
    return base64.b64encode(os.urandom(number_of_bytes)).decode()


def make(log, key, *flags, pin=None, kind="es256", ok=True):
    """fido2-cred: a credential; gives its id and the file of its public key, or None if it was refused."""
    parameters = "\n".join([encoded(32), RP, "alice", encoded(16)]) + "\n"
    Path(key.path("parameters")).write_text(parameters)
    made = log.run(
        "fido2-cred", "-M", *flags, "-i", key.path("parameters"), key.node, kind, stdin=f"{pin}\n" if pin else "", ok=ok
    )
    if not ok:
        return None
    # What was asked for must be in what was made; being discoverable and U2F are not.
    checks = [flag for flag in flags if flag not in ("-r", "-u")]
    verified = log.run("fido2-cred", "-V", *checks, kind, stdin=made)
    identifier, public = verified.split("\n", 1)
    Path(key.path("public")).write_text(public)
    return identifier, key.path("public")


def prove(log, key, credential, *flags, pin=None, kind="es256", salt=None, ok=True):
    """fido2-assert: an assertion, verified; gives its lines."""
    identifier, public = credential
    parameters = [encoded(32), RP] + ([identifier] if identifier else []) + ([salt] if salt else [])
    Path(key.path("parameters")).write_text("\n".join(parameters) + "\n")
    given = log.run(
        "fido2-assert", "-G", *flags, "-i", key.path("parameters"), key.node, stdin=f"{pin}\n" if pin else "", ok=ok
    )
    if not ok:
        return None
    checks = [flag for flag in flags if flag in ("-h", "-v", "-p")]
    log.run("fido2-assert", "-V", *checks, public, kind, stdin=given)
    return given.splitlines()


def set_pin(log, key):
    log.run("fido2-token", "-S", key.node, stdin=f"{PIN}\n{PIN}\n")


def info(log, key):
    return dict(line.split(": ", 1) for line in log.run("fido2-token", "-I", key.node).splitlines() if ": " in line)


def list_keys(log, key):
    listed = log.run("fido2-token", "-L")
    expect("the key must be listed by its number", f"{key.node}: vendor=0x1209, product=0x0001" in listed, listed)


def show_info(log, key):
    shown = info(log, key)
    expect("it must be a FIDO2 key", "FIDO_2_0" in shown["version strings"])
    expect("its model must be shown", shown["aaguid"] != "0" * 32)
    expect("it must blink and speak CTAP2", "wink, cbor" in shown["caps"])
    return shown["version strings"]


def second_factor(log, key):
    prove(log, key, make(log, key), "-p")
    other = (encoded(67), key.path("public"))
    prove(log, key, other, "-p", ok=False)


def eddsa(log, key):
    prove(log, key, make(log, key, kind="eddsa"), "-p", kind="eddsa")


def u2f(log, key):
    prove(log, key, make(log, key, "-u"), "-u", "-p")


def pin(log, key):
    set_pin(log, key)
    expect("the PIN must be shown as set", "clientPin" in info(log, key)["options"])
    credential = make(log, key, "-v", pin=PIN)
    prove(log, key, credential, "-v", "-p", pin=PIN)
    prove(log, key, credential, "-v", "-p", pin="wrong pin", ok=False)
    expect("a wrong PIN costs a retry", info(log, key)["pin retries"] == "7")
    prove(log, key, credential, "-v", "-p", pin=PIN)
    expect("the right one gives it back", info(log, key)["pin retries"] == "8")
    log.run("fido2-token", "-C", key.node, stdin=f"{PIN}\nanother pin\nanother pin\n")
    prove(log, key, credential, "-v", "-p", pin=PIN, ok=False)
    prove(log, key, credential, "-v", "-p", pin="another pin")


def resident(log, key):
    set_pin(log, key)
    credential = make(log, key, "-r", pin=PIN)
    prove(log, key, ("", credential[1]), "-r", "-p", pin=PIN)
    key.replug()
    prove(log, key, ("", credential[1]), "-r", "-p", pin=PIN)
    listed = log.run("fido2-token", "-L", "-k", RP, key.node, stdin=f"{PIN}\n")
    expect("its id must be listed", credential[0] in listed, listed)
    log.run("fido2-token", "-D", "-i", credential[0], key.node, stdin=f"{PIN}\n")
    listed = log.run("fido2-token", "-L", "-k", RP, key.node, stdin=f"{PIN}\n", ok=None)
    expect("and not after it was deleted", credential[0] not in listed, listed)


def two_accounts(log, key):
    """Both accounts of a relying party prove themselves to a question that names neither, the newer one first."""
    set_pin(log, key)
    publics = []
    for account in ("older", "newer"):
        _, public = make(log, key, "-r", pin=PIN)
        publics.append(Path(public).rename(key.path(account)))
    Path(key.path("parameters")).write_text(f"{encoded(32)}\n{RP}\n")
    given = log.run(
        "fido2-assert", "-G", "-r", "-v", "-i", key.path("parameters"), key.node, stdin=f"{PIN}\n"
    ).splitlines()
    expect("there must be two proofs of five lines, the user's id last", len(given) == 10 and given[4] != given[9], str(given))
    for proof, own, other in ((given[5:9], *publics), (given[:4], *reversed(publics))):
        for public, ok in ((own, True), (other, False)):
            log.run("fido2-assert", "-V", "-v", "-p", public, "es256", stdin="\n".join(proof) + "\n", ok=ok)


def hmac_secret(log, key):
    credential = make(log, key, "-h")
    one, two = encoded(32), encoded(32)
    secrets = [prove(log, key, credential, "-h", "-p", salt=salt)[-1] for salt in (one, one, two)]
    expect("a salt gives the same secret each time", secrets[0] == secrets[1])
    expect("another salt gives another", secrets[0] != secrets[2])


def cred_protect(log, key):
    set_pin(log, key)
    credential = make(log, key, "-c", "3", "-v", pin=PIN)
    prove(log, key, credential, "-p", ok=False)
    prove(log, key, credential, "-v", "-p", pin=PIN)


def reset(log, key):
    credential = make(log, key)
    prove(log, key, credential, "-p")
    key.replug()
    log.run("fido2-token", "-R", key.node)
    prove(log, key, credential, "-p", ok=False)


def unplug(log, key):
    """The key is taken out while a program waits for a touch."""
    credential = make(log, key)
    key.stop()
    key.touch = "manual"
    key.start()
    Path(key.path("parameters")).write_text("\n".join([encoded(32), RP, credential[0]]) + "\n")
    waiting = subprocess.Popen(
        ["fido2-assert", "-G", "-i", key.path("parameters"), key.node], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    until("the key must ask for a touch", key.is_asking)
    key.control("unplug")
    expect("the program must end with an error", waiting.wait(timeout=20) != 0)
    log.line(waiting.stderr.read().decode())
    key.control("plug")
    key.attach()
    key.stop()
    key.touch = "auto"
    key.start()
    prove(log, key, credential, "-p")


OPERATIONS = {
    "list": list_keys,
    "info": show_info,
    "second factor": second_factor,
    "EdDSA": eddsa,
    "U2F": u2f,
    "PIN": pin,
    "discoverable": resident,
    "two accounts": two_accounts,
    "hmac-secret": hmac_secret,
    "credProtect": cred_protect,
    "reset": reset,
    "unplug amid request": unplug,
}
