"""The same API over TLS, with a certificate of a root that is the test's own."""

import datetime
import http.client
import os
import subprocess
import sys
import tempfile
import unittest
import urllib.request

from botocore.exceptions import SSLError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from local_iam import Server, calm, code, make, pair, session, step


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, *extensions):
    """A certificate that is good for a day."""
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer)).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    day = datetime.timedelta(days=1)
    builder = builder.not_valid_before(now - day).not_valid_after(now + day)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, hashes.SHA256())


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root, cls.cert, cls.key = (os.path.join(folder.name, file) for file in ("root.pem", "cert.pem", "key.pem"))
        root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        known_by = x509.SubjectKeyIdentifier.from_public_key(root_key.public_key())
        root = certificate(
            "root", root_key, "root", root_key, (x509.BasicConstraints(True, 0), True), (usage, True), (known_by, False),
        )  # fmt: skip
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(known_by)
        leaf = certificate("localhost", key, "root", root_key, (names, False), (issuer, False))
        for path, made in ((cls.root, root), (cls.cert, leaf)):
            with open(path, "wb") as file:
                file.write(made.public_bytes(serialization.Encoding.PEM))
        encoded = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with open(os.open(cls.key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
            file.write(encoded)
        cls.server = Server("--tls", cls.cert, cls.key, bundle=cls.root)
        cls.addClassCleanup(cls.server.stop)

    def test_boto3_proves_a_device_over_tls(self):
        self.assertRegex(self.server.url, r"^https://localhost:\d+$")
        calm()
        key = self.server.user("ann")
        iam = self.server.client("iam", key)
        serial, seed = make(iam, "phone")
        iam.enable_mfa_device(UserName="ann", SerialNumber=serial, **pair(seed, step() - 2))
        answer = self.server.client("sts", key).get_session_token(SerialNumber=serial, TokenCode=code(seed, step()))
        identity = self.server.client("sts", session(answer)).get_caller_identity()
        self.assertEqual(identity["Arn"], f"arn:aws:iam::{self.server.account}:user/ann")

    def test_the_command_line_goes_by_its_bundle(self):
        access_key, secret, _ = self.server.key
        environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_STS": self.server.url,
            "AWS_MAX_ATTEMPTS": "1",
        }
        environment.pop("AWS_CA_BUNDLE", None)
        command = [sys.executable, "-m", "awscli", "sts", "get-caller-identity"]
        refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("CERTIFICATE_VERIFY_FAILED", refused.stderr)
        environment["AWS_CA_BUNDLE"] = self.root
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(self.server.account, done.stdout)

    def test_a_client_without_the_root_says_nothing(self):
        self.server.bundle, bundle = None, self.server.bundle
        self.addCleanup(setattr, self.server, "bundle", bundle)
        with self.assertRaises(SSLError):
            self.server.client("sts").get_caller_identity()

    def test_plain_http_gets_no_answer(self):
        url = self.server.url.replace("https://localhost", "http://127.0.0.1")
        with self.assertRaises((OSError, http.client.HTTPException)):
            urllib.request.urlopen(url, timeout=20)


if __name__ == "__main__":
    unittest.main()
