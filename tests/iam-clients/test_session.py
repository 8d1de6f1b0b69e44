"""Codes and sessions of the `keywright` command, held against pyotp and used by AWS's clients."""

import base64
import hashlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import unittest

import boto3
import pyotp

from local_iam import Server, calm

KEYWRIGHT = shlex.split(os.environ["KEYWRIGHT"])


class Command(unittest.TestCase):
    """Runs the command with a file of accounts and a home of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        hidden = ("AWS_", "KEYWRIGHT_", "DBUS_")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
        self.environment.update(HOME=self.folder, KEYWRIGHT_TOTP_STORE=os.path.join(self.folder, "totp"))

    def keywright(self, *words, text="", **more):
        done = subprocess.run(
            [*KEYWRIGHT, *words, "--json"], input=text, env={**self.environment, **more},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)


class Codes(Command):
    def test_codes_are_those_of_pyotp(self):
        hashes = {"SHA1": hashlib.sha1, "SHA256": hashlib.sha256, "SHA512": hashlib.sha512}
        for name, digest in hashes.items():
            for digits in (6, 8):
                for period in (30, 60):
                    seed = base64.b32encode(os.urandom(digest().digest_size)).decode()
                    theirs = pyotp.TOTP(seed, digits=digits, digest=digest, interval=period, name="ann", issuer="Ex & Co")
                    account = f"{name}-{digits}-{period}"
                    added = self.keywright("totp", "add", account, "--no-passphrase", text=theirs.provisioning_uri())
                    self.assertEqual((added["algorithm"], added["digits"], added["period"]), (name, digits, period))
                    self.assertEqual(added["issuer"], "Ex & Co")
                    before = time.time()
                    told = self.keywright("totp", "code", account)
                    # A step may have ended meanwhile.
                    self.assertIn(told["code"], {theirs.at(before), theirs.at(time.time())})
                    self.assertEqual(len(told["code"]), digits)

    def test_what_is_exported_is_what_pyotp_reads(self):
        seed = pyotp.random_base32()
        self.keywright("totp", "add", "ann", "--no-passphrase", "--algorithm", "sha256", "--digits", "8", text=seed)
        file = os.path.join(self.folder, "uri")
        self.keywright("totp", "export", "ann", "--yes", "--output", file)
        with open(file, encoding="ascii") as uri:
            theirs = pyotp.parse_uri(uri.read().strip())
        self.assertEqual((theirs.secret, theirs.digits, theirs.digest().name), (seed, 8, "sha256"))


class Sessions(Command):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.key = self.server.user("ann")
        self.serial = f"arn:aws:iam::{self.server.account}:mfa/phone"
        aws = os.path.join(self.folder, ".aws")
        os.mkdir(aws)
        command = shlex.join([*KEYWRIGHT, "iam", "session", "--profile", "keys", "--serial", self.serial])
        with open(os.path.join(aws, "config"), "w", encoding="utf-8") as config:
            for profile in ("keys", "mfa"):
                config.write(f"[profile {profile}]\nregion = us-east-1\nendpoint_url = {self.server.url}\n")
            config.write(f"credential_process = {command}\n")
        with open(os.path.join(aws, "credentials"), "w", encoding="utf-8") as credentials:
            credentials.write(f"[keys]\naws_access_key_id = {self.key[0]}\naws_secret_access_key = {self.key[1]}\n")

    def enrol(self):
        calm()
        enrolled = self.keywright("iam", "enrol", "phone", "--totp", "--no-passphrase", "--profile", "keys")
        self.assertEqual((enrolled["serial"], enrolled["user"]), (self.serial, "ann"))

    def aws(self, *words):
        command = [sys.executable, "-m", "awscli", "--profile", "mfa", *words]
        return subprocess.run(command, env={**self.environment, "AWS_PAGER": ""}, capture_output=True, text=True, timeout=120)

    def test_the_aws_cli_uses_the_session(self):
        refused = self.aws("sts", "get-caller-identity")
        self.assertNotEqual(refused.returncode, 0, "there is no device yet")
        self.enrol()
        # Only with MFA may a session ask this of IAM.
        done = self.aws("iam", "list-mfa-devices")
        self.assertEqual(done.returncode, 0, done.stderr)
        [device] = json.loads(done.stdout)["MFADevices"]
        self.assertEqual(device["SerialNumber"], self.serial)
        # Its code, and that of the next step, are used up.
        self.assertIn("try again with the next one", self.aws("iam", "list-mfa-devices").stderr)

    def test_boto3_uses_the_session(self):
        self.enrol()
        before = dict(os.environ)
        os.environ.update(self.environment)
        try:
            session = boto3.Session(profile_name="mfa")
            sts = session.client("sts")
            self.assertEqual(sts.get_caller_identity()["Arn"], f"arn:aws:iam::{self.server.account}:user/ann")
            self.assertEqual(len(session.client("iam").list_mfa_devices()["MFADevices"]), 1)
        finally:
            os.environ.clear()
            os.environ.update(before)

    def test_lines_for_a_shell_are_a_session(self):
        self.enrol()
        done = subprocess.run(
            [*KEYWRIGHT, "iam", "session", "--profile", "keys", "--serial", self.serial, "--export"],
            env=self.environment, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        shell = subprocess.run(["sh", "-c", 'eval "$1"; env -0', "sh", done.stdout], capture_output=True, text=True, check=True)
        found = dict(line.split("=", 1) for line in shell.stdout.split("\0") if "=" in line)
        key = tuple(found[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"))
        self.assertTrue(key[0].startswith("ASIA"))
        self.assertEqual(len(self.server.client("iam", key).list_mfa_devices()["MFADevices"]), 1)

    def test_a_report_of_many_users_comes_in_pages(self):
        iam = self.server.client("iam")
        for number in range(120):
            iam.create_user(UserName=f"user-{number:03}")
        self.enrol()
        more = {"AWS_ACCESS_KEY_ID": self.server.key[0], "AWS_SECRET_ACCESS_KEY": self.server.key[1]}
        report = self.keywright("iam", "devices", "report", AWS_ENDPOINT_URL=self.server.url, **more)
        names = [user["user"] for user in report["users"]]
        self.assertEqual(len(names), 122)
        self.assertEqual(len(set(names)), 122)
        self.assertEqual(report["without_mfa"], 121)
        [ann] = [user for user in report["users"] if user["user"] == "ann"]
        self.assertEqual([device["serial"] for device in ann["devices"]], [self.serial])


if __name__ == "__main__":
    unittest.main()
