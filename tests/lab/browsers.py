"""Chromium and Firefox at the local IAM's console, with a key that they find as they find any."""

import json
import os
import shutil
import sqlite3
import sys
import tempfile
from contextlib import ExitStack, closing
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from fido2.utils import websafe_decode
from fido2.webauthn import AttestationObject, AuthenticatorData
from keys import Keys, until
from keywright_command import PIN, keywright, set_pin
from lab import RESULTS, expect
from packets import CANCELLED, packets

# What the browser stage drives browsers with.
sys.path.append(str(Path(__file__).parents[1] / "browser"))

from browser import Browser
from firefox import Firefox
from local_iam import PASSWORD, Iam, Script

BROWSERS = {"Chromium": Browser, "Firefox": Firefox}
# An emulated processor takes its time.
PATIENCE = 300


def add_to(scenarios):
    for name in BROWSERS:
        desk = Desk(name)
        for operation, play in (OPERATIONS | OWN_OPERATIONS[name]).items():
            scenarios.add(f"{name} uhid", operation, lambda log, play=play, desk=desk: play(log, desk))
        scenarios.at_end(desk.close)


class Desk:
    """A browser, a console and somebody there, for all scenarios of the browser: to begin is what takes time."""

    def __init__(self, name):
        self.name = name
        self.ends = ExitStack()

    def close(self):
        self.ends.close()

    @cached_property
    def iam(self):
        self.data = self.ends.enter_context(tempfile.TemporaryDirectory(prefix="keywright-iam-"))
        iam = Iam(os.environ["KEYWRIGHT"], "--json", "iam", "serve", "--data", self.data)
        self.ends.callback(iam.close)
        return iam

    @cached_property
    def browser(self):
        browser = BROWSERS[self.name](patience=PATIENCE)
        self.ends.callback(browser.close)
        return browser

    @cached_property
    def person(self):
        """A user with a page, signed in at the console with the password."""
        script = Script(self.iam)
        script.sign_in(self.iam.administrator["user"], self.iam.administrator["password"])
        script.post("/api/users", {"user": "ann", "password": PASSWORD})
        return Person(self, "ann")


class Person:
    """Somebody at the console."""

    def __init__(self, desk, user):
        self.desk, self.user = desk, user
        self.page = desk.browser.page(width=800)
        self.page.patience = PATIENCE
        self.enter_password()
        self.page.wait_for_path("/security-credentials")

    def enter_password(self):
        self.page.go(self.desk.iam.url + "/sign-in")
        self.fill("#user", self.user)
        self.fill("#password", PASSWORD)
        self.page.press("Enter")
        self.page.wait("location.pathname !== '/sign-in'")

    def focus(self, selector):
        """By script: that the keyboard reaches everything is the browser stage's to see."""
        self.page.run(f"document.querySelector({json.dumps(selector)}).focus()")

    def fill(self, selector, text):
        self.focus(selector)
        self.page.insert(text)

    def press(self, selector):
        self.focus(selector)
        self.page.press("Enter")

    def begin_to_assign(self, name):
        """As far as the page that asks for the key."""
        self.page.go(self.desk.iam.url + "/mfa/assign")
        self.page.run("document.querySelector('input[value=webauthn]').click()")
        self.fill("#name", name)
        self.page.press("Enter")
        self.page.wait_for_path("/mfa/key")

    def press_register(self, key):
        self.remember("create")
        self.press("#register")
        self.wait_for_light(key)

    def press_use_key(self, key):
        self.page.wait_for_path("/sign-in/mfa")
        self.remember("get")
        self.press("#use-key")
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

    def touch_to_register(self, key):
        """Touches the key and lets the page see its model, if the browser asks; it must then be assigned."""
        key.control("touch")
        self.page.let_model_be_seen()
        self.page.wait_for_path("/security-credentials")

    def picture(self, name):
        self.page.screenshot(RESULTS / f"{self.desk.name.lower()}-{name}.png")

    def stored(self, name):
        """What the console keeps of a device: id, public key, counter, attestation object."""
        with tempfile.TemporaryDirectory() as folder:
            # The server has its database for itself.
            for file in Path(self.desk.data).glob("iam.sqlite*"):
                shutil.copy(file, folder)
            with closing(sqlite3.connect(Path(folder) / "iam.sqlite")) as database:
                return database.execute(
                    "SELECT c.credential_id, c.credential, c.counter, c.attestation_object FROM webauthn_credentials c"
                    " JOIN mfa_devices d ON d.serial = c.serial JOIN users u ON u.id = d.user_id"
                    " WHERE u.name = ? AND d.name = ?",
                    (self.user, name),
                ).fetchone()


def sign_in(log, desk):
    """Registers and signs in, with pictures, and looks at what went where."""
    person = desk.person
    with Keys(log, touch="manual") as key, packets(key.node, log) as heard:
        aaguid = keywright(log, "info", at=key.node)["ctap2"]["aaguid"]
        person.begin_to_assign("blue")
        person.press_register(key)
        person.picture("asks-to-register")
        person.touch_to_register(key)
        expect("the device must be shown", "blue" in person.page.text(), person.page.text())
        person.picture("registered")
        made = person.remembered("create")
        person.enter_password()
        person.press_use_key(key)
        key.control("touch")
        person.page.wait_for_path("/security-credentials")
        expect("it must be with MFA", "Signed in with MFA" in person.page.text(), person.page.text())
        person.picture("signed-in")
        log.line(json.dumps(made))
        proven = person.remembered("get")
        log.line(json.dumps(proven))
        compare(made, proven, heard.given(), person.stored("blue"), aaguid)


def compare(made, proven, packets, stored, aaguid):
    """What the page got, what the key sent, and what is stored must be the same."""
    stored_id, stored_credential, stored_count, stored_attestation = stored
    registration, assertion = packets
    attestation = AttestationObject(websafe_decode(made["response"]["attestationObject"]))
    credential = attestation.auth_data.credential_data
    expect("the attestation must be the key's", attestation.auth_data == registration[2], str(registration))
    expect("and its signature", attestation.att_stmt == registration[3])
    expect("the stored attestation must be the page's", bytes(attestation) == stored_attestation)
    ids = {credential.credential_id, websafe_decode(made["id"]), websafe_decode(proven["id"]), assertion[1]["id"], stored_id}
    expect("the credential id must be one", len(ids) == 1, str(ids))
    point = json.loads(stored_credential)["cred"]["key"]["EC_EC2"]
    coordinates = [credential.public_key[name] for name in (-2, -3)]
    expect("the public key must be one", [websafe_decode(point[name]) for name in "xy"] == coordinates, str(point))
    expect("the model must be one", str(credential.aaguid) == aaguid, f"{credential.aaguid} {aaguid}")
    proof = AuthenticatorData(websafe_decode(proven["response"]["authenticatorData"]))
    signature = websafe_decode(proven["response"]["signature"])
    expect("the proof must be the key's", (proof, signature) == (assertion[2], assertion[3]), str(assertion))
    client_data = sha256(websafe_decode(proven["response"]["clientDataJSON"])).digest()
    credential.public_key.verify(proof + client_data, signature)
    counts = attestation.auth_data.counter, proof.counter
    expect("the counter must be one, and rise", counts[0] < counts[1] == stored_count, f"{counts} {stored_count}")


def cancel(log, desk):
    """The page gives up, and the user leaves the page: the key is told, and stops asking."""
    person = desk.person
    with Keys(log, touch="manual") as key, packets(key.node, log) as heard:
        person.page.run(ABORTABLE)
        person.wait_for_light(key)
        person.page.run("stop.abort()")
        person.page.wait("outcome === 'AbortError'")
        until("the key must stop asking", lambda: not key.is_asking(), PATIENCE)
        person.begin_to_assign("green")
        person.press_register(key)
        person.page.go(desk.iam.url + "/security-credentials")
        until("the key must stop asking", lambda: not key.is_asking(), PATIENCE)
        expect("both must have been cancelled by CTAPHID_CANCEL", heard.answers().count(CANCELLED) == 2, str(heard.answers()))
        expect("nothing must be stored", person.stored("green") is None)


ABORTABLE = """(() => {
  window.stop = new AbortController();
  window.outcome = "";
  navigator.credentials.create({ signal: stop.signal, publicKey: {
    challenge: new Uint8Array(32), rp: { name: "Lab" }, user: { id: new Uint8Array(16), name: "ann", displayName: "Ann" },
    pubKeyCredParams: [{ type: "public-key", alg: -7 }],
    authenticatorSelection: { authenticatorAttachment: "cross-platform", userVerification: "discouraged" },
  } }).then(() => { outcome = "done" }, (error) => { outcome = error.name });
})()"""


def unplug_from_chromium(log, desk):
    """Chromium goes on waiting when the key is taken out: put in again, it is asked again."""
    person = desk.person
    with Keys(log, touch="manual") as key:
        person.begin_to_assign("red")
        person.press_register(key)
        key.replug()
        person.wait_for_light(key)
        person.picture("asks-again")
        person.touch_to_register(key)
        expect("the device must be stored", person.stored("red"))


def unplug_from_firefox(log, desk):
    """Firefox gives up when the key is taken out: the page says so in words, and the next try works."""
    fail_and_try_again(log, desk, "unplugged", lambda key: key.control("unplug"), lambda key: (key.control("plug"), key.attach()))


def decline(log, desk):
    """The page says in words that the key declined, and the next try works."""
    fail_and_try_again(log, desk, "declined", lambda key: key.control("decline"), lambda key: None)


def fail_and_try_again(log, desk, name, fail, mend):
    person = desk.person
    with Keys(log, touch="manual") as key:
        person.begin_to_assign(name)
        person.press_register(key)
        fail(key)
        person.page.wait("document.querySelector('#status.failed')")
        expect("the page must say it in words", "It was cancelled" in person.page.text(), person.page.text())
        person.picture(name)
        mend(key)
        person.press_register(key)
        person.touch_to_register(key)
        expect("the device must be stored", person.stored(name))


def two_accounts(log, desk):
    """Two accounts on one key, which asks for its PIN and for which of them is meant, in Firefox's own dialogs."""
    person = desk.person
    page, firefox = person.page, desk.browser
    with Keys(log) as key:
        set_pin(log, key)
        made = {}
        for account in ("ada", "eve"):
            page.run(CREATE % json.dumps(account))
            if account == "ada":
                firefox.enter_pin("wrong")
                until("a wrong PIN must cost a try", lambda: keywright(log, "pin", "retries")["retries"] == 7, PATIENCE)
            firefox.enter_pin(PIN)
            page.wait("outcome")
            made[account] = page.run("outcome")
        listed = keywright(log, "credentials", "list", "--pin-fd", "0", stdin=f"{PIN}\n")["credentials"]
        kept = {credential["user"]["name"]: credential["id"] for credential in listed}
        expect("the key must keep what the page got", kept == made, f"{kept} {made}")
        for account in ("ada", "eve"):
            page.run(GET)
            firefox.enter_pin(PIN)
            firefox.answer("select-sign-result", account)
            page.wait("outcome")
            expect("it must be the account chosen", page.run("outcome") == made[account], str(made))


CREATE = """(() => {
  window.outcome = null;
  const name = %s;
  navigator.credentials.create({ publicKey: {
    challenge: new Uint8Array(32), rp: { name: "Lab" },
    user: { id: new TextEncoder().encode(name), name, displayName: name },
    pubKeyCredParams: [{ type: "public-key", alg: -7 }],
    authenticatorSelection: { residentKey: "required", userVerification: "required" },
  } }).then((made) => { outcome = made.id }, (error) => { outcome = String(error) });
})()"""
GET = """(() => {
  window.outcome = null;
  navigator.credentials.get({ publicKey: { challenge: new Uint8Array(32), userVerification: "required" } })
    .then((given) => { outcome = given.id }, (error) => { outcome = String(error) });
})()"""


OPERATIONS = {"sign in": sign_in, "cancel": cancel}
# Chromium has dialogs for the rest that nothing here can press, and does not tell the page before they are closed.
OWN_OPERATIONS = {
    "Chromium": {"unplug amid request": unplug_from_chromium},
    "Firefox": {"unplug amid request": unplug_from_firefox, "decline": decline, "two accounts": two_accounts},
}
