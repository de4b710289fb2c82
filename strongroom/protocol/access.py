"""A partition's access list: who may do what in it. Only its owner signs it; the TEE checks and keeps it."""

from typing import ClassVar, Literal

import msgspec

from strongroom.protocol import jws
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import digest, make_id
from strongroom.protocol.errors import Refused
from strongroom.protocol.owner_orders import check_owner

Right = Literal[
    "import", "sign", "verify", "encrypt", "decrypt", "hash", "translate", "derive", "wrap", "unwrap", "rewrap"
]
MAX_PRINCIPALS = 10_000


class Principal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A client device (`device:` + thumbprint, with its public credential) or an API client (`client:` + its id)."""

    principal: str
    rights: list[Right]
    credential: PublicCredential | None = None
    label: str = ""


class AccessList(jws.Statement, frozen=True, kw_only=True):
    """One version of a partition's access list, whole. `previous` is the digest of the list that it replaces.

    Owners stand in the same list, so that an owner may enrol a second owner credential or hand over.
    """

    TYP: ClassVar[str] = "strongroom.access-list"

    v: Literal[1] = 1
    partition: str
    version: int
    previous: str
    owners: list[PublicCredential]
    principals: list[Principal]


def device_principal(credential: PublicCredential) -> str:
    return f"device:{credential.fingerprint}"


def client_principal(client_id: str) -> str:
    return f"client:{client_id}"


def partition_id(owner: PublicCredential, world: str, nonce: str) -> str:
    """A partition's id: bound to its first owner, its world and the nonce of the action that defined it."""
    return make_id("pt_", owner.fingerprint.encode(), world.encode(), nonce.encode())


def access_list_digest(token: str | None) -> str:
    """SHA-256 of the signed access list exactly as sent; empty before the first."""
    return "" if token is None else digest(token.encode())


def check_update(
    token: str, *, partition: str, owners: list[PublicCredential], version: int, current: str | None
) -> AccessList:
    """The new access list, if an owner in force signed it to follow the `current` one (version `version`).

    Raises `Refused`: `not-the-owner`, `signature-invalid`, `wrong-partition`, `access-list-conflict`, `malformed`.
    """
    # 1. An owner in force signed it.
    update = check_owner(token, AccessList, owners)
    # 2. It is for this partition, and follows exactly the list that is in force.
    if update.partition != partition:
        raise Refused("wrong-partition")
    if update.version != version + 1 or update.previous != access_list_digest(current):
        raise Refused("access-list-conflict", f"version {version} is in force")
    # 3. It is sound in itself.
    if not update.owners:
        raise Refused("malformed", "an access list needs an owner")
    names = [one.principal for one in update.principals]
    if len(set(names)) != len(names) or len(names) > MAX_PRINCIPALS:
        raise Refused("malformed", "a principal stands in the list twice, or there are too many")
    for one in update.principals:
        if one.principal.startswith("device:"):
            if one.credential is None or device_principal(one.credential) != one.principal:
                raise Refused("malformed", "a device needs the credential that its name is made of")
        elif not one.principal.startswith("client:") or one.credential is not None:
            raise Refused("malformed", "a principal is a device or a client")
    return update
