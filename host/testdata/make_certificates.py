"""Makes the attestation certificates of the tests, with pyca/cryptography: each is self-signed by the scalar 2121...21."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID, ObjectIdentifier

KEY = ec.derive_private_key(int.from_bytes(bytes([0x21] * 32), "big"), ec.SECP256R1())
AAGUID = ObjectIdentifier("1.3.6.1.4.1.45724.1.1.4")


def certificate(aaguid=bytes([0x11] * 16), unit="Authenticator Attestation", ca=False, key=KEY, critical=False):
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CH"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Keywright tests"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COMMON_NAME, "Test key"),
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.datetime(2026, 1, 1))
        .not_valid_after(datetime.datetime(2056, 1, 1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if aaguid is not None:
        builder = builder.add_extension(x509.UnrecognizedExtension(AAGUID, b"\x04\x10" + aaguid), critical=critical)
    return builder.sign(key, hashes.SHA256())


CERTIFICATES = {
    "leaf": certificate(),
    "leaf-without-aaguid": certificate(aaguid=None),
    "leaf-of-another-model": certificate(aaguid=bytes([0x12] * 16)),
    "leaf-with-a-critical-aaguid": certificate(critical=True),
    "leaf-of-another-unit": certificate(unit="Engineering"),
    "authority": certificate(ca=True),
    "leaf-on-p384": certificate(key=ec.derive_private_key(7, ec.SECP384R1())),
}

if __name__ == "__main__":
    from cryptography.hazmat.primitives.serialization import Encoding

    for stem, made in CERTIFICATES.items():
        Path(__file__).with_name(stem + ".der").write_bytes(made.public_bytes(Encoding.DER))
