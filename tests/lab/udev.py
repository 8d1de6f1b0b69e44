"""Who may use a key, and make one, by udev's rules: the person at the machine, and nobody else."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from keys import Keys, as_user
from keywright_command import DEVICE, answer_of, command
from lab import expect

RULE = Path(__file__).parents[2] / "host/cli/udev/70-keywright.rules"
SEAT = Path("/run/systemd/seats/seat0")
PERSON = 12345


def add_to(scenarios):
    scenarios.add("udev uhid", "use a key", use)
    scenarios.add("udev uhid", "make a key", make)


@contextmanager
def person_at_the_machine():
    """What logind, which does not run here, says of who is at the screen; udev gives devices to whom it names."""
    SEAT.parent.mkdir(parents=True, exist_ok=True)
    SEAT.write_text(f"IS_SEAT0=1\nACTIVE=1\nACTIVE_UID={PERSON}\n")
    try:
        yield
    finally:
        SEAT.unlink()


def everybody_may_run_it():
    """The program is kept where a user without rights may not look."""
    program = Path("/run/keywright")
    if os.environ["KEYWRIGHT"] != str(program):
        shutil.copy(os.environ["KEYWRIGHT"], program)
        program.chmod(0o755)
        os.environ["KEYWRIGHT"] = str(program)


def as_person(log, *words, code=0):
    done = log.done(*as_user(PERSON), *command(*words))
    return answer_of(done.stdout, done.returncode, code)


def register(log, key, code=0):
    Path(key.path("ada.json")).unlink(missing_ok=True)
    os.chmod(key.folder.name, 0o777)
    return as_person(log, "register", "--rp", "lab.example", "--user", "ada", "-o", key.path("ada.json"), code=code)


def use(log):
    """The distribution's own rules are enough for a key that is there."""
    everybody_may_run_it()
    with Keys(log) as key:
        told = register(log, key, code=DEVICE)["message"]
        expect("a key that may not be opened must be told with what to do", "udev rule" in told, told)
        with person_at_the_machine():
            key.replug()
            expect("the person must be let in", register(log, key)["device"] == f"hid:{key.node}")
        key.replug()
        register(log, key, code=DEVICE)


def make(log):
    """The rule that is shipped lets the person make keys."""
    everybody_may_run_it()
    installed = Path("/etc/udev/rules.d") / RULE.name
    installed.unlink(missing_ok=True)
    refuse(log)
    with person_at_the_machine():
        apply_rules(log)
        refuse(log)
        shutil.copy(RULE, installed)
        apply_rules(log)
        with Keys(log, user=PERSON) as key:
            expect("it must be the person's own", register(log, key)["device"] == f"hid:{key.node}")
    apply_rules(log)
    refuse(log)


def apply_rules(log):
    """As the rule's first lines say."""
    log.run("udevadm", "control", "--reload")
    log.run("udevadm", "trigger", "--subsystem-match=misc", "--subsystem-match=hidraw")
    log.run("udevadm", "settle", "-t", "30")


def refuse(log):
    """Who is not the person at the machine is told what to do."""
    told = as_person(log, "emulate", "--uhid", "--ephemeral", "--touch", "auto", code=1)["message"]
    expect("a device that may not be opened must be told with what to do", "udev" in told, told)
