"""The suites an envelope may be sealed by, and the recipients' keys of each."""

from typing import Literal

from strongroom.protocol.errors import Refused
from strongroom.protocol.rsa_wrapping import RsaRecipientPrivateKey, RsaRecipientPublicKey
from strongroom.protocol.sealing import RecipientPrivateKey, RecipientPublicKey

Suite = Literal["HPKE-XWING", "RSA-AES-KWP"]
SUITES: tuple[Suite, ...] = ("HPKE-XWING", "RSA-AES-KWP")
AnyPublicKey = RecipientPublicKey | RsaRecipientPublicKey
AnyPrivateKey = RecipientPrivateKey | RsaRecipientPrivateKey


def public_key(suite: str, text: str) -> AnyPublicKey:
    """The recipient public key of `suite` in base64url. Raises `Refused("suite-unsupported" | "malformed")`."""
    if suite == "HPKE-XWING":
        return RecipientPublicKey.from_text(text)
    if suite == "RSA-AES-KWP":
        return RsaRecipientPublicKey.from_text(text)
    raise Refused("suite-unsupported")


def private_key(suite: str, raw: bytes) -> AnyPrivateKey:
    """The recipient private key of `suite` from its own bytes."""
    return RecipientPrivateKey(raw) if suite == "HPKE-XWING" else RsaRecipientPrivateKey(raw)


def generate(suite: Suite) -> AnyPrivateKey:
    """A fresh key pair of `suite`."""
    return RecipientPrivateKey.generate() if suite == "HPKE-XWING" else RsaRecipientPrivateKey.generate()
