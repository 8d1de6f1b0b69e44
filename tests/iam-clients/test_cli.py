"""The life of a virtual MFA device with the AWS CLI, as a person types it."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

from local_iam import Server, calm, code, step, wrong


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)

    def aws(self, *words, key=None):
        """The command's status, output and complaints."""
        access_key, secret, token = key or self.server.key
        environment = {
            **os.environ,
            "HOME": self.folder.name,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_IAM": self.server.url,
            "AWS_ENDPOINT_URL_STS": self.server.url,
            "AWS_MAX_ATTEMPTS": "1",
            "AWS_PAGER": "",
        }
        if token:
            environment["AWS_SESSION_TOKEN"] = token
        command = [sys.executable, "-m", "awscli", *words]
        done = subprocess.run(command, env=environment, cwd=self.folder.name, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def ok(self, *words, key=None):
        status, out, complaints = self.aws(*words, key=key)
        self.assertEqual(status, 0, complaints)
        return json.loads(out) if out.strip() else None

    def refused(self, expected, *words, key=None):
        status, _, complaints = self.aws(*words, key=key)
        self.assertNotEqual(status, 0)
        self.assertIn(f"An error occurred ({expected}) when calling the", complaints)

    def test_a_device_from_creation_to_deletion(self):
        self.ok("iam", "create-user", "--user-name", "ann")
        made = self.ok(
            "iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "phone",
            "--outfile", "seed.txt", "--bootstrap-method", "Base32StringSeed",
        )  # fmt: skip
        serial = made["VirtualMFADevice"]["SerialNumber"]
        with open(os.path.join(self.folder.name, "seed.txt"), encoding="ascii") as file:
            seed = file.read()
        self.assertEqual(len(seed), 64)
        named = ("--user-name", "ann", "--serial-number", serial)
        codes = lambda first, second: ("--authentication-code1", first, "--authentication-code2", second)
        calm()
        bad = wrong(seed)
        self.refused("InvalidAuthenticationCode", "iam", "enable-mfa-device", *named, *codes(bad, bad))
        two = codes(code(seed, step() - 2), code(seed, step() - 1))
        self.ok("iam", "enable-mfa-device", *named, *two)
        self.refused("EntityAlreadyExists", "iam", "enable-mfa-device", *named, *two)
        [device] = self.ok("iam", "list-mfa-devices", "--user-name", "ann")["MFADevices"]
        self.assertEqual(device["SerialNumber"], serial)
        self.refused("InvalidAuthenticationCode", "iam", "resync-mfa-device", *named, *two)
        self.refused("DeleteConflict", "iam", "delete-virtual-mfa-device", "--serial-number", serial)

        made = self.ok("iam", "create-access-key", "--user-name", "ann")["AccessKey"]
        key = (made["AccessKeyId"], made["SecretAccessKey"], None)
        mfa = ("sts", "get-session-token", "--serial-number", serial, "--token-code")
        self.refused("AccessDenied", *mfa, bad, key=key)
        # Without leading zeros lost: the command takes the text as it is.
        made = self.ok(*mfa, code(seed, step()), key=key)["Credentials"]
        proven = (made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
        self.assertEqual(self.ok("sts", "get-caller-identity", key=proven)["Account"], self.server.account)
        self.assertEqual(len(self.ok("iam", "list-mfa-devices", key=proven)["MFADevices"]), 1)
        self.refused("AccessDenied", "iam", "deactivate-mfa-device", *named, key=proven)

        self.ok("iam", "deactivate-mfa-device", *named)
        self.refused("NoSuchEntity", "iam", "deactivate-mfa-device", *named)
        self.ok("iam", "delete-virtual-mfa-device", "--serial-number", serial)
        self.refused("NoSuchEntity", "iam", "delete-virtual-mfa-device", "--serial-number", serial)

    def test_the_picture_is_written_to_a_file_and_tags_go_along(self):
        made = self.ok(
            "iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "tablet", "--tags", "Key=Team,Value=blue",
            "--outfile", "qr.png", "--bootstrap-method", "QRCodePNG",
        )  # fmt: skip
        serial = made["VirtualMFADevice"]["SerialNumber"]
        with open(os.path.join(self.folder.name, "qr.png"), "rb") as file:
            self.assertTrue(file.read().startswith(b"\x89PNG"))
        tags = self.ok("iam", "list-mfa-device-tags", "--serial-number", serial)["Tags"]
        self.assertEqual(tags, [{"Key": "Team", "Value": "blue"}])
        listed = self.ok("iam", "list-virtual-mfa-devices", "--assignment-status", "Unassigned")["VirtualMFADevices"]
        self.assertIn(serial, [device["SerialNumber"] for device in listed])

    def test_an_action_that_is_not_served_says_so(self):
        self.refused("InvalidAction", "iam", "list-roles")


if __name__ == "__main__":
    unittest.main()
