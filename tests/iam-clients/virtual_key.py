"""A virtual key, its hand, and the console's JSON endpoints as a client with a key meets them."""

import json
import os
import select
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.hid import CtapHidDevice
from fido2.hid.base import HidDescriptor
from fido2.webauthn import PublicKeyCredentialCreationOptions, PublicKeyCredentialRequestOptions

# What is shared with the clients that are played over UDP.
sys.path.append(str(Path(__file__).parents[1] / "foreign"))

from running_key import UdpConnection

PATIENCE = 60
KEYWRIGHT = shlex.split(os.environ["KEYWRIGHT"])


class Key:
    """A key over a state file, whose hand is `touch`. Starting it anew keeps what is in it."""

    def __init__(self, touch="auto"):
        self.folder = tempfile.TemporaryDirectory(prefix="kw-")
        self.control = str(Path(self.folder.name) / "control")
        self.start(touch, 0)

    def start(self, touch, port):
        state = str(Path(self.folder.name) / "state")
        words = ["emulate", "--json", "--udp", f"127.0.0.1:{port}", "--state", state]
        words += ["--touch", touch, "--control", self.control]
        self.process = subprocess.Popen([*KEYWRIGHT, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            raise RuntimeError("the key did not say where it can be reached")
        host, port = json.loads(line)["udp"].rsplit(":", 1)
        self.address = (host, int(port))

    def device(self):
        return f"udp:{self.address[0]}:{self.address[1]}"

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=PATIENCE)
        self.process.stdout.close()

    def close(self):
        self.stop()
        self.folder.cleanup()

    def touched_by(self, touch):
        """The same key at the same place with another hand."""
        self.stop()
        self.start(touch, self.address[1])

    def hand(self, what):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(self.control)
            connection.sendall(json.dumps({"do": what}).encode() + b"\n")
            with connection.makefile() as lines:
                return json.loads(lines.readline())

    def answer_until(self, what, is_over):
        """Touches or declines whenever the key asks; how often that was."""
        end, answered = time.monotonic() + PATIENCE, 0
        while not is_over():
            if time.monotonic() > end:
                raise RuntimeError("it did not come to an end")
            if self.hand("state")["state"]["indication"] == "touch-wanted":
                answered += "error" not in self.hand(what)
            time.sleep(0.02)
        return answered

    @contextmanager
    def client(self, origin):
        """python-fido2's way to the key, while the `with` lasts."""
        descriptor = HidDescriptor(self.address, 0, 0, 64, 64, "Keywright", None)
        with closing(CtapHidDevice(descriptor, UdpConnection(self.address))) as device:
            yield Fido2Client(device, DefaultClientDataCollector(origin), UserInteraction())


class Console:
    """A browser at the console, without the browser."""

    def __init__(self, url, account):
        self.url, self.account, self.cookies = url, account, {}

    def ask(self, method, path, body=None, kind="application/json"):
        """Status, headers and text of an answer."""
        connection = HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=PATIENCE)
        sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if method == "POST":
            sent |= {"Origin": self.url, "Content-Type": kind}
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        connection.close()
        return answer.status, answer.headers, text

    def post(self, path, body):
        status, _, text = self.ask("POST", path, json.dumps(body))
        if status >= 300:
            raise AssertionError(f"{path}: {status} {text}")
        return json.loads(text)

    def form(self, path, fields):
        return self.ask("POST", path, urllib.parse.urlencode(fields), "application/x-www-form-urlencoded")

    def sign_in(self, user, password):
        return self.post("/api/sign-in", {"account": self.account, "user": user, "password": password})

    def assign(self, key, name):
        """Registers the key for whoever is signed in."""
        options = self.post("/api/mfa-devices/webauthn/options", {"name": name})
        # The key has no PIN, which the service prefers and this client would insist on.
        options["authenticatorSelection"]["userVerification"] = "discouraged"
        options = PublicKeyCredentialCreationOptions.from_dict(options)
        with key.client(self.url) as client:
            made = client.make_credential(options)
        self.post("/api/mfa-devices/webauthn", {"name": name, "credential": dict(made)})

    def prove(self, key):
        """The second step of a sign-in."""
        options = self.post("/api/sign-in/webauthn/options", {}) | {"userVerification": "discouraged"}
        options = PublicKeyCredentialRequestOptions.from_dict(options)
        with key.client(self.url) as client:
            response = client.get_assertion(options).get_response(0)
        self.post("/api/sign-in/webauthn", {"credential": dict(response)})
