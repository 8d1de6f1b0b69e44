"""Firefox without a window, driven through WebDriver BiDi."""

import base64
import json
import os
import pathlib
import time

from browser import Browser, Page

# Nothing from the network, no first pages; keys that are plugged in, and none of Firefox's own making.
PREFERENCES = {
    "security.webauth.webauthn_enable_usbtoken": True,
    "security.webauth.webauthn_enable_softtoken": False,
    "app.update.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    # One process for all pages, and none in reserve: starting them is what takes an emulated processor its time.
    "fission.autostart": False,
    "dom.ipc.processCount": 1,
    "dom.ipc.processPrelaunch.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    # Its questions may be answered at once.
    "security.notification_enable_delay": 0,
    "toolkit.telemetry.enabled": False,
}
# WebDriver's code points of keys.
KEYS = {"Tab": "\ue004", "Enter": "\ue007", "Space": " ", "ArrowDown": "\ue015"}

# Presses a button; what became of it.
PRESS = """(() => {
  const question = PopupNotifications.getNotification(%s, gBrowser.selectedBrowser);
  if (!question) return "not asked";
  const shown = [...PopupNotifications.panel.children].find((element) => element.notification === question);
  if (!shown) return "not shown";
  const buttons = [shown.button, shown.secondaryButton, ...shown.querySelectorAll("menuitem")];
  buttons.find((button) => button.getAttribute("label") === %s).click();
  return "pressed";
})()"""

ENTER_PIN = """(() => {
  const dialog = gBrowser.getTabDialogBox(gBrowser.selectedBrowser).getTabDialogManager()._topDialog;
  if (dialog?._overlay.style.visibility !== "inherit") return "not asked";
  const content = dialog._frame.contentDocument;
  const field = content.getElementById("password1Textbox");
  if (field.dataset.entered) return "heard";
  field.dataset.entered = "yes";
  field.value = %s;
  content.getElementById("commonDialog").acceptDialog();
  return "entered";
})()"""


class Firefox(Browser):
    """One Firefox with a profile of its own, gone with it."""

    CLOSE = "browser.close"

    def __init__(self, *flags, patience=60):
        super().__init__(*flags, patience=patience)
        # The PIN's dialog stays open until it is answered.
        self.call("session.new", capabilities={"alwaysMatch": {"unhandledPromptBehavior": {"default": "ignore"}}})

    def command(self, *flags):
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
        pathlib.Path(self.profile, "user.js").write_text("".join(lines))
        own = ["--headless", "--no-remote", "--profile", self.profile, "--remote-debugging-port=0"]
        own += ["--remote-allow-system-access"]  # For its own dialogs.
        return [os.environ["FIREFOX"], *own, *flags, "about:blank"]

    def address(self):
        file = pathlib.Path(self.profile, "WebDriverBiDiServer.json")
        text = file.read_text() if file.exists() else ""
        if not text.endswith("}"):  # It is still being written.
            return None
        told = json.loads(text)
        return f"ws://{told['ws_host']}:{told['ws_port']}/session"

    def window(self, expression):
        """The value of an expression in Firefox's own window, where it asks what pages must not see."""
        tree = self.call("browsingContext.getTree", **{"moz:scope": "chrome"})
        return self.evaluate(expression, tree["contexts"][0]["context"])

    def evaluate(self, expression, context):
        answer = self.call(
            "script.evaluate",
            expression=f"(async () => JSON.stringify(await ({expression})))()",
            target={"context": context},
            awaitPromise=True,
        )
        if answer["type"] != "success":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return json.loads(answer["result"].get("value", "null"))

    def answer(self, question, label):
        """Presses a button of what Firefox asks about the key, once it asks it, until that is heard."""
        press = PRESS % (json.dumps(f"webauthn-prompt-{question}"), json.dumps(label))
        self.until(press, "pressed")
        # A press that comes too early is not heard.
        self.until(press, "not asked")

    def enter_pin(self, pin):
        """Enters a PIN, once: asked again, Firefox shows another dialog."""
        self.until(ENTER_PIN % json.dumps(pin), "entered")

    def until(self, press, wanted):
        end = time.monotonic() + self.patience
        became = None
        while time.monotonic() < end:
            became = self.window(press)
            if became == wanted:
                return
            time.sleep(0.1)
        raise AssertionError(f"a dialog of Firefox's was {became} and not {wanted}: {press}")

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
        return self.browser.evaluate(expression, self.context)

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

    def let_model_be_seen(self):
        self.browser.answer("register-direct", "Allow")
