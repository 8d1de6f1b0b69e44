"""A local IAM for a test, clients for it, and what an authenticator app shows."""

import base64
import hashlib
import hmac
import json
import os
import shlex
import subprocess
import time

import boto3
from botocore.config import Config

PASSWORD = "a good password"


class Server:
    """Runs the server until it is stopped. A client trusts the certificates of `bundle`, where the server has TLS."""

    def __init__(self, *words, bundle=None):
        command = [*shlex.split(os.environ["KEYWRIGHT_IAM"]), "--json", "--ephemeral", *words]
        self.bundle = bundle
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        told = json.loads(self.process.stdout.readline())
        self.url, self.console_url, self.account = told["url"], told["console_url"], told["account"]
        self.key = (told["access_key_id"], told["secret_access_key"], None)

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.process.stdout.close()

    def client(self, service, key=None, validate=True):
        """A boto3 client. Without validation it sends what breaks the model."""
        access_key, secret, token = key or self.key
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            verify=self.bundle,
            config=Config(parameter_validation=validate, retries={"max_attempts": 0}, ignore_configured_endpoint_urls=True),
        )

    def user(self, name):
        """A new user's access key."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return (key["AccessKeyId"], key["SecretAccessKey"], None)


def session(answer):
    """The key in an answer of STS."""
    made = answer["Credentials"]
    return (made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


def step():
    """The number of the current 30-second step."""
    return int(time.time()) // 30


def calm():
    """Waits until a step has time left, so that a test's steps do not pass in the middle of it."""
    left = 30 - time.time() % 30
    if left < 8:
        time.sleep(left + 0.1)


def code(seed, at):
    """The code of a seed (base32 text or bytes) at a step: RFC 6238."""
    digest = hmac.new(base64.b32decode(seed), at.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(int.from_bytes(digest[offset:offset + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def wrong(seed):
    """A code of none of the steps around now."""
    good = {code(seed, step() + near) for near in range(-4, 5)}
    return next(text for text in ("000000", "111111", "222222", "333333", "444444") if text not in good)


def pair(seed, at):
    """Two codes in a row as arguments."""
    return {"AuthenticationCode1": code(seed, at), "AuthenticationCode2": code(seed, at + 1)}


def make(iam, name, **more):
    """A new virtual device: its serial number and seed."""
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName=name, **more)["VirtualMFADevice"]
    return device["SerialNumber"], device["Base32StringSeed"]


def enabled(iam, user, name):
    """A device in use, whose codes are good from the current step on."""
    serial, seed = make(iam, name)
    iam.enable_mfa_device(UserName=user, SerialNumber=serial, **pair(seed, step() - 2))
    return serial, seed
