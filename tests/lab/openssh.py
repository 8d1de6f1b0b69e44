"""OpenSSH: keys on the security key, and a login with them at a server on loopback."""

import getpass
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

from keys import Keys, until
from lab import expect
from libfido2 import PIN, set_pin

PORT = "2022"


def add_to(scenarios):
    scenarios.add("ssh uhid", "login ecdsa-sk", lambda log: login(log, "ecdsa-sk"))
    scenarios.add("ssh uhid", "login ed25519-sk", lambda log: login(log, "ed25519-sk"))
    scenarios.add("ssh uhid", "discoverable", resident)


def ask_for_pin(key, pin):
    """A program that ssh-keygen asks for the PIN."""
    path = Path(key.path("askpass"))
    path.write_text(f"#!/bin/sh\necho '{pin}'\n")
    path.chmod(0o700)
    return {"SSH_ASKPASS": str(path), "SSH_ASKPASS_REQUIRE": "force"}


@contextmanager
def server(log, key, public):
    """An sshd that lets in who has the key to `public`."""
    host_key, config = key.path("host-key"), key.path("sshd-config")
    if not Path(host_key).exists():
        log.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host_key)
    Path(key.path("authorized")).write_text(Path(public).read_text())
    Path(config).write_text(
        f"Port {PORT}\nListenAddress 127.0.0.1\nHostKey {host_key}\nPidFile none\nStrictModes no\nUsePAM no\n"
        f"AuthorizedKeysFile {key.path('authorized')}\nAuthenticationMethods publickey\nPermitRootLogin yes\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    with open(key.path("sshd-log"), "w") as output:
        process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=output)
    try:
        log.run("bash", "-c", f"until (: </dev/tcp/127.0.0.1/{PORT}) 2>/dev/null; do sleep 0.05; done")
        yield
    finally:
        process.kill()
        process.wait()
        log.line(Path(key.path("sshd-log")).read_text())


def log_in(log, private, ok=True):
    words = ["ssh", "-F", "none", "-p", PORT, "-i", private, "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
    words += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    printed = log.run(*words, f"{getpass.getuser()}@127.0.0.1", "echo logged in", ok=ok)
    expect("the command must run there" if ok else "nothing must run there", ("logged in" in printed) == ok)


def login(log, kind):
    with Keys(log) as key:
        private = key.path("id")
        log.run("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", private)
        with server(log, key, private + ".pub"):
            log_in(log, private)
            key.control("unplug")
            log_in(log, private, ok=False)
            key.control("plug")
            key.attach()
            log_in(log, private)
        key.stop()
        key.touch = "deny"
        key.start()
        with server(log, key, private + ".pub"):
            log_in(log, private, ok=False)


def resident(log):
    """The private half's handle is kept on the key and fetched from it on another machine."""
    with Keys(log) as key:
        set_pin(log, key)
        words = ["ssh-keygen", "-q", "-t", "ed25519-sk", "-O", "resident", "-O", "application=ssh:lab", "-N", ""]
        log.run(*words, "-f", key.path("id"), **ask_for_pin(key, PIN))
        os.mkdir(key.path("other-machine"))
        script = f"cd {key.path('other-machine')} && ssh-keygen -K -N ''"
        log.run("sh", "-c", script, **ask_for_pin(key, PIN))
        fetched = Path(key.path("other-machine")) / "id_ed25519_sk_rk_lab"
        made = Path(key.path("id.pub")).read_text().split()[:2]
        expect("it must be the same key", Path(f"{fetched}.pub").read_text().split()[:2] == made)
        with server(log, key, f"{fetched}.pub"):
            log_in(log, fetched)
