"""What an owner orders of a key in its partition, signed with the owner credential; no officer can order it."""

from typing import ClassVar, Literal

from strongroom.protocol import jws
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.errors import Refused


class KeyOrder(jws.Statement, frozen=True, kw_only=True):
    """`destroy`: the key's material is gone for good, its name and receipts stay; `version` 0: every version.

    `revoke` does the same, and the key is listed as revoked, with the `reason` (printable, at most 200 characters) in
    the log. `minimum-version`: versions below `version` serve for nothing, until a later order says otherwise.
    """

    TYP: ClassVar[str] = "strongroom.key-order"

    v: Literal[1] = 1
    order: Literal["destroy", "revoke", "minimum-version"] = "destroy"
    partition: str
    key: str
    version: int
    reason: str = ""
    issued_at: int


class VersionConsent(jws.Statement, frozen=True, kw_only=True):
    """The owner's consent to a new version whose terms are looser than those before: to exactly this import."""

    TYP: ClassVar[str] = "strongroom.version-consent"

    v: Literal[1] = 1
    partition: str
    import_id: str
    name: str
    version: int
    terms_digest: str
    issued_at: int


class PartitionOrder(jws.Statement, frozen=True, kw_only=True):
    """An owner's word on its partition's destruction: that it consents to it, or that a waiting one is cancelled."""

    TYP: ClassVar[str] = "strongroom.partition-order"

    v: Literal[1] = 1
    order: Literal["destroy", "keep"]
    partition: str
    issued_at: int


def check_owner(token: str, kind: type[jws.S], owners: list[PublicCredential]) -> jws.S:
    """The statement, if an owner in force signed it. Raises `Refused("not-the-owner" | "signature-invalid")`."""
    signer = jws.signer(token)
    owner = next((one for one in owners if one.fingerprint == signer), None)
    if owner is None:
        raise Refused("not-the-owner")
    return jws.verify(token, kind, owner.public_key())
