"""A table test over botocore's own service model: required members, lengths, patterns, enumerations, answers and error
codes of each action that is served."""

import re
import unittest
import urllib.error
import urllib.parse
import urllib.request

import botocore.session
from botocore import xform_name
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from local_iam import PASSWORD, Server, calm, code, enabled, make, pair, step

SERVED = {
    "iam": [
        "CreateVirtualMFADevice", "EnableMFADevice", "ResyncMFADevice", "DeactivateMFADevice", "DeleteVirtualMFADevice",
        "ListMFADevices", "ListVirtualMFADevices", "GetMFADevice", "TagMFADevice", "UntagMFADevice", "ListMFADeviceTags",
        "CreateUser", "GetUser", "ListUsers", "DeleteUser", "CreateLoginProfile", "DeleteLoginProfile",
        "CreateAccessKey", "ListAccessKeys", "DeleteAccessKey",
    ],
    "sts": ["GetCallerIdentity", "GetSessionToken", "AssumeRole"],
}  # fmt: skip

# Members that the model has and the server refuses in words, whatever their value.
NOT_KEPT = {
    ("CreateUser", "PermissionsBoundary"), ("CreateUser", "Tags"), ("GetSessionToken", "MinimumSessionTokenSize"),
    *(("AssumeRole", name) for name in (
        "PolicyArns", "Policy", "Tags", "TransitiveTagKeys", "ExternalId", "SourceIdentity", "ProvidedContexts",
        "MinimumSessionTokenSize",
    )),
}  # fmt: skip

# Errors of the model that this server has no reason to give: one writer, nothing that fails on purpose, no region.
NEVER = {"ServiceFailure", "ConcurrentModification", "EntityTemporarilyUnmodifiable", "RegionDisabledException"}
# Those that an action's own circumstances rule out here, each with its reason.
NOT_HERE = {
    ("CreateVirtualMFADevice", "LimitExceeded"): "at 5000 devices",
    ("ResyncMFADevice", "LimitExceeded"): "no limit on it",
    ("DeactivateMFADevice", "LimitExceeded"): "no limit on it",
    ("DeleteVirtualMFADevice", "LimitExceeded"): "no limit on it",
    ("ListMFADeviceTags", "InvalidInput"): "a wrong member is a ValidationError",
    ("UntagMFADevice", "InvalidInput"): "a wrong member is a ValidationError",
    ("CreateUser", "LimitExceeded"): "at 5000 users",
    ("CreateUser", "NoSuchEntity"): "for a permissions boundary, which is not kept",
    ("CreateUser", "InvalidInput"): "a wrong member is a ValidationError",
    ("DeleteUser", "LimitExceeded"): "no limit on it",
    ("CreateLoginProfile", "LimitExceeded"): "no limit on it",
    ("DeleteLoginProfile", "LimitExceeded"): "no limit on it",
    ("DeleteAccessKey", "LimitExceeded"): "no limit on it",
    ("AssumeRole", "MalformedPolicyDocument"): "session policies are not kept",
    ("AssumeRole", "PackedPolicyTooLarge"): "session policies are not kept",
    ("AssumeRole", "ExpiredTokenException"): "web identity tokens are not taken",
}

VALID = {
    "UserName": "ann", "VirtualMFADeviceName": "phone", "SerialNumber": "arn:aws:iam::123456789012:mfa/x",
    "AuthenticationCode1": "123456", "AuthenticationCode2": "123456", "Password": PASSWORD, "TokenCode": "123456",
    "Tags": [{"Key": "k", "Value": "v"}], "TagKeys": ["k"], "AccessKeyId": "AKIAAAAAAAAAAAAAAAAA",
    "RoleArn": "arn:aws:iam::123456789012:role/x", "RoleSessionName": "test",
}  # fmt: skip

# The first of these that a pattern does not match breaks it.
CANDIDATES = [";", "\u0100", "\x01", "é", "x", "a b"]


def breaks(shape):
    """Values of a member that the model forbids, each with why."""
    meta = shape.metadata
    if shape.type_name == "integer":
        yield from ((meta[end] + by, end) for end, by in (("min", -1), ("max", 1)) if end in meta)
        yield "many", "type"
    elif shape.type_name == "boolean":
        yield "maybe", "type"
    elif "enum" in meta:
        yield "Other", "enum"
    elif shape.type_name == "string":
        filler = "1" if "\\d" in meta.get("pattern", "") else "/" if meta.get("pattern", "").startswith("(\\u002F)") else "a"
        if meta.get("min", 0) > 0:
            yield filler * (meta["min"] - 1), "min"
        if "max" in meta:
            yield filler * (meta["max"] + 1), "max"
        if "pattern" in meta:
            yield unmatched(meta), "pattern"


def unmatched(meta):
    """A text of a length that is allowed and that the pattern does not match."""
    classes = r"a-zA-Z0-9 \u00c0-\u1fff"
    pattern = re.sub(r"\\p\{[LZN]\}", lambda _: classes, meta["pattern"]).replace(r"\u10000-\u10FFFF", "")
    for candidate in CANDIDATES:
        text = candidate * max(meta.get("min", 1), 1)
        if not re.fullmatch(pattern, text[: meta.get("max", 1 << 20)], re.ASCII):
            return text[: meta.get("max", 1 << 20)]
    raise AssertionError(f"every candidate fits {meta['pattern']}")


class Model(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)
        loader = botocore.session.get_session()
        cls.models = {service: loader.get_service_model(service) for service in SERVED}
        cls.raw = {service: cls.server.client(service, validate=False) for service in SERVED}

    def operations(self):
        for service, names in SERVED.items():
            for name in names:
                yield service, name, self.models[service].operation_model(name)

    def call(self, service, name, arguments):
        return getattr(self.raw[service], xform_name(name))(**arguments)

    def invalid(self, service, name, arguments, member):
        with self.assertRaises(ClientError) as caught:
            self.call(service, name, arguments)
        error, status = caught.exception.response["Error"], caught.exception.response["ResponseMetadata"]
        self.assertEqual((error["Code"], status["HTTPStatusCode"]), ("ValidationError", 400), error)
        self.assertIn(f"'{member[0].lower()}{member[1:]}", error["Message"])
        self.assertRegex(error["Message"], r"^\d+ validation errors? detected: ")

    def test_what_is_served_is_what_the_table_says(self):
        for service, names in SERVED.items():
            for name in self.models[service].operation_names:
                # Two that would change something are called elsewhere.
                if name in ("CreateAccessKey", "DeleteLoginProfile"):
                    continue
                with self.subTest(service=service, action=name):
                    self.assertEqual(self.bare(service, name) != "InvalidAction", name in names)

    def bare(self, service, name):
        """The error code of an action with no member at all, signed by hand; None when there is none."""
        form = urllib.parse.urlencode({"Action": name, "Version": self.models[service].metadata["apiVersion"]})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        request = AWSRequest("POST", f"{self.server.url}/", headers, form)
        access_key, secret, _ = self.server.key
        SigV4Auth(Credentials(access_key, secret), service, "us-east-1").add_auth(request)
        signed = urllib.request.Request(request.url, form.encode(), dict(request.headers))
        try:
            urllib.request.urlopen(signed, timeout=10).close()
        except urllib.error.HTTPError as refusal:
            return re.search("<Code>(.*)</Code>", refusal.read().decode())[1]
        return None

    def test_a_required_member_that_is_missing_is_refused(self):
        count = 0
        for service, name, operation in self.operations():
            required = operation.input_shape.required_members if operation.input_shape else []
            arguments = {member: VALID[member] for member in required}
            for member in required:
                with self.subTest(action=name, member=member):
                    some = {key: value for key, value in arguments.items() if key != member}
                    self.invalid(service, name, some, member)
                    count += 1
        self.assertGreater(count, 20)

    def test_a_value_that_breaks_the_model_is_refused(self):
        count = 0
        for service, name, operation in self.operations():
            shape = operation.input_shape
            if shape is None:
                continue
            arguments = {member: VALID[member] for member in shape.required_members}
            for member, of in shape.members.items():
                if (name, member) in NOT_KEPT:
                    continue
                for value, why in self.broken(of):
                    with self.subTest(action=name, member=member, breaks=why, value=str(value)[:40]):
                        self.invalid(service, name, {**arguments, member: value}, member)
                        count += 1
        self.assertGreater(count, 150)

    def broken(self, shape):
        if shape.type_name != "list":
            yield from breaks(shape)
            return
        inner = shape.member
        good = {"Key": "k", "Value": "v"} if inner.type_name == "structure" else "k"
        distinct = [{"Key": f"k{n}", "Value": "v"} if inner.type_name == "structure" else f"k{n}" for n in range(51)]
        yield distinct, "max"
        if inner.type_name == "structure":
            for part, of in inner.members.items():
                yield [{key: value for key, value in good.items() if key != part}], f"required {part}"
                yield from (([{**good, part: value}], f"{part} {why}") for value, why in breaks(of))
        else:
            yield from (([value], why) for value, why in breaks(inner))

    def test_a_member_that_is_not_kept_is_refused_and_never_dropped(self):
        values = {"string": "arn:aws:iam::123456789012:policy/x", "integer": 1}
        for service, name, operation in self.operations():
            shape = operation.input_shape
            for member in shape.members if shape else ():
                if (name, member) not in NOT_KEPT:
                    continue
                of = shape.members[member]
                value = values.get(of.type_name) or [self.entry(of.member)]
                arguments = {required: VALID[required] for required in shape.required_members}
                with self.subTest(action=name, member=member):
                    self.invalid(service, name, {**arguments, member: value}, member)

    def entry(self, shape):
        return "key" if shape.type_name == "string" else {part: "value" for part in shape.members}

    def complete(self, shape, answer, path):
        """Every member that the model requires is there."""
        if shape.type_name == "structure":
            for member in shape.required_members:
                self.assertIn(member, answer, f"{path} lacks {member}")
            for member, value in answer.items():
                if member in shape.members:
                    self.complete(shape.members[member], value, f"{path}.{member}")
        elif shape.type_name == "list":
            for value in answer:
                self.complete(shape.member, value, f"{path}[]")
        elif shape.type_name == "string" and answer and "pattern" in shape.metadata:
            self.assertTrue(shape.metadata.get("min", 0) <= len(answer) <= shape.metadata.get("max", 1 << 20), path)

    def test_every_answer_has_what_the_model_promises(self):
        calm()
        server = self.server
        iam, sts = server.client("iam"), server.client("sts")
        iam.create_user(UserName="shape")
        serial, seed = make(iam, "shape")
        named = {"UserName": "shape", "SerialNumber": serial}
        tag = {"SerialNumber": serial, "Tags": [{"Key": "k", "Value": "v"}]}
        mfa_serial, mfa_seed = enabled(iam, "Administrator", "mfa")
        role = {"RoleArn": f"arn:aws:iam::{server.account}:role/MFARequired", "RoleSessionName": "test"}
        calls = [
            ("iam", "CreateVirtualMFADevice", {"VirtualMFADeviceName": "other"}),
            ("iam", "EnableMFADevice", {**named, **pair(seed, step() - 2)}),
            ("iam", "ResyncMFADevice", {**named, **pair(seed, step())}),
            ("iam", "ListMFADevices", {"UserName": "shape"}),
            ("iam", "ListVirtualMFADevices", {}),
            ("iam", "TagMFADevice", tag),
            ("iam", "ListMFADeviceTags", {"SerialNumber": serial}),
            ("iam", "UntagMFADevice", {"SerialNumber": serial, "TagKeys": ["k"]}),
            ("iam", "DeactivateMFADevice", named),
            ("iam", "DeleteVirtualMFADevice", {"SerialNumber": serial}),
            ("iam", "GetUser", {"UserName": "shape"}),
            ("iam", "ListUsers", {}),
            ("iam", "CreateLoginProfile", {"UserName": "shape", "Password": PASSWORD}),
            ("iam", "DeleteLoginProfile", {"UserName": "shape"}),
            ("iam", "CreateAccessKey", {"UserName": "shape"}),
            ("iam", "ListAccessKeys", {"UserName": "shape"}),
            ("iam", "CreateUser", {"UserName": "shape2", "Path": "/a/"}),
            ("iam", "DeleteUser", {"UserName": "shape2"}),
            ("sts", "GetCallerIdentity", {}),
            ("sts", "GetSessionToken", {"SerialNumber": mfa_serial, "TokenCode": code(mfa_seed, step())}),
            ("sts", "AssumeRole", {**role, "SerialNumber": mfa_serial, "TokenCode": code(mfa_seed, step() + 1)}),
        ]
        for service, name, arguments in calls:
            with self.subTest(action=name):
                answer = self.call(service, name, arguments)
                shape = self.models[service].operation_model(name).output_shape
                if shape is not None:
                    self.complete(shape, answer, name)
        [key] = iam.list_access_keys(UserName="shape")["AccessKeyMetadata"]
        iam.delete_access_key(UserName="shape", AccessKeyId=key["AccessKeyId"])
        # GetMFADevice answers for security keys, which only the console registers: its answer is tested in Rust.
        self.assertEqual({name for _, name, _ in calls} ^ set(sum(SERVED.values(), [])), {"GetMFADevice", "DeleteAccessKey"})

    def test_every_error_of_the_model_is_given_with_its_type_and_status(self):
        calm()
        server, iam = self.server, self.server.client("iam")
        iam.create_user(UserName="errors")
        iam.create_login_profile(UserName="errors", Password=PASSWORD)
        for _ in range(2):
            iam.create_access_key(UserName="errors")
        serial, seed = enabled(iam, "errors", "errors")
        free, free_seed = make(iam, "errors-free")
        iam.create_user(UserName="full")
        for number in range(8):
            enabled(iam, "full", f"full-{number}")
        tags = lambda count: [{"Key": f"k{n}", "Value": "v"} for n in range(count)]
        iam.tag_mfa_device(SerialNumber=free, Tags=tags(50))
        name, absent = {"UserName": "errors"}, {"UserName": "absent"}
        named = {**name, "SerialNumber": serial}
        nothing = {"SerialNumber": f"{serial}-x"}
        bad = {"AuthenticationCode1": "000000", "AuthenticationCode2": "000000"}
        good = pair(free_seed, step() - 2)
        twice = [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]
        cases = {
            ("CreateVirtualMFADevice", "EntityAlreadyExists"): {"VirtualMFADeviceName": "errors"},
            ("CreateVirtualMFADevice", "InvalidInput"): {"VirtualMFADeviceName": "tags", "Tags": twice},
            ("EnableMFADevice", "EntityAlreadyExists"): {**named, **good},
            ("EnableMFADevice", "InvalidAuthenticationCode"): {**name, "SerialNumber": free, **bad},
            ("EnableMFADevice", "LimitExceeded"): {"UserName": "full", "SerialNumber": free, **good},
            ("EnableMFADevice", "NoSuchEntity"): {**name, **nothing, **good},
            ("ResyncMFADevice", "InvalidAuthenticationCode"): {**named, **bad},
            ("ResyncMFADevice", "NoSuchEntity"): {**name, **nothing, **good},
            ("DeactivateMFADevice", "NoSuchEntity"): {**name, **nothing},
            ("DeleteVirtualMFADevice", "NoSuchEntity"): nothing,
            ("DeleteVirtualMFADevice", "DeleteConflict"): {"SerialNumber": serial},
            ("ListMFADevices", "NoSuchEntity"): absent,
            ("GetMFADevice", "NoSuchEntity"): {**name, **nothing},
            ("TagMFADevice", "InvalidInput"): {"SerialNumber": serial, "Tags": twice},
            ("TagMFADevice", "NoSuchEntity"): {**nothing, "Tags": tags(1)},
            ("TagMFADevice", "LimitExceeded"): {"SerialNumber": free, "Tags": [{"Key": "more", "Value": "v"}]},
            ("UntagMFADevice", "NoSuchEntity"): {**nothing, "TagKeys": ["k"]},
            ("ListMFADeviceTags", "NoSuchEntity"): nothing,
            ("CreateUser", "EntityAlreadyExists"): {"UserName": "ERRORS"},
            ("GetUser", "NoSuchEntity"): absent,
            ("DeleteUser", "NoSuchEntity"): absent,
            ("DeleteUser", "DeleteConflict"): name,
            ("CreateLoginProfile", "EntityAlreadyExists"): {**name, "Password": PASSWORD},
            ("CreateLoginProfile", "NoSuchEntity"): {**absent, "Password": PASSWORD},
            ("CreateLoginProfile", "PasswordPolicyViolation"): {**name, "Password": "short"},
            ("DeleteLoginProfile", "NoSuchEntity"): absent,
            ("CreateAccessKey", "NoSuchEntity"): absent,
            ("CreateAccessKey", "LimitExceeded"): name,
            ("ListAccessKeys", "NoSuchEntity"): absent,
            ("DeleteAccessKey", "NoSuchEntity"): {**name, "AccessKeyId": "AKIAAAAAAAAAAAAAAAAA"},
        }
        wanted = set()
        for service, action, operation in self.operations():
            for shape in operation.error_shapes:
                error = shape.metadata["error"]
                pair_of = (action, error["code"])
                if error["code"] in NEVER or pair_of in NOT_HERE:
                    continue
                wanted.add(pair_of)
                with self.subTest(action=action, error=error["code"]):
                    exception = getattr(self.raw[service].exceptions, shape.name)
                    with self.assertRaises(exception) as caught:
                        self.call(service, action, cases[pair_of])
                    status = caught.exception.response["ResponseMetadata"]["HTTPStatusCode"]
                    self.assertEqual(status, error["httpStatusCode"])
                    self.assertTrue(caught.exception.response["Error"]["Message"])
        self.assertEqual(wanted, set(cases))


if __name__ == "__main__":
    unittest.main()
