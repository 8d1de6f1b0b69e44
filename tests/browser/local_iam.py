"""The local IAM under test, and what an authenticator app does."""

import base64
import hashlib
import hmac
import http.client
import json
import os
import struct
import subprocess
import time
import urllib.parse

PASSWORD = "a good password"


class Iam:
    """A server on a port of its own: that in `KEYWRIGHT_IAM`, in memory, or another command."""

    def __init__(self, *command):
        command = command or [os.environ["KEYWRIGHT_IAM"], "--json", "--ephemeral"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.told = json.loads(self.process.stdout.readline())
        self.url, self.account = self.told["console_url"], self.told["account"]
        self.administrator = self.told["administrator"]

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


class Script:
    """A client of the JSON endpoints with the cookies it was given."""

    def __init__(self, iam, cookies=None):
        self.host, self.origin, self.cookies = urllib.parse.urlsplit(iam.url).netloc, iam.url, dict(cookies or {})
        self.account = iam.account

    def ask(self, method, path, body=None, **headers):
        """Status, headers and text of an answer."""
        connection = http.client.HTTPConnection(self.host, timeout=20)
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if method == "POST":
            sent |= {"Origin": self.origin, "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, sent | headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        connection.close()
        return answer.status, answer.headers, text

    def post(self, path, body):
        status, _, text = self.ask("POST", path, body)
        if status >= 300:
            raise AssertionError(f"{path}: {status} {text}")
        return json.loads(text)

    def sign_in(self, user, password):
        return self.post("/api/sign-in", {"account": self.account, "user": user, "password": password})


def code(seed, steps=0):
    """What an app shows so many 30-second steps from now (RFC 6238)."""
    key = base64.b32decode(seed)
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30 + steps), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at:at + 4])[0] & 0x7fffffff) % 1_000_000:06}"


def next_step():
    """Waits for the next 30-second step: each code is good once."""
    time.sleep(30 - time.time() % 30 + 0.2)
