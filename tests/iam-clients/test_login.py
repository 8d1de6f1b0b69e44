"""`keywright iam login` as the credential_process of the AWS CLI (1 and 2) and boto3, with a virtual key, against a local IAM
whose guard denies what is not called with MFA."""

import base64
import hashlib
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse
from pathlib import Path

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, CredentialRetrievalError

from local_iam import PASSWORD, Server
from virtual_key import KEYWRIGHT, PATIENCE, Console, Key

# The second has neither the profile's endpoint_url nor AWS_ENDPOINT_URL.
CLIS = {"1": [sys.executable, "-m", "awscli"], "2": [os.environ.get("KEYWRIGHT_AWS_V2", "/usr/bin/aws")]}


class Login(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--guard")
        cls.addClassCleanup(cls.server.stop)
        cls.key = Key()
        cls.addClassCleanup(cls.key.close)
        cls.long_term = cls.server.user("ann")
        cls.server.client("iam").create_login_profile(UserName="ann", Password=PASSWORD)
        console = Console(cls.server.console_url, cls.server.account)
        console.sign_in("ann", PASSWORD)
        console.assign(cls.key, "blue")

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="kw-")
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        self.addCleanup(self.key.touched_by, "auto")
        names = [name for name in os.environ if not name.startswith("AWS_")]
        self.environment = {name: os.environ[name] for name in names} | {
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "AWS_CONFIG_FILE": str(self.home / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_PAGER": "",
        }

    def log_in(self, *words, password=PASSWORD):
        command = [*KEYWRIGHT, "iam", "login", "--json", "--console-url", self.server.url, "--account", self.server.account]
        command += ["--user", "ann", "--device", self.key.device(), "--password-fd", "0", *words]
        done = subprocess.run(
            command, env=self.environment, input=f"{password}\n", capture_output=True, text=True, timeout=PATIENCE
        )
        return done.returncode, json.loads(done.stdout)

    def configure(self, *words):
        status, told = self.log_in("--configure", "ann", *words)
        self.assertEqual(status, 0, told)
        return told

    def begin(self, cli, *words):
        """The AWS CLI, without a terminal."""
        command = [*CLIS[cli], "--profile", "ann", "--output", "json", *words]
        if cli == "2":
            command += ["--endpoint-url", self.server.url]
        return subprocess.Popen(
            command, env=self.environment, cwd=self.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def end(self, process):
        out, complaints = process.communicate(timeout=PATIENCE)
        return process.returncode, out, complaints

    def ok(self, cli, *words):
        status, out, complaints = self.end(self.begin(cli, *words))
        self.assertEqual(status, 0, complaints)
        return json.loads(out)

    def session(self):
        """boto3 with the profile, in this process: what it starts finds the same environment."""
        before = dict(os.environ)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(before)))
        os.environ.clear()
        os.environ.update(self.environment)
        return boto3.Session(profile_name="ann")

    def arn(self):
        return f"arn:aws:iam::{self.server.account}:user/ann"

    def test_the_guard_denies_the_long_term_key_and_lets_a_login_through(self):
        listed = self.server.client("iam", self.long_term)
        with self.assertRaises(ClientError) as caught:
            listed.list_access_keys()
        error = caught.exception.response["Error"]
        self.assertEqual(error["Code"], "AccessDenied")
        self.assertRegex(error["Message"], "with an explicit deny in an identity-based policy$")
        self.configure()
        for cli in CLIS:
            with self.subTest(cli=cli):
                self.assertEqual(self.ok(cli, "sts", "get-caller-identity")["Arn"], self.arn())
                self.assertEqual(len(self.ok(cli, "iam", "list-access-keys")["AccessKeyMetadata"]), 1)
        session = self.session()
        self.assertEqual(session.client("sts").get_caller_identity()["Arn"], self.arn())
        self.assertEqual(len(session.client("iam").list_access_keys()["AccessKeyMetadata"]), 1)

    def test_one_touch_serves_every_client_until_the_credentials_end(self):
        self.configure()
        # Whoever asks now is declined.
        self.key.touched_by("deny")
        for cli in CLIS:
            self.assertEqual(self.ok(cli, "sts", "get-caller-identity")["Arn"], self.arn())
        self.assertEqual(self.session().client("sts").get_caller_identity()["Arn"], self.arn())

    def test_credentials_at_their_end_ask_for_another_touch(self):
        # What lives for a minute is renewed at once.
        self.configure("--duration", "60")
        self.key.touched_by("manual")
        for cli in CLIS:
            with self.subTest(cli=cli):
                process = self.begin(cli, "sts", "get-caller-identity")
                # More than one: botocore asks once more for what ends within a quarter of an hour.
                self.assertGreaterEqual(self.key.answer_until("touch", lambda: process.poll() is not None), 1)
                status, out, complaints = self.end(process)
                self.assertEqual(status, 0, complaints)
                self.assertEqual(json.loads(out)["Arn"], self.arn())
        answers = []
        asking = threading.Thread(target=lambda: answers.append(self.session().client("sts").get_caller_identity()))
        asking.start()
        self.assertGreaterEqual(self.key.answer_until("touch", lambda: not asking.is_alive()), 1)
        self.assertEqual([answer["Arn"] for answer in answers], [self.arn()])

    def test_a_declined_touch_is_a_failure_in_words(self):
        self.configure("--duration", "60")
        self.key.touched_by("manual")
        for cli in CLIS:
            with self.subTest(cli=cli):
                process = self.begin(cli, "sts", "get-caller-identity")
                self.assertGreaterEqual(self.key.answer_until("decline", lambda: process.poll() is not None), 1)
                status, out, complaints = self.end(process)
                self.assertNotEqual(status, 0)
                self.assertEqual(out, "")
                self.assertIn("Touch the key.", complaints)
                self.assertIn("keywright: ", complaints)
        self.key.touched_by("deny")
        with self.assertRaises(CredentialRetrievalError) as caught:
            self.session().client("sts").get_caller_identity()
        self.assertIn("keywright: ", str(caught.exception))

    def test_without_the_key_there_are_no_new_credentials(self):
        self.configure("--duration", "60")
        self.key.stop()
        try:
            for cli in CLIS:
                status, _, complaints = self.end(self.begin(cli, "sts", "get-caller-identity"))
                self.assertNotEqual(status, 0)
                self.assertIn("no key answers", complaints)
        finally:
            self.key.start("auto", self.key.address[1])

    def test_a_wrong_password_configures_nothing(self):
        status, told = self.log_in("--configure", "ann", password="a wrong password")
        self.assertEqual((status, told["error"]["kind"]), (1, "other"))
        self.assertFalse((self.home / "config").exists())

    def test_botocores_own_client_of_the_sign_in_service_redeems_a_code(self):
        console = Console(self.server.console_url, self.server.account)
        console.sign_in("ann", PASSWORD)
        console.prove(self.key)
        verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        callback, client = "http://127.0.0.1:50000/oauth/callback", "arn:aws:signin:::devtools/same-device"
        # As `aws login` asks.
        asked = {
            "response_type": "code", "client_id": client, "state": "s", "code_challenge_method": "SHA-256",
            "scope": "openid", "redirect_uri": callback, "code_challenge": challenge,
        }  # fmt: skip
        self.assertEqual(console.ask("GET", f"/v1/authorize?{urllib.parse.urlencode(asked)}")[0], 303)
        page = console.ask("GET", "/v1/consent")[2]
        field = lambda name: re.search(f'name="{name}" value="([^"]*)"', page)[1]
        form = {"csrf": field("csrf"), "request": field("request"), "decision": "allow"}
        query = urllib.parse.urlsplit(console.form("/v1/consent", form)[1]["Location"]).query
        code = urllib.parse.parse_qs(query)["code"][0]
        signin = boto3.client(
            "signin", endpoint_url=self.server.url, region_name="us-east-1", config=Config(signature_version=UNSIGNED)
        )
        body = {"clientId": client, "grantType": "authorization_code", "code": code, "redirectUri": callback}
        body["codeVerifier"] = verifier
        output = signin.create_o_auth2_token(tokenInput=body)["tokenOutput"]
        self.assertEqual((output["tokenType"], output["expiresIn"]), ("aws_sigv4", 900))
        made = output["accessToken"]
        key = (made["accessKeyId"], made["secretAccessKey"], made["sessionToken"])
        self.assertEqual(len(self.server.client("iam", key).list_access_keys()["AccessKeyMetadata"]), 1)
        with self.assertRaises(signin.exceptions.AccessDeniedException) as caught:
            signin.create_o_auth2_token(tokenInput=body)
        self.assertEqual(caught.exception.response["error"], "AUTHCODE_EXPIRED")
        refresh = {"clientId": client, "grantType": "refresh_token", "refreshToken": output["refreshToken"]}
        with self.assertRaises(signin.exceptions.AccessDeniedException) as caught:
            signin.create_o_auth2_token(tokenInput=refresh)
        self.assertEqual(caught.exception.response["error"], "TOKEN_EXPIRED")


if __name__ == "__main__":
    unittest.main()
