"""What a foreign page, a foreign name and a stolen cookie get: nothing."""

import http.server
import threading
import unittest
import urllib.parse

from browser import Browser
from local_iam import PASSWORD, Iam, Script

FOREIGN = "rebind.example"


class Attacker(http.server.BaseHTTPRequestHandler):
    """A page of another origin of the same site: cookies of `localhost` go along with what it asks for."""

    form = ""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.form.encode())

    def log_message(self, *arguments):
        pass


class Attacks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.iam = Iam()
        cls.browser = Browser(f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1")
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Attacker)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.server.shutdown()
        cls.server.server_close()
        cls.iam.close()

    def sign_in(self, user, password):
        page = self.browser.page()
        page.go(self.iam.url + "/sign-in")
        page.type("#user", user)
        page.type("#password", password)
        page.press("Enter")
        page.wait("location.pathname !== '/sign-in' && document.readyState === 'complete'")
        return page

    def administrator(self):
        secret = self.iam.administrator
        return self.sign_in(secret["user"], secret["password"])

    def users(self):
        script = Script(self.iam)
        script.sign_in(self.iam.administrator["user"], self.iam.administrator["password"])
        return script.ask("GET", "/users")[2]

    def test_a_form_of_another_origin_of_the_same_site_changes_nothing(self):
        page = self.administrator()
        csrf = page.run("document.querySelector('[name=csrf]').value")
        # Even with the token, which the attacker cannot know.
        for path, fields in (
            ("/users/create", {"user": "mallory", "password": PASSWORD, "csrf": csrf}),
            ("/sign-out", {"csrf": csrf}),
        ):
            inputs = "".join(f'<input name="{name}" value="{value}">' for name, value in fields.items())
            Attacker.form = f'<form method="post" action="{self.iam.url}{path}">{inputs}</form>' \
                            "<script>document.forms[0].submit()</script>"
            page.go(f"http://localhost:{self.server.server_port}/")
            page.wait(f"location.pathname === '{path}' && document.readyState === 'complete'")
            self.assertIn("Requests come from the console alone", page.text())
        page.go(self.iam.url + "/security-credentials")
        self.assertEqual(page.run("location.pathname"), "/security-credentials")
        self.assertNotIn("mallory", self.users())

    def test_a_script_of_another_origin_reads_nothing_and_changes_nothing(self):
        page = self.administrator()
        Attacker.form = "<title>attacker</title>"
        page.go(f"http://localhost:{self.server.server_port}/")
        for path, options in (
            ("/api/session", "{credentials: 'include'}"),
            ("/api/users", "{credentials: 'include', method: 'POST', body: '{}'}"),
            ("/api/users", "{credentials: 'include', method: 'POST', mode: 'no-cors', headers: "
                           "{'Content-Type': 'text/plain'}, body: '{\"user\": \"mallory\", \"password\": \"12345678\"}'}"),
        ):
            asked = f"fetch('{self.iam.url}{path}', {options}).then((a) => a.text(), () => '')"
            self.assertEqual(page.run(asked), "", path)
        self.assertNotIn("mallory", self.users())

    def test_the_console_is_shown_in_no_frame(self):
        page = self.browser.page()
        Attacker.form = f'<iframe src="{self.iam.url}/sign-in"></iframe>'
        page.go(f"http://localhost:{self.server.server_port}/")
        inside = page.run("new Promise((done) => setTimeout(() => { let text = 'blocked'; try { "
                          "text = frames[0].document.body.innerText } catch {} done(text) }, 500))")
        self.assertEqual(inside, "blocked")
        self.assertTrue(any("frame-ancestors" in text or "X-Frame-Options" in text for text in page.complaints()))

    def test_a_foreign_name_for_this_machine_gets_no_page(self):
        port = urllib.parse.urlsplit(self.iam.url).port
        page = self.browser.page()
        for path in ("/", "/sign-in", "/api/session", "/static/console.js"):
            page.go(f"http://{FOREIGN}:{port}{path}")
            self.assertIn(f"The console is at {self.iam.url}", page.text())
        asked = "fetch('/api/sign-in', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'})" \
                ".then((a) => a.status)"
        self.assertEqual(page.run(asked), 403)

    def test_a_stolen_cookie_of_a_pending_sign_in_gets_nowhere_without_the_key(self):
        script = Script(self.iam)
        script.sign_in(self.iam.administrator["user"], self.iam.administrator["password"])
        script.post("/api/users", {"user": "victim", "password": PASSWORD})
        page = self.sign_in("victim", PASSWORD)
        page.add_key()
        page.activate("a[href='/mfa/assign']")
        page.wait_for_path("/mfa/assign")
        page.type("#name", "key")
        page.press("Enter")
        page.wait_for_path("/mfa/key")
        page.activate("#register")
        page.wait_for_path("/security-credentials")
        page.go(self.iam.url + "/sign-in")
        page.type("#user", "victim")
        page.type("#password", PASSWORD)
        page.press("Enter")
        page.wait_for_path("/sign-in/mfa")
        self.assertEqual(page.run("document.cookie"), "", "scripts see no cookie")
        stolen = page.cookies()
        self.assertEqual(len(stolen), 1)
        thief = Script(self.iam, stolen | {name.replace("pending", "session"): value for name, value in stolen.items()})
        for path in ("/security-credentials", "/mfa/assign", "/users", "/events"):
            status, headers, _ = thief.ask("GET", path)
            self.assertEqual((status, headers["Location"]), (303, "/sign-in"), path)
        for method, path in (("GET", "/api/session"), ("GET", "/api/mfa-devices"), ("GET", "/api/events"),
                             ("POST", "/api/mfa-devices/totp"), ("POST", "/api/mfa-devices/webauthn/options"),
                             ("POST", "/api/mfa-devices/remove"), ("POST", "/api/users")):
            body = {"name": "mine", "serial": "x", "user": "mallory", "password": PASSWORD} if method == "POST" else None
            status, _, text = thief.ask(method, path, body)
            self.assertEqual(status, 403, f"{path} {text}")
        status, _, _ = thief.ask("POST", "/api/sign-in/webauthn", {"credential": {}})
        self.assertGreaterEqual(status, 400)

    def test_a_stolen_cookie_of_a_session_ends_with_the_session(self):
        page = self.administrator()
        thief = Script(self.iam, page.cookies())
        self.assertEqual(thief.ask("GET", "/api/session")[0], 200)
        page.activate(".bar button")
        page.wait_for_path("/sign-in")
        self.assertEqual(thief.ask("GET", "/api/session")[0], 403)


if __name__ == "__main__":
    unittest.main()
