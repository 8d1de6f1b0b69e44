"""Whole ceremonies, with python-fido2's client and its relying party."""

from fido2.client import DefaultClientDataCollector, Fido2Client, UserInteraction
from fido2.ctap2.extensions import HmacSecretExtension
from fido2.ctap2.pin import ClientPin
from fido2.server import Fido2Server
from fido2.webauthn import PublicKeyCredentialRpEntity
from pin_scenarios import PIN
from running_key import RunningKey

RP = PublicKeyCredentialRpEntity(id="example.com", name="Example")
USER = {"id": b"user-1", "name": "alice", "displayName": "Alice"}


class KnowsThePin(UserInteraction):
    def request_pin(self, permissions, rp_id):
        return PIN

    def request_uv(self, permissions, rp_id):
        return True


def client(key):
    return Fido2Client(
        key.device(),
        DefaultClientDataCollector("https://example.com"),
        KnowsThePin(),
        [HmacSecretExtension(allow_hmac_secret=True)],
    )


def register(server, key, **more):
    options, state = server.register_begin(USER, **more)
    response = client(key).make_credential(options.public_key)
    return server.register_complete(state, response).credential_data


def authenticate(server, key, credentials, allowed, verification):
    options, state = server.authenticate_begin(allowed, user_verification=verification)
    response = client(key).get_assertion(options.public_key).get_response(0)
    server.authenticate_complete(state, credentials, response)
    return response


def ceremonies(check):
    with RunningKey() as key:
        server = Fido2Server(RP, attestation="direct")
        second_factor = register(server, key, user_verification="discouraged")
        authenticate(server, key, [second_factor], [second_factor], "discouraged")
        check.that("a second factor registers and signs in", True)
        ClientPin(key.ctap2()).set_pin(PIN)
        passkey = register(server, key, user_verification="required", resident_key_requirement="required")
        response = authenticate(server, key, [passkey], None, "required")
        check.equal("a passkey signs its user in without a name", response.response.user_handle, USER["id"])
        key.power_cycle()
        authenticate(server, key, [passkey], None, "required")
        check.that("also after a kill", True)


def secrets(server, key, credential, inputs):
    """What hmac-secret answers to these salts."""
    options, _ = server.authenticate_begin([credential], user_verification="discouraged")
    options = dict(options.public_key, extensions={"hmacGetSecret": inputs})
    response = client(key).get_assertion(options).get_response(0)
    return response.client_extension_results.hmac_get_secret


def hmac_secret(check):
    with RunningKey() as key:
        server = Fido2Server(RP)
        options, state = server.register_begin(USER, user_verification="discouraged")
        options = dict(options.public_key, extensions={"hmacCreateSecret": True})
        response = client(key).make_credential(options)
        check.equal("the credential has secrets", response.client_extension_results["hmacCreateSecret"], True)
        credential = server.register_complete(state, response).credential_data
        one, two = b"1" * 32, b"2" * 32
        first = secrets(server, key, credential, {"salt1": one})
        check.equal("a secret has 32 bytes", len(first.output1), 32)
        both = secrets(server, key, credential, {"salt1": two, "salt2": one})
        check.equal("the same salt gives the same secret", both.output2, first.output1)
        check.that("another salt another", both.output1 != first.output1)
        ClientPin(key.ctap2()).set_pin(PIN)
        key.power_cycle()
        again = secrets(server, key, credential, {"salt1": one})
        check.equal("it outlives a kill", again.output1, first.output1)


SCENARIOS = {"webauthn": ceremonies, "hmac-secret": hmac_secret}
