"""The whole life of a virtual MFA device with boto3, with a typed exception for each error."""

import datetime
import struct
import unittest
import zlib

from botocore.exceptions import ClientError

from local_iam import PASSWORD, Server, calm, code, enabled, make, pair, session, step, wrong


class Life(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)
        cls.iam = cls.server.client("iam")

    def setUp(self):
        calm()

    def denied(self, call, **arguments):
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        self.assertEqual(caught.exception.response["Error"]["Code"], "AccessDenied")
        self.assertEqual(caught.exception.response["ResponseMetadata"]["HTTPStatusCode"], 403)
        return caught.exception.response["Error"]["Message"]

    def test_a_device_from_creation_to_deletion(self):
        iam, refused = self.iam, self.iam.exceptions
        user = iam.create_user(UserName="life", Path="/team/")["User"]
        self.assertEqual(user["Arn"], f"arn:aws:iam::{self.server.account}:user/team/life")
        made = iam.create_virtual_mfa_device(
            VirtualMFADeviceName="phone", Tags=[{"Key": "Team", "Value": "blue / 1"}]
        )["VirtualMFADevice"]
        serial, seed = made["SerialNumber"], made["Base32StringSeed"]
        self.assertEqual(serial, f"arn:aws:iam::{self.server.account}:mfa/phone")
        self.assertRegex(seed.decode(), "^[A-Z2-7]{64}$")
        with self.assertRaises(refused.EntityAlreadyExistsException):
            make(iam, "phone")

        named = {"UserName": "life", "SerialNumber": serial}
        with self.assertRaises(refused.InvalidAuthenticationCodeException):
            iam.enable_mfa_device(**named, AuthenticationCode1="000000", AuthenticationCode2="000000")
        swapped = {"AuthenticationCode1": code(seed, step()), "AuthenticationCode2": code(seed, step() - 1)}
        with self.assertRaises(refused.InvalidAuthenticationCodeException):
            iam.enable_mfa_device(**named, **swapped)
        with self.assertRaises(refused.InvalidAuthenticationCodeException):
            iam.enable_mfa_device(**named, **pair(seed, step() - 20))
        with self.assertRaises(refused.NoSuchEntityException):
            iam.enable_mfa_device(**{**named, "UserName": "nobody"}, **pair(seed, step() - 2))
        iam.enable_mfa_device(**named, **pair(seed, step() - 2))
        with self.assertRaises(refused.EntityAlreadyExistsException):
            iam.enable_mfa_device(**named, **pair(seed, step() - 2))

        [listed] = iam.list_mfa_devices(UserName="life")["MFADevices"]
        self.assertEqual((listed["UserName"], listed["SerialNumber"]), ("life", serial))
        self.assertIsInstance(listed["EnableDate"], datetime.datetime)
        [assigned] = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
        self.assertEqual(assigned["User"]["UserId"], user["UserId"])
        self.assertNotIn("Base32StringSeed", assigned)

        with self.assertRaises(refused.InvalidAuthenticationCodeException):
            iam.resync_mfa_device(**named, **pair(seed, step() - 2))
        iam.resync_mfa_device(**named, **pair(seed, step()))
        with self.assertRaises(refused.NoSuchEntityException):
            iam.get_mfa_device(**named)

        self.assertEqual(iam.list_mfa_device_tags(SerialNumber=serial)["Tags"], [{"Key": "Team", "Value": "blue / 1"}])
        iam.tag_mfa_device(SerialNumber=serial, Tags=[{"Key": "team", "Value": ""}, {"Key": "Ümlaut", "Value": "ñ"}])
        iam.untag_mfa_device(SerialNumber=serial, TagKeys=["TEAM"])
        self.assertEqual(iam.list_mfa_device_tags(SerialNumber=serial)["Tags"], [{"Key": "Ümlaut", "Value": "ñ"}])

        with self.assertRaises(refused.DeleteConflictException):
            iam.delete_virtual_mfa_device(SerialNumber=serial)
        with self.assertRaises(refused.DeleteConflictException):
            iam.delete_user(UserName="life")
        iam.deactivate_mfa_device(**named)
        with self.assertRaises(refused.NoSuchEntityException):
            iam.deactivate_mfa_device(**named)
        iam.delete_virtual_mfa_device(SerialNumber=serial)
        with self.assertRaises(refused.NoSuchEntityException):
            iam.delete_virtual_mfa_device(SerialNumber=serial)
        iam.delete_user(UserName="life")

    def test_the_qr_code_is_a_picture(self):
        picture = self.iam.create_virtual_mfa_device(VirtualMFADeviceName="qr")["VirtualMFADevice"]["QRCodePNG"]
        self.assertTrue(picture.startswith(b"\x89PNG\r\n\x1a\n"))
        width, height, depth = struct.unpack(">IIB", picture[16:25])
        self.assertEqual((width, depth), (height, 1))
        data, at = b"", 8
        while at < len(picture):
            length, kind = struct.unpack(">I4s", picture[at:at + 8])
            chunk = picture[at + 8:at + 8 + length]
            self.assertEqual(zlib.crc32(kind + chunk), int.from_bytes(picture[at + 8 + length:at + 12 + length], "big"))
            data += chunk if kind == b"IDAT" else b""
            at += 12 + length
        self.assertEqual(len(zlib.decompress(data)), height * (1 + (width + 7) // 8))

    def test_a_ninth_device_is_refused(self):
        self.iam.create_user(UserName="many")
        for number in range(8):
            enabled(self.iam, "many", f"many-{number}")
        with self.assertRaises(self.iam.exceptions.LimitExceededException):
            enabled(self.iam, "many", "many-8")

    def test_lists_come_in_pages(self):
        serials = {make(self.iam, f"page-{number}")[0] for number in range(5)}
        pages = self.iam.get_paginator("list_virtual_mfa_devices").paginate(PaginationConfig={"PageSize": 2})
        found = [device["SerialNumber"] for page in pages for device in page["VirtualMFADevices"]]
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(serials, set(found))
        first = self.iam.list_virtual_mfa_devices(MaxItems=2)
        self.assertTrue(first["IsTruncated"])
        with self.assertRaises(ClientError):
            self.iam.list_virtual_mfa_devices(Marker="nonsense")

    def test_a_session_token_needs_a_code_that_is_right_and_new(self):
        key = self.server.user("sts")
        own = self.server.client("iam", key)
        serial, seed = enabled(own, "sts", "sts")
        sts = self.server.client("sts", key)
        mfa = {"SerialNumber": serial}
        text = self.denied(sts.get_session_token, **mfa, TokenCode=wrong(seed))
        self.assertEqual(text, "MultiFactorAuthentication failed with invalid MFA one time pass code. ")
        self.denied(sts.get_session_token, **mfa, TokenCode=code(seed, step() - 3))
        self.denied(sts.get_session_token, SerialNumber=f"{serial}x", TokenCode=code(seed, step()))
        good = code(seed, step())
        proven = session(sts.get_session_token(**mfa, TokenCode=good))
        self.denied(sts.get_session_token, **mfa, TokenCode=good)
        self.assertEqual(len(self.server.client("iam", proven).list_mfa_devices()["MFADevices"]), 1)
        plain = session(sts.get_session_token())
        self.denied(self.server.client("iam", plain).list_mfa_devices)
        identity = self.server.client("sts", plain).get_caller_identity()
        self.assertEqual(identity["Arn"], f"arn:aws:iam::{self.server.account}:user/sts")

    def test_a_role_is_assumed_with_a_code(self):
        key = self.server.user("role")
        serial, seed = enabled(self.server.client("iam", key), "role", "role")
        sts = self.server.client("sts", key)
        role = {"RoleArn": f"arn:aws:iam::{self.server.account}:role/MFARequired", "RoleSessionName": "test"}
        self.denied(sts.assume_role, **role)
        self.denied(sts.assume_role, **role, SerialNumber=serial, TokenCode=wrong(seed))
        answer = sts.assume_role(**role, SerialNumber=serial, TokenCode=code(seed, step()))
        identity = self.server.client("sts", session(answer)).get_caller_identity()
        self.assertEqual(identity["Arn"], answer["AssumedRoleUser"]["Arn"])
        self.denied(self.server.client("iam", session(answer)).list_mfa_devices)

    def test_a_users_key_reaches_no_other_user(self):
        key = self.server.user("one")
        self.iam.create_user(UserName="two")
        own = self.server.client("iam", key)
        self.denied(own.list_mfa_devices, UserName="two")
        self.denied(own.create_user, UserName="three")
        self.denied(own.list_users)
        self.assertEqual(own.get_user()["User"]["UserName"], "one")

    def test_keys_and_signatures_that_are_wrong_are_refused(self):
        access_key, secret, _ = self.server.key
        for key, expected in [
            ((access_key, f"{secret}x", None), "SignatureDoesNotMatch"),
            (("AKIAAAAAAAAAAAAAAAAA", secret, None), "InvalidClientTokenId"),
            ((access_key, secret, "token"), "InvalidClientTokenId"),
        ]:
            for service, call in [("iam", "get_user"), ("sts", "get_caller_identity")]:
                with self.subTest(expected, service=service), self.assertRaises(ClientError) as caught:
                    getattr(self.server.client(service, key), call)()
                self.assertEqual(caught.exception.response["Error"]["Code"], expected)

    def test_a_login_profile_and_access_keys(self):
        iam, refused = self.iam, self.iam.exceptions
        iam.create_user(UserName="login")
        with self.assertRaises(refused.PasswordPolicyViolationException):
            iam.create_login_profile(UserName="login", Password="short")
        iam.create_login_profile(UserName="login", Password=PASSWORD)
        with self.assertRaises(refused.EntityAlreadyExistsException):
            iam.create_login_profile(UserName="login", Password=PASSWORD)
        keys = [iam.create_access_key(UserName="login")["AccessKey"]["AccessKeyId"] for _ in range(2)]
        with self.assertRaises(refused.LimitExceededException):
            iam.create_access_key(UserName="login")
        listed = iam.list_access_keys(UserName="login")["AccessKeyMetadata"]
        self.assertEqual([key["AccessKeyId"] for key in listed], keys)
        with self.assertRaises(refused.DeleteConflictException):
            iam.delete_user(UserName="login")
        iam.delete_login_profile(UserName="login")
        for key in keys:
            iam.delete_access_key(UserName="login", AccessKeyId=key)
        iam.delete_user(UserName="login")


if __name__ == "__main__":
    unittest.main()
