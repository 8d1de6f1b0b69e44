"""Chromium without a window, driven through its DevTools protocol, with a virtual authenticator when asked for.

Another browser is another `Page` that can do the same.
"""

import base64
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import websocket

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0", "--force-prefers-reduced-motion",
]
KEYS = {
    "Tab": (9, None), "Enter": (13, "\r"), "Space": (32, " "), "ArrowDown": (40, None),
}


class Browser:
    """One Chromium with a profile of its own, gone with it. It has `patience` seconds for whatever it is to do."""

    CLOSE = "Browser.close"

    def __init__(self, *flags, patience=60):
        self.patience = patience
        self.profile = tempfile.mkdtemp(prefix="keywright-browser-")
        command = self.command(*flags)
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.socket = websocket.create_connection(self._address(), suppress_origin=True, timeout=patience)
        self.number = 0
        self.events = []

    def command(self, *flags):
        return [os.environ["CHROMIUM"], *FLAGS, *flags, f"--user-data-dir={self.profile}", "about:blank"]

    def address(self):
        """Where it can be driven, once it has said so in its profile."""
        file = pathlib.Path(self.profile, "DevToolsActivePort")
        lines = file.read_text().splitlines() if file.exists() else []
        return f"ws://127.0.0.1:{lines[0]}{lines[1]}" if len(lines) == 2 else None

    def _address(self):
        for _ in range(self.patience * 10):
            address = self.address()
            if address:
                return address
            if self.process.poll() is not None:
                raise RuntimeError(f"the browser ended with {self.process.returncode}")
            time.sleep(0.1)
        raise RuntimeError("the browser does not answer")

    def call(self, method, session=None, **parameters):
        """Sends a command and waits for its answer; what happens meanwhile is kept in `events`."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self.socket.send(json.dumps(message))
        while True:
            answer = json.loads(self.socket.recv())
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']} {answer.get('message', '')}")
                return answer["result"]
            self.events.append(answer)

    def page(self, width=1280):
        """A new page with cookies of its own, as another person's browser would have."""
        context = self.call("Target.createBrowserContext")["browserContextId"]
        target = self.call("Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        return ChromiumPage(self, session, width)

    def close(self):
        try:
            self.call(self.CLOSE)
        finally:
            self.socket.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            shutil.rmtree(self.profile, ignore_errors=True)


class Page:
    """One page: where it is, what it shows, and what a person at the keyboard does with it.

    A browser of its own way gives it `run`, `go`, `press`, `insert` and `screenshot`.
    """

    # Seconds for a condition to come true.
    patience = 20

    def wait(self, condition, seconds=None):
        """Waits until a condition holds in the page, also across a navigation."""
        end = time.monotonic() + (seconds or self.patience)
        while time.monotonic() < end:
            try:
                if self.run(f"Boolean({condition})"):
                    return
            except RuntimeError:
                pass  # The page is being replaced.
            time.sleep(0.05)
        raise AssertionError(f"{condition} did not come true at {self.run('location.href')}: {self.text()}")

    def wait_for_path(self, path):
        """Waits for a whole page whose path, without the query, is this one."""
        self.wait(f"location.pathname === {json.dumps(path)} && document.readyState === 'complete'")

    def text(self):
        return self.run("document.body ? document.body.innerText : ''")

    def focus(self, selector):
        """Tabs to a control: one that cannot be reached so is a failure."""
        wanted = f"document.activeElement.matches({json.dumps(selector)})"
        for _ in range(80):
            if self.run(wanted):
                return
            self.press("Tab")
        raise AssertionError(f"the keyboard does not reach {selector}")

    def type(self, selector, text):
        self.focus(selector)
        self.run("document.activeElement.select && document.activeElement.select()")
        self.insert(text)

    def choose(self, value):
        """Moves to a radio button of a group with the arrow keys."""
        self.focus("input[type=radio]")
        for _ in range(10):
            if self.run(f"document.activeElement.value === {json.dumps(value)}"):
                self.press("Space")
                return
            self.press("ArrowDown")
        raise AssertionError(f"there is no choice {value}")

    def activate(self, selector):
        self.focus(selector)
        self.press("Enter")

    def let_model_be_seen(self):
        """Allows a page to see which model a key is, where the browser asks for that."""


class ChromiumPage(Page):
    """A page, what Chromium complains about in it, and virtual authenticators."""

    def __init__(self, browser, session, width):
        self.browser, self.session = browser, session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.resize(width)

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def resize(self, width, height=800):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=False)

    def run(self, expression):
        """The value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def go(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def press(self, key):
        code, text = KEYS[key]
        name = {"Space": " "}.get(key, key)
        common = {"key": name, "code": key, "windowsVirtualKeyCode": code}
        extra = {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **extra)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def insert(self, text):
        self.call("Input.insertText", text=text)

    def screenshot(self, path):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        # Beyond the viewport there is no scroll bar, and the page is as wide as the window.
        clip = {"x": 0, "y": 0, "width": self.run("innerWidth"), "height": size["height"], "scale": 1}
        picture = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        pathlib.Path(path).write_bytes(base64.b64decode(picture["data"]))

    def add_key(self, **options):
        """A virtual authenticator, which touches itself; its id."""
        self.call("WebAuthn.enable")
        standard = {
            "protocol": "ctap2", "transport": "usb", "hasResidentKey": False, "hasUserVerification": True,
            "isUserVerified": True, "automaticPresenceSimulation": True,
        }
        answer = self.call("WebAuthn.addVirtualAuthenticator", options={**standard, **options})
        return answer["authenticatorId"]

    def cookies(self):
        return {cookie["name"]: cookie["value"] for cookie in self.call("Network.getCookies")["cookies"]}

    def complaints(self):
        """What Chromium has complained about in this page since it was asked last, such as a blocked style."""
        mine = [event for event in self.browser.events if event.get("sessionId") == self.session]
        self.browser.events = [event for event in self.browser.events if event not in mine]
        entries = [event["params"]["entry"] for event in mine if event["method"] == "Log.entryAdded"]
        thrown = [str(event["params"]) for event in mine if event["method"] == "Runtime.exceptionThrown"]
        # A refused form is answered with a status that Chromium logs as a failed resource.
        is_answer = lambda entry: entry["source"] == "network" and "the server responded with" in entry["text"]
        return thrown + [entry["text"] for entry in entries if not is_answer(entry)]
