"""People at the console, with nothing but a keyboard: enrolment, sign-in, and what an administrator decides."""

import json
import os
import re
import subprocess
import tempfile
import unittest
from contextlib import contextmanager

from browser import Browser
from checks import check
from local_iam import PASSWORD, Iam, Script, code, next_step


class Console(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.iam, cls.browser = Iam(), Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.iam.close()

    def user(self, name):
        """Makes a user; the administrator has no MFA device here."""
        script = Script(self.iam)
        script.sign_in(self.iam.administrator["user"], self.iam.administrator["password"])
        script.post("/api/users", {"user": name, "password": PASSWORD})

    def password(self, page, user, password=PASSWORD):
        page.go(self.iam.url + "/sign-in")
        page.type("#user", user)
        page.type("#password", password)
        page.press("Enter")
        page.wait("location.pathname !== '/sign-in' || document.querySelector('.alert')")

    def signed_in(self, name, **key):
        """A page of a new user who has signed in with the password alone, and their virtual key."""
        self.user(name)
        page = self.browser.page()
        key = page.add_key(**key)
        self.password(page, name)
        page.wait_for_path("/security-credentials")
        return page, key

    def select(self, page, name, kind):
        page.activate("a[href='/mfa/assign']")
        page.wait_for_path("/mfa/assign")
        page.type("#name", name)
        page.choose(kind)
        page.activate("main button[type=submit]")

    def assign_key(self, page, name):
        self.select(page, name, "webauthn")
        page.wait_for_path("/mfa/key")
        page.activate("#register")
        page.wait_for_path("/security-credentials")
        self.assertIn("MFA device assigned", page.text())

    def scan(self, name, seed):
        """Reads the QR code on the screenshots of a page, wide and narrow, with the authenticator app."""
        with tempfile.TemporaryDirectory() as folder:
            store = ["--store", os.path.join(folder, "totp")]
            for width in (1280, 360):
                picture = os.path.join(os.environ["SCREENSHOTS"], f"{name}-{width}.png")
                app = [os.environ["KEYWRIGHT"], "totp"]
                words = ["add", str(width), "--qr", picture, "--no-passphrase"]
                subprocess.run([*app, *words, *store], check=True, timeout=120)
                before = code(seed)
                shown = subprocess.run([*app, "code", str(width), *store], capture_output=True, check=True, timeout=120)
                self.assertIn(shown.stdout.split()[0].decode(), {before, code(seed)})

    def use_key(self, page):
        page.wait_for_path("/sign-in/mfa")
        page.activate("#use-key")
        page.wait_for_path("/security-credentials")
        self.assertIn("Signed in with MFA", page.text())

    def test_a_security_key_is_assigned_and_signs_in(self):
        page, _ = self.signed_in("key-user")
        titles = {check(self, page, "credentials-empty")}
        self.select(page, "blue-key", "webauthn")
        page.wait_for_path("/mfa/key")
        titles.add(check(self, page, "wizard-key"))
        page.activate("#register")
        page.wait_for_path("/security-credentials")
        self.assertIn("blue-key", page.text())
        self.password(page, "key-user")
        page.wait_for_path("/sign-in/mfa")
        titles.add(check(self, page, "sign-in-key"))
        self.use_key(page)
        self.assertEqual(len(titles), 3)

    def test_a_key_that_is_registered_already_or_gives_up_is_told_in_words(self):
        page, key = self.signed_in("twice")
        self.assign_key(page, "first")
        self.password(page, "twice")
        self.use_key(page)
        self.select(page, "second", "webauthn")
        page.wait_for_path("/mfa/key")
        page.activate("#register")
        page.wait("document.querySelector('#status.failed')")
        self.assertIn("registered with you already", page.text())
        self.assertTrue(page.run("document.activeElement.id === 'register'"))
        page.call("WebAuthn.removeVirtualAuthenticator", authenticatorId=key)
        page.add_key()
        page.activate("#register")
        page.wait_for_path("/security-credentials")

    def test_one_key_serves_two_users_and_a_user_has_several_keys(self):
        page, key = self.signed_in("ann")
        self.assign_key(page, "shared")
        self.user("bob")
        self.password(page, "bob")
        page.wait_for_path("/security-credentials")
        self.assign_key(page, "shared")
        for user in ("ann", "bob"):
            self.password(page, user)
            self.use_key(page)
        page.call("WebAuthn.removeVirtualAuthenticator", authenticatorId=key)
        page.add_key()
        self.assign_key(page, "second")
        self.password(page, "bob")
        page.wait_for_path("/sign-in/mfa")
        self.assertNotIn("Choose an MFA device", page.text())
        self.use_key(page)

    def test_a_key_enrolled_with_a_pin_signs_in_by_touch_alone(self):
        page, key = self.signed_in("pin-user")
        self.assign_key(page, "with-pin")
        page.call("WebAuthn.setUserVerified", authenticatorId=key, isUserVerified=False)
        credentials = page.call("WebAuthn.getCredentials", authenticatorId=key)["credentials"]
        page.call("WebAuthn.removeVirtualAuthenticator", authenticatorId=key)
        plain = page.add_key(hasUserVerification=False, isUserVerified=False)
        for credential in credentials:
            page.call("WebAuthn.addCredential", authenticatorId=plain, credential=credential)
        self.password(page, "pin-user")
        self.use_key(page)

    def test_a_u2f_key_is_assigned_and_signs_in(self):
        page, _ = self.signed_in("old-key", protocol="u2f", hasUserVerification=False, isUserVerified=False)
        self.assign_key(page, "u2f")
        self.password(page, "old-key")
        self.use_key(page)

    def test_an_authenticator_app_is_assigned_and_signs_in(self):
        page, _ = self.signed_in("app-user")
        self.select(page, "phone", "totp")
        page.wait_for_path("/mfa/app")
        page.activate("main details:first-of-type summary")
        page.wait("document.querySelector('img.qr').naturalWidth > 100")
        check(self, page, "wizard-app", opened=True)
        seed = page.run("document.querySelector('.secret').textContent")
        self.scan("wizard-app", seed)
        page.type("#code1", "000000")
        page.type("#code2", "000000")
        page.press("Enter")
        page.wait("document.querySelector('.alert')")
        self.assertTrue(page.run("document.activeElement.id === 'code1'"))
        self.assertTrue(page.run("document.title.startsWith('Error: ')"))
        check(self, page, "wizard-app-error")
        page.type("#code1", code(seed, -1))
        page.type("#code2", code(seed))
        page.press("Enter")
        page.wait_for_path("/security-credentials")
        next_step()
        self.password(page, "app-user")
        page.wait_for_path("/sign-in/mfa")
        check(self, page, "sign-in-code")
        page.type("#code", code(seed))
        page.press("Enter")
        page.wait_for_path("/security-credentials")
        self.assertIn("Signed in with MFA", page.text())

    def test_a_hardware_token_is_assigned_among_other_devices_and_the_choice_is_asked_for(self):
        import base64
        seed = base64.b32encode(b"a seed of a token 20").decode()
        script = Script(self.iam)
        script.sign_in(self.iam.administrator["user"], self.iam.administrator["password"])
        script.post("/api/hardware-tokens", {"file": f"serial,seed_base32\nGAKT12345678,{seed}\n"})
        page, _ = self.signed_in("many")
        self.assign_key(page, "key")
        self.password(page, "many")
        self.use_key(page)
        self.select(page, "token", "hardware")
        page.wait_for_path("/mfa/token")
        check(self, page, "wizard-token")
        page.type("#serial", "GAKT00000000")
        page.type("#code1", code(seed, -1))
        page.type("#code2", code(seed))
        page.press("Enter")
        page.wait("document.querySelector('.alert')")
        self.assertTrue(page.run("document.activeElement.id === 'serial'"))
        page.type("#serial", "GAKT12345678")
        page.type("#code1", code(seed, -1))
        page.type("#code2", code(seed))
        page.press("Enter")
        page.wait_for_path("/security-credentials")
        check(self, page, "credentials")
        self.password(page, "many")
        page.wait_for_path("/sign-in/mfa")
        check(self, page, "sign-in-choose")
        page.choose("GAKT12345678")
        page.activate("main button[type=submit]")
        page.wait("document.querySelector('#code')")
        next_step()
        page.type("#code", code(seed))
        page.press("Enter")
        page.wait_for_path("/security-credentials")
        self.assertIn("GAKT12345678", page.run("document.querySelector('.facts').innerText"))
        page.activate("a[href^='/mfa/resync']")
        page.wait_for_path("/mfa/resync")
        check(self, page, "resync")

    def test_a_removal_is_asked_for_denied_asked_for_again_and_granted(self):
        page, _ = self.signed_in("leaver")
        self.assign_key(page, "lost")
        self.password(page, "leaver")
        self.use_key(page)
        page.activate("a[href^='/mfa/remove']")
        page.wait_for_path("/mfa/remove")
        check(self, page, "remove-request")
        page.type("#reason", "lost on the train")
        page.press("Enter")
        page.wait_for_path("/security-credentials")
        self.assertIn("an administrator decides", page.text().lower())
        administrator = self.browser.page()
        secret = self.iam.administrator
        self.password(administrator, secret["user"], secret["password"])
        administrator.wait_for_path("/security-credentials")
        self.decide(administrator, "deny")
        page.go(self.iam.url + "/security-credentials")
        self.assertIn("An administrator denied it", page.text())
        page.activate("a[href^='/mfa/remove']")
        page.wait_for_path("/mfa/remove")
        page.type("#reason", "it is really gone")
        page.press("Enter")
        page.wait_for_path("/security-credentials")
        self.decide(administrator, "grant")
        # The session that the device proved is over, and there is nothing left to prove.
        page.go(self.iam.url + "/security-credentials")
        page.wait_for_path("/sign-in")
        self.password(page, "leaver")
        page.wait_for_path("/security-credentials")
        self.assertIn("No MFA devices", page.text())

    def decide(self, page, decision):
        page.activate("nav a[href='/requests']")
        page.wait_for_path("/requests")
        check(self, page, f"requests-{decision}")
        page.activate(f"button[value={decision}]")
        page.wait("document.querySelector('.done')")

    @contextmanager
    def login(self, user):
        """`keywright iam login --browser` of a user without a home of their own, and the address and code that it shows."""
        whom = ["--console-url", self.iam.url, "--account", self.iam.account, "--user", user]
        with tempfile.TemporaryDirectory() as home:
            command = [os.environ["KEYWRIGHT"], "iam", "login", "--browser", *whom]
            pipes = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            with subprocess.Popen(command, env={**os.environ, "HOME": home, "XDG_STATE_HOME": home}, **pipes) as program:
                try:
                    shown = "".join(program.stderr.readline() for _ in range(3))
                    yield program, re.search(r"http://\S+", shown)[0], re.search(r"\b[A-Z2-7]{4}-[A-Z2-7]{4}\b", shown)[0]
                finally:
                    program.kill()

    def asked_for_consent(self, page, user, address):
        """Follows the address of a program, and signs in on the way to the question."""
        page.call("Network.clearBrowserCookies")
        page.go(address)
        page.wait_for_path("/sign-in")
        page.type("#user", user)
        page.type("#password", PASSWORD)
        page.press("Enter")
        page.wait_for_path("/sign-in/mfa")
        page.activate("#use-key")
        page.wait_for_path("/v1/consent")

    def test_a_program_gets_credentials_by_consent_and_none_without(self):
        page, _ = self.signed_in("terminal")
        self.assign_key(page, "key")
        with self.login("terminal") as (program, address, shown):
            self.asked_for_consent(page, "terminal", address)
            self.assertIn(shown, page.text())
            check(self, page, "consent")
            page.activate("button[value=deny]")
            page.wait("location.hostname === '127.0.0.1'")
            self.assertIn("Denied", page.text())
            self.assertEqual((program.wait(60), program.stdout.read()), (4, ""))
        with self.login("terminal") as (program, address, shown):
            self.asked_for_consent(page, "terminal", address)
            page.activate("button[value=allow]")
            page.wait("location.hostname === '127.0.0.1'")
            self.assertIn("Done", page.text())
            credentials, _ = program.communicate(timeout=60)
            self.assertEqual(program.returncode, 0)
            self.assertTrue(json.loads(credentials)["AccessKeyId"].startswith("ASIA"))

    def test_an_administrator_makes_users_and_reads_the_log(self):
        page = self.browser.page()
        page.go(self.iam.url)
        page.wait_for_path("/sign-in")
        check(self, page, "sign-in")
        secret = self.iam.administrator
        self.password(page, secret["user"], "not the password")
        self.assertIn("incorrect", page.text())
        check(self, page, "sign-in-error")
        self.password(page, secret["user"], secret["password"])
        page.wait_for_path("/security-credentials")
        page.activate("nav a[href='/users']")
        page.wait_for_path("/users")
        check(self, page, "users")
        page.activate("a[href='/users/create']")
        page.wait_for_path("/users/create")
        check(self, page, "create-user")
        page.type("#user", "not a name")
        page.type("#password", PASSWORD)
        page.press("Enter")
        page.wait("document.querySelector('.alert')")
        self.assertTrue(page.run("document.activeElement.id === 'user'"))
        check(self, page, "create-user-error")
        page.type("#user", "made-here")
        page.type("#password", PASSWORD)
        page.press("Enter")
        page.wait_for_path("/users")
        page.activate("a[href='/users/made-here']")
        page.wait_for_path("/users/made-here")
        check(self, page, "user")
        page.activate("nav a[href='/tokens']")
        page.wait_for_path("/tokens")
        page.type("#file", "not a file of tokens")
        page.activate("main button[type=submit]")
        page.wait("document.querySelector('.alert')")
        self.assertTrue(page.run("document.activeElement.id === 'file'"))
        check(self, page, "tokens-error")
        page.type("#file", "serial,seed_hex\nGAKT87654321,000102030405060708090a0b0c0d0e0f10111213\n")
        page.activate("main button[type=submit]")
        page.wait("document.querySelector('.done')")
        self.assertIn("GAKT87654321", page.text())
        check(self, page, "tokens")
        page.activate("nav a[href='/events']")
        page.wait_for_path("/events")
        self.assertIn("ConsoleLogin", page.text())
        self.assertIn("CreateUser", page.text())
        check(self, page, "events")
        page.go(self.iam.url + "/nowhere")
        check(self, page, "not-possible")

    def test_the_page_of_the_wizard_shows_its_errors_at_the_field(self):
        page, _ = self.signed_in("typo")
        page.activate("a[href='/mfa/assign']")
        page.wait_for_path("/mfa/assign")
        check(self, page, "wizard-select")
        page.type("#name", "not a name")
        page.press("Enter")
        page.wait("document.querySelector('.alert')")
        self.assertTrue(page.run("document.activeElement.id === 'name'"))
        self.assertEqual(page.run("document.querySelector('#name').getAttribute('aria-invalid')"), "true")
        check(self, page, "wizard-select-error")


if __name__ == "__main__":
    unittest.main()
