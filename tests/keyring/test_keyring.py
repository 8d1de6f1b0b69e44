"""Accounts in the system's keyring, as a person keeps them."""

import json
import os
import shlex
import subprocess
import unittest

KEYWRIGHT = shlex.split(os.environ["KEYWRIGHT"])
# Of RFC 6238's test vectors.
SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
SERVICE = "/org/freedesktop/secrets"


def keywright(*words, text=""):
    return subprocess.run([*KEYWRIGHT, "totp", *words, "--json"], input=text, capture_output=True, text=True, timeout=120)


def ok(*words, text=""):
    done = keywright(*words, text=text)
    if done.returncode:
        raise AssertionError(f"{words}: {done.stdout} {done.stderr}")
    return json.loads(done.stdout)


def send(path, method, *arguments):
    """Asks the keyring without the command."""
    call = ["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.secrets", path, method, *arguments]
    return subprocess.run(call, capture_output=True, text=True, timeout=60, check=True).stdout


def names():
    return [account["name"] for account in ok("list")["accounts"]]


class Keyring(unittest.TestCase):
    def tearDown(self):
        for name in names():
            ok("remove", name, "--yes")

    def test_the_keyring_is_used_where_there_is_one(self):
        added = ok("add", "ann", text=SECRET)
        self.assertEqual(added["kept_in"], "the system's keyring")
        self.assertFalse(os.path.exists(os.path.join(os.environ["HOME"], ".local/share/keywright")))
        ok("add", text=f"otpauth://totp/Site:bob?secret={SECRET}&digits=8&algorithm=SHA256&period=60&issuer=Site")
        self.assertEqual(names(), ["ann", "bob"])
        bob = ok("list")["accounts"][1]
        self.assertEqual((bob["issuer"], bob["algorithm"], bob["digits"], bob["period"]), ("Site", "SHA256", 8, 60))
        self.assertRegex(ok("code", "ann")["code"], "^[0-9]{6}$")
        self.assertRegex(ok("code", "bob")["code"], "^[0-9]{8}$")
        taken = keywright("add", "ann", text=SECRET)
        self.assertEqual(taken.returncode, 2)
        self.assertIn("already", taken.stderr)
        ok("remove", "ann", "--yes")
        self.assertEqual(keywright("code", "ann").returncode, 2)
        self.assertEqual(names(), ["bob"])

    def test_nothing_but_names_can_be_read_beside_the_secret(self):
        ok("add", "ann", text=SECRET)
        listed = send(SERVICE, "org.freedesktop.Secret.Service.SearchItems", "dict:string:string:application,keywright")
        path = listed.split('object path "')[1].split('"')[0]
        about = send(path, "org.freedesktop.DBus.Properties.GetAll", "string:org.freedesktop.Secret.Item")
        self.assertIn("ann", about)
        self.assertNotIn("GEZD", about)

    def test_a_secret_does_not_pass_on_the_bus_in_the_clear(self):
        with subprocess.Popen(["dbus-monitor", "--session"], stdout=subprocess.PIPE) as monitor:
            first = monitor.stdout.readline()
            ok("add", "ann", text=SECRET)
            ok("code", "ann")
            monitor.terminate()
            passed = first + monitor.stdout.read()
        # It was listened to, and what is shown of bytes is text or numbers.
        self.assertIn(b"CreateItem", passed)
        self.assertNotIn(b"GEZD", passed)
        self.assertNotIn(b"47 45 5a 44", passed.lower())

    def test_an_account_that_is_not_there_is_told(self):
        ok("add", "ann", text=SECRET)
        missing = keywright("code", "none")
        self.assertEqual(missing.returncode, 2)
        self.assertIn("the system's keyring", missing.stderr)


class Locked(unittest.TestCase):
    """After the others: nobody is there to unlock it again."""

    def test_a_keyring_that_stays_locked_is_told(self):
        ok("add", "ann", text=SECRET)
        send(SERVICE, "org.freedesktop.Secret.Service.Lock", f"array:objpath:{SERVICE}/collection/login")
        for words in (("code", "ann"), ("list",), ("remove", "ann", "--yes")):
            done = keywright(*words)
            self.assertEqual(done.returncode, 1, f"{words}: {done.stdout}")
            self.assertIn("unlock", done.stderr)
            self.assertNotIn("GEZD", done.stdout + done.stderr)
        # Names can be read all the same.
        taken = keywright("add", "ann", text=SECRET)
        self.assertEqual(taken.returncode, 2, taken.stdout)
        self.assertIn("already", taken.stderr)


if __name__ == "__main__":
    unittest.main()
