"""Chromium and Firefox at the local IAM's console, with a key that they find as they find any."""

import json
import os
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from fido2.webauthn import AttestationObject, AttestedCredentialData, AuthenticatorData
from fido2 import cbor
from fido2.utils import websafe_decode
from keys import Keys, until
from lab import RESULTS, expect
from packets import CANCELLED, packets

# What the browser stage drives browsers with.
sys.path.append(str(Path(__file__).parents[1] / "browser"))

from browser import Browser
from firefox import Firefox
from local_iam import PASSWORD, Iam, Script

BROWSERS = {"Chromium": Browser, "Firefox": Firefox}
# An emulated processor takes its time.
PATIENCE = 120


def add_to(scenarios):
    for name in BROWSERS:
        desk = Desk(name)
        for operation, play in OPERATIONS.items():
            scenarios.add(f"{name} uhid", operation, lambda log, play=play, desk=desk: play(log, desk))
        scenarios.at_end(desk.close)


class Desk:
    """A browser and a console, which are started once for all scenarios of the browser: that is what takes time."""

    def __init__(self, name):
        self.name, self.browser, self.iam = name, None, None
        self.people = 0

    def close(self):
        if self.browser:
            self.browser.close()
        if self.iam:
            self.iam.close()
            self.data.cleanup()

    def person(self):
        """A page of a new user's own, signed in at the console with the password."""
        if not self.iam:
            self.data = tempfile.TemporaryDirectory(prefix="keywright-iam-")
            self.iam = Iam(os.environ["KEYWRIGHT"], "--json", "iam", "serve", "--data", self.data.name)
        if not self.browser:
            self.browser = BROWSERS[self.name](patience=PATIENCE)
        self.people += 1
        script = Script(self.iam)
        script.sign_in(self.iam.administrator["user"], self.iam.administrator["password"])
        user = f"{self.name.lower()}-{self.people}"
        script.post("/api/users", {"user": user, "password": PASSWORD})
        return Person(self, user)


class Person:
    """Somebody at the console, with a page of their own."""

    def __init__(self, desk, user):
        self.desk, self.user = desk, user
        self.page = desk.browser.page(width=800)
        self.page.patience = PATIENCE
        self.enter_password()
        self.page.wait_for_path("/security-credentials")

    def enter_password(self):
        self.page.go(self.desk.iam.url + "/sign-in")
        self.page.type("#user", self.user)
        self.page.type("#password", PASSWORD)
        self.page.press("Enter")
        self.page.wait("location.pathname !== '/sign-in'")

    def begin_to_assign(self, name):
        """As far as the page that asks for the key."""
        self.page.go(self.desk.iam.url + "/mfa/assign")
        self.page.type("#name", name)
        self.page.choose("webauthn")
        self.page.activate("main button[type=submit]")
        self.page.wait_for_path("/mfa/key")

    def press_register(self, key):
        self.remember("create")
        self.page.activate("#register")
        self.wait_for_light(key)

    def press_use_key(self, key):
        self.page.wait_for_path("/sign-in/mfa")
        self.remember("get")
        self.page.activate("#use-key")
        self.wait_for_light(key)

    def remember(self, ceremony):
        """Has the page keep what the browser gives it, as it gives it."""
        self.page.run(
            f"""(() => {{
              const original = navigator.credentials.{ceremony}.bind(navigator.credentials);
              navigator.credentials.{ceremony} = async (options) => {{
                const given = await original(options);
                sessionStorage.setItem("{ceremony}", JSON.stringify(given.toJSON()));
                return given;
              }};
            }})()"""
        )

    def remembered(self, ceremony):
        return json.loads(self.page.run(f"sessionStorage.getItem('{ceremony}')"))

    def wait_for_light(self, key):
        until("the key must ask for a touch", key.is_asking, PATIENCE)

    def wait_for_words(self, words):
        self.page.wait("document.querySelector('#status.failed')")
        expect("the page must say it in words", words in self.page.text(), self.page.text())

    def picture(self, name):
        self.page.screenshot(RESULTS / f"{self.desk.name.lower()}-{name}.png")

    def stored(self, name):
        """What the console keeps of a device."""
        with closing(sqlite3.connect(Path(self.desk.data.name) / "iam.sqlite")) as database:
            return database.execute(
                "SELECT c.credential_id, c.credential, c.counter, c.attestation_object FROM webauthn_credentials c"
                " JOIN mfa_devices d ON d.serial = c.serial JOIN users u ON u.id = d.user_id"
                " WHERE u.name = ? AND d.name = ?",
                (self.user, name),
            ).fetchone()


def sign_in(log, desk):
    """Registers and signs in: the page, the packets and the stored device agree."""
    person = desk.person()
    with Keys(log, touch="manual") as key, packets(key.node, log) as heard:
        person.begin_to_assign("blue")
        person.press_register(key)
        person.picture("asks-to-register")
        key.control("touch")
        person.page.wait_for_path("/security-credentials")
        expect("the device must be shown", "blue" in person.page.text(), person.page.text())
        person.picture("registered")
        made = person.remembered("create")
        log.line(json.dumps(made))
        log.line(str(person.stored("blue")))
        person.enter_password()
        person.press_use_key(key)
        person.picture("asks-to-sign-in")
        key.control("touch")
        person.page.wait_for_path("/security-credentials")
        expect("it must be with MFA", "Signed in with MFA" in person.page.text(), person.page.text())
        person.picture("signed-in")
        proven = person.remembered("get")
        log.line(json.dumps(proven))
        log.line(str(person.stored("blue")))
        log.line(str(heard.answers()))


OPERATIONS = {"sign in": sign_in}
