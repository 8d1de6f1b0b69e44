"""U2F: CTAP1 commands as messages."""

import time

from fido2.ctap1 import APDU, ApduError, Ctap1
from running_key import RunningKey

CLIENT = bytes(range(32))
APP = bytes(range(32, 64))


def with_touch(command, *arguments):
    """As U2F hosts do: asks again until the user has touched the key."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return command(*arguments)
        except ApduError as error:
            if error.code != APDU.USE_NOT_SATISFIED or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def u2f(check):
    with RunningKey() as key:
        ctap = Ctap1(key.device())
        check.equal("the version is U2F_V2", ctap.get_version(), "U2F_V2")
        with check.refused("nothing is registered without a touch", APDU.USE_NOT_SATISFIED):
            ctap.register(CLIENT, APP)
        made = with_touch(ctap.register, CLIENT, APP)
        made.verify(APP, CLIENT)
        check.that("the registration's signature holds", True)
        with check.refused("its own handle is known", APDU.USE_NOT_SATISFIED):
            ctap.authenticate(CLIENT, APP, made.key_handle, check_only=True)
        with check.refused("but not to another application", APDU.WRONG_DATA):
            ctap.authenticate(CLIENT, CLIENT, made.key_handle, check_only=True)
        answer = with_touch(ctap.authenticate, CLIENT, APP, made.key_handle)
        answer.verify(APP, CLIENT, made.public_key)
        check.that("the signature holds", True)
        check.equal("the user was present", answer.user_presence & 1, 1)
        again = with_touch(ctap.authenticate, CLIENT, APP, made.key_handle)
        check.that("the counter rises", again.counter > answer.counter)
        forged = bytes([made.key_handle[0] ^ 1]) + made.key_handle[1:]
        with check.refused("a handle with another bit is not known", APDU.WRONG_DATA):
            with_touch(ctap.authenticate, CLIENT, APP, forged)
        key.power_cycle()
        ctap = Ctap1(key.device())
        later = with_touch(ctap.authenticate, CLIENT, APP, made.key_handle)
        later.verify(APP, CLIENT, made.public_key)
        check.that("it outlives a kill, and the counter does not go back", later.counter > again.counter)


SCENARIOS = {"u2f": u2f}
