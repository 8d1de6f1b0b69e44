"""Firefox without a window, driven through WebDriver BiDi."""

import base64
import json
import os
import pathlib

from browser import Browser, Page

# Nothing from the network, no first pages; keys that are plugged in, and none of Firefox's own making.
PREFERENCES = {
    "security.webauth.webauthn_enable_usbtoken": True,
    "security.webauth.webauthn_enable_softtoken": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}
# WebDriver's code points of keys.
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Space": " ", "ArrowDown": "\ue015"}


class Firefox(Browser):
    """One Firefox with a profile of its own, gone with it."""

    CLOSE = "browser.close"

    def __init__(self, *flags, patience=60):
        super().__init__(*flags, patience=patience)
        self.call("session.new", capabilities={})

    def command(self, *flags):
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
        pathlib.Path(self.profile, "user.js").write_text("".join(lines))
        own = ["--headless", "--no-remote", "--profile", self.profile, "--remote-debugging-port=0"]
        return [os.environ["FIREFOX"], *own, *flags, "about:blank"]

    def address(self):
        file = pathlib.Path(self.profile, "WebDriverBiDiServer.json")
        text = file.read_text() if file.exists() else ""
        if not text.endswith("}"):  # It is still being written.
            return None
        told = json.loads(text)
        return f"ws://{told['ws_host']}:{told['ws_port']}/session"

    def page(self, width=1280):
        """A new page with cookies of its own, as another person's browser would have."""
        person = self.call("browser.createUserContext")["userContext"]
        context = self.call("browsingContext.create", type="tab", userContext=person)["context"]
        return FirefoxPage(self, context, width)


class FirefoxPage(Page):
    """A page in a tab of its own."""

    def __init__(self, browser, context, width):
        self.browser, self.context = browser, context
        self.resize(width)

    def call(self, method, **parameters):
        return self.browser.call(method, context=self.context, **parameters)

    def resize(self, width, height=800):
        self.call("browsingContext.setViewport", viewport={"width": width, "height": height})

    def run(self, expression):
        """The value of a JavaScript expression in the page."""
        answer = self.browser.call(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": self.context},
            awaitPromise=True,
        )
        if answer["type"] != "success":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"].get("value", "null"))

    def go(self, url):
        self.call("browsingContext.navigate", url=url, wait="complete")

    def press(self, key):
        self.keys([KEYS[key]])

    def insert(self, text):
        self.keys(text)

    def keys(self, values):
        actions = [{"type": kind, "value": value} for value in values for kind in ("keyDown", "keyUp")]
        self.call("input.performActions", actions=[{"type": "key", "id": "keyboard", "actions": actions}])

    def screenshot(self, path):
        picture = self.call("browsingContext.captureScreenshot", origin="document")
        pathlib.Path(path).write_bytes(base64.b64decode(picture["data"]))
