"""pam_u2f: a PAM service that lets in who has the key."""

from pathlib import Path

from keys import Keys
from lab import expect

SERVICE = "keywright-lab"
USER = "root"
ORIGIN = "pam://lab"


def add_to(scenarios):
    scenarios.add("pam_u2f uhid", "sign in", sign_in)


def sign_in(log):
    # Debian 12's pamu2fcfg verifies attestation by certificates alone, and refuses a credential that attests itself.
    with Keys(log, attestation="basic") as key:
        enrolled = log.run("pamu2fcfg", "-u", USER, "-o", ORIGIN, "-i", ORIGIN)
        Path(key.path("mapping")).write_text(enrolled + "\n")
        options = f"authfile={key.path('mapping')} origin={ORIGIN} appid={ORIGIN}"
        Path(f"/etc/pam.d/{SERVICE}").write_text(f"auth required pam_u2f.so {options}\naccount required pam_permit.so\n")
        authenticate(log)
        key.control("unplug")
        authenticate(log, ok=False)
        key.control("plug")
        key.attach()
        authenticate(log)
        Path(key.path("state")).unlink()
        key.stop()
        key.start()
        authenticate(log, ok=False)


def authenticate(log, ok=True):
    printed = log.run("pamtester", SERVICE, USER, "authenticate", ok=ok)
    expect("PAM must say the same", ("successfully authenticated" in printed) == ok, printed)
