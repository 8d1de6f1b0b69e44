"""Credential management; each scenario with a PIN protocol."""

from hashlib import sha256

from ctap2_scenarios import HASH, make
from fido2.cose import CoseKey
from fido2.ctap import CtapError
from fido2.ctap2 import CredentialManagement
from pin_scenarios import PERMISSION, PIN, client, with_token
from running_key import RunningKey

ERR = CtapError.ERR
RESULT = CredentialManagement.RESULT
PARTIES = {"example.com": ["alice", "bob"], "example.net": ["carol"], "example.org": ["dave"]}


def management(key, protocol, permissions=PERMISSION.CREDENTIAL_MGMT, party=None):
    ctap, pin = client(key, protocol)
    return CredentialManagement(ctap, pin.protocol, pin.get_pin_token(PIN, permissions, party))


def fill(key, protocol):
    """Makes the credentials of PARTIES; gives public keys by user."""
    _, pin = client(key, protocol)
    pin.set_pin(PIN)
    ctap, pin = client(key, protocol)
    keys = {}
    for party, names in PARTIES.items():
        for name in names:
            token = pin.get_pin_token(PIN, PERMISSION.MAKE_CREDENTIAL, party)
            user = {"id": name.encode(), "name": name, "displayName": name.title()}
            made = make(ctap, {"id": party, "name": party}, user, options={"rk": True}, **with_token(pin, token))
            keys[name] = made.auth_data.credential_data.public_key
    return keys


def credentials(manager, party):
    return manager.enumerate_creds(sha256(party.encode()).digest())


def listing(check, protocol):
    with RunningKey() as key:
        keys = fill(key, protocol)
        manager = management(key, protocol)
        metadata = manager.get_metadata()
        check.equal("four credentials are there", metadata[RESULT.EXISTING_CRED_COUNT], 4)
        check.that("there is room for more", metadata[RESULT.MAX_REMAINING_COUNT] > 0)
        parties = manager.enumerate_rps()
        check.equal("all relying parties are listed", sorted(p[RESULT.RP]["id"] for p in parties), sorted(PARTIES))
        check.that("with their hashes", all(
            p[RESULT.RP_ID_HASH] == sha256(p[RESULT.RP]["id"].encode()).digest() for p in parties))
        for party, names in PARTIES.items():
            found = credentials(manager, party)
            check.equal(f"the users of {party} are listed", sorted(c[RESULT.USER]["name"] for c in found), names)
            check.that("with their public keys", all(
                CoseKey.parse(c[RESULT.PUBLIC_KEY]) == keys[c[RESULT.USER]["name"]] for c in found))
        with check.refused("a relying party that is not there has none", ERR.NO_CREDENTIALS):
            manager.enumerate_creds_begin(bytes(32))
        with check.refused("nothing is next that was not begun", ERR.NOT_ALLOWED):
            manager.enumerate_rps_next()
        stranger = management(key, protocol, PERMISSION.GET_ASSERTION, "example.com")
        with check.refused("a token for assertions lists nothing", ERR.PIN_AUTH_INVALID):
            stranger.get_metadata()


def editing(check, protocol):
    with RunningKey() as key:
        fill(key, protocol)
        manager = management(key, protocol)
        alice = next(c for c in credentials(manager, "example.com") if c[RESULT.USER]["name"] == "alice")
        renamed = {"id": b"alice", "name": "alice@example.com", "displayName": "Alice A."}
        manager.update_user_info(alice[RESULT.CREDENTIAL_ID], renamed)
        found = [dict(c[RESULT.USER]) for c in credentials(manager, "example.com")]
        check.that("a user has a new name", renamed in found, f"(found {found})")
        check.equal("and is still one of two", len(found), 2)
        with check.refused("another user's id is refused", ERR.INVALID_PARAMETER):
            manager.update_user_info(alice[RESULT.CREDENTIAL_ID], dict(renamed, id=b"mallory"))
        manager.delete_cred(alice[RESULT.CREDENTIAL_ID])
        names = [c[RESULT.USER]["name"] for c in credentials(manager, "example.com")]
        check.equal("a credential that is deleted is gone", names, ["bob"])
        with check.refused("and can not be deleted again", ERR.NO_CREDENTIALS):
            manager.delete_cred(alice[RESULT.CREDENTIAL_ID])
        check.equal("three are left", manager.get_metadata()[RESULT.EXISTING_CRED_COUNT], 3)
        key.power_cycle()
        manager = management(key, protocol)
        check.equal("also after a kill", manager.get_metadata()[RESULT.EXISTING_CRED_COUNT], 3)
        for party in PARTIES:
            for credential in credentials(manager, party):
                manager.delete_cred(credential[RESULT.CREDENTIAL_ID])
        check.equal("the last can be deleted", manager.get_metadata()[RESULT.EXISTING_CRED_COUNT], 0)
        check.equal("and no relying party is left", list(manager.enumerate_rps()), [])
        ctap, _ = client(key, protocol)
        with check.refused("nor an assertion", ERR.NO_CREDENTIALS):
            ctap.get_assertion("example.com", HASH)


SCENARIOS = {"management-list": listing, "management-edit": editing}
