"""PINs, and what they guard; each with a PIN protocol."""

import time

from ctap2_scenarios import HASH, RP, descriptor, make
from fido2.ctap import CtapError
from fido2.ctap2.pin import ClientPin
from running_key import RunningKey

ERR = CtapError.ERR
PERMISSION = ClientPin.PERMISSION
PIN = "correct horse"
OTHER = "battery staple"


def client(key, protocol):
    """The commands of a platform that has just met the key."""
    ctap = key.ctap2()
    return ctap, ClientPin(ctap, protocol())


def with_token(pin, token, data=HASH):
    """The members of a request that a token authenticates."""
    return {"pin_uv_param": pin.protocol.authenticate(token, data), "pin_uv_protocol": pin.protocol.VERSION}


def set_and_change(check, protocol):
    with RunningKey() as key:
        ctap, pin = client(key, protocol)
        check.equal("8 entries are left", pin.get_pin_retries()[0], 8)
        with check.refused("there is no PIN to change", ERR.PIN_NOT_SET):
            pin.change_pin(PIN, OTHER)
        with check.refused("three characters are too few", ERR.PIN_POLICY_VIOLATION):
            ctap.client_pin(*three_character_pin(pin))
        pin.set_pin(PIN)
        check.equal("the key says that a PIN is set", ctap.get_info().options["clientPin"], True)
        with check.refused("a PIN that is set is not set again", ERR.PIN_AUTH_INVALID):
            pin.set_pin(OTHER)
        ctap, pin = client(key, protocol)
        check.that("the PIN gives a token", len(pin.get_pin_token(PIN)) in (16, 32))
        pin.change_pin(PIN, OTHER)
        with check.refused("the old PIN is no PIN any more", ERR.PIN_INVALID):
            pin.get_pin_token(PIN)
        check.that("the new one is", len(pin.get_pin_token(OTHER)) in (16, 32))


def three_character_pin(pin):
    """Arguments of clientPIN that set a PIN of three characters, which python-fido2 refuses by itself."""
    agreement, secret = pin._get_shared_secret()
    encrypted = pin.protocol.encrypt(secret, b"123".ljust(64, b"\0"))
    authenticated = pin.protocol.authenticate(secret, encrypted)
    return pin.protocol.VERSION, ClientPin.CMD.SET_PIN, agreement, authenticated, encrypted


def wrong(check, protocol):
    with RunningKey() as key:
        _, pin = client(key, protocol)
        pin.set_pin(PIN)
        _, pin = client(key, protocol)
        for left in (7, 6):
            with check.refused("a wrong PIN is refused", ERR.PIN_INVALID):
                pin.get_pin_token(OTHER)
            check.equal("and costs an entry", pin.get_pin_retries()[0], left)
        with check.refused("the third in a row blocks until power-up", ERR.PIN_AUTH_BLOCKED):
            pin.get_pin_token(OTHER)
        with check.refused("also the right one", ERR.PIN_AUTH_BLOCKED):
            pin.get_pin_token(PIN)
        check.equal("which costs nothing", pin.get_pin_retries()[0], 5)
        key.power_cycle()
        _, pin = client(key, protocol)
        check.equal("a kill gives no entry back", pin.get_pin_retries()[0], 5)
        with check.refused("and counts as a power-up", ERR.PIN_INVALID):
            pin.get_pin_token(OTHER)
        pin.get_pin_token(PIN)
        check.equal("the right PIN gives all entries back", pin.get_pin_retries()[0], 8)


def blocked(check, protocol):
    with RunningKey() as key:
        _, pin = client(key, protocol)
        pin.set_pin(PIN)
        answers = []
        for _ in range(4):
            _, pin = client(key, protocol)
            for _ in range(2):
                try:
                    pin.get_pin_token(OTHER)
                    answers.append("a token")
                except CtapError as error:
                    answers.append(error.code)
            key.power_cycle()
        check.equal("the eighth wrong entry blocks the PIN", answers, [ERR.PIN_INVALID] * 7 + [ERR.PIN_BLOCKED])
        _, pin = client(key, protocol)
        with check.refused("for the right one too, and after a power-up", ERR.PIN_BLOCKED):
            pin.get_pin_token(PIN)
        check.equal("no entry is left", pin.get_pin_retries()[0], 0)


def verified(check, protocol):
    with RunningKey() as key:
        ctap, pin = client(key, protocol)
        pin.set_pin(PIN)
        ctap, pin = client(key, protocol)
        with check.refused("a discoverable credential needs the PIN", ERR.PUAT_REQUIRED):
            make(ctap, options={"rk": True})
        token = pin.get_pin_token(PIN, PERMISSION.MAKE_CREDENTIAL, RP["id"])
        made = make(ctap, options={"rk": True}, **with_token(pin, token))
        check.that("with it the user is verified", made.auth_data.is_user_verified())
        with check.refused("a token that was used is used up", ERR.PIN_AUTH_INVALID):
            make(ctap, **with_token(pin, token))
        token = pin.get_pin_token(PIN, PERMISSION.GET_ASSERTION, RP["id"])
        with check.refused("a token for assertions makes no credential", ERR.PIN_AUTH_INVALID):
            make(ctap, **with_token(pin, token))
        with check.refused("nor serves it another relying party", ERR.PIN_AUTH_INVALID):
            ctap.get_assertion("example.org", HASH, **with_token(pin, token))
        with check.refused("nor other data", ERR.PIN_AUTH_INVALID):
            ctap.get_assertion(RP["id"], HASH, **with_token(pin, token, b"\1" * 32))
        answer = ctap.get_assertion(RP["id"], HASH, **with_token(pin, token))
        answer.verify(HASH, made.auth_data.credential_data.public_key)
        check.that("it serves what it is for", answer.auth_data.is_user_verified())
        token = pin.get_pin_token(PIN, PERMISSION.GET_ASSERTION, RP["id"])
        pin.change_pin(PIN, OTHER)
        with check.refused("a token ends with the PIN that gave it", ERR.PIN_AUTH_INVALID):
            ctap.get_assertion(RP["id"], HASH, **with_token(pin, token))


def reset(check, protocol):
    with RunningKey() as key:
        ctap, pin = client(key, protocol)
        identity = ctap.info.aaguid
        pin.set_pin(PIN)
        ctap, pin = client(key, protocol)
        token = pin.get_pin_token(PIN, PERMISSION.MAKE_CREDENTIAL, RP["id"])
        made = make(ctap, **with_token(pin, token))
        time.sleep(10.5)  # The time in which a reset is possible, and a little.
        with check.refused("10 s after power-up there is no reset", ERR.NOT_ALLOWED):
            ctap.reset()
        key.power_cycle()
        ctap = key.ctap2()
        ctap.reset()
        check.equal("after a reset no PIN is set", ctap.get_info().options["clientPin"], False)
        with check.refused("credentials are gone", ERR.NO_CREDENTIALS):
            ctap.get_assertion(RP["id"], HASH, allow_list=[descriptor(made)])
        check.equal("the AAGUID stays", ctap.get_info().aaguid, identity)
        make(ctap, options={"rk": True})
        key.power_cycle()
        check.equal("what is made after it stays", key.ctap2().get_assertion(RP["id"], HASH).user["id"], b"user-1")


SCENARIOS = {
    "pin-set-and-change": set_and_change,
    "pin-wrong": wrong,
    "pin-blocked": blocked,
    "pin-verified": verified,
    "reset": reset,
}
