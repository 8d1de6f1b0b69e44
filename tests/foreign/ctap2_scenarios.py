"""CTAP2 without a PIN."""

from threading import Event, Timer

from fido2.attestation import Attestation
from fido2.ctap import STATUS, CtapError
from fido2.ctap2 import Ctap2
from running_key import FORM, RunningKey

ERR = CtapError.ERR
HASH = bytes(range(32))
RP = {"id": "example.com", "name": "Example"}
USER = {"id": b"user-1", "name": "alice", "displayName": "Alice"}
ES256 = [{"type": "public-key", "alg": -7}]


def make(ctap, rp=RP, user=USER, **more):
    return ctap.make_credential(HASH, rp, user, ES256, **more)


def descriptor(attestation):
    return {"type": "public-key", "id": attestation.auth_data.credential_data.credential_id}


def verify_attestation(attestation):
    statement = Attestation.for_type(attestation.fmt)()
    statement.verify(attestation.att_stmt, attestation.auth_data, HASH)


def hid(check):
    with RunningKey() as key:
        device = key.device()
        # What the kernel keeps of a program that writes to hidraw is less than CTAPHID's longest message; the key says so.
        longest = 1768 if FORM == "uhid" else 7609
        check.equal("the key says how long a message may be", Ctap2(device).info.max_msg_size, longest)
        for length in (0, 1, 57, 58, 1024, longest):
            check.equal(f"a ping of {length} bytes comes back", device.ping(b"x" * length), b"x" * length)
        device.wink()
        check.that("wink is answered", True)
        other = key.device()
        check.equal("a second channel answers too", other.ping(b"other"), b"other")
        check.equal("the protocol's version is 2", device.version, 2)


def info(check):
    with RunningKey() as key:
        info = key.ctap2().get_info()
        check.that("FIDO_2_0 is among the versions", "FIDO_2_0" in info.versions)
        check.that("FIDO_2_2 is not, as no key may say so", "FIDO_2_2" not in info.versions)
        check.that("an AAGUID is named", bytes(info.aaguid) != bytes(16))
        check.that("credentials can be discoverable", info.options.get("rk") is True)
        check.that("ES256 is offered", {"type": "public-key", "alg": -7} in [dict(a) for a in info.algorithms])
        check.that("PIN protocol 2 is offered", 2 in info.pin_uv_protocols)
        check.that("messages may have 1024 bytes at least", info.max_msg_size >= 1024)
        check.equal("no PIN is set", info.options.get("clientPin"), False)
        with RunningKey() as another:
            check.equal("another key says the same AAGUID", another.ctap2().info.aaguid, info.aaguid)


def credential(check):
    with RunningKey() as key:
        ctap = key.ctap2()
        made = make(ctap)
        check.that("the user was present", made.auth_data.is_user_present())
        check.that("nobody was verified", not made.auth_data.is_user_verified())
        verify_attestation(made)
        check.that("the attestation holds", True)
        public_key = made.auth_data.credential_data.public_key
        answer = ctap.get_assertion(RP["id"], HASH, allow_list=[descriptor(made)])
        answer.verify(HASH, public_key)
        check.that("the assertion's signature holds", True)
        check.that("a credential that is not discoverable tells no user", not answer.user)
        again = ctap.get_assertion(RP["id"], HASH, allow_list=[descriptor(made)])
        check.that("the counter rises", again.auth_data.counter > answer.auth_data.counter)
        quiet = ctap.get_assertion(RP["id"], HASH, allow_list=[descriptor(made)], options={"up": False})
        check.that("without a touch nobody was present", not quiet.auth_data.is_user_present())
        with check.refused("another relying party has no credential", ERR.NO_CREDENTIALS):
            ctap.get_assertion("example.org", HASH, allow_list=[descriptor(made)])
        with check.refused("an excluded credential is not made again", ERR.CREDENTIAL_EXCLUDED):
            make(ctap, exclude_list=[descriptor(made)])
        with check.refused("an algorithm that is not known is refused", ERR.UNSUPPORTED_ALGORITHM):
            ctap.make_credential(HASH, RP, USER, [{"type": "public-key", "alg": -65000}])
        forged = dict(descriptor(made), id=bytes([made.auth_data.credential_data.credential_id[0] ^ 1])
                      + made.auth_data.credential_data.credential_id[1:])
        with check.refused("an id with another bit is no credential", ERR.NO_CREDENTIALS):
            ctap.get_assertion(RP["id"], HASH, allow_list=[forged])


def discoverable(check):
    with RunningKey() as key:
        ctap = key.ctap2()
        made = {}
        for name in ("alice", "bob", "carol"):
            user = {"id": name.encode(), "name": name, "displayName": name.title()}
            made[name.encode()] = make(ctap, user=user, options={"rk": True})
        answers = ctap.get_assertions(RP["id"], HASH)
        check.equal("all three are found, the newest first", [a.user["id"] for a in answers], [b"carol", b"bob", b"alice"])
        check.equal("the first says how many there are", answers[0].number_of_credentials, 3)
        for answer in answers:
            answer.verify(HASH, made[answer.user["id"]].auth_data.credential_data.public_key)
        check.that("each is signed with its own key", True)
        check.that("no names are told without verification", all("name" not in a.user for a in answers))
        with check.refused("after the last there is none", ERR.NOT_ALLOWED):
            ctap.get_next_assertion()
        ctap.get_assertion(RP["id"], HASH)
        other = Ctap2(key.device())
        with check.refused("another channel can not go on with it", ERR.NOT_ALLOWED):
            other.get_next_assertion()
        listed = ctap.get_assertion(RP["id"], HASH, allow_list=[descriptor(m) for m in made.values()])
        check.that("a list yields one assertion", not listed.number_of_credentials)
        make(ctap, user={"id": b"bob", "name": "bob", "displayName": "Bob"}, options={"rk": True})
        check.equal("the same user again takes the old one's place", len(ctap.get_assertions(RP["id"], HASH)), 3)
        with check.refused("the old one is gone", ERR.NO_CREDENTIALS):
            ctap.get_assertion(RP["id"], HASH, allow_list=[descriptor(made[b"bob"])])


def refusal(check):
    with RunningKey(touch="deny") as key:
        ctap = key.ctap2()
        with check.refused("a user who declines is reported", ERR.OPERATION_DENIED):
            make(ctap)
        with check.refused("also where there is no credential", ERR.OPERATION_DENIED):
            ctap.get_assertion(RP["id"], HASH)


def cancel(check):
    with RunningKey(touch="after=60000") as key:
        ctap, event = key.ctap2(), Event()
        statuses = []
        timer = Timer(0.3, event.set)
        timer.start()
        with check.refused("a request that is cancelled says so", ERR.KEEPALIVE_CANCEL):
            make(ctap, event=event, on_keepalive=statuses.append)
        timer.join()
        check.that("the platform was told that a touch is wanted", STATUS.UPNEEDED in statuses, f"(only {statuses})")
        check.equal("the channel goes on", ctap.device.ping(b"x"), b"x")


def kill_and_restart(check):
    with RunningKey() as key:
        ctap = key.ctap2()
        stays = make(ctap)
        make(ctap, options={"rk": True})
        counter = ctap.get_assertion(RP["id"], HASH, allow_list=[descriptor(stays)]).auth_data.counter
        key.power_cycle()
        ctap = key.ctap2()
        answer = ctap.get_assertion(RP["id"], HASH, allow_list=[descriptor(stays)])
        answer.verify(HASH, stays.auth_data.credential_data.public_key)
        check.that("a credential outlives a kill", True)
        check.that("the counter does not go back", answer.auth_data.counter > counter)
        found = ctap.get_assertion(RP["id"], HASH)
        check.equal("and so does a discoverable one", found.user["id"], USER["id"])
        check.equal("the state is private", key.state.stat().st_mode & 0o777, 0o600)


SCENARIOS = {
    "hid": hid,
    "info": info,
    "credential": credential,
    "discoverable": discoverable,
    "refusal": refusal,
    "cancel": cancel,
    "kill-and-restart": kill_and_restart,
}
