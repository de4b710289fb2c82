"""A device of the test's own making: what a TEE shows the manufacturer, without the TEE."""

import time
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from strongroom.protocol import jws
from strongroom.protocol.certificates import device_id, to_x5c
from strongroom.protocol.sealing import RecipientPrivateKey, RecipientPublicKey
from strongroom.protocol.statements import Endorsement


def certificate_request(key: CertificateIssuerPrivateKeyTypes, algorithm: SHA256 | None = None) -> bytes:
    """A CSR in PEM for `key`."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "any")])
    return x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, algorithm).public_bytes(Encoding.PEM)


@dataclass(frozen=True)
class Device:
    """An identity key and a vendor key; `certificate` is what the manufacturer gave it."""

    identity: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    vendor_key: RecipientPublicKey = field(default_factory=lambda: RecipientPrivateKey.generate().public())
    certificate: x509.Certificate | None = None

    @property
    def id(self) -> str:
        return device_id(self.identity.public_key())

    @property
    def request(self) -> bytes:
        return certificate_request(self.identity)

    @property
    def key_id(self) -> str:
        return self.vendor_key.key_id("vk_")

    def certified(self, pem: str | bytes) -> "Device":
        data = pem.encode() if isinstance(pem, str) else pem
        return replace(self, certificate=x509.load_pem_x509_certificate(data))

    def endorse(self, **changes: Any) -> str:
        """Its endorsement of its vendor key; `changes` spoil it."""
        if self.certificate is None:
            raise ValueError("not certified yet")
        members = {
            "device": self.id,
            "purpose": "vendor-key",
            "key_id": self.key_id,
            "public_key": self.vendor_key.text,
            "issued_at": int(time.time()),
        }
        statement = Endorsement(**members | changes)
        return jws.sign(statement, self.identity, x5c=to_x5c(self.certificate))
